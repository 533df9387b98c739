/* Keccak-f[1600] of several states at once, one in each lane of a vector of 64-bit words. The including file defines
 *
 *   NAME(verb)                       the name of a function of this kernel
 *   K64                              the type of the vector
 *   K64_SET1(x)                      a word in all lanes
 *   K64_XOR(a, b), K64_XOR3(a, b, c), K64_ROTL(x, n), K64_CHI(a, b, c)      the last is a ^ (~b & c)
 */
#include "keccak.h"

/* A word after theta, at its new place after rho and pi. */
#define KECCAK_MOVED(i, n) K64_ROTL(K64_XOR(from[i], d[(i) % 5]), n)

/* Row `y` of the next state, from five such words; chi among them. */
#define KECCAK_ROW(y, word0, word1, word2, word3, word4)                          \
  do {                                                                            \
    const K64 b0 = word0, b1 = word1, b2 = word2, b3 = word3, b4 = word4;         \
    to[5 * (y) + 0] = K64_CHI(b0, b1, b2), to[5 * (y) + 1] = K64_CHI(b1, b2, b3); \
    to[5 * (y) + 2] = K64_CHI(b2, b3, b4), to[5 * (y) + 3] = K64_CHI(b3, b4, b0); \
    to[5 * (y) + 4] = K64_CHI(b4, b0, b1);                                        \
  } while (0)

POW_INLINE void NAME(keccak_round)(const K64 from[KECCAK_WORDS], K64 to[KECCAK_WORDS], uint64_t constant) {
  K64 c[5], d[5];
  c[0] = K64_XOR3(K64_XOR3(from[0], from[5], from[10]), from[15], from[20]);
  c[1] = K64_XOR3(K64_XOR3(from[1], from[6], from[11]), from[16], from[21]);
  c[2] = K64_XOR3(K64_XOR3(from[2], from[7], from[12]), from[17], from[22]);
  c[3] = K64_XOR3(K64_XOR3(from[3], from[8], from[13]), from[18], from[23]);
  c[4] = K64_XOR3(K64_XOR3(from[4], from[9], from[14]), from[19], from[24]);
  d[0] = K64_XOR(c[4], K64_ROTL(c[1], 1));
  d[1] = K64_XOR(c[0], K64_ROTL(c[2], 1));
  d[2] = K64_XOR(c[1], K64_ROTL(c[3], 1));
  d[3] = K64_XOR(c[2], K64_ROTL(c[4], 1));
  d[4] = K64_XOR(c[3], K64_ROTL(c[0], 1));
  KECCAK_ROW(0, K64_XOR(from[0], d[0]), KECCAK_MOVED(6, 44), KECCAK_MOVED(12, 43),
             KECCAK_MOVED(18, 21), KECCAK_MOVED(24, 14));
  KECCAK_ROW(1, KECCAK_MOVED(3, 28), KECCAK_MOVED(9, 20), KECCAK_MOVED(10, 3),
             KECCAK_MOVED(16, 45), KECCAK_MOVED(22, 61));
  KECCAK_ROW(2, KECCAK_MOVED(1, 1), KECCAK_MOVED(7, 6), KECCAK_MOVED(13, 25),
             KECCAK_MOVED(19, 8), KECCAK_MOVED(20, 18));
  KECCAK_ROW(3, KECCAK_MOVED(4, 27), KECCAK_MOVED(5, 36), KECCAK_MOVED(11, 10),
             KECCAK_MOVED(17, 15), KECCAK_MOVED(23, 56));
  KECCAK_ROW(4, KECCAK_MOVED(2, 62), KECCAK_MOVED(8, 55), KECCAK_MOVED(14, 39),
             KECCAK_MOVED(15, 41), KECCAK_MOVED(21, 2));
  to[0] = K64_XOR(to[0], K64_SET1(constant));
}

static void NAME(keccak)(K64 state[KECCAK_WORDS]) {
  K64 a[KECCAK_WORDS], b[KECCAK_WORDS];
  for (int i = 0; i < KECCAK_WORDS; i++) a[i] = state[i];
  for (int round = 0; round < KECCAK_ROUNDS; round += 2) {
    NAME(keccak_round)(a, b, keccak_constants[round]);
    NAME(keccak_round)(b, a, keccak_constants[round + 1]);
  }
  for (int i = 0; i < KECCAK_WORDS; i++) state[i] = a[i];
}

#undef KECCAK_ROW
#undef KECCAK_MOVED
