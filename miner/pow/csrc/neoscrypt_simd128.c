/* NeoScrypt with WebAssembly's vectors: four lanes. */
#include "kernels.h"
#include "pow_impl.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>

POW_INLINE void transpose(v128_t *x) {
  const v128_t low0 = wasm_i32x4_shuffle(x[0], x[1], 0, 4, 1, 5), high0 = wasm_i32x4_shuffle(x[0], x[1], 2, 6, 3, 7);
  const v128_t low1 = wasm_i32x4_shuffle(x[2], x[3], 0, 4, 1, 5), high1 = wasm_i32x4_shuffle(x[2], x[3], 2, 6, 3, 7);
  x[0] = wasm_i64x2_shuffle(low0, low1, 0, 2), x[1] = wasm_i64x2_shuffle(low0, low1, 1, 3);
  x[2] = wasm_i64x2_shuffle(high0, high1, 0, 2), x[3] = wasm_i64x2_shuffle(high0, high1, 1, 3);
}

#define NAME(verb) neoscrypt_##verb##_simd128
#include "words_simd128.h"
#define LOAD(p) wasm_v128_load(p)
#define STORE(p, v) wasm_v128_store(p, v)
#define TRANSPOSE(x) transpose(x)
#include "neoscrypt_lanes.h"
#endif
