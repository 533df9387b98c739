/* SHA-256 twice with what every x86-64 has (SSE2): four lanes. */
#include "kernels.h"
#include "pow_impl.h"
#include "sha256.h"

#if POW_X86
#include <immintrin.h>

#define NAME(verb) sha256d_##verb##_sse2
#include "words_sse2.h"
#define BSWAP(x) byte_swapped(x)
#define AT_MOST(x, limit) at_most(x, limit)

POW_INLINE __m128i byte_swapped(__m128i x) {
  const __m128i odd = SET1(0x00ff00ff), halves = _mm_or_si128(SHL32(x, 16), SHR32(x, 16));
  return _mm_or_si128(SHL32(AND(halves, odd), 8), AND(SHR32(halves, 8), odd));
}

/* SSE2 compares signed words only. */
POW_INLINE uint32_t at_most(__m128i x, uint32_t limit) {
  const __m128i sign = SET1(0x80000000u);
  return ~(uint32_t)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpgt_epi32(XOR(x, sign), SET1(limit ^ 0x80000000u)))) & 0xf;
}

#include "sha256d_lanes.h"
#endif
