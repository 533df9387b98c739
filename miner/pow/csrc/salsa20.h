/* The Salsa20 core on words in the order of its diagonals: word i of such a block is word 5 i mod 16 of the block as
 * bytes. In this order the four quarter-rounds of a column round work on four vectors of four words, and so do those
 * of a row round after rotating three of the vectors. Source: D. J. Bernstein, "The Salsa20 family of stream ciphers",
 * section 4 and its SIMD notes.
 */
#ifndef POW_SALSA20_H
#define POW_SALSA20_H

#include "pow_impl.h"

#define SALSA20_BLOCK_LEN 64

/* The place in the bytes of the word that stands at `i` of the diagonal order. */
#define SALSA20_DIAGONAL(i) ((i) * 5 % 16)

POW_INLINE void salsa20_load(uint32_t block[16], const uint8_t bytes[SALSA20_BLOCK_LEN]) {
  for (int i = 0; i < 16; i++) block[i] = pow_load32_le(bytes + 4 * SALSA20_DIAGONAL(i));
}

POW_INLINE void salsa20_store(uint8_t bytes[SALSA20_BLOCK_LEN], const uint32_t block[16]) {
  for (int i = 0; i < 16; i++) pow_store32_le(bytes + 4 * SALSA20_DIAGONAL(i), block[i]);
}

#define SALSA20_QUARTER(a, b, c, d)                              \
  b ^= pow_rotl32(a + d, 7), c ^= pow_rotl32(b + a, 9);          \
  d ^= pow_rotl32(c + b, 13), a ^= pow_rotl32(d + c, 18)

/* Replace `block` by its Salsa20 core with `double_rounds` double rounds. */
POW_INLINE void salsa20(uint32_t block[16], const int double_rounds) {
  uint32_t a0 = block[0], a1 = block[1], a2 = block[2], a3 = block[3];
  uint32_t b0 = block[4], b1 = block[5], b2 = block[6], b3 = block[7];
  uint32_t c0 = block[8], c1 = block[9], c2 = block[10], c3 = block[11];
  uint32_t d0 = block[12], d1 = block[13], d2 = block[14], d3 = block[15];
  for (int i = 0; i < double_rounds; i++) {
    SALSA20_QUARTER(a0, b0, c0, d0);
    SALSA20_QUARTER(a1, b1, c1, d1);
    SALSA20_QUARTER(a2, b2, c2, d2);
    SALSA20_QUARTER(a3, b3, c3, d3);
    SALSA20_QUARTER(a0, d1, c2, b3);
    SALSA20_QUARTER(a1, d2, c3, b0);
    SALSA20_QUARTER(a2, d3, c0, b1);
    SALSA20_QUARTER(a3, d0, c1, b2);
  }
  block[0] += a0, block[1] += a1, block[2] += a2, block[3] += a3;
  block[4] += b0, block[5] += b1, block[6] += b2, block[7] += b3;
  block[8] += c0, block[9] += c1, block[10] += c2, block[11] += c3;
  block[12] += d0, block[13] += d1, block[14] += d2, block[15] += d3;
}

#endif
