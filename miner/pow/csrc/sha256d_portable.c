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
#define ROTR(x, n) pow_rotr32(x, n)
#define CH(e, f, g) ((g) ^ ((e) & ((f) ^ (g))))
#define BSWAP(x) __builtin_bswap32(x)
#define AT_MOST(x, limit) ((uint32_t)((x) <= (limit)))
#include "sha256d_lanes.h"
