/* What yespower begins and ends with, the same for every kernel; see yespower.h. */
#ifndef POW_YESPOWER_IMPL_H
#define POW_YESPOWER_IMPL_H

#include "salsa20.h"
#include "sha256.h"
#include "yespower.h"

static const yespower_parameters yespower_local = {YESPOWER_N, YESPOWER_R, (const uint8_t *)YESPOWER_PERSONALISATION,
                                                   sizeof YESPOWER_PERSONALISATION - 1};

/* Write the first two blocks, whose words stand in the order of Salsa20's diagonals as pairs of words, and the key of
 * the digest. */
POW_INLINE void yespower_begin(const yespower_parameters *parameters, const uint8_t *data, size_t len,
                               uint8_t blocks[YESPOWER_SEED_LEN], uint8_t key[SHA256_DIGEST_LEN]) {
  uint8_t hashed[SHA256_DIGEST_LEN], seed[YESPOWER_SEED_LEN];
  sha256(data, len, hashed);
  pbkdf2_sha256(hashed, sizeof hashed, parameters->personalisation, parameters->personalisation_len, seed, sizeof seed);
  memcpy(key, seed, SHA256_DIGEST_LEN);
  for (size_t at = 0; at < YESPOWER_SEED_LEN; at += SALSA20_BLOCK_LEN) {
    uint32_t words[16];
    salsa20_load(words, seed + at);
    for (size_t i = 0; i < 8; i++) {
      const uint64_t pair = words[2 * i] | (uint64_t)words[2 * i + 1] << 32;
      memcpy(blocks + at + 8 * i, &pair, 8);
    }
  }
}

/* Return the digest of the last block. */
POW_INLINE void yespower_end(const uint8_t block[SALSA20_BLOCK_LEN], const uint8_t key[SHA256_DIGEST_LEN],
                             uint8_t digest[POW_DIGEST_LEN]) {
  uint8_t bytes[SALSA20_BLOCK_LEN];
  uint32_t words[16];
  for (size_t i = 0; i < 8; i++) {
    uint64_t pair;
    memcpy(&pair, block + 8 * i, 8);
    words[2 * i] = (uint32_t)pair, words[2 * i + 1] = (uint32_t)(pair >> 32);
  }
  salsa20_store(bytes, words);
  hmac_sha256(bytes, sizeof bytes, key, SHA256_DIGEST_LEN, digest);
}

/* Bring an index into the range 0 to i - 1: modulo the largest power of two that is not above `i`, counted from the
 * end. */
POW_INLINE size_t yespower_wrap(uint32_t x, uint32_t i) {
  const uint32_t power = UINT32_C(1) << (31 - __builtin_clz(i));
  return (x & (power - 1)) + (i - power);
}

#endif
