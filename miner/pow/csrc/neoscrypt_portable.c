/* NeoScrypt in portable C: a vector of one word. */
#include "kernels.h"
#include "pow_impl.h"

#define NAME(verb) neoscrypt_##verb##_portable
#define LANES 1
typedef uint32_t word;
#define V word
#define SET1(x) ((word)(x))
#define LOAD(p) pow_load32_le(p)
#define STORE(p, v) pow_store32_le(p, v)
#define ADD32(a, b) ((a) + (b))
#define XOR(a, b) ((a) ^ (b))
#define SHR32(x, n) ((x) >> (n))
#define ROTL32(x, n) pow_rotl32(x, n)
#define TRANSPOSE(x) ((void)(x))
#include "neoscrypt_lanes.h"
