/* yespower 1.0 in portable C. */
#include "kernels.h"
#include "pow_impl.h"

#define NAME(verb) yespower_##verb##_portable
#define LANES 1
#include "words_scalar.h"
#include "yespower_ends.h"
#undef V
#undef XOR

typedef struct {
  uint64_t first, second;
} pair;

POW_INLINE pair load(const uint8_t *from) {
  pair x;
  memcpy(&x.first, from, 8);
  memcpy(&x.second, from + 8, 8);
  return x;
}

POW_INLINE void store(uint8_t *to, pair x) {
  memcpy(to, &x.first, 8);
  memcpy(to + 8, &x.second, 8);
}

POW_INLINE uint64_t multiply(uint64_t x) { return (x >> 32) * (uint32_t)x; }

#define V pair
#define LOAD(p) load(p)
#define STORE(p, v) store(p, v)
#define XOR(a, b) xor_pair(a, b)
#define ADD64(a, b) add_pair(a, b)
#define MULTIPLY(x) ((pair){multiply((x).first), multiply((x).second)})
#define FIRST(x) ((x).first)
#define KEPT(n) (n)
#define PREFETCH(p) ((void)(p))
#define SALSA20_2(x) salsa20_pairs(x)

POW_INLINE pair xor_pair(pair a, pair b) { return (pair){a.first ^ b.first, a.second ^ b.second}; }
POW_INLINE pair add_pair(pair a, pair b) { return (pair){a.first + b.first, a.second + b.second}; }

static void salsa20_pairs(pair x[4]) {
  uint32_t words[16];
  for (int i = 0; i < 4; i++) {
    words[4 * i] = (uint32_t)x[i].first, words[4 * i + 1] = (uint32_t)(x[i].first >> 32);
    words[4 * i + 2] = (uint32_t)x[i].second, words[4 * i + 3] = (uint32_t)(x[i].second >> 32);
  }
  salsa20(words, 1);
  for (int i = 0; i < 4; i++) {
    x[i].first = words[4 * i] | (uint64_t)words[4 * i + 1] << 32;
    x[i].second = words[4 * i + 2] | (uint64_t)words[4 * i + 3] << 32;
  }
}

#include "yespower_chain.h"
