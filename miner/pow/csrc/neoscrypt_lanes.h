/* NeoScrypt of as many messages at once as a vector has words, one in each lane. The including file defines what
 * neoscrypt_kdf_lanes.h names. In V the bytes of a message lie behind one another, since each reads there from its
 * own place. (SMix with a message in every 128 bits of a vector, as in scrypt_rows.h, needs no transposing and was
 * still 10 to 20 % slower with AVX2 and SSE2 and in WebAssembly: its rows must be turned in every round.) */
#include "neoscrypt_kdf_lanes.h"

/* The four steps of two quarter-rounds of ChaCha and of Salsa20. */
#define CHACHA_STEP(to0, from0, turned0, to1, from1, turned1, turn)     \
  do {                                                                  \
    to0 = ADD32(to0, from0), to1 = ADD32(to1, from1);                   \
    turned0 = XOR(turned0, to0), turned1 = XOR(turned1, to1);           \
    turned0 = ROTL32(turned0, turn), turned1 = ROTL32(turned1, turn);   \
  } while (0)
#define CHACHA_1(a0, b0, c0, d0, a1, b1, c1, d1) CHACHA_STEP(a0, b0, d0, a1, b1, d1, 16)
#define CHACHA_2(a0, b0, c0, d0, a1, b1, c1, d1) CHACHA_STEP(c0, d0, b0, c1, d1, b1, 12)
#define CHACHA_3(a0, b0, c0, d0, a1, b1, c1, d1) CHACHA_STEP(a0, b0, d0, a1, b1, d1, 8)
#define CHACHA_4(a0, b0, c0, d0, a1, b1, c1, d1) CHACHA_STEP(c0, d0, b0, c1, d1, b1, 7)

#define SALSA_STEP(to0, x0, y0, to1, x1, y1, turn)            \
  do {                                                        \
    V sum0 = ADD32(x0, y0), sum1 = ADD32(x1, y1);             \
    sum0 = ROTL32(sum0, turn), sum1 = ROTL32(sum1, turn);     \
    to0 = XOR(to0, sum0), to1 = XOR(to1, sum1);               \
  } while (0)
#define SALSA_1(a0, b0, c0, d0, a1, b1, c1, d1) SALSA_STEP(b0, a0, d0, b1, a1, d1, 7)
#define SALSA_2(a0, b0, c0, d0, a1, b1, c1, d1) SALSA_STEP(c0, b0, a0, c1, b1, a1, 9)
#define SALSA_3(a0, b0, c0, d0, a1, b1, c1, d1) SALSA_STEP(d0, c0, b0, d1, c1, b1, 13)
#define SALSA_4(a0, b0, c0, d0, a1, b1, c1, d1) SALSA_STEP(a0, d0, c0, a1, d1, c1, 18)

/* Four quarter-rounds, two and two: step by step where the whole state is in registers, else one pair after the other,
 * so that what is not in a register is fetched and put back once a round. */
#if LANES == 16
#define QUARTERS(CORE, pair, other)                                       \
  CORE##_1 pair; CORE##_1 other; CORE##_2 pair; CORE##_2 other;           \
  CORE##_3 pair; CORE##_3 other; CORE##_4 pair; CORE##_4 other
#else
#define QUARTERS(CORE, pair, other)                                       \
  CORE##_1 pair; CORE##_2 pair; CORE##_3 pair; CORE##_4 pair;             \
  CORE##_1 other; CORE##_2 other; CORE##_3 other; CORE##_4 other
#endif

#define EACH_WORD(DO) \
  DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define DECLARE_LAST(i) V x##i = x[48 + i];
#define MIX_IN(i) block[i] = x##i = XOR(x##i, block[i]);
#define FEED_FORWARD(i) block[i] = x##i = ADD32(x##i, block[i]);

/* Where block `k` lies: every mix exchanges blocks 1 and 2, and here they stay where they are instead. */
POW_INLINE int NAME(place)(int k, int exchanged) { return exchanged && (k == 1 || k == 2) ? 3 - k : k; }

/* BlockMix with ChaCha, or with Salsa20 where `salsa` is set. */
POW_INLINE void NAME(blockmix)(V x[64], const int salsa, int exchanged) {
  EACH_WORD(DECLARE_LAST)
  for (int k = 0; k < 4; k++) {
    V *const block = x + 16 * NAME(place)(k, exchanged);
    EACH_WORD(MIX_IN)
    for (int i = 0; i < 10; i++)
      if (salsa) {
        QUARTERS(SALSA, (x0, x4, x8, x12, x5, x9, x13, x1), (x10, x14, x2, x6, x15, x3, x7, x11));
        QUARTERS(SALSA, (x0, x1, x2, x3, x5, x6, x7, x4), (x10, x11, x8, x9, x15, x12, x13, x14));
      } else {
        QUARTERS(CHACHA, (x0, x4, x8, x12, x1, x5, x9, x13), (x2, x6, x10, x14, x3, x7, x11, x15));
        QUARTERS(CHACHA, (x0, x5, x10, x15, x1, x6, x11, x12), (x2, x7, x8, x13, x3, x4, x9, x14));
      }
    EACH_WORD(FEED_FORWARD)
  }
}

/* SMix. Mix i of all lanes lies in v before mix i + 1. */
POW_INLINE void NAME(smix)(V x[64], uint8_t *v, const int salsa) {
  const size_t entry_len = LANES * NEOSCRYPT_BLOCK_LEN;
  for (int i = 0; i < NEOSCRYPT_N; i++) {
    for (int k = 0; k < 4; k++)
      NAME(scatter)(v + (size_t)i * entry_len + 64 * k, NEOSCRYPT_BLOCK_LEN, x + 16 * NAME(place)(k, i & 1));
    NAME(blockmix)(x, salsa, i & 1);
  }
  for (int i = 0; i < NEOSCRYPT_N; i++) {
    union {
      V word;
      uint32_t lane[LANES];
    } last = {x[48]};
    const uint8_t *rows[LANES];
    for (int lane = 0; lane < LANES; lane++)
      rows[lane] = v + last.lane[lane] % NEOSCRYPT_N * entry_len + lane * NEOSCRYPT_BLOCK_LEN;
    for (int k = 0; k < 4; k++) {
      V taken[16], *const block = x + 16 * NAME(place)(k, i & 1);
      NAME(gather)(taken, rows);
      for (int word = 0; word < 16; word++) block[word] = XOR(block[word], taken[word]);
      for (int lane = 0; lane < LANES; lane++) rows[lane] += 64;
    }
    NAME(blockmix)(x, salsa, i & 1);
  }
}

void NAME(hash)(const uint8_t *data, size_t len, void *scratch, uint8_t *digests) {
  uint8_t *const v = scratch, *const inputs = v + LANES * NEOSCRYPT_V_LEN;
  uint8_t *const keys = inputs + LANES * NEOSCRYPT_INPUTS_LEN;
  V x[64], z[64];
  NAME(derive)(data, len, inputs, keys, x);
  memcpy(z, x, sizeof z);
  NAME(smix)(z, v, 0);
  NAME(smix)(x, v, 1);
  for (int i = 0; i < 64; i++) x[i] = XOR(x[i], z[i]);
  NAME(finish)(x, inputs, keys, digests);
}
