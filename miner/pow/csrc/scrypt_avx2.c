/* scrypt with AVX2: two hashes a group. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <immintrin.h>

#include "target_begin_avx2.h"

#define NAME(verb) scrypt_##verb##_avx2
#include "words_avx2.h"
#define GROUPS 3
#define LOAD(p) _mm256_load_si256((const __m256i *)(p))
#define STORE(p, v) _mm256_store_si256((__m256i *)(p), v)
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
