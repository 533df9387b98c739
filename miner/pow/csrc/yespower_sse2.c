/* yespower 1.0 with SSE2, which every x86-64 has. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <emmintrin.h>

#define NAME(verb) yespower_##verb##_sse2
#include "words_sse2.h"
#include "yespower_x86.h"
#endif
