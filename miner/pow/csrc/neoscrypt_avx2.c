/* NeoScrypt with AVX2: eight lanes. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <immintrin.h>

#include "target_begin_avx2.h"

/* Exchange rows and columns of four vectors in each half. */
#define HALVES(x, a, b, c, d)                                                                             \
  do {                                                                                                    \
    const __m256i low0 = _mm256_unpacklo_epi32(x[a], x[b]), high0 = _mm256_unpackhi_epi32(x[a], x[b]);    \
    const __m256i low1 = _mm256_unpacklo_epi32(x[c], x[d]), high1 = _mm256_unpackhi_epi32(x[c], x[d]);    \
    x[a] = _mm256_unpacklo_epi64(low0, low1), x[b] = _mm256_unpackhi_epi64(low0, low1);                   \
    x[c] = _mm256_unpacklo_epi64(high0, high1), x[d] = _mm256_unpackhi_epi64(high0, high1);               \
  } while (0)

#define ACROSS(x, a, b)                                                                                   \
  do {                                                                                                    \
    const __m256i low = _mm256_permute2x128_si256(x[a], x[b], 0x20);                                      \
    x[b] = _mm256_permute2x128_si256(x[a], x[b], 0x31), x[a] = low;                                       \
  } while (0)

POW_INLINE void transpose(__m256i *x) {
  HALVES(x, 0, 1, 2, 3);
  HALVES(x, 4, 5, 6, 7);
  ACROSS(x, 0, 4);
  ACROSS(x, 1, 5);
  ACROSS(x, 2, 6);
  ACROSS(x, 3, 7);
}

#define BYTES(low, high) _mm256_set_epi64x(high, low, high, low)

/* Rotations by whole bytes move bytes; `n` is a constant. */
POW_INLINE __m256i rotl(__m256i x, const int n) {
  if (n == 8) return _mm256_shuffle_epi8(x, BYTES(0x0605040702010003, 0x0e0d0c0f0a09080b));
  if (n == 16) return _mm256_shuffle_epi8(x, BYTES(0x0504070601000302, 0x0d0c0f0e09080b0a));
  if (n == 24) return _mm256_shuffle_epi8(x, BYTES(0x0407060500030201, 0x0c0f0e0d080b0a09));
  return _mm256_or_si256(_mm256_slli_epi32(x, n), _mm256_srli_epi32(x, 32 - n));
}

#define NAME(verb) neoscrypt_##verb##_avx2
#include "words_avx2.h"
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)
#define ROTL32(x, n) rotl(x, n)
#define TRANSPOSE(x) transpose(x)
#include "neoscrypt_lanes.h"

#include "target_end.h"
#endif
