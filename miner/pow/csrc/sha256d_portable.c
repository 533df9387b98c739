/* SHA-256 twice, in portable C: a vector of one word. */
#include "kernels.h"
#include "pow_impl.h"
#include "sha256.h"

#define NAME(verb) sha256d_##verb##_portable
#include "words_scalar.h"
#define BSWAP(x) __builtin_bswap32(x)
#define AT_MOST(x, limit) ((uint32_t)((x) <= (limit)))
#include "sha256d_lanes.h"
