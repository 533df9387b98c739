/* What yespower_chain.h and salsa20_rows.h need, in instructions of SSE2; a file with another way to rotate adds
 * XOR_ROTATED. */
#define LANES 2
#define V __m128i
#define LOAD(p) _mm_load_si128((const __m128i *)(p))
#define STORE(p, v) _mm_store_si128((__m128i *)(p), v)
#define XOR(a, b) _mm_xor_si128(a, b)
#define ADD32(a, b) _mm_add_epi32(a, b)
#define ADD64(a, b) _mm_add_epi64(a, b)
#define MULTIPLY(x) _mm_mul_epu32(x, _mm_shuffle_epi32(x, 0xb1))
#define FIRST(x) NAME(first)(x)
#define PREFETCH(p) _mm_prefetch((const char *)(p), _MM_HINT_T0)
#define TURN(x, n) _mm_shuffle_epi32(x, ((n) + 3) % 4 << 6 | ((n) + 2) % 4 << 4 | ((n) + 1) % 4 << 2 | (n))

/* Out of sight of clang, which would cut out the two indices in the vector and move each: a longer way than moving
 * both. */
POW_INLINE uint64_t NAME(first)(__m128i x) {
  uint64_t number = (uint64_t)_mm_cvtsi128_si64(x);
  __asm__("" : "+r"(number));
  return number;
}
