/* SHA-256 twice with AVX2: eight lanes. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <immintrin.h>

#include "target_begin_avx2.h"

#define NAME(verb) sha256d_##verb##_avx2
#include "words_avx2.h"
#define BSWAP(x)                                                                                                     \
  _mm256_shuffle_epi8(x, _mm256_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203, 0x0c0d0e0f, 0x08090a0b, \
                                          0x04050607, 0x00010203))
#define AT_MOST(x, limit) \
  ((uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_min_epu32(x, SET1(limit)), x))))
#include "sha256d_lanes.h"

#include "target_end.h"
#endif
