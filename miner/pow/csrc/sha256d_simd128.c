/* SHA-256 twice with WebAssembly's SIMD: four lanes. */
#include "kernels.h"
#include "pow_impl.h"
#include "sha256.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>

#define NAME(verb) sha256d_##verb##_simd128
#define LANES 4
#define V v128_t
#define SET1(x) wasm_i32x4_splat((int)(x))
#define ADD(a, b) wasm_i32x4_add(a, b)
#define XOR(a, b) wasm_v128_xor(a, b)
#define AND(a, b) wasm_v128_and(a, b)
#define SHR(x, n) wasm_u32x4_shr(x, n)
#define SHL(x, n) wasm_i32x4_shl(x, n)
#define CH(e, f, g) wasm_v128_bitselect(f, g, e)
#define BSWAP(x) wasm_i8x16_shuffle(x, x, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12)
#define AT_MOST(x, limit) ((uint32_t)wasm_i32x4_bitmask(wasm_u32x4_le(x, SET1(limit))))
#include "sha256d_lanes.h"
#endif
