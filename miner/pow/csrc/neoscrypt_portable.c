/* NeoScrypt in portable C: a vector of one word. */
#include "kernels.h"
#include "pow_impl.h"

#define NAME(verb) neoscrypt_##verb##_portable
#include "words_scalar.h"
#define LOAD(p) pow_load32_le(p)
#define STORE(p, v) pow_store32_le(p, v)
#define TRANSPOSE(x) ((void)(x))
#include "neoscrypt_lanes.h"
