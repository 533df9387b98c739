/* The beginning and the end of NeoScrypt, FastKDF, for several messages at once, one in each lane of a vector of 32-bit
 * words. The including file defines
 *
 *   NAME(verb)               the name of a function of this kernel
 *   WORDS, V                 how many words a vector has (1, 4, 8 or 16), and its type
 *   LOAD(p), STORE(p, v)     from and to memory that is aligned as bytes are, words little-endian
 *   SET1(x), ADD32(a, b), XOR(a, b), SHR32(x, n), ROTL32(x, n)     see words_*.h
 *   TRANSPOSE(x)             exchange rows and columns of the LANES vectors at x
 *
 * In the rings of FastKDF the bytes of a message lie behind one another, since each reads there from its own place.
 */
#include "blake2s_lanes.h"
#include "neoscrypt.h"

#define LANES WORDS

/* Take a block of 64 bytes for each lane, word by word. */
POW_INLINE void NAME(gather)(V x[16], const uint8_t *const rows[LANES]) {
  for (int part = 0; part < 16; part += LANES) {
    for (int lane = 0; lane < LANES; lane++) x[part + lane] = LOAD(rows[lane] + 4 * part);
    TRANSPOSE(x + part);
  }
}

/* The opposite: put a block of 64 bytes for each lane, `stride` bytes apart. */
POW_INLINE void NAME(scatter)(uint8_t *rows, size_t stride, const V block[16]) {
  V x[16];
  for (int i = 0; i < 16; i++) x[i] = block[i];
  for (int part = 0; part < 16; part += LANES) {
    TRANSPOSE(x + part);
    for (int lane = 0; lane < LANES; lane++) STORE(rows + (size_t)lane * stride + 4 * part, x[part + lane]);
  }
}

/* The rounds of FastKDF for the passwords in `inputs` and the salts in `keys`, each with its beginning behind it;
 * return in `at` where the last digest went. */
static void NAME(fastkdf)(const uint8_t *inputs, uint8_t *keys, uint32_t at[LANES]) {
  for (int lane = 0; lane < LANES; lane++) at[lane] = 0;
  for (int round = 0; round < NEOSCRYPT_KDF_ROUNDS; round++) {
    const uint8_t *rows[LANES];
    V block[16], h[8];
    /* The parameter block: a digest of 32 bytes, a key of 32 bytes, no tree. */
    h[0] = SET1(0x6a09e667u ^ 0x01012020u), h[1] = SET1(0xbb67ae85u), h[2] = SET1(0x3c6ef372u);
    h[3] = SET1(0xa54ff53au), h[4] = SET1(0x510e527fu), h[5] = SET1(0x9b05688cu), h[6] = SET1(0x1f83d9abu);
    h[7] = SET1(0x5be0cd19u);
    for (int lane = 0; lane < LANES; lane++) rows[lane] = keys + lane * NEOSCRYPT_KEYS_LEN + at[lane];
    NAME(gather)(block, rows);
    for (int i = 8; i < 16; i++) block[i] = SET1(0);
    NAME(blake2s_compress)(h, block, 64, 0);
    for (int lane = 0; lane < LANES; lane++) rows[lane] = inputs + lane * NEOSCRYPT_INPUTS_LEN + at[lane];
    NAME(gather)(block, rows);
    NAME(blake2s_compress)(h, block, 128, UINT32_MAX);

    /* The sum of the digest's bytes; what is carried into other bytes of a word is cut off below. */
    union {
      V word;
      uint32_t lane[LANES];
    } sum = {SET1(0)};
    for (int i = 0; i < 8; i++) {
      block[i] = h[i], block[8 + i] = SET1(0);
      sum.word = ADD32(sum.word, ADD32(ADD32(h[i], SHR32(h[i], 8)), ADD32(SHR32(h[i], 16), SHR32(h[i], 24))));
    }
    uint8_t digests[LANES * 64];
    NAME(scatter)(digests, 64, block);
    for (int lane = 0; lane < LANES; lane++) {
      uint8_t *const ring = keys + lane * NEOSCRYPT_KEYS_LEN;
      at[lane] = sum.lane[lane] % NEOSCRYPT_KDF_LEN;
      neoscrypt_xor(ring + at[lane], digests + 64 * lane, NEOSCRYPT_PRF_LEN);
      if (at[lane] < NEOSCRYPT_PRF_LEN)
        memcpy(ring + NEOSCRYPT_KDF_LEN, ring, NEOSCRYPT_PRF_LEN);
      else if (at[lane] > NEOSCRYPT_KDF_LEN - NEOSCRYPT_PRF_LEN)
        memcpy(ring, ring + NEOSCRYPT_KDF_LEN, NEOSCRYPT_PRF_LEN);
    }
  }
}

/* Begin LANES messages: their rings go to `inputs` and `keys`, and what SMix takes of them to `x`. */
static void NAME(derive)(const uint8_t *data, size_t len, uint8_t *inputs, uint8_t *keys, V x[64]) {
  const uint8_t *rows[LANES];
  uint32_t at[LANES];
  for (int lane = 0; lane < LANES; lane++) {
    uint8_t *const input = inputs + lane * NEOSCRYPT_INPUTS_LEN;
    neoscrypt_fill_ring(input, data + (size_t)lane * len, len);
    memcpy(keys + lane * NEOSCRYPT_KEYS_LEN, input, NEOSCRYPT_INPUTS_LEN);
  }
  NAME(fastkdf)(inputs, keys, at);
  for (int lane = 0; lane < LANES; lane++) {
    uint8_t *const ring = keys + lane * NEOSCRYPT_KEYS_LEN;
    memcpy(ring + NEOSCRYPT_KDF_LEN, ring, NEOSCRYPT_KDF_LEN);
    neoscrypt_xor(ring + at[lane], inputs + lane * NEOSCRYPT_INPUTS_LEN, NEOSCRYPT_KDF_LEN);
    rows[lane] = ring + at[lane];
  }
  for (int k = 0; k < 4; k++) {
    NAME(gather)(x + 16 * k, rows);
    for (int lane = 0; lane < LANES; lane++) rows[lane] += 64;
  }
}

/* End what was begun, with what SMix made of it. */
static void NAME(finish)(const V x[64], const uint8_t *inputs, uint8_t *keys, uint8_t *digests) {
  uint32_t at[LANES];
  for (int k = 0; k < 4; k++) NAME(scatter)(keys + 64 * k, NEOSCRYPT_KEYS_LEN, x + 16 * k);
  for (int lane = 0; lane < LANES; lane++) {
    uint8_t *const ring = keys + lane * NEOSCRYPT_KEYS_LEN;
    memcpy(ring + NEOSCRYPT_KDF_LEN, ring, NEOSCRYPT_PRF_LEN);
  }
  NAME(fastkdf)(inputs, keys, at);
  for (int lane = 0; lane < LANES; lane++) {
    uint8_t *const digest = digests + lane * POW_DIGEST_LEN;
    memcpy(digest, keys + lane * NEOSCRYPT_KEYS_LEN + at[lane], POW_DIGEST_LEN);
    neoscrypt_xor(digest, inputs + lane * NEOSCRYPT_INPUTS_LEN, POW_DIGEST_LEN);
  }
}
