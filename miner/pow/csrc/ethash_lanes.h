/* Ethash of several nonces at once. Nearly all the time goes by waiting for memory, so that every lane asks for its
 * next row or page as soon as it knows which, and the others work meanwhile. The including file defines, besides what
 * keccak_lanes.h needs,
 *
 *   K64_LANES                the words in a K64
 *   LIGHT_LANES, FULL_LANES  how many nonces at once, each with two items or one page under way
 *   FNV_ROW(mix, row)        FNV of 16 words at `mix` (aligned to 64 bytes) with as many at `row`, into `mix`
 *   FOUR_ROWS(cache, number, parent, items, row)   where it pays: what NAME(row) does, for four chains at once
 */
#include "ethash_impl.h"
#include "keccak_lanes.h"

#define CHAINS (2 * LIGHT_LANES)

typedef union {
  uint64_t lane[KECCAK_WORDS][K64_LANES];
  K64 word[KECCAK_WORDS];
} NAME(states);

/* Empty states with the padding behind `words` words of a message, for a rate of `rate` words. */
POW_INLINE void NAME(pad)(NAME(states) *states, const int words, const int rate) {
  for (int i = words; i < KECCAK_WORDS; i++) states->word[i] = K64_SET1(0);
  states->word[words] = K64_SET1(1);
  states->word[rate - 1] = K64_XOR(states->word[rate - 1], K64_SET1((uint64_t)1 << 63));
}

/* Keccak-512 of each row, in place. */
POW_INLINE void NAME(hash_rows)(ethash_row *rows, const int count) {
  for (int first = 0; first < count; first += K64_LANES) {
    NAME(states) states;
    NAME(pad)(&states, 8, KECCAK512_RATE_LEN / 8);
    for (int lane = 0; lane < K64_LANES; lane++) {
      const ethash_row *row = rows + (first + lane < count ? first + lane : first);
      for (int i = 0; i < 8; i++) states.lane[i][lane] = row->wide[i];
    }
    NAME(keccak)(states.word);
    for (int lane = 0; lane < K64_LANES && first + lane < count; lane++)
      for (int i = 0; i < 8; i++) rows[first + lane].wide[i] = states.lane[i][lane];
  }
}

POW_INLINE const uint8_t *NAME(row)(const ethash_table *cache, uint32_t number) {
  const uint8_t *row = cache->rows + (size_t)ethash_remainder(number, &cache->row_count) * ETHASH_ROW_LEN;
  __builtin_prefetch(row);
  return row;
}

/* WebAssembly cannot ask for memory ahead. There, load a word of every row in a row: so the waits overlap, as they
 * do not when the work on each row lies between (measured: 2.2 times the hashes with vectors, 3 times without). */
POW_INLINE void NAME(meet)(const uint8_t *const *row, const int chains) {
#if defined(__wasm__)
  uint32_t seen = 0;
  for (int c = 0; c < chains; c++) seen ^= pow_load32_le(row[c]);
  __asm__ volatile("" : : "r"(seen));
#else
  (void)row, (void)chains;
#endif
}

POW_INLINE const uint8_t *NAME(page)(const ethash_table *dataset, uint32_t number) {
  const uint8_t *page = dataset->rows + (size_t)ethash_remainder(number, &dataset->pages) * ETHASH_PAGE_LEN;
  __builtin_prefetch(page);
  __builtin_prefetch(page + ETHASH_ROW_LEN);
  return page;
}

/* Compute the items of these numbers. */
POW_INLINE void NAME(make_items)(const ethash_table *table, const uint32_t *number, ethash_row *items,
                                 const int chains) {
  /* What is written below cannot change a copy, so that it stays in registers. */
  const ethash_table own = *table, *const cache = &own;
  const uint8_t *row[CHAINS];
  for (int c = 0; c < chains; c++) row[c] = NAME(row)(cache, number[c]);
  for (int c = 0; c < chains; c++) memcpy(items + c, row[c], ETHASH_ROW_LEN), items[c].word[0] ^= number[c];
  NAME(hash_rows)(items, chains);
  for (int c = 0; c < chains; c++) row[c] = NAME(row)(cache, ethash_fnv(number[c], items[c].word[0]));
  for (uint32_t parent = 1; parent <= ETHASH_PARENTS; parent++) {
    int c = 0;
#ifdef FOUR_ROWS
    for (; c + 4 <= chains; c += 4) {
      for (int k = c; k < c + 4; k++) FNV_ROW(items[k].word, row[k]);
      FOUR_ROWS(cache, number + c, parent, items + c, row + c);
    }
#endif
    for (; c < chains; c++) {
      FNV_ROW(items[c].word, row[c]);
      row[c] = NAME(row)(cache, ethash_fnv(number[c] ^ parent, items[c].word[parent % 16]));
    }
    NAME(meet)(row, chains);
  }
  NAME(hash_rows)(items, chains);
}

POW_INLINE void NAME(mix_light)(const ethash_table *table, const ethash_row *seeds, ethash_page *mixes,
                                const int lanes) {
  for (uint32_t access = 0; access < ETHASH_ACCESSES; access++) {
    uint32_t number[CHAINS];
    ethash_row items[CHAINS];
    for (int lane = 0; lane < lanes; lane++) {
      const uint32_t chosen = ethash_fnv(access ^ seeds[lane].word[0], mixes[lane].word[access % 32]);
      number[2 * lane] = 2 * ethash_remainder(chosen, &table->pages);
      number[2 * lane + 1] = number[2 * lane] + 1;
    }
    NAME(make_items)(table, number, items, 2 * lanes);
    for (int lane = 0; lane < lanes; lane++) {
      FNV_ROW(mixes[lane].half[0].word, (const uint8_t *)items[2 * lane].word);
      FNV_ROW(mixes[lane].half[1].word, (const uint8_t *)items[2 * lane + 1].word);
    }
  }
}

POW_INLINE void NAME(mix_full)(const ethash_table *table, const ethash_row *seeds, ethash_page *mixes,
                               const int lanes) {
  const ethash_table own = *table, *const dataset = &own;
  const uint8_t *page[FULL_LANES];
  for (int lane = 0; lane < lanes; lane++)
    page[lane] = NAME(page)(dataset, ethash_fnv(seeds[lane].word[0], mixes[lane].word[0]));
  for (uint32_t access = 1; access <= ETHASH_ACCESSES; access++)
    for (int lane = 0; lane < lanes; lane++) {
      FNV_ROW(mixes[lane].half[0].word, page[lane]);
      FNV_ROW(mixes[lane].half[1].word, page[lane] + ETHASH_ROW_LEN);
      page[lane] = NAME(page)(dataset, ethash_fnv(access ^ seeds[lane].word[0], mixes[lane].word[access % 32]));
    }
}

typedef struct {
  uint8_t mix[ETHASH_MIX_LEN], digest[POW_DIGEST_LEN];
} NAME(hashed);

/* Hash `lanes` nonces: the job's `fixed` part with the numbers from `start` on. */
POW_INLINE void NAME(hashimoto)(const ethash_table *table, const ethash_job *job, uint64_t start, NAME(hashed) *out,
                                const int lanes, const int light) {
  ethash_row seeds[FULL_LANES > LIGHT_LANES ? FULL_LANES : LIGHT_LANES];
  ethash_page mixes[FULL_LANES > LIGHT_LANES ? FULL_LANES : LIGHT_LANES];
  uint64_t header[4];
  memcpy(header, job->header, sizeof header);
  for (int first = 0; first < lanes; first += K64_LANES) {
    NAME(states) states;
    NAME(pad)(&states, 5, KECCAK512_RATE_LEN / 8);
    for (int i = 0; i < 4; i++) states.word[i] = K64_SET1(header[i]);
    for (int lane = 0; lane < K64_LANES; lane++)
      states.lane[4][lane] = job->fixed + ((start + (uint64_t)(first + lane)) << job->shift);
    NAME(keccak)(states.word);
    for (int lane = 0; lane < K64_LANES && first + lane < lanes; lane++)
      for (int i = 0; i < 8; i++) seeds[first + lane].wide[i] = states.lane[i][lane];
  }
  for (int lane = 0; lane < lanes; lane++) mixes[lane].half[0] = mixes[lane].half[1] = seeds[lane];
  if (light)
    NAME(mix_light)(table, seeds, mixes, lanes);
  else
    NAME(mix_full)(table, seeds, mixes, lanes);
  for (int lane = 0; lane < lanes; lane++) {
    const uint32_t *mix = mixes[lane].word;
    uint32_t short_mix[8];
    for (int i = 0; i < 8; i++, mix += 4)
      short_mix[i] = ethash_fnv(ethash_fnv(ethash_fnv(mix[0], mix[1]), mix[2]), mix[3]);
    memcpy(out[lane].mix, short_mix, ETHASH_MIX_LEN);
  }
  for (int first = 0; first < lanes; first += K64_LANES) {
    NAME(states) states;
    NAME(pad)(&states, 12, KECCAK256_RATE_LEN / 8);
    for (int lane = 0; lane < K64_LANES; lane++) {
      const int from = first + lane < lanes ? first + lane : first;
      uint64_t mix[4];
      memcpy(mix, out[from].mix, sizeof mix);
      for (int i = 0; i < 8; i++) states.lane[i][lane] = seeds[from].wide[i];
      for (int i = 0; i < 4; i++) states.lane[8 + i][lane] = mix[i];
    }
    NAME(keccak)(states.word);
    for (int lane = 0; lane < K64_LANES && first + lane < lanes; lane++) {
      uint64_t digest[4];
      for (int i = 0; i < 4; i++) digest[i] = states.lane[i][lane];
      memcpy(out[first + lane].digest, digest, POW_DIGEST_LEN);
    }
  }
}

POW_INLINE void NAME(hash)(const ethash_table *table, const uint8_t *header, uint64_t nonce, uint8_t *mix,
                           uint8_t *digest, const int light) {
  ethash_job job = {{0}, nonce, 0, {0}};
  NAME(hashed) out;
  memcpy(job.header, header, ETHASH_HEADER_LEN);
  NAME(hashimoto)(table, &job, 0, &out, 1, light);
  memcpy(mix, out.mix, ETHASH_MIX_LEN);
  memcpy(digest, out.digest, POW_DIGEST_LEN);
}

POW_INLINE uint64_t NAME(scan)(const ethash_table *table, const ethash_job *job, uint64_t start, uint64_t count,
                               pow_hits *hits, const int lanes, const int light) {
  uint64_t done = 0;
  while (done < count && hits->room - hits->len >= (size_t)lanes) {
    NAME(hashed) out[FULL_LANES > LIGHT_LANES ? FULL_LANES : LIGHT_LANES];
    const uint64_t left = count - done;
    const int used = left < (uint64_t)lanes ? (int)left : lanes;
    NAME(hashimoto)(table, job, start + done, out, lanes, light);
    for (int lane = 0; lane < used; lane++)
      if (memcmp(out[lane].digest, job->limit, POW_DIGEST_LEN) <= 0) {
        pow_hit *hit = hits->at + hits->len++;
        hit->nonce = start + done + (uint64_t)lane;
        memcpy(hit->digest, out[lane].digest, POW_DIGEST_LEN);
      }
    done += (uint64_t)used;
  }
  return done;
}

void NAME(items)(const ethash_table *cache, uint32_t first, size_t count, uint8_t *items) {
  for (size_t done = 0; done < count; done += CHAINS) {
    uint32_t number[CHAINS];
    ethash_row made[CHAINS];
    const size_t used = count - done < CHAINS ? count - done : CHAINS;
    for (size_t c = 0; c < CHAINS; c++) number[c] = first + (uint32_t)(done + (c < used ? c : 0));
    NAME(make_items)(cache, number, made, CHAINS);
    memcpy(items + done * ETHASH_ROW_LEN, made, used * ETHASH_ROW_LEN);
  }
}

void NAME(light)(const ethash_table *table, const uint8_t *header, uint64_t nonce, uint8_t *mix, uint8_t *digest) {
  NAME(hash)(table, header, nonce, mix, digest, 1);
}

void NAME(full)(const ethash_table *table, const uint8_t *header, uint64_t nonce, uint8_t *mix, uint8_t *digest) {
  NAME(hash)(table, header, nonce, mix, digest, 0);
}

uint64_t NAME(scan_light)(const ethash_table *table, const ethash_job *job, uint64_t start, uint64_t count,
                          pow_hits *hits) {
  return NAME(scan)(table, job, start, count, hits, LIGHT_LANES, 1);
}

uint64_t NAME(scan_full)(const ethash_table *table, const ethash_job *job, uint64_t start, uint64_t count,
                         pow_hits *hits) {
  return NAME(scan)(table, job, start, count, hits, FULL_LANES, 0);
}
