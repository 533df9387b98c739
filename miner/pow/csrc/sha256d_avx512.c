/* SHA-256 twice with AVX-512: sixteen lanes, rotations and three-way logic in one instruction each. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <immintrin.h>

#include "target_begin_avx512.h"

#define NAME(verb) sha256d_##verb##_avx512
#include "words_avx512.h"
#define BSWAP(x)                                                                                                 \
  _mm512_shuffle_epi8(x, _mm512_set4_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203))
#define AT_MOST(x, limit) ((uint32_t)_mm512_cmple_epu32_mask(x, SET1(limit)))
#include "sha256d_lanes.h"

#include "target_end.h"
#endif
