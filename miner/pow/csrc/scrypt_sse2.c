/* scrypt with SSE2, which every x86-64 has: one hash a group. */
#include "kernels.h"
#include "pow_impl.h"

#if POW_X86
#include <emmintrin.h>

#define NAME(verb) scrypt_##verb##_sse2
#include "words_sse2.h"
#define GROUPS 3
#define LOAD(p) _mm_load_si128((const __m128i *)(p))
#define STORE(p, v) _mm_store_si128((__m128i *)(p), v)
#define ROWS_OF_HASHES(x)
#define HASHES_OF_ROWS(x)
#include "scrypt_rows.h"
#endif
