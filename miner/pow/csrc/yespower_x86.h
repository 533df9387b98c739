/* What yespower_chain.h needs besides words_*.h, in instructions of SSE2. */
#define LANES 2
#define LOAD(p) _mm_load_si128((const __m128i *)(p))
#define STORE(p, v) _mm_store_si128((__m128i *)(p), v)
#define ADD64(a, b) _mm_add_epi64(a, b)
#define MULTIPLY(x) _mm_mul_epu32(x, _mm_shuffle_epi32(x, 0xb1))
#define PREFETCH(p) _mm_prefetch((const char *)(p), _MM_HINT_T0)

/* Out of sight of the compilers, which would mask each of the two indices after taking them apart, and of clang, which
 * would cut them out in the vector and move each: a longer way than moving both. */
#define KEPT(n) NAME(kept)(n)
#define FIRST(x) NAME(kept)((uint64_t)_mm_cvtsi128_si64(x))

POW_INLINE uint64_t NAME(kept)(uint64_t number) {
  __asm__("" : "+r"(number));
  return number;
}

#include "yespower_ends.h"

#include "salsa20_rows.h"
#include "yespower_chain.h"
