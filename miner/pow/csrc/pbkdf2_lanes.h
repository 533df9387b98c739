/* HMAC and PBKDF2 over SHA-256 (RFC 2104, RFC 8018) for one message in each lane of a vector, with one iteration:
 * what scrypt and yespower begin and end with, 17 compressions a hash, which one at a time would take a sixth of
 * scrypt's. The including file defines what sha256_lanes.h names.
 */
#include "sha256_lanes.h"

/* HMAC's two states after its key. */
typedef struct {
  V inner[8], outer[8];
} NAME(keyed);

/* Take keys of `len` bytes behind one another. */
POW_LOCAL void NAME(key)(NAME(keyed) *keyed, const uint8_t *keys, size_t len, size_t lanes) {
  NAME(block) key = {{{0}}}, pad;
  if (len > SHA256_BLOCK_LEN) {
    NAME(begin)(key.word);
    NAME(absorb)(key.word, keys, len, len, lanes);
    NAME(finish)(key.word, keys, len, len, lanes, 0, 0);
  } else {
    for (size_t lane = 0; lane < lanes; lane++) {
      uint8_t bytes[SHA256_BLOCK_LEN] = {0};
      if (len) memcpy(bytes, keys + lane * len, len);
      for (size_t i = 0; i < 16; i++) key.lane[i][lane] = pow_load32_be(bytes + 4 * i);
    }
  }
  for (int i = 0; i < 16; i++) pad.word[i] = XOR(key.word[i], SET1(0x36363636));
  NAME(begin)(keyed->inner);
  NAME(compress)(keyed->inner, pad.word);
  for (int i = 0; i < 16; i++) pad.word[i] = XOR(key.word[i], SET1(0x5c5c5c5c));
  NAME(begin)(keyed->outer);
  NAME(compress)(keyed->outer, pad.word);
}

/* Write the HMAC of messages of `len` bytes, `stride` bytes apart, whose whole blocks are mixed into `begun`;
 * `counter` as for NAME(finish). */
POW_LOCAL void NAME(mac)(const NAME(keyed) *keyed, const V begun[8], const uint8_t *data, size_t len, size_t stride,
                         size_t lanes, uint32_t counter, uint8_t *macs, size_t macs_stride) {
  V inner[8], outer[8];
  for (int i = 0; i < 8; i++) inner[i] = begun[i], outer[i] = keyed->outer[i];
  NAME(finish)(inner, data, len, stride, lanes, counter, SHA256_BLOCK_LEN);
  NAME(finish_digest)(outer, inner, SHA256_BLOCK_LEN);
  NAME(store)(macs, macs_stride, outer, lanes);
}

/* Write the first `out_len` bytes (a multiple of 32) for each salt; salts have `len` bytes and are `stride` bytes
 * apart. */
POW_LOCAL void NAME(pbkdf2)(const NAME(keyed) *keyed, const uint8_t *salts, size_t len, size_t stride, size_t lanes,
                            uint8_t *out, size_t out_len) {
  V salted[8];
  for (int i = 0; i < 8; i++) salted[i] = keyed->inner[i];
  NAME(absorb)(salted, salts, len, stride, lanes);
  for (size_t at = 0; at < out_len; at += SHA256_DIGEST_LEN)
    NAME(mac)(keyed, salted, salts, len, stride, lanes, (uint32_t)(at / SHA256_DIGEST_LEN + 1), out + at, out_len);
}
