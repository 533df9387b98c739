/* Vectors of sixteen 32-bit words, in instructions of AVX-512: rotations and three-way logic in one each. */
#define WORDS 16
#define V __m512i
#define SET1(x) _mm512_set1_epi32((int)(x))
#define ADD32(a, b) _mm512_add_epi32(a, b)
#define XOR(a, b) _mm512_xor_si512(a, b)
#define AND(a, b) _mm512_and_si512(a, b)
#define SHR32(x, n) _mm512_srli_epi32(x, n)
#define ROTR32(x, n) _mm512_ror_epi32(x, n)
#define ROTL32(x, n) _mm512_rol_epi32(x, n)
#define XOR3(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0x96)
#define CH(e, f, g) _mm512_ternarylogic_epi32(e, f, g, 0xca)
#define MAJ(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0xe8)
#define XOR_ROTATED(x, y, n) XOR(x, ROTL32(y, n))
#define TURN(x, n) \
  _mm512_shuffle_epi32(x, (_MM_PERM_ENUM)(((n) + 3) % 4 << 6 | ((n) + 2) % 4 << 4 | ((n) + 1) % 4 << 2 | (n)))
/* `x` is computed before what follows: gcc would keep more values than there are registers. */
#define PIN(x) __asm__("" : "+v"(x))
