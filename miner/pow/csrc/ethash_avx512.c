/* Ethash with AVX-512: eight Keccak states at once, with rotations and three-way logic in one instruction each; a
 * row is a vector. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <immintrin.h>

#include "target_begin_avx512.h"

#define NAME(verb) ethash_##verb##_avx512
#define K64 __m512i
#define K64_LANES 8
#define K64_SET1(x) _mm512_set1_epi64((long long)(x))
#define K64_XOR(a, b) _mm512_xor_si512(a, b)
#define K64_XOR3(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define K64_ROTL(x, n) _mm512_rol_epi64(x, n)
#define K64_CHI(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0xd2)
#define LIGHT_LANES 16
#define FULL_LANES 16
#define FNV_ROW(mix, row)                                                                                     \
  _mm512_store_si512(mix, _mm512_xor_si512(_mm512_mullo_epi32(_mm512_load_si512(mix),                         \
                                                              _mm512_set1_epi32((int)ETHASH_FNV_PRIME)),      \
                                           _mm512_loadu_si512(row)))
#include "ethash_lanes.h"

#include "target_end.h"
#endif
