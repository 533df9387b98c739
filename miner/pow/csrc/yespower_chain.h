/* yespower 1.0 of one or several messages at once. A hash is a single chain in which every step waits for the one
 * before, mostly for S-boxes in the second cache; so two hashes take turns, instruction by instruction. They fetch a
 * line from the second cache every two cycles, which is all that it gives: a third hash gains nothing, and what
 * remains is to keep everything but the boxes in the first. Which entry of the boxes is written next, and which box
 * is which, is the same for all of them. The including file defines
 *
 *   NAME(verb)                 the name of a function of this kernel
 *   LANES                      how many messages NAME(hash) takes at once
 *   V                          a type of 128 bits: two numbers of 64 bits, or four words
 *   LOAD(p), STORE(p, v), XOR(a, b), ADD64(a, b)
 *   MULTIPLY(x)                the product of the two words of each number
 *   FIRST(x)                   the first number as a uint64_t
 *   KEPT(n)                    the uint64_t n, where compilers need help to keep it in a register
 *   PREFETCH(p)                have the cache line of `p` fetched
 *
 * and either SALSA20_2(x), the Salsa20 core with one double round of four V, or ADD32(a, b) and what salsa20_rows.h
 * names.
 */

/* Bring an index into the range 0 to i - 1: modulo the largest power of two that is not above `i`, counted from the
 * end. */
POW_INLINE size_t NAME(wrap)(uint32_t x, uint32_t i) {
  const uint32_t power = UINT32_C(1) << (31 - __builtin_clz(i));
  return (x & (power - 1)) + (i - power);
}

/* What every lane does; `k` is its number. */
#define EACH(...) for (int k = 0; k < LANES; k++) if (k < lanes) __VA_ARGS__

/* Where lane `k` has what the first lane has at `p`: its boxes and its entries lie at fixed distances. */
#define BOX(p) ((p) + (size_t)k * YESPOWER_BOXES_LEN)
#define ENTRY(p) ((p) + (size_t)k * distance)

/* The two indices that a number has into boxes, in bytes: 11 bits of each word, times the 16 bytes of an entry. */
#define INDICES UINT64_C(0x00007ff000007ff0)

typedef struct {
  uint8_t *s0, *s1, *s2; /* the boxes of the first lane, in the order in which the next block uses them */
  size_t w;              /* the entry that is written next, in bytes */
} NAME(boxes);

#define MULTIPLY_ADD_XOR(x)                                                                     \
  do {                                                                                          \
    const uint64_t both = FIRST(x) & indices;                                                   \
    x = XOR(ADD64(MULTIPLY(x), LOAD(BOX(s0) + (uint32_t)both)), LOAD(BOX(s1) + (both >> 32)));  \
  } while (0)

#define MULTIPLY_ADD_XOR_WRITE(x, s) \
  do {                               \
    MULTIPLY_ADD_XOR(x);             \
    STORE(BOX(s) + w, x);            \
  } while (0)

/* The second and the third round of a block; the first one writes all four vectors. */
#define SECOND_ROUND()                         \
  do {                                         \
    EACH(MULTIPLY_ADD_XOR_WRITE(a[k], s0)); \
    EACH(MULTIPLY_ADD_XOR_WRITE(b[k], s1)); \
    w += 16;                                   \
    EACH(MULTIPLY_ADD_XOR(c[k]));           \
    EACH(MULTIPLY_ADD_XOR(d[k]));           \
  } while (0)

/* Replace the block a to d of every lane by its Salsa20/2 core. */
POW_INLINE void NAME(salsa)(V *a, V *b, V *c, V *d, const int lanes) {
#if defined(SALSA20_2)
  EACH({
    V x[4] = {a[k], b[k], c[k], d[k]};
    SALSA20_2(x);
    a[k] = x[0], b[k] = x[1], c[k] = x[2], d[k] = x[3];
  });
#else
  V e[LANES], f[LANES], g[LANES], h[LANES];
  EACH((e[k] = a[k], f[k] = b[k], g[k] = c[k], h[k] = d[k]));
  SALSA20_DOUBLE_ROUND(EACH, e[k], f[k], g[k], h[k]);
  EACH((a[k] = ADD32(a[k], e[k]), b[k] = ADD32(b[k], f[k]), c[k] = ADD32(c[k], g[k]), d[k] = ADD32(d[k], h[k])));
#endif
}

/* In bytes: how far ahead entries are fetched; and how often the new one is touched until the next step reads it,
 * lest the boxes push it out of the first cache. */
#define AHEAD (4 * YESPOWER_BLOCK_LEN)
#define TOUCHED (3 * YESPOWER_BLOCK_LEN)

#define STORE_BLOCK(to, a, b, c, d) STORE(to, a), STORE((to) + 16, b), STORE((to) + 32, c), STORE((to) + 48, d)

/* Row `i` of the block at `at` of what a step mixes. */
#define ROW(at, i)                                                                                        \
  (other ? XOR(LOAD(ENTRY(from) + (at) + 16 * (i)), LOAD(other[k] + (at) + 16 * (i))) \
         : LOAD(ENTRY(from) + (at) + 16 * (i)))

/* Mix an entry of `len` bytes, xored with another one unless that is NULL, into the entry `to`; with `save`, the sum
 * also replaces the other one. Set `j` to the first word of the last blocks. */
POW_INLINE void NAME(mix)(NAME(boxes) *boxes, const uint8_t *from, uint8_t *const *other, uint8_t *to, size_t len,
                          size_t distance, uint32_t j[LANES], const int lanes, const int save) {
  uint8_t *s0 = boxes->s0, *s1 = boxes->s1, *s2 = boxes->s2;
  size_t w = boxes->w;
  const uint64_t indices = KEPT(INDICES);
  V a[LANES], b[LANES], c[LANES], d[LANES]; /* the rows of a block */
  const size_t end = len - YESPOWER_BLOCK_LEN;
  EACH((a[k] = ROW(end, 0), b[k] = ROW(end, 1), c[k] = ROW(end, 2), d[k] = ROW(end, 3)));
  for (size_t at = 0; at < len; at += YESPOWER_BLOCK_LEN) {
    if (other)
      EACH({
        const size_t ahead = at + AHEAD < len ? at + AHEAD : at;
        PREFETCH(other[k] + ahead);
        if (!save) PREFETCH(ENTRY(to) + ahead);
        for (size_t next = TOUCHED; next < YESPOWER_ENTRY_LEN(YESPOWER_R_MIN); next += TOUCHED)
          PREFETCH(ENTRY(from) + at + next - (save && at + next >= len ? len : 0));
      });
    EACH({
      const V row[4] = {ROW(at, 0), ROW(at, 1), ROW(at, 2), ROW(at, 3)};
      if (save) STORE_BLOCK(other[k] + at, row[0], row[1], row[2], row[3]);
      a[k] = XOR(a[k], row[0]), b[k] = XOR(b[k], row[1]), c[k] = XOR(c[k], row[2]), d[k] = XOR(d[k], row[3]);
    });
    EACH(MULTIPLY_ADD_XOR_WRITE(a[k], s0));
    EACH(MULTIPLY_ADD_XOR_WRITE(b[k], s1));
    w += 16;
    EACH(MULTIPLY_ADD_XOR_WRITE(c[k], s0));
    EACH(MULTIPLY_ADD_XOR_WRITE(d[k], s1));
    w += 16;
    SECOND_ROUND();
    SECOND_ROUND();
    w %= YESPOWER_BOX_LEN;
    uint8_t *const second = s1;
    s1 = s0, s0 = s2, s2 = second;
    EACH(STORE_BLOCK(ENTRY(to) + at, a[k], b[k], c[k], d[k]));
  }
  NAME(salsa)(a, b, c, d, lanes);
  EACH(STORE_BLOCK(ENTRY(to) + end, a[k], b[k], c[k], d[k]));
  EACH(j[k] = (uint32_t)FIRST(a[k]));
  boxes->s0 = s0, boxes->s1 = s1, boxes->s2 = s2, boxes->w = w;
}

/* Fill the boxes from the two blocks that stand there first, and put the two blocks that come after them at `to`. */
POW_INLINE void NAME(fill)(uint8_t *boxes, uint8_t *to, size_t distance, const int lanes) {
  const size_t len = 2 * YESPOWER_BLOCK_LEN, count = YESPOWER_BOXES_LEN / len;
  V x[LANES][8], a[LANES], b[LANES], c[LANES], d[LANES];
  for (int i = 0; i < 8; i++) EACH(x[k][i] = LOAD(BOX(boxes) + 16 * i));
  for (size_t n = 0; n < count; n++) {
    for (int i = 0; i < 8; i++) EACH(STORE(BOX(boxes) + n * len + 16 * i, x[k][i]));
    if (n > 1)
      EACH({
        const uint8_t *other = BOX(boxes) + NAME(wrap)((uint32_t)FIRST(x[k][4]), (uint32_t)n) * len;
        for (int i = 0; i < 8; i++) x[k][i] = XOR(x[k][i], LOAD(other + 16 * i));
      });
    for (int block = 0; block < 8; block += 4) {
      EACH((a[k] = XOR(x[k][0], x[k][4]), b[k] = XOR(x[k][1], x[k][5])));
      EACH((c[k] = XOR(x[k][2], x[k][6]), d[k] = XOR(x[k][3], x[k][7])));
      NAME(salsa)(a, b, c, d, lanes);
      EACH((x[k][block] = a[k], x[k][block + 1] = b[k], x[k][block + 2] = c[k], x[k][block + 3] = d[k]));
    }
  }
  for (int i = 0; i < 8; i++) EACH(STORE(ENTRY(to) + 16 * i, x[k][i]));
}

/* Point `other` to the entry of V with number `number`, which is needed at once. */
#define CHOOSE(number)                                                                 \
  EACH({                                                                               \
    other[k] = ENTRY(v) + (number) * len;                                              \
    PREFETCH(other[k] + len - YESPOWER_BLOCK_LEN);                                     \
    for (size_t at = 0; at < AHEAD; at += YESPOWER_BLOCK_LEN) PREFETCH(other[k] + at); \
})

POW_INLINE void NAME(hashes)(const yespower_parameters *parameters, const uint8_t *data, size_t data_len, void *scratch,
                             uint8_t *digests, const uint32_t n, const uint32_t r, const int lanes) {
  const size_t len = YESPOWER_ENTRY_LEN(r), distance = (n + (size_t)1) * len;
  uint8_t *const s = scratch, *const v = s + (size_t)lanes * YESPOWER_BOXES_LEN, *const last = v + n * len;
  uint8_t keys[LANES][SHA256_DIGEST_LEN], *other[LANES];
  uint32_t j[LANES];
  NAME(seed)(parameters, data, data_len, (size_t)lanes, s, YESPOWER_BOXES_LEN, keys);
  NAME(fill)(s, v, distance, lanes);
  NAME(boxes) boxes = {s, s + YESPOWER_BOX_LEN, s + 2 * YESPOWER_BOX_LEN, 0};
  for (uint8_t *pair = v; pair < v + len - YESPOWER_SEED_LEN; pair += YESPOWER_SEED_LEN)
    NAME(mix)(&boxes, pair, NULL, pair + YESPOWER_SEED_LEN, YESPOWER_SEED_LEN, distance, j, lanes, 0);
  NAME(mix)(&boxes, v, NULL, v + len, len, distance, j, lanes, 0);
  NAME(mix)(&boxes, v + len, NULL, v + 2 * len, len, distance, j, lanes, 0);
  for (uint32_t i = 2; i < n; i++) {
    CHOOSE(NAME(wrap)(j[k], i));
    NAME(mix)(&boxes, v + i * len, other, v + (i + 1) * len, len, distance, j, lanes, 0);
  }
  for (uint32_t left = YESPOWER_LOOPS(n); left; left--) {
    CHOOSE((size_t)(j[k] & (n - 1)));
    NAME(mix)(&boxes, last, other, last, len, distance, j, lanes, 1);
  }
  NAME(digest)(last + len - YESPOWER_BLOCK_LEN, distance, keys, (size_t)lanes, digests);
}

void NAME(any)(const yespower_parameters *parameters, const uint8_t *data, size_t len, void *scratch,
               uint8_t digest[POW_DIGEST_LEN]) {
  NAME(hashes)(parameters, data, len, scratch, digest, parameters->n, parameters->r, 1);
}

void NAME(hash)(const uint8_t *data, size_t len, void *scratch, uint8_t *digests) {
  NAME(hashes)(&yespower_local, data, len, scratch, digests, YESPOWER_N, YESPOWER_R, LANES);
}

#if LANES > 1
void NAME(one)(const uint8_t *data, size_t len, void *scratch, uint8_t *digests) {
  NAME(any)(&yespower_local, data, len, scratch, digests);
}
#endif
