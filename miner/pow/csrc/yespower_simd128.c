/* yespower 1.0 with WebAssembly's SIMD. */
#include "kernels.h"
#include "pow_impl.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>

#define NAME(verb) yespower_##verb##_simd128
#include "words_simd128.h"
#define LANES 2
#define LOAD(p) wasm_v128_load(p)
#define STORE(p, v) wasm_v128_store(p, v)
#define ADD64(a, b) wasm_i64x2_add(a, b)
#define LOW_WORDS(x) wasm_i32x4_shuffle(x, x, 0, 2, 0, 2)
#define HIGH_WORDS(x) wasm_i32x4_shuffle(x, x, 1, 3, 1, 3)
#define MULTIPLY(x) wasm_u64x2_extmul_low_u32x4(LOW_WORDS(x), HIGH_WORDS(x))
#define FIRST(x) ((uint64_t)wasm_i64x2_extract_lane(x, 0))
#define KEPT(n) (n)
#define PREFETCH(p) ((void)(p))
#include "yespower_ends.h"

#include "salsa20_rows.h"
#include "yespower_chain.h"
#endif
