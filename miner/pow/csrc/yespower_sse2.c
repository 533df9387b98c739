/* yespower 1.0 with SSE2, which every x86-64 has. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <emmintrin.h>

#define NAME(verb) yespower_##verb##_sse2
#define ANY_PARAMETERS
#include "yespower_x86.h"
#define XOR_ROTATED(x, y, n) XOR(XOR(x, _mm_slli_epi32(y, n)), _mm_srli_epi32(y, 32 - (n)))
#include "salsa20_rows.h"
#include "yespower_chain.h"
#endif
