/* yespower 1.0 with the 128-bit instructions of AVX-512 (VL), whose three-way xor makes Salsa20's chain a quarter
 * shorter. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <immintrin.h>

#include "target_begin_avx512vl.h"

#define NAME(verb) yespower_##verb##_avx512
#include "words_avx512vl.h"
#include "yespower_x86.h"

#include "target_end.h"
#endif
