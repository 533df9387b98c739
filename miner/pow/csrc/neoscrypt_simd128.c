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
#define LANES 4
#define V v128_t
#define SET1(x) wasm_u32x4_splat(x)
#define LOAD(p) wasm_v128_load(p)
#define STORE(p, v) wasm_v128_store(p, v)
#define ADD32(a, b) wasm_i32x4_add(a, b)
#define XOR(a, b) wasm_v128_xor(a, b)
#define SHR32(x, n) wasm_u32x4_shr(x, n)
#define ROTL32(x, n) wasm_v128_or(wasm_i32x4_shl(x, n), wasm_u32x4_shr(x, 32 - (n)))
#define TRANSPOSE(x) transpose(x)
#include "neoscrypt_lanes.h"
#endif
