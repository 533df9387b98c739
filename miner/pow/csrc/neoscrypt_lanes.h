/* NeoScrypt of several messages at once, one in each lane of a vector of 32-bit words. The including file defines
 *
 *   NAME(verb)               the name of a function of this kernel
 *   LANES, V                 how many words a vector has (1, 4, 8 or 16), and its type
 *   SET1(x)                  a word in all lanes
 *   LOAD(p), STORE(p, v)     from and to memory that is aligned as bytes are, words little-endian
 *   ADD(a, b), XOR(a, b), SHR(x, n), ROTL(x, n)
 *   TRANSPOSE(x)             exchange rows and columns of the LANES vectors at x
 *
 * In V and in the rings of FastKDF the bytes of a lane lie behind one another, since each lane reads there from its own place.
 */
#include "blake2s_lanes.h"
#include "neoscrypt.h"

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

/* Four quarter-rounds of ChaCha or Salsa20, step by step, so that no step waits for the one before it. */
#define CHACHA_STEP(to, from, turned, turn) to = ADD(to, from), turned = ROTL(XOR(turned, to), turn)
#define CHACHA_QUARTERS(a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3)                                 \
  CHACHA_STEP(a0, b0, d0, 16), CHACHA_STEP(a1, b1, d1, 16), CHACHA_STEP(a2, b2, d2, 16), CHACHA_STEP(a3, b3, d3, 16);   \
  CHACHA_STEP(c0, d0, b0, 12), CHACHA_STEP(c1, d1, b1, 12), CHACHA_STEP(c2, d2, b2, 12), CHACHA_STEP(c3, d3, b3, 12);   \
  CHACHA_STEP(a0, b0, d0, 8), CHACHA_STEP(a1, b1, d1, 8), CHACHA_STEP(a2, b2, d2, 8), CHACHA_STEP(a3, b3, d3, 8);       \
  CHACHA_STEP(c0, d0, b0, 7), CHACHA_STEP(c1, d1, b1, 7), CHACHA_STEP(c2, d2, b2, 7), CHACHA_STEP(c3, d3, b3, 7)

#define SALSA_STEP(to, a, b, turn) to = XOR(to, ROTL(ADD(a, b), turn))
#define SALSA_QUARTERS(a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3)                              \
  SALSA_STEP(b0, a0, d0, 7), SALSA_STEP(b1, a1, d1, 7), SALSA_STEP(b2, a2, d2, 7), SALSA_STEP(b3, a3, d3, 7);       \
  SALSA_STEP(c0, b0, a0, 9), SALSA_STEP(c1, b1, a1, 9), SALSA_STEP(c2, b2, a2, 9), SALSA_STEP(c3, b3, a3, 9);       \
  SALSA_STEP(d0, c0, b0, 13), SALSA_STEP(d1, c1, b1, 13), SALSA_STEP(d2, c2, b2, 13), SALSA_STEP(d3, c3, b3, 13);   \
  SALSA_STEP(a0, d0, c0, 18), SALSA_STEP(a1, d1, c1, 18), SALSA_STEP(a2, d2, c2, 18), SALSA_STEP(a3, d3, c3, 18)

#define WORDS(DO) \
  DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define DECLARE_LAST(i) V x##i = x[48 + i];
#define MIX_IN(i) block[i] = x##i = XOR(x##i, block[i]);
#define FEED_FORWARD(i) block[i] = x##i = ADD(x##i, block[i]);

/* Where block `k` lies: every mix exchanges blocks 1 and 2, and here they stay where they are instead. */
POW_INLINE int NAME(place)(int k, int exchanged) { return exchanged && (k == 1 || k == 2) ? 3 - k : k; }

/* BlockMix with ChaCha, or with Salsa20 where `salsa` is set. */
POW_INLINE void NAME(blockmix)(V x[64], const int salsa, int exchanged) {
  WORDS(DECLARE_LAST)
  for (int k = 0; k < 4; k++) {
    V *const block = x + 16 * NAME(place)(k, exchanged);
    WORDS(MIX_IN)
    for (int i = 0; i < 10; i++)
      if (salsa) {
        SALSA_QUARTERS(x0, x5, x10, x15, x4, x9, x14, x3, x8, x13, x2, x7, x12, x1, x6, x11);
        SALSA_QUARTERS(x0, x5, x10, x15, x1, x6, x11, x12, x2, x7, x8, x13, x3, x4, x9, x14);
      } else {
        CHACHA_QUARTERS(x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15);
        CHACHA_QUARTERS(x0, x1, x2, x3, x5, x6, x7, x4, x10, x11, x8, x9, x15, x12, x13, x14);
      }
    WORDS(FEED_FORWARD)
  }
}

/* SMix. Mix i of all lanes lies in v before mix i + 1. */
POW_INLINE void NAME(smix)(V x[64], uint8_t *v, const int salsa) {
  for (int i = 0; i < NEOSCRYPT_N; i++) {
    for (int k = 0; k < 4; k++)
      NAME(scatter)(v + (size_t)i * LANES * NEOSCRYPT_BLOCK_LEN + 64 * k, NEOSCRYPT_BLOCK_LEN, x + 16 * NAME(place)(k, i & 1));
    NAME(blockmix)(x, salsa, i & 1);
  }
  for (int i = 0; i < NEOSCRYPT_N; i++) {
    union {
      V word;
      uint32_t lane[LANES];
    } last = {x[48]};
    const uint8_t *rows[LANES];
    for (int lane = 0; lane < LANES; lane++)
      rows[lane] = v + ((last.lane[lane] % NEOSCRYPT_N) * (size_t)LANES + (size_t)lane) * NEOSCRYPT_BLOCK_LEN;
    for (int k = 0; k < 4; k++) {
      V taken[16], *const block = x + 16 * NAME(place)(k, i & 1);
      NAME(gather)(taken, rows);
      for (int word = 0; word < 16; word++) block[word] = XOR(block[word], taken[word]);
      for (int lane = 0; lane < LANES; lane++) rows[lane] += 64;
    }
    NAME(blockmix)(x, salsa, i & 1);
  }
}

/* The rounds of FastKDF for the passwords in `inputs` and the salts in `keys`, each with its beginning behind it; return in `at` where
 * the last digest went. */
static void NAME(fastkdf)(const uint8_t *inputs, uint8_t *keys, uint32_t at[LANES]) {
  for (int lane = 0; lane < LANES; lane++) at[lane] = 0;
  for (int round = 0; round < NEOSCRYPT_KDF_ROUNDS; round++) {
    const uint8_t *rows[LANES];
    V block[16], h[8];
    /* The parameter block: a digest of 32 bytes, a key of 32 bytes, no tree. */
    h[0] = SET1(0x6a09e667u ^ 0x01012020u), h[1] = SET1(0xbb67ae85u), h[2] = SET1(0x3c6ef372u), h[3] = SET1(0xa54ff53au);
    h[4] = SET1(0x510e527fu), h[5] = SET1(0x9b05688cu), h[6] = SET1(0x1f83d9abu), h[7] = SET1(0x5be0cd19u);
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
      sum.word = ADD(sum.word, ADD(ADD(h[i], SHR(h[i], 8)), ADD(SHR(h[i], 16), SHR(h[i], 24))));
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

void NAME(hash)(const uint8_t *data, size_t len, void *scratch, uint8_t *digests) {
  uint8_t *const v = scratch;
  V *const x = (V *)(v + LANES * NEOSCRYPT_V_LEN), *const z = x + 64;
  uint8_t *const inputs = (uint8_t *)(z + 64), *const keys = inputs + LANES * NEOSCRYPT_INPUTS_LEN;
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

  memcpy(z, x, 64 * sizeof(V));
  NAME(smix)(z, v, 0);
  NAME(smix)(x, v, 1);
  for (int i = 0; i < 64; i++) x[i] = XOR(x[i], z[i]);

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
