/* SHA-256 twice with AVX-512: sixteen lanes, rotations and three-way logic in one instruction each. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <immintrin.h>

#include "target_begin_avx512.h"

#define NAME(verb) sha256d_##verb##_avx512
#define LANES 16
#define V __m512i
#define SET1(x) _mm512_set1_epi32((int)(x))
#define ADD(a, b) _mm512_add_epi32(a, b)
#define XOR(a, b) _mm512_xor_si512(a, b)
#define AND(a, b) _mm512_and_si512(a, b)
#define SHR(x, n) _mm512_srli_epi32(x, n)
#define XOR3(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0x96)
#define XOR_ROTATED(x, i, j, k) XOR3(_mm512_ror_epi32(x, i), _mm512_ror_epi32(x, j), _mm512_ror_epi32(x, k))
#define XOR_SHIFTED(x, i, j, k) XOR3(_mm512_ror_epi32(x, i), _mm512_ror_epi32(x, j), SHR(x, k))
#define CH(e, f, g) _mm512_ternarylogic_epi32(e, f, g, 0xca)
#define MAJ(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0xe8)
#define BSWAP(x)                                                                                                 \
  _mm512_shuffle_epi8(x, _mm512_set4_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203))
#define AT_MOST(x, limit) ((uint32_t)_mm512_cmple_epu32_mask(x, SET1(limit)))
#define PIN(x) __asm__("" : "+v"(x))
#include "sha256d_lanes.h"

#include "target_end.h"
#endif
