/* scrypt with SSE2, which every x86-64 has: one hash a group. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <emmintrin.h>

#define NAME(verb) scrypt_##verb##_sse2
#define GROUPS 3
#define WORDS 4
#define V __m128i
#define SET1(x) _mm_set1_epi32((int)(x))
#define LOAD(p) _mm_load_si128((const __m128i *)(p))
#define STORE(p, v) _mm_store_si128((__m128i *)(p), v)
#define ADD32(a, b) _mm_add_epi32(a, b)
#define XOR(a, b) _mm_xor_si128(a, b)
#define SHR32(x, n) _mm_srli_epi32(x, n)
#define ROTR32(x, n) _mm_or_si128(_mm_srli_epi32(x, n), _mm_slli_epi32(x, 32 - (n)))
#define XOR3(a, b, c) XOR(XOR(a, b), c)
#define CH(e, f, g) XOR(g, _mm_and_si128(e, XOR(f, g)))
#define MAJ(a, b, c) _mm_or_si128(_mm_and_si128(a, b), _mm_and_si128(c, _mm_or_si128(a, b)))
#define XOR_ROTATED(x, y, n) XOR(XOR(x, _mm_slli_epi32(y, n)), _mm_srli_epi32(y, 32 - (n)))
#define TURN(x, n) _mm_shuffle_epi32(x, ((n) + 3) % 4 << 6 | ((n) + 2) % 4 << 4 | ((n) + 1) % 4 << 2 | (n))
#define ROWS_OF_HASHES(x)
#define HASHES_OF_ROWS(x)
#include "scrypt_rows.h"
#endif
