/* Ethash with WebAssembly's vectors: two Keccak states at once, a row in four vectors. */
#include "kernels.h"
#include "pow_impl.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>

#include "ethash_impl.h"

/* Set the addresses of the next rows of four items; addresses have 32 bits here. */
POW_INLINE void four_rows(const ethash_table *cache, const uint32_t *number, uint32_t parent, const ethash_row *items,
                          const uint8_t **row) {
  const v128_t by = wasm_u32x4_splat(cache->row_count.by), factor = wasm_u32x4_splat(cache->row_count.factor);
  v128_t x = wasm_v128_load32_zero(&items[0].word[parent % 16]);
  x = wasm_v128_load32_lane(&items[1].word[parent % 16], x, 1);
  x = wasm_v128_load32_lane(&items[2].word[parent % 16], x, 2);
  x = wasm_v128_load32_lane(&items[3].word[parent % 16], x, 3);
  x = wasm_v128_xor(x, wasm_i32x4_mul(wasm_v128_xor(wasm_v128_load(number), wasm_u32x4_splat(parent)),
                                      wasm_u32x4_splat(ETHASH_FNV_PRIME)));
  const v128_t quotient =
      wasm_i32x4_shuffle(wasm_u64x2_extmul_low_u32x4(x, factor), wasm_u64x2_extmul_high_u32x4(x, factor), 1, 3, 5, 7);
  const v128_t rest = wasm_i32x4_sub(x, wasm_i32x4_mul(quotient, by));
  const v128_t remainder = wasm_u32x4_min(rest, wasm_i32x4_sub(rest, by));
  const v128_t rows = wasm_u32x4_splat((uint32_t)(uintptr_t)cache->rows);
  wasm_v128_store(row, wasm_i32x4_add(wasm_i32x4_shl(remainder, 6), rows));
}

#define NAME(verb) ethash_##verb##_simd128
#define FOUR_ROWS four_rows
#define K64 v128_t
#define K64_LANES 2
#define K64_SET1(x) wasm_i64x2_splat((long long)(x))
#define K64_XOR(a, b) wasm_v128_xor(a, b)
#define K64_XOR3(a, b, c) wasm_v128_xor(wasm_v128_xor(a, b), c)
#define K64_ROTL(x, n) wasm_v128_or(wasm_i64x2_shl(x, n), wasm_u64x2_shr(x, 64 - (n)))
#define K64_CHI(a, b, c) wasm_v128_xor(a, wasm_v128_andnot(c, b))
#define LIGHT_LANES 16
#define FULL_LANES 16
#define FNV_QUARTER(mix, row)                                                                                 \
  wasm_v128_store(mix, wasm_v128_xor(wasm_i32x4_mul(wasm_v128_load(mix), wasm_u32x4_splat(ETHASH_FNV_PRIME)), \
                                     wasm_v128_load(row)))
#define FNV_ROW(mix, row)                                                \
  (FNV_QUARTER(mix, row), FNV_QUARTER((mix) + 4, (row) + 16),            \
   FNV_QUARTER((mix) + 8, (row) + 32), FNV_QUARTER((mix) + 12, (row) + 48))
#include "ethash_lanes.h"
#endif
