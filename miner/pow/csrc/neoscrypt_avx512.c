/* NeoScrypt with AVX-512: sixteen lanes, whose state stays in the registers. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <immintrin.h>

#include "target_begin_avx512.h"

/* Exchange rows and columns of four vectors in each quarter: of words, or of pairs of words. */
#define IN_QUARTERS(x, a, b, c, d)                                                                           \
  do {                                                                                                    \
    const __m512i low0 = _mm512_unpacklo_epi32(x[a], x[b]), high0 = _mm512_unpackhi_epi32(x[a], x[b]);    \
    const __m512i low1 = _mm512_unpacklo_epi32(x[c], x[d]), high1 = _mm512_unpackhi_epi32(x[c], x[d]);    \
    x[a] = _mm512_unpacklo_epi64(low0, low1), x[b] = _mm512_unpackhi_epi64(low0, low1);                   \
    x[c] = _mm512_unpacklo_epi64(high0, high1), x[d] = _mm512_unpackhi_epi64(high0, high1);               \
  } while (0)

/* The same of whole quarters. */
#define ACROSS(x, a, b, c, d)                                                                                         \
  do {                                                                                                                \
    const __m512i low0 = _mm512_shuffle_i32x4(x[a], x[b], 0x44), high0 = _mm512_shuffle_i32x4(x[a], x[b], 0xee);      \
    const __m512i low1 = _mm512_shuffle_i32x4(x[c], x[d], 0x44), high1 = _mm512_shuffle_i32x4(x[c], x[d], 0xee);      \
    x[a] = _mm512_shuffle_i32x4(low0, low1, 0x88), x[b] = _mm512_shuffle_i32x4(low0, low1, 0xdd);                     \
    x[c] = _mm512_shuffle_i32x4(high0, high1, 0x88), x[d] = _mm512_shuffle_i32x4(high0, high1, 0xdd);                 \
  } while (0)

POW_INLINE void transpose(__m512i *x) {
  IN_QUARTERS(x, 0, 1, 2, 3);
  IN_QUARTERS(x, 4, 5, 6, 7);
  IN_QUARTERS(x, 8, 9, 10, 11);
  IN_QUARTERS(x, 12, 13, 14, 15);
  ACROSS(x, 0, 4, 8, 12);
  ACROSS(x, 1, 5, 9, 13);
  ACROSS(x, 2, 6, 10, 14);
  ACROSS(x, 3, 7, 11, 15);
}

#define NAME(verb) neoscrypt_##verb##_avx512
#include "words_avx512.h"
#define LOAD(p) _mm512_loadu_si512(p)
#define STORE(p, v) _mm512_storeu_si512(p, v)
#define TRANSPOSE(x) transpose(x)
#include "neoscrypt_lanes.h"

#include "target_end.h"
#endif
