#include "ethash.h"

#include "keccak.h"
#include "ethash_impl.h"

ethash_divisor ethash_divisor_of(uint32_t by) {
  const ethash_divisor divisor = {by, by == 1 ? UINT32_MAX : (uint32_t)(((uint64_t)1 << 32) / by)};
  return divisor;
}

void ethash_build_cache(const uint8_t seed[32], uint32_t count, uint8_t *rows) {
  uint64_t words[8];
  keccak512(seed, 32, rows);
  memcpy(words, rows, sizeof words);
  for (uint32_t i = 1; i < count; i++) {
    keccak512_of_digest(words, words);
    memcpy(rows + (size_t)i * ETHASH_ROW_LEN, words, sizeof words);
  }
  const ethash_divisor divisor = ethash_divisor_of(count);
  for (int round = 0; round < ETHASH_CACHE_ROUNDS; round++)
    for (uint32_t i = 0; i < count; i++) {
      uint8_t *row = rows + (size_t)i * ETHASH_ROW_LEN;
      const uint8_t *before = rows + (size_t)((i ? i : count) - 1) * ETHASH_ROW_LEN;
      const uint8_t *other = rows + (size_t)ethash_remainder(pow_load32_le(row), &divisor) * ETHASH_ROW_LEN;
      uint64_t others[8];
      memcpy(words, before, sizeof words);
      memcpy(others, other, sizeof others);
      for (int k = 0; k < 8; k++) words[k] ^= others[k];
      keccak512_of_digest(words, words);
      memcpy(row, words, sizeof words);
    }
}

void ethash_final(const uint8_t header[ETHASH_HEADER_LEN], uint64_t nonce, const uint8_t mix[ETHASH_MIX_LEN],
                  uint8_t digest[POW_DIGEST_LEN]) {
  uint8_t bytes[64 + ETHASH_MIX_LEN];
  memcpy(bytes, header, ETHASH_HEADER_LEN);
  pow_store32_le(bytes + 32, (uint32_t)nonce);
  pow_store32_le(bytes + 36, (uint32_t)(nonce >> 32));
  keccak512(bytes, ETHASH_HEADER_LEN + 8, bytes);
  memcpy(bytes + 64, mix, ETHASH_MIX_LEN);
  keccak256(bytes, sizeof bytes, digest);
}
