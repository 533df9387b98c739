/* NeoScrypt with SSE2, which every x86-64 has: four lanes. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <emmintrin.h>

POW_INLINE void transpose(__m128i *x) {
  const __m128i low0 = _mm_unpacklo_epi32(x[0], x[1]), high0 = _mm_unpackhi_epi32(x[0], x[1]);
  const __m128i low1 = _mm_unpacklo_epi32(x[2], x[3]), high1 = _mm_unpackhi_epi32(x[2], x[3]);
  x[0] = _mm_unpacklo_epi64(low0, low1), x[1] = _mm_unpackhi_epi64(low0, low1);
  x[2] = _mm_unpacklo_epi64(high0, high1), x[3] = _mm_unpackhi_epi64(high0, high1);
}

#define NAME(verb) neoscrypt_##verb##_sse2
#include "words_sse2.h"
#define LOAD(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define STORE(p, v) _mm_storeu_si128((__m128i *)(void *)(p), v)
#define TRANSPOSE(x) transpose(x)
#include "neoscrypt_lanes.h"
#endif
