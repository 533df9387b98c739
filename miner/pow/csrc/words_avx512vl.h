/* Vectors of four 32-bit words, in instructions of AVX-512 (VL): rotations and three-way logic in one each. */
#include "words_sse2.h"
#undef ROTL32
#undef CH
#undef XOR_ROTATED
#undef PIN
#define ROTR32(x, n) _mm_ror_epi32(x, n)
#define ROTL32(x, n) _mm_rol_epi32(x, n)
#define XOR3(a, b, c) _mm_ternarylogic_epi32(a, b, c, 0x96)
#define CH(e, f, g) _mm_ternarylogic_epi32(e, f, g, 0xca)
#define MAJ(a, b, c) _mm_ternarylogic_epi32(a, b, c, 0xe8)
/* A shift takes one cycle less than a rotation, and the xor is three-way anyway. */
#define XOR_ROTATED(x, y, n) XOR3(x, SHL32(y, n), SHR32(y, 32 - (n)))
#define PIN(x) __asm__("" : "+v"(x))
