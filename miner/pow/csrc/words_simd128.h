/* Vectors of four 32-bit words, in WebAssembly's SIMD. */
#define WORDS 4
#define V v128_t
#define SET1(x) wasm_i32x4_splat((int)(x))
#define ADD32(a, b) wasm_i32x4_add(a, b)
#define XOR(a, b) wasm_v128_xor(a, b)
#define AND(a, b) wasm_v128_and(a, b)
#define SHR32(x, n) wasm_u32x4_shr(x, n)
#define SHL32(x, n) wasm_i32x4_shl(x, n)
#define ROTL32(x, n) wasm_v128_or(SHL32(x, n), SHR32(x, 32 - (n)))
#define CH(e, f, g) wasm_v128_bitselect(f, g, e)
#define XOR_ROTATED(x, y, n) XOR(XOR(x, SHL32(y, n)), SHR32(y, 32 - (n)))
#define TURN(x, n) wasm_i32x4_shuffle(x, x, (n), ((n) + 1) % 4, ((n) + 2) % 4, ((n) + 3) % 4)
