/* SHA-256 (FIPS 180-4) of several messages at once, one in each lane of a vector of 32-bit words. The including file
 * defines
 *
 *   NAME(verb)                        the name of a function of this kernel
 *   WORDS, V                          how many words a vector has, and its type
 *   SET1(x), ADD32(a, b), XOR(a, b), AND(a, b), SHR32(x, n), CH(e, f, g)
 *
 * and SHL32(x, n) or, where one instruction rotates, ROTR32(x, n); where one does even more, XOR3(a, b, c) and MAJ(a,
 * b, c); where gcc would keep more intermediate values than there are registers, PIN(x): x is computed before what
 * follows. The files words_*.h define them all. `lanes` may be less than WORDS where not every lane has a message.
 */
#include "pow_impl.h"
#include "sha256.h"

#ifndef PIN
#define PIN(x) ((void)0)
#endif

#ifdef XOR3
#define XOR_ROTATIONS(x, i, j, k) XOR3(ROTR32(x, i), ROTR32(x, j), ROTR32(x, k))
#define XOR_SHIFTS(x, i, j, k) XOR3(ROTR32(x, i), ROTR32(x, j), SHR32(x, k))
#else
/* Rotations inside each other, so that two registers do. */
POW_INLINE V NAME(rotated)(V x, const int n) {
#ifdef ROTR32
  return ROTR32(x, n);
#else
  V high = SHL32(x, 32 - n);
  PIN(high);
  return XOR(high, SHR32(x, n));
#endif
}

POW_INLINE V NAME(xor_rotations)(V x, const int i, const int j, const int k) {
  V inner = XOR(x, NAME(rotated)(x, k - j));
  PIN(inner);
  inner = XOR(x, NAME(rotated)(inner, j - i));
  PIN(inner);
  return NAME(rotated)(inner, i);
}

POW_INLINE V NAME(xor_shifts)(V x, const int i, const int j, const int k) {
  V inner = XOR(x, NAME(rotated)(x, j - i));
  PIN(inner);
  inner = NAME(rotated)(inner, i);
  PIN(inner);
  return XOR(inner, SHR32(x, k));
}

#define XOR_ROTATIONS(x, i, j, k) NAME(xor_rotations)(x, i, j, k)
#define XOR_SHIFTS(x, i, j, k) NAME(xor_shifts)(x, i, j, k)
#endif

#define BIG0(x) XOR_ROTATIONS(x, 2, 13, 22)
#define BIG1(x) XOR_ROTATIONS(x, 6, 11, 25)
#define SMALL0(x) XOR_SHIFTS(x, 7, 18, 3)
#define SMALL1(x) XOR_SHIFTS(x, 17, 19, 10)

/* Return the majority of a, b and c; `bc` is b ^ c, which was the a ^ b of the round before. */
POW_INLINE V NAME(majority)(V a, V b, V c, V *bc) {
#ifdef MAJ
  (void)bc;
  return MAJ(a, b, c);
#else
  (void)c;
  const V ab = XOR(a, b), majority = XOR(b, AND(ab, *bc));
  *bc = ab;
  return majority;
#endif
}

/* One round; `kw` is constant + word. The letters change their places instead of their values. */
#define ROUND(a, b, c, d, e, f, g, h, kw)           \
  do {                                              \
    h = ADD32(h, kw);                               \
    PIN(h);                                         \
    h = ADD32(h, CH(e, f, g));                      \
    PIN(h);                                         \
    h = ADD32(h, BIG1(e));                          \
    PIN(h);                                         \
    d = ADD32(d, h);                                \
    PIN(d);                                         \
    h = ADD32(h, NAME(majority)(a, b, c, &bc));     \
    PIN(h);                                         \
    h = ADD32(h, BIG0(a));                          \
    PIN(h);                                         \
  } while (0)

#define EIGHT_ROUNDS(i, KW)                   \
  ROUND(a, b, c, d, e, f, g, h, KW((i) + 0)); \
  ROUND(h, a, b, c, d, e, f, g, KW((i) + 1)); \
  ROUND(g, h, a, b, c, d, e, f, KW((i) + 2)); \
  ROUND(f, g, h, a, b, c, d, e, KW((i) + 3)); \
  ROUND(e, f, g, h, a, b, c, d, KW((i) + 4)); \
  ROUND(d, e, f, g, h, a, b, c, KW((i) + 5)); \
  ROUND(c, d, e, f, g, h, a, b, KW((i) + 6)); \
  ROUND(b, c, d, e, f, g, h, a, KW((i) + 7))

#define K(i) SET1(sha256_k[i])
#define W(i) w[(i) & 15]
#define NEXT_WORD(i) (W(i) = ADD32(ADD32(W(i), SMALL0(W((i) + 1))), ADD32(W((i) + 9), SMALL1(W((i) + 14)))))
#define FIRST_KW(i) ADD32(W(i), K(i))
#define NEXT_KW(i) ADD32(NEXT_WORD(i), K(i))

/* Mix a block into the state of every lane; `w` is used up. SHA256_SMALL, where it is hardly used, takes a tenth of the code. */
#ifdef SHA256_SMALL
POW_LOCAL void NAME(compress)(V s[8], V w[16]) {
  V a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
#pragma clang loop unroll(disable)
  for (int i = 0; i < 64; i++) {
    V bc = XOR(b, c);
    const V kw = i < 16 ? FIRST_KW(i) : NEXT_KW(i);
    ROUND(a, b, c, d, e, f, g, h, kw);
    const V last = h;
    h = g, g = f, f = e, e = d, d = c, c = b, b = a, a = last;
  }
  s[0] = ADD32(s[0], a), s[1] = ADD32(s[1], b), s[2] = ADD32(s[2], c), s[3] = ADD32(s[3], d);
  s[4] = ADD32(s[4], e), s[5] = ADD32(s[5], f), s[6] = ADD32(s[6], g), s[7] = ADD32(s[7], h);
}
#else
POW_LOCAL void NAME(compress)(V s[8], V w[16]) {
  V a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
  V bc = XOR(b, c);
  EIGHT_ROUNDS(0, FIRST_KW);
  EIGHT_ROUNDS(8, FIRST_KW);
  for (int i = 16; i < 64; i += 16) {
    EIGHT_ROUNDS(i, NEXT_KW);
    EIGHT_ROUNDS(i + 8, NEXT_KW);
  }
  s[0] = ADD32(s[0], a), s[1] = ADD32(s[1], b), s[2] = ADD32(s[2], c), s[3] = ADD32(s[3], d);
  s[4] = ADD32(s[4], e), s[5] = ADD32(s[5], f), s[6] = ADD32(s[6], g), s[7] = ADD32(s[7], h);
}
#endif

typedef union {
  uint32_t lane[16][WORDS];
  V word[16];
} NAME(block);

POW_LOCAL void NAME(begin)(V s[8]) {
  for (int i = 0; i < 8; i++) s[i] = SET1(sha256_iv[i]);
}

/* Mix in the whole blocks of messages of `len` bytes that begin `stride` bytes apart. */
POW_LOCAL void NAME(absorb)(V s[8], const uint8_t *data, size_t len, size_t stride, size_t lanes) {
  NAME(block) block = {{{0}}};
  for (size_t at = 0; at + SHA256_BLOCK_LEN <= len; at += SHA256_BLOCK_LEN) {
    for (size_t lane = 0; lane < lanes; lane++)
      for (size_t i = 0; i < 16; i++) block.lane[i][lane] = pow_load32_be(data + lane * stride + at + 4 * i);
    NAME(compress)(s, block.word);
  }
}

/* Mix in the rest of those messages, then `counter` unless it is 0, and the end of a message that had `before` bytes
 * before. */
POW_LOCAL void NAME(finish)(V s[8], const uint8_t *data, size_t len, size_t stride, size_t lanes, uint32_t counter,
                         size_t before) {
  NAME(block) blocks[2] = {{{{0}}}, {{{0}}}};
  const size_t rest = len % SHA256_BLOCK_LEN, end = rest + (counter ? 4 : 0), count = end < 56 ? 1 : 2;
  const uint64_t bits = (uint64_t)(before + len - rest + end) * 8;
  for (size_t lane = 0; lane < lanes; lane++) {
    uint8_t bytes[2 * SHA256_BLOCK_LEN] = {0};
    if (rest) memcpy(bytes, data + lane * stride + len - rest, rest);
    if (counter) pow_store32_be(bytes + rest, counter);
    bytes[end] = 0x80;
    pow_store32_be(bytes + SHA256_BLOCK_LEN * count - 8, (uint32_t)(bits >> 32));
    pow_store32_be(bytes + SHA256_BLOCK_LEN * count - 4, (uint32_t)bits);
    for (size_t i = 0; i < 16 * count; i++) blocks[i / 16].lane[i % 16][lane] = pow_load32_be(bytes + 4 * i);
  }
  for (size_t i = 0; i < count; i++) NAME(compress)(s, blocks[i].word);
}

/* Mix in a message that is a digest, whose words become the state `s`, behind `before` bytes. */
POW_LOCAL void NAME(finish_digest)(V s[8], const V digest[8], size_t before) {
  NAME(block) block;
  for (int i = 0; i < 8; i++) block.word[i] = digest[i], block.word[i + 8] = SET1(0);
  block.word[8] = SET1(0x80000000u), block.word[15] = SET1((before + SHA256_DIGEST_LEN) * 8);
  NAME(compress)(s, block.word);
}

/* Write the digests, `stride` bytes apart. */
POW_LOCAL void NAME(store)(uint8_t *digests, size_t stride, const V s[8], size_t lanes) {
  NAME(block) block;
  for (int i = 0; i < 8; i++) block.word[i] = s[i];
  for (size_t lane = 0; lane < lanes; lane++)
    for (int i = 0; i < 8; i++) pow_store32_be(digests + lane * stride + 4 * i, block.lane[i][lane]);
}
