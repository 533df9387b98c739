/* scrypt with WebAssembly's SIMD: one hash a group. */
#include "kernels.h"
#include "pow_impl.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>

#define NAME(verb) scrypt_##verb##_simd128
#define GROUPS 3
#define WORDS 4
#define V v128_t
#define SET1(x) wasm_i32x4_splat((int)(x))
#define LOAD(p) wasm_v128_load(p)
#define STORE(p, v) wasm_v128_store(p, v)
#define ADD32(a, b) wasm_i32x4_add(a, b)
#define XOR(a, b) wasm_v128_xor(a, b)
#define SHR32(x, n) wasm_u32x4_shr(x, n)
#define ROTR32(x, n) wasm_v128_or(wasm_u32x4_shr(x, n), wasm_i32x4_shl(x, 32 - (n)))
#define XOR3(a, b, c) XOR(XOR(a, b), c)
#define CH(e, f, g) wasm_v128_bitselect(f, g, e)
#define MAJ(a, b, c) wasm_v128_bitselect(c, b, XOR(a, b))
#define XOR_ROTATED(x, y, n) XOR(XOR(x, wasm_i32x4_shl(y, n)), wasm_u32x4_shr(y, 32 - (n)))
#define TURN(x, n) wasm_i32x4_shuffle(x, x, (n), ((n) + 1) % 4, ((n) + 2) % 4, ((n) + 3) % 4)
#define ROWS_OF_HASHES(x)
#define HASHES_OF_ROWS(x)
#include "scrypt_rows.h"
#endif
