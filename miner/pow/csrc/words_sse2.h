/* Vectors of four 32-bit words, in instructions that every x86-64 has. */
#define WORDS 4
#define V __m128i
#define SET1(x) _mm_set1_epi32((int)(x))
#define ADD32(a, b) _mm_add_epi32(a, b)
#define XOR(a, b) _mm_xor_si128(a, b)
#define AND(a, b) _mm_and_si128(a, b)
#define SHR32(x, n) _mm_srli_epi32(x, n)
#define SHL32(x, n) _mm_slli_epi32(x, n)
#define ROTL32(x, n) _mm_or_si128(SHL32(x, n), SHR32(x, 32 - (n)))
#define CH(e, f, g) XOR(g, AND(e, XOR(f, g)))
#define XOR_ROTATED(x, y, n) XOR(XOR(x, SHL32(y, n)), SHR32(y, 32 - (n)))
#define TURN(x, n) _mm_shuffle_epi32(x, ((n) + 3) % 4 << 6 | ((n) + 2) % 4 << 4 | ((n) + 1) % 4 << 2 | (n))
/* `x` is computed before what follows: gcc would keep more values than there are registers. */
#define PIN(x) __asm__("" : "+x"(x))
