/* scrypt with AVX2: two hashes a group. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <immintrin.h>

#include "target_begin_avx2.h"

#define NAME(verb) scrypt_##verb##_avx2
#define GROUPS 3
#define WORDS 8
#define V __m256i
#define SET1(x) _mm256_set1_epi32((int)(x))
#define LOAD(p) _mm256_load_si256((const __m256i *)(p))
#define STORE(p, v) _mm256_store_si256((__m256i *)(p), v)
#define ADD32(a, b) _mm256_add_epi32(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define SHR32(x, n) _mm256_srli_epi32(x, n)
#define ROTR32(x, n) _mm256_or_si256(_mm256_srli_epi32(x, n), _mm256_slli_epi32(x, 32 - (n)))
#define XOR3(a, b, c) XOR(XOR(a, b), c)
#define CH(e, f, g) XOR(g, _mm256_and_si256(e, XOR(f, g)))
#define MAJ(a, b, c) _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_or_si256(a, b)))
#define XOR_ROTATED(x, y, n) XOR(XOR(x, _mm256_slli_epi32(y, n)), _mm256_srli_epi32(y, 32 - (n)))
#define TURN(x, n) _mm256_shuffle_epi32(x, ((n) + 3) % 4 << 6 | ((n) + 2) % 4 << 4 | ((n) + 1) % 4 << 2 | (n))
#define LOWER(a, b) _mm256_permute2x128_si256(a, b, 0x20)
#define UPPER(a, b) _mm256_permute2x128_si256(a, b, 0x31)
#define ROWS_OF_HASHES(x)                                                                      \
  do {                                                                                         \
    const V t0 = x[0], t1 = x[1], t2 = x[2], t3 = x[3];                                        \
    x[0] = LOWER(t0, t2), x[1] = UPPER(t0, t2), x[2] = LOWER(t1, t3), x[3] = UPPER(t1, t3);    \
  } while (0)
#define HASHES_OF_ROWS(x)                                                                      \
  do {                                                                                         \
    const V t0 = x[0], t1 = x[1], t2 = x[2], t3 = x[3];                                        \
    x[0] = LOWER(t0, t1), x[1] = LOWER(t2, t3), x[2] = UPPER(t0, t1), x[3] = UPPER(t2, t3);    \
  } while (0)
#include "scrypt_rows.h"

#include "target_end.h"
#endif
