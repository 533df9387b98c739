/* Ethash in portable C: a vector of one word. */
#include "kernels.h"
#include "pow_impl.h"

#define NAME(verb) ethash_##verb##_portable
typedef uint64_t word;
#define K64 word
#define K64_LANES 1
#define K64_SET1(x) (x)
#define K64_XOR(a, b) ((a) ^ (b))
#define K64_XOR3(a, b, c) ((a) ^ (b) ^ (c))
#define K64_ROTL(x, n) ((x) << (n) | (x) >> (64 - (n)))
#define K64_CHI(a, b, c) ((a) ^ (~(b) & (c)))
#define LIGHT_LANES 16
#define FULL_LANES 16
#define FNV_ROW(mix, row)                                                                       \
  do {                                                                                          \
    for (int k = 0; k < 16; k++) (mix)[k] = ethash_fnv((mix)[k], pow_load32_le((row) + 4 * k)); \
  } while (0)
#include "ethash_lanes.h"
