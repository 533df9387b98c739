/* SHA-256d of several messages at once, one in each lane of a vector. The including file defines what sha256_lanes.h
 * names, and
 *
 *   BSWAP(x)                          every word with its bytes the other way round
 *   AT_MOST(x, limit)                 the lanes where x <= limit, unsigned, as bits of a uint32_t
 */
#include "sha256_lanes.h"
#include "sha256d_prepare.h"

#define LANES WORDS

/* One of the last rounds, of which only the new e matters. */
#define LATE_ROUND(d, e, f, g, h, kw) d = ADD32(ADD32(d, ADD32(h, kw)), ADD32(BIG1(e), CH(e, f, g)))

void NAME(hash)(const uint8_t *data, size_t len, void *scratch, uint8_t *digests) {
  (void)scratch;
  V first[8], second[8];
  NAME(begin)(first);
  NAME(absorb)(first, data, len, len, LANES);
  NAME(finish)(first, data, len, len, LANES, 0, 0);
  NAME(begin)(second);
  NAME(finish_digest)(second, first, 0);
  NAME(store)(digests, POW_DIGEST_LEN, second, LANES);
}

#define COMMON(i) SET1(common->schedule[i])

/* Constant + word of round `i` (3 to 63) of the second block; `w` holds the words that depend on the nonce. */
POW_INLINE V NAME(second_block)(const sha256d_common *common, V w[16], V nonce, const int i) {
  if (i == 3) return ADD32(nonce, K(3));
  if (i < 18) return SET1(common->round[i]);
  if (i == 18)
    W(16) = COMMON(16), W(17) = COMMON(17), W(18) = ADD32(COMMON(18), SMALL0(nonce));
  else if (i == 19)
    W(i) = ADD32(COMMON(i), nonce);
  else if (i < 25)
    W(i) = ADD32(COMMON(i), SMALL1(W(i - 2)));
  else if (i < 33)
    W(i) = ADD32(ADD32(COMMON(i), W(i - 7)), SMALL1(W(i - 2)));
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
    W(i) = ADD32(W(i), SMALL0(W(i + 1)));
  else if (i == 17)
    W(i) = ADD32(ADD32(W(i), SMALL0(W(i + 1))), SET1(sha256d_small1(bits)));
  else if (i < 23)
    W(i) = ADD32(ADD32(W(i), SMALL0(W(i + 1))), SMALL1(W(i - 2)));
  else if (i == 23)
    W(i) = ADD32(ADD32(W(i), SET1(sha256d_small0(one))), ADD32(SMALL1(W(i - 2)), W(i - 7)));
  else if (i < 31)
    W(i) = ADD32(SMALL1(W(i - 2)), W(i - 7));
  else if (i == 31)
    W(i) = ADD32(ADD32(SMALL1(W(i - 2)), W(i - 7)), SMALL0(W(i - 15)));
  else
    NEXT_WORD(i);
  if (i == 22 || i == 31) W(i) = ADD32(W(i), SET1(bits));
  if (i == 24) W(i) = ADD32(W(i), SET1(one));
  if (i == 30) W(i) = ADD32(W(i), SET1(sha256d_small0(bits)));
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
  w[0] = ADD32(d, SET1(common->midstate[0])), w[1] = ADD32(e, SET1(common->midstate[1]));
  w[2] = ADD32(f, SET1(common->midstate[2])), w[3] = ADD32(g, SET1(common->midstate[3]));
  w[4] = ADD32(h, SET1(common->midstate[4])), w[5] = ADD32(a, SET1(common->midstate[5]));
  w[6] = ADD32(b, SET1(common->midstate[6])), w[7] = ADD32(c, SET1(common->midstate[7]));

  /* Round 0 of the second hash adds a word to constants. */
  d = ADD32(SET1(common->second_d), w[0]), h = ADD32(SET1(common->second_h), w[0]);
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
  return ADD32(h, SET1(sha256_iv[7]));
}

SHA256D_CANDIDATES NAME(candidates)(const sha256d_common *common, uint32_t low, uint32_t limit) {
  static const union {
    uint32_t lane[16];
    V word;
  } lane_number = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
  const V last = BSWAP(NAME(last_word)(common, BSWAP(ADD32(SET1(low), lane_number.word))));
  return AT_MOST(last, limit);
}

#include "sha256d_scan.h"
