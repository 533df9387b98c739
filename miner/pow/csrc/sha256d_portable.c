/* SHA-256 twice, in portable C: a vector of one word. */
#include "kernels.h"
#include "pow_impl.h"
#include "sha256.h"

#define NAME(verb) sha256d_##verb##_portable
#define LANES 1
typedef uint32_t word;
#define V word
#define SET1(x) (x)
#define ADD(a, b) ((a) + (b))
#define XOR(a, b) ((a) ^ (b))
#define AND(a, b) ((a) & (b))
#define SHR(x, n) ((x) >> (n))
#define CH(e, f, g) ((g) ^ ((e) & ((f) ^ (g))))
#define BSWAP(x) __builtin_bswap32(x)
#define AT_MOST(x, limit) ((uint32_t)((x) <= (limit)))

/* Rotations inside each other need no copies of x where an instruction overwrites what it rotates. */
POW_INLINE word xor_rotated(word x, const int i, const int j, const int k) {
  return pow_rotr32(x ^ pow_rotr32(x ^ pow_rotr32(x, k - j), j - i), i);
}

#define XOR_ROTATED(x, i, j, k) xor_rotated(x, i, j, k)
#define XOR_SHIFTED(x, i, j, k) (pow_rotr32((x) ^ pow_rotr32(x, (j) - (i)), i) ^ (x) >> (k))

#include "sha256d_lanes.h"
