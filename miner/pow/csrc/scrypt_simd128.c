/* scrypt with WebAssembly's SIMD: one hash a group. */
#include "kernels.h"
#include "pow_impl.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>

#define NAME(verb) scrypt_##verb##_simd128
#include "words_simd128.h"
#define GROUPS 3
#define LOAD(p) wasm_v128_load(p)
#define STORE(p, v) wasm_v128_store(p, v)
#define ROWS_OF_HASHES(x)
#define HASHES_OF_ROWS(x)
#include "scrypt_rows.h"
#endif
