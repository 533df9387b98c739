/* What scrypt begins and ends with, PBKDF2-HMAC-SHA256 with one iteration (RFC 8018), for one message in each 32-bit
 * lane of a vector: 17 compressions a hash, which one at a time would take a sixth of it. The including file defines
 *
 *   NAME(verb)                        the name of a function of this kernel
 *   WORDS, V                          how many words a vector has, and its type
 *   SET1(x), ADD32(a, b), XOR(a, b), ROTR32(x, n), SHR32(x, n), XOR3(a, b, c), CH(e, f, g), MAJ(a, b, c)
 */
#include "sha256.h"

typedef union {
  uint32_t lane[16][WORDS];
  V word[16];
} NAME(block);

#define BIG0(x) XOR3(ROTR32(x, 2), ROTR32(x, 13), ROTR32(x, 22))
#define BIG1(x) XOR3(ROTR32(x, 6), ROTR32(x, 11), ROTR32(x, 25))
#define SMALL0(x) XOR3(ROTR32(x, 7), ROTR32(x, 18), SHR32(x, 3))
#define SMALL1(x) XOR3(ROTR32(x, 17), ROTR32(x, 19), SHR32(x, 10))

#define ROUND(a, b, c, d, e, f, g, h, i)                                                     \
  do {                                                                                       \
    h = ADD32(ADD32(h, ADD32(w[(i) & 15], SET1(sha256_k[i]))), ADD32(BIG1(e), CH(e, f, g))); \
    d = ADD32(d, h);                                                                         \
    h = ADD32(h, ADD32(BIG0(a), MAJ(a, b, c)));                                              \
  } while (0)

/* Mix a block into the state of every lane; `w` is used up. */
static void NAME(compress)(V s[8], V w[16]) {
  V a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
  for (int i = 0; i < 64; i += 16) {
    if (i)
      for (int k = 0; k < 16; k++)
        w[k] = ADD32(ADD32(w[k], SMALL0(w[(k + 1) & 15])), ADD32(w[(k + 9) & 15], SMALL1(w[(k + 14) & 15])));
    for (int k = i; k < i + 16; k += 8) {
      ROUND(a, b, c, d, e, f, g, h, k + 0);
      ROUND(h, a, b, c, d, e, f, g, k + 1);
      ROUND(g, h, a, b, c, d, e, f, k + 2);
      ROUND(f, g, h, a, b, c, d, e, k + 3);
      ROUND(e, f, g, h, a, b, c, d, k + 4);
      ROUND(d, e, f, g, h, a, b, c, k + 5);
      ROUND(c, d, e, f, g, h, a, b, k + 6);
      ROUND(b, c, d, e, f, g, h, a, k + 7);
    }
  }
  s[0] = ADD32(s[0], a), s[1] = ADD32(s[1], b), s[2] = ADD32(s[2], c), s[3] = ADD32(s[3], d);
  s[4] = ADD32(s[4], e), s[5] = ADD32(s[5], f), s[6] = ADD32(s[6], g), s[7] = ADD32(s[7], h);
}

/* Mix in the whole blocks of `lanes` messages of `len` bytes behind one another. */
static void NAME(absorb)(V s[8], const uint8_t *data, size_t len, size_t lanes) {
  NAME(block) block = {{{0}}};
  for (size_t at = 0; at + 64 <= len; at += 64) {
    for (size_t lane = 0; lane < lanes; lane++)
      for (size_t i = 0; i < 16; i++) block.lane[i][lane] = pow_load32_be(data + lane * len + at + 4 * i);
    NAME(compress)(s, block.word);
  }
}

/* Mix in the rest of those messages, then `counter` unless it is 0, and the end of a message that had `before` bytes
 * before. */
static void NAME(finish)(V s[8], const uint8_t *data, size_t len, size_t lanes, uint32_t counter, size_t before) {
  NAME(block) blocks[2] = {{{{0}}}, {{{0}}}};
  const size_t rest = len % 64, end = rest + (counter ? 4 : 0), count = end < 56 ? 1 : 2;
  const uint64_t bits = (uint64_t)(before + len - rest + end) * 8;
  for (size_t lane = 0; lane < lanes; lane++) {
    uint8_t bytes[128] = {0};
    if (rest) memcpy(bytes, data + lane * len + len - rest, rest);
    if (counter) pow_store32_be(bytes + rest, counter);
    bytes[end] = 0x80;
    pow_store32_be(bytes + 64 * count - 8, (uint32_t)(bits >> 32));
    pow_store32_be(bytes + 64 * count - 4, (uint32_t)bits);
    for (size_t i = 0; i < 16 * count; i++) blocks[i / 16].lane[i % 16][lane] = pow_load32_be(bytes + 4 * i);
  }
  for (size_t i = 0; i < count; i++) NAME(compress)(s, blocks[i].word);
}

/* HMAC's two states after its key. */
typedef struct {
  V inner[8], outer[8];
} NAME(keyed);

static void NAME(begin)(V s[8]) {
  for (int i = 0; i < 8; i++) s[i] = SET1(sha256_iv[i]);
}

static void NAME(key)(NAME(keyed) *keyed, const uint8_t *data, size_t len, size_t lanes) {
  NAME(block) key = {{{0}}}, pad;
  if (len > 64) {
    V s[8];
    NAME(begin)(s);
    NAME(absorb)(s, data, len, lanes);
    NAME(finish)(s, data, len, lanes, 0, 0);
    for (int i = 0; i < 8; i++) key.word[i] = s[i];
  } else {
    for (size_t lane = 0; lane < lanes; lane++) {
      uint8_t bytes[64] = {0};
      if (len) memcpy(bytes, data + lane * len, len);
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

/* For each of `lanes` messages of `len` bytes as salt, write the first `out_len` bytes (a multiple of 32) that its key
 * gives. */
static void NAME(pbkdf2)(const NAME(keyed) *keyed, const uint8_t *salt, size_t len, size_t lanes, uint8_t *out,
                         size_t out_len) {
  V salted[8];
  for (int i = 0; i < 8; i++) salted[i] = keyed->inner[i];
  NAME(absorb)(salted, salt, len, lanes);
  for (size_t at = 0; at < out_len; at += SHA256_DIGEST_LEN) {
    NAME(block) mac;
    V s[8];
    for (int i = 0; i < 8; i++) s[i] = salted[i];
    NAME(finish)(s, salt, len, lanes, (uint32_t)(at / SHA256_DIGEST_LEN + 1), 64);
    for (int i = 0; i < 8; i++) mac.word[i] = s[i], s[i] = keyed->outer[i];
    for (int i = 8; i < 16; i++) mac.word[i] = SET1(0);
    mac.word[8] = SET1(0x80000000), mac.word[15] = SET1((64 + SHA256_DIGEST_LEN) * 8);
    NAME(compress)(s, mac.word);
    for (int i = 0; i < 8; i++) mac.word[i] = s[i];
    for (size_t lane = 0; lane < lanes; lane++)
      for (size_t i = 0; i < 8; i++) pow_store32_be(out + lane * out_len + at + 4 * i, mac.lane[i][lane]);
  }
}
