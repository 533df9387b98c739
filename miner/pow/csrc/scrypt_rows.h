/* scrypt with N=1024, r=1, p=1 (RFC 7914) of several messages at once: every 128 bits of a vector are a row of one
 * hash's block, a group is as many hashes as a vector has rows, and the groups take turns instruction by instruction,
 * since one alone would wait for its own results. Each hash keeps its 128 KiB of V together, so that a step touches
 * two cache lines of it. The including file defines
 *
 *   NAME(verb) and what sha256_lanes.h and salsa20_rows.h name
 *   GROUPS                            how many groups a scan runs at once
 *   LOAD(p), STORE(p, v)              from and to memory that is aligned as V is
 *   ROWS_OF_HASHES(x), HASHES_OF_ROWS(x)   between four vectors that hold whole blocks, hash by hash, and the four rows
 */
#include "pbkdf2_lanes.h"
#include "salsa20.h"
#include "salsa20_rows.h"
#include "scrypt.h"

#define ROWS (WORDS / 4)      /* hashes of a group */
#define PARTS (4 / ROWS)      /* vectors of a block in memory */
#define MOST (ROWS * GROUPS)  /* hashes at once */

/* The entry of V with number `i` of a hash. Equal entries of different hashes would fall into the same cache sets, 16
 * into eight ways; counting by xor puts them apart and needs no more memory. */
POW_INLINE uint8_t *NAME(entry)(uint8_t *v, size_t hash, size_t i) {
  return v + hash * SCRYPT_V_LEN + (i ^ (2 * hash)) * SCRYPT_ENTRY_LEN;
}

/* Replace block `b` (0 or 1) of every group by Salsa20/8 of itself and the other. */
POW_INLINE void NAME(mix_block)(V x[GROUPS][8], const int groups, const int block) {
  V a[GROUPS], b[GROUPS], c[GROUPS], d[GROUPS];
  const int own = 4 * block, other = 4 - own;
  for (int g = 0; g < groups; g++) {
    for (int i = 0; i < 4; i++) x[g][own + i] = XOR(x[g][own + i], x[g][other + i]);
    a[g] = x[g][own], b[g] = x[g][own + 1], c[g] = x[g][own + 2], d[g] = x[g][own + 3];
  }
#define EACH(statement) for (int g = 0; g < groups; g++) statement
  for (int i = 0; i < 4; i++) SALSA20_DOUBLE_ROUND(EACH, a[g], b[g], c[g], d[g]);
#undef EACH
  for (int g = 0; g < groups; g++) {
    x[g][own] = ADD32(x[g][own], a[g]), x[g][own + 1] = ADD32(x[g][own + 1], b[g]);
    x[g][own + 2] = ADD32(x[g][own + 2], c[g]), x[g][own + 3] = ADD32(x[g][own + 3], d[g]);
  }
}

/* Not inlined, so that the compiler has no more values at hand than the processor has registers. */
static __attribute__((noinline)) void NAME(mix_one)(V x[GROUPS][8]) {
  NAME(mix_block)(x, 1, 0);
  NAME(mix_block)(x, 1, 1);
}

static __attribute__((noinline)) void NAME(mix_all)(V x[GROUPS][8]) {
  NAME(mix_block)(x, GROUPS, 0);
  NAME(mix_block)(x, GROUPS, 1);
}

/* Mix the blocks of every group through V. */
POW_INLINE void NAME(smix)(V x[GROUPS][8], uint8_t *v, const int groups) {
  for (size_t i = 0; i < SCRYPT_N; i++) {
    for (int g = 0; g < groups; g++)
      for (int block = 0; block < 2; block++) {
        V y[4] = {x[g][4 * block], x[g][4 * block + 1], x[g][4 * block + 2], x[g][4 * block + 3]};
        HASHES_OF_ROWS(y);
        for (int part = 0; part < 4; part++)
          STORE(NAME(entry)(v, (size_t)(g * ROWS + part / PARTS), i) + 64 * block + part % PARTS * sizeof(V), y[part]);
      }
    groups == 1 ? NAME(mix_one)(x) : NAME(mix_all)(x);
  }
  for (size_t i = 0; i < SCRYPT_N; i++) {
    for (int g = 0; g < groups; g++) {
      uint32_t last[WORDS];
      const uint8_t *from[ROWS];
      memcpy(last, &x[g][4], sizeof last);
      for (int row = 0; row < ROWS; row++)
        from[row] = NAME(entry)(v, (size_t)(g * ROWS + row), last[4 * row] % SCRYPT_N);
      for (int block = 0; block < 2; block++) {
        V y[4];
        for (int part = 0; part < 4; part++) y[part] = LOAD(from[part / PARTS] + 64 * block + part % PARTS * sizeof(V));
        ROWS_OF_HASHES(y);
        for (int row = 0; row < 4; row++) x[g][4 * block + row] = XOR(x[g][4 * block + row], y[row]);
      }
    }
    groups == 1 ? NAME(mix_one)(x) : NAME(mix_all)(x);
  }
}

POW_INLINE void NAME(groups)(const uint8_t *data, size_t len, void *scratch, uint8_t *digests, const int groups) {
  union {
    uint32_t word[GROUPS][8][WORDS];
    V row[GROUPS][8];
  } x;
  uint8_t b[MOST * SCRYPT_ENTRY_LEN];
  uint32_t words[16];
  const size_t hashes = (size_t)(ROWS * groups);
  NAME(keyed) keyed;
  NAME(key)(&keyed, data, len, hashes);
  NAME(pbkdf2)(&keyed, data, len, len, hashes, b, SCRYPT_ENTRY_LEN);
  for (size_t hash = 0; hash < hashes; hash++)
    for (size_t block = 0; block < 2; block++) {
      salsa20_load(words, b + hash * SCRYPT_ENTRY_LEN + 64 * block);
      for (size_t i = 0; i < 16; i++) x.word[hash / ROWS][4 * block + i / 4][hash % ROWS * 4 + i % 4] = words[i];
    }
  NAME(smix)(x.row, scratch, groups);
  for (size_t hash = 0; hash < hashes; hash++)
    for (size_t block = 0; block < 2; block++) {
      for (size_t i = 0; i < 16; i++) words[i] = x.word[hash / ROWS][4 * block + i / 4][hash % ROWS * 4 + i % 4];
      salsa20_store(b + hash * SCRYPT_ENTRY_LEN + 64 * block, words);
    }
  NAME(pbkdf2)(&keyed, b, SCRYPT_ENTRY_LEN, SCRYPT_ENTRY_LEN, hashes, digests, POW_DIGEST_LEN);
}

void NAME(hash)(const uint8_t *data, size_t len, void *scratch, uint8_t *digests) {
  NAME(groups)(data, len, scratch, digests, GROUPS);
}

/* With a hash in every vector the rows are no longer than one hash needs, and that is the fastest for it. */
#if ROWS == 1
void NAME(one)(const uint8_t *data, size_t len, void *scratch, uint8_t *digests) {
  NAME(groups)(data, len, scratch, digests, 1);
}
#endif
