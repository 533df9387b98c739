/* SHA-256 twice with WebAssembly's SIMD: four lanes. */
#include "kernels.h"
#include "pow_impl.h"
#include "sha256.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>

#define NAME(verb) sha256d_##verb##_simd128
#include "words_simd128.h"
#define BSWAP(x) wasm_i8x16_shuffle(x, x, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12)
#define AT_MOST(x, limit) ((uint32_t)wasm_i32x4_bitmask(wasm_u32x4_le(x, SET1(limit))))
#include "sha256d_lanes.h"
#endif
