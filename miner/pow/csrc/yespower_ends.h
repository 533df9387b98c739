/* What yespower begins and ends with, for one message in each of the first LANES lanes of a vector; see yespower.h.
 * The including file defines LANES and what sha256_lanes.h names.
 */
#include "pbkdf2_lanes.h"
#include "salsa20.h"
#include "yespower.h"

static const yespower_parameters yespower_local = {YESPOWER_N, YESPOWER_R, (const uint8_t *)YESPOWER_PERSONALISATION,
                                                   sizeof YESPOWER_PERSONALISATION - 1};

/* Write the first two blocks of every lane, `stride` bytes apart, whose words stand in the order of Salsa20's
 * diagonals as pairs of words, and the key of its digest. */
static void NAME(seed)(const yespower_parameters *parameters, const uint8_t *data, size_t len, size_t lanes,
                       uint8_t *blocks, size_t stride, uint8_t keys[LANES][SHA256_DIGEST_LEN]) {
  uint8_t seeds[LANES][YESPOWER_SEED_LEN];
  NAME(keyed) keyed;
  V hashed[8];
  NAME(begin)(hashed);
  NAME(absorb)(hashed, data, len, len, lanes);
  NAME(finish)(hashed, data, len, len, lanes, 0, 0);
  NAME(store)(keys[0], SHA256_DIGEST_LEN, hashed, lanes);
  NAME(key)(&keyed, keys[0], SHA256_DIGEST_LEN, lanes);
  NAME(pbkdf2)(&keyed, parameters->personalisation, parameters->personalisation_len, 0, lanes, seeds[0],
               YESPOWER_SEED_LEN);
  for (size_t lane = 0; lane < lanes; lane++) {
    memcpy(keys[lane], seeds[lane], SHA256_DIGEST_LEN);
    for (size_t at = 0; at < YESPOWER_SEED_LEN; at += SALSA20_BLOCK_LEN) {
      uint32_t words[16];
      salsa20_load(words, seeds[lane] + at);
      for (size_t i = 0; i < 8; i++) {
        const uint64_t pair = words[2 * i] | (uint64_t)words[2 * i + 1] << 32;
        memcpy(blocks + lane * stride + at + 8 * i, &pair, 8);
      }
    }
  }
}

/* Write the digests of the last blocks, which lie `stride` bytes apart. */
static void NAME(digest)(const uint8_t *blocks, size_t stride, uint8_t keys[LANES][SHA256_DIGEST_LEN], size_t lanes,
                         uint8_t *digests) {
  uint8_t bytes[LANES][SALSA20_BLOCK_LEN];
  NAME(keyed) keyed;
  for (size_t lane = 0; lane < lanes; lane++) {
    uint32_t words[16];
    for (size_t i = 0; i < 8; i++) {
      uint64_t pair;
      memcpy(&pair, blocks + lane * stride + 8 * i, 8);
      words[2 * i] = (uint32_t)pair, words[2 * i + 1] = (uint32_t)(pair >> 32);
    }
    salsa20_store(bytes[lane], words);
  }
  NAME(key)(&keyed, bytes[0], SALSA20_BLOCK_LEN, lanes);
  NAME(mac)(&keyed, keyed.inner, keys[0], SHA256_DIGEST_LEN, SHA256_DIGEST_LEN, lanes, 0, digests, POW_DIGEST_LEN);
}
