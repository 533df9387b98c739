/* SHA-256 twice with what every x86-64 has (SSE2): four lanes. */
#include "kernels.h"
#include "pow_impl.h"
#include "sha256.h"

#if POW_X86
#include <immintrin.h>

#define NAME(verb) sha256d_##verb##_sse2
#define LANES 4
#define V __m128i
#define SET1(x) _mm_set1_epi32((int)(x))
#define ADD(a, b) _mm_add_epi32(a, b)
#define XOR(a, b) _mm_xor_si128(a, b)
#define AND(a, b) _mm_and_si128(a, b)
#define SHR(x, n) _mm_srli_epi32(x, n)
#define SHL(x, n) _mm_slli_epi32(x, n)
#define CH(e, f, g) _mm_xor_si128(g, _mm_and_si128(e, _mm_xor_si128(f, g)))
#define BSWAP(x) byte_swapped(x)
#define AT_MOST(x, limit) at_most(x, limit)
#define PIN(x) __asm__("" : "+x"(x))

POW_INLINE __m128i byte_swapped(__m128i x) {
  const __m128i odd = SET1(0x00ff00ff), halves = _mm_or_si128(SHL(x, 16), SHR(x, 16));
  return _mm_or_si128(SHL(AND(halves, odd), 8), AND(SHR(halves, 8), odd));
}

/* SSE2 compares signed words only. */
POW_INLINE uint32_t at_most(__m128i x, uint32_t limit) {
  const __m128i sign = SET1(0x80000000u);
  return ~(uint32_t)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpgt_epi32(XOR(x, sign), SET1(limit ^ 0x80000000u)))) & 0xf;
}

#include "sha256d_lanes.h"
#endif
