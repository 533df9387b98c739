/* SHA-256d of several messages at once, one in each lane of a vector of 32-bit words. The including file defines
 *
 *   NAME(verb)                        the name of a function of this kernel
 *   LANES, V                          how many words a vector has, and its type
 *   SET1(x), ADD(a, b), XOR(a, b), AND(a, b), SHR(x, n), CH(e, f, g), BSWAP(x)
 *   AT_MOST(x, limit)                 the lanes where x <= limit, unsigned, as bits of a uint32_t
 *
 * and SHL(x, n) or, where one instruction rotates, ROTR(x, n); where one does even more, XOR_ROTATED(x, i, j, k) and
 * XOR_SHIFTED(x, i, j, k), the sums of three rotations and of two rotations and a shift, and MAJ(a, b, c); where gcc would keep more
 * intermediate values than there are registers, PIN(x): x is computed before what follows.
 */
#include "sha256d_prepare.h"

#ifndef PIN
#define PIN(x) ((void)0)
#endif

#ifndef XOR_ROTATED
/* Rotations inside each other, so that two registers do. */
POW_INLINE V NAME(rotated)(V x, const int n) {
#ifdef ROTR
  return ROTR(x, n);
#else
  V high = SHL(x, 32 - n);
  PIN(high);
  return XOR(high, SHR(x, n));
#endif
}

POW_INLINE V NAME(xor_rotated)(V x, const int i, const int j, const int k) {
  V inner = XOR(x, NAME(rotated)(x, k - j));
  PIN(inner);
  inner = XOR(x, NAME(rotated)(inner, j - i));
  PIN(inner);
  return NAME(rotated)(inner, i);
}

POW_INLINE V NAME(xor_shifted)(V x, const int i, const int j, const int k) {
  V inner = XOR(x, NAME(rotated)(x, j - i));
  PIN(inner);
  inner = NAME(rotated)(inner, i);
  PIN(inner);
  return XOR(inner, SHR(x, k));
}

#define XOR_ROTATED(x, i, j, k) NAME(xor_rotated)(x, i, j, k)
#define XOR_SHIFTED(x, i, j, k) NAME(xor_shifted)(x, i, j, k)
#endif

#define BIG0(x) XOR_ROTATED(x, 2, 13, 22)
#define BIG1(x) XOR_ROTATED(x, 6, 11, 25)
#define SMALL0(x) XOR_SHIFTED(x, 7, 18, 3)
#define SMALL1(x) XOR_SHIFTED(x, 17, 19, 10)

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
    h = ADD(h, kw);                                 \
    PIN(h);                                         \
    h = ADD(h, CH(e, f, g));                        \
    PIN(h);                                         \
    h = ADD(h, BIG1(e));                            \
    PIN(h);                                         \
    d = ADD(d, h);                                  \
    PIN(d);                                         \
    h = ADD(h, NAME(majority)(a, b, c, &bc));       \
    PIN(h);                                         \
    h = ADD(h, BIG0(a));                            \
    PIN(h);                                         \
  } while (0)

/* One of the last rounds, of which only the new e matters. */
#define LATE_ROUND(d, e, f, g, h, kw) d = ADD(ADD(d, ADD(h, kw)), ADD(BIG1(e), CH(e, f, g)))

#define EIGHT_ROUNDS(i, KW)                    \
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
#define NEXT_WORD(i) (W(i) = ADD(ADD(W(i), SMALL0(W((i) + 1))), ADD(W((i) + 9), SMALL1(W((i) + 14)))))
#define FIRST_KW(i) ADD(W(i), K(i))
#define NEXT_KW(i) ADD(NEXT_WORD(i), K(i))

/* Mix a block into the state of every lane. */
static void NAME(compress)(V s[8], V w[16]) {
  V a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
  V bc = XOR(b, c);
  EIGHT_ROUNDS(0, FIRST_KW);
  EIGHT_ROUNDS(8, FIRST_KW);
  EIGHT_ROUNDS(16, NEXT_KW);
  EIGHT_ROUNDS(24, NEXT_KW);
  EIGHT_ROUNDS(32, NEXT_KW);
  EIGHT_ROUNDS(40, NEXT_KW);
  EIGHT_ROUNDS(48, NEXT_KW);
  EIGHT_ROUNDS(56, NEXT_KW);
  s[0] = ADD(s[0], a), s[1] = ADD(s[1], b), s[2] = ADD(s[2], c), s[3] = ADD(s[3], d);
  s[4] = ADD(s[4], e), s[5] = ADD(s[5], f), s[6] = ADD(s[6], g), s[7] = ADD(s[7], h);
}

void NAME(hash)(const uint8_t *data, size_t len, void *scratch, uint8_t *digests) {
  (void)scratch;
  union {
    uint32_t lane[16][LANES];
    V word[16];
  } block;
  V s[8];
  for (int i = 0; i < 8; i++) s[i] = SET1(sha256_iv[i]);
  const size_t blocks = (len + 8) / 64 + 1;
  for (size_t number = 0; number < blocks; number++) {
    for (size_t lane = 0; lane < LANES; lane++) {
      uint32_t words[16];
      sha256d_block(data + lane * len, len, number, words);
      for (int i = 0; i < 16; i++) block.lane[i][lane] = words[i];
    }
    NAME(compress)(s, block.word);
  }
  for (int i = 0; i < 8; i++) block.word[i] = s[i], s[i] = SET1(sha256_iv[i]);
  for (int i = 8; i < 16; i++) block.word[i] = SET1(i == 8 ? 0x80000000u : i == 15 ? 256u : 0u);
  NAME(compress)(s, block.word);
  for (int i = 0; i < 8; i++) block.word[i] = s[i];
  for (size_t lane = 0; lane < LANES; lane++)
    for (int i = 0; i < 8; i++) pow_store32_be(digests + lane * POW_DIGEST_LEN + 4 * i, block.lane[i][lane]);
}

#define COMMON(i) SET1(common->schedule[i])

/* Constant + word of round `i` (3 to 63) of the second block; `w` holds the words that depend on the nonce. */
POW_INLINE V NAME(second_block)(const sha256d_common *common, V w[16], V nonce, const int i) {
  if (i == 3) return ADD(nonce, K(3));
  if (i < 18) return SET1(common->round[i]);
  if (i == 18)
    W(16) = COMMON(16), W(17) = COMMON(17), W(18) = ADD(COMMON(18), SMALL0(nonce));
  else if (i == 19)
    W(i) = ADD(COMMON(i), nonce);
  else if (i < 25)
    W(i) = ADD(COMMON(i), SMALL1(W(i - 2)));
  else if (i < 33)
    W(i) = ADD(ADD(COMMON(i), W(i - 7)), SMALL1(W(i - 2)));
  else
    NEXT_WORD(i);
  return FIRST_KW(i);
}

/* Constant + word of round `i` (1 to 63) of the second hash, whose block is a digest in w[0] to w[7] and padding. */
POW_INLINE V NAME(second_hash)(V w[16], const int i) {
  const uint32_t one = 0x80000000u, bits = 256;
  if (i < 8) return FIRST_KW(i);
  if (i < 16) return SET1(sha256_k[i] + (i == 8 ? one : i == 15 ? bits : 0));
  if (i == 16)
    W(i) = ADD(W(i), SMALL0(W(i + 1)));
  else if (i == 17)
    W(i) = ADD(ADD(W(i), SMALL0(W(i + 1))), SET1(sha256d_small1(bits)));
  else if (i < 23)
    W(i) = ADD(ADD(W(i), SMALL0(W(i + 1))), SMALL1(W(i - 2)));
  else if (i == 23)
    W(i) = ADD(ADD(W(i), SET1(sha256d_small0(one))), ADD(SMALL1(W(i - 2)), W(i - 7)));
  else if (i < 31)
    W(i) = ADD(SMALL1(W(i - 2)), W(i - 7));
  else if (i == 31)
    W(i) = ADD(ADD(SMALL1(W(i - 2)), W(i - 7)), SMALL0(W(i - 15)));
  else
    NEXT_WORD(i);
  if (i == 22 || i == 31) W(i) = ADD(W(i), SET1(bits));
  if (i == 24) W(i) = ADD(W(i), SET1(one));
  if (i == 30) W(i) = ADD(W(i), SET1(sha256d_small0(bits)));
  return FIRST_KW(i);
}

/* Return the last word of the digests for the nonces whose word in the block is `nonce`. */
POW_INLINE V NAME(last_word)(const sha256d_common *common, V nonce) {
  V w[16];
  V a = SET1(common->early[0]), b = SET1(common->early[1]), c = SET1(common->early[2]), d = SET1(common->early[3]);
  V e = SET1(common->early[4]), f = SET1(common->early[5]), g = SET1(common->early[6]), h = SET1(common->early[7]);
  V bc = XOR(b, c);
#define KW(i) NAME(second_block)(common, w, nonce, i)
  EIGHT_ROUNDS(3, KW);
  EIGHT_ROUNDS(11, KW);
  EIGHT_ROUNDS(19, KW);
  EIGHT_ROUNDS(27, KW);
  EIGHT_ROUNDS(35, KW);
  EIGHT_ROUNDS(43, KW);
  EIGHT_ROUNDS(51, KW);
  ROUND(a, b, c, d, e, f, g, h, KW(59));
  ROUND(h, a, b, c, d, e, f, g, KW(60));
  ROUND(g, h, a, b, c, d, e, f, KW(61));
  ROUND(f, g, h, a, b, c, d, e, KW(62));
  ROUND(e, f, g, h, a, b, c, d, KW(63));
#undef KW
  w[0] = ADD(d, SET1(common->midstate[0])), w[1] = ADD(e, SET1(common->midstate[1]));
  w[2] = ADD(f, SET1(common->midstate[2])), w[3] = ADD(g, SET1(common->midstate[3]));
  w[4] = ADD(h, SET1(common->midstate[4])), w[5] = ADD(a, SET1(common->midstate[5]));
  w[6] = ADD(b, SET1(common->midstate[6])), w[7] = ADD(c, SET1(common->midstate[7]));

  /* Round 0 of the second hash adds a word to constants. */
  d = ADD(SET1(common->second_d), w[0]), h = ADD(SET1(common->second_h), w[0]);
  a = SET1(sha256_iv[0]), b = SET1(sha256_iv[1]), c = SET1(sha256_iv[2]);
  e = SET1(sha256_iv[4]), f = SET1(sha256_iv[5]), g = SET1(sha256_iv[6]);
#define KW(i) NAME(second_hash)(w, i)
  bc = XOR(a, b);
  ROUND(h, a, b, c, d, e, f, g, KW(1));
  ROUND(g, h, a, b, c, d, e, f, KW(2));
  ROUND(f, g, h, a, b, c, d, e, KW(3));
  ROUND(e, f, g, h, a, b, c, d, KW(4));
  ROUND(d, e, f, g, h, a, b, c, KW(5));
  ROUND(c, d, e, f, g, h, a, b, KW(6));
  ROUND(b, c, d, e, f, g, h, a, KW(7));
  EIGHT_ROUNDS(8, KW);
  EIGHT_ROUNDS(16, KW);
  EIGHT_ROUNDS(24, KW);
  EIGHT_ROUNDS(32, KW);
  EIGHT_ROUNDS(40, KW);
  EIGHT_ROUNDS(48, KW);
  ROUND(a, b, c, d, e, f, g, h, KW(56));
  LATE_ROUND(c, d, e, f, g, KW(57));
  LATE_ROUND(b, c, d, e, f, KW(58));
  LATE_ROUND(a, b, c, d, e, KW(59));
  LATE_ROUND(h, a, b, c, d, KW(60));
#undef KW
  return ADD(h, SET1(sha256_iv[7]));
}

SHA256D_CANDIDATES NAME(candidates)(const sha256d_common *common, uint32_t low, uint32_t limit) {
  static const union {
    uint32_t lane[16];
    V word;
  } lane_number = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
  const V last = BSWAP(NAME(last_word)(common, BSWAP(ADD(SET1(low), lane_number.word))));
  return AT_MOST(last, limit);
}

#include "sha256d_scan.h"
