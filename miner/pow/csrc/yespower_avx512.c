/* yespower 1.0 with the 128-bit instructions of AVX-512 (VL), whose three-way xor makes Salsa20's chain a quarter
 * shorter. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <immintrin.h>

#include "target_begin_avx512vl.h"

#define NAME(verb) yespower_##verb##_avx512
#include "yespower_x86.h"
#define XOR_ROTATED(x, y, n) _mm_ternarylogic_epi32(x, _mm_slli_epi32(y, n), _mm_srli_epi32(y, 32 - (n)), 0x96)
#include "salsa20_rows.h"
#include "yespower_chain.h"

#include "target_end.h"
#endif
