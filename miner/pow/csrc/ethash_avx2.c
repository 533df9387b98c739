/* Ethash with AVX2: four Keccak states at once, a row in two vectors. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <immintrin.h>

#include "target_begin_avx2.h"

#define NAME(verb) ethash_##verb##_avx2
#define K64 __m256i
#define K64_LANES 4
#define K64_SET1(x) _mm256_set1_epi64x((long long)(x))
#define K64_XOR(a, b) _mm256_xor_si256(a, b)
#define K64_XOR3(a, b, c) _mm256_xor_si256(_mm256_xor_si256(a, b), c)
#define K64_ROTL(x, n) _mm256_or_si256(_mm256_slli_epi64(x, n), _mm256_srli_epi64(x, 64 - (n)))
#define K64_CHI(a, b, c) _mm256_xor_si256(a, _mm256_andnot_si256(b, c))
#define LIGHT_LANES 16
#define FULL_LANES 16
#define FNV_HALF(mix, row)                                                                                        \
  _mm256_store_si256((__m256i *)(mix),                                                                            \
                     _mm256_xor_si256(_mm256_mullo_epi32(_mm256_load_si256((const __m256i *)(mix)),               \
                                                         _mm256_set1_epi32((int)ETHASH_FNV_PRIME)),               \
                                      _mm256_loadu_si256((const __m256i *)(row))))
#define FNV_ROW(mix, row) (FNV_HALF(mix, row), FNV_HALF((mix) + 8, (row) + 32))
#include "ethash_lanes.h"

#include "target_end.h"
#endif
