/* Ethash: hashimoto over a dataset of pages, each of which can be computed from a cache (ethereum wiki, "Ethash",
 * revision 23; Etchash, ECIP-1099, differs only in which cache). Numbers are little-endian, as the processor's are.
 *
 * Tables are memory of the caller: the cache as rows of 64 bytes, the dataset as pages of 128. Any number of either
 * will do, so that tests can use short ones.
 */
#ifndef POW_ETHASH_H
#define POW_ETHASH_H

#include "pow.h"

#define ETHASH_ROW_LEN 64   /* of the cache; and an item of the dataset, two of which make a page */
#define ETHASH_PAGE_LEN 128
#define ETHASH_HEADER_LEN 32
#define ETHASH_MIX_LEN 32
#define ETHASH_ACCESSES 64
#define ETHASH_PARENTS 256
#define ETHASH_CACHE_ROUNDS 3

/* A number to take remainders by, without a division. */
typedef struct {
  uint32_t by, factor;
} ethash_divisor;

/* What hashimoto reads. In a light one `rows` is the cache and `pages` says how many the dataset would have; in a
 * full one `rows` is the dataset itself. */
typedef struct {
  const uint8_t *rows;
  ethash_divisor row_count, pages;
} ethash_table;

/* A search: the nonces are `fixed` + (tried << shift); a hit is at most `limit`, both big-endian. */
typedef struct {
  uint8_t header[ETHASH_HEADER_LEN];
  uint64_t fixed;
  unsigned shift;
  uint8_t limit[POW_DIGEST_LEN];
} ethash_job;

/* Compute the items `first` to `first + count - 1` of the dataset. */
typedef void ethash_items(const ethash_table *cache, uint32_t first, size_t count, uint8_t *items);

/* One hash. */
typedef void ethash_hash(const ethash_table *table, const uint8_t header[ETHASH_HEADER_LEN], uint64_t nonce,
                         uint8_t mix[ETHASH_MIX_LEN], uint8_t digest[POW_DIGEST_LEN]);

/* As pow_scan: every hit in ascending order; returns how many were tried, less than `count` only where `hits` has room
 * for fewer than POW_LANES_MAX more. */
typedef uint64_t ethash_scan(const ethash_table *table, const ethash_job *job, uint64_t start, uint64_t count,
                             pow_hits *hits);

typedef struct {
  const char *path;
  unsigned features;
  ethash_items *items;
  ethash_hash *light, *full;
  ethash_scan *scan_light, *scan_full;
} ethash_kernel;

/* Every path that was compiled, the fastest first; the last has no name. */
extern const ethash_kernel ethash_kernels[];

/* `by` is at least 1. */
ethash_divisor ethash_divisor_of(uint32_t by);

/* Fill a cache of `count` (at least 1) rows; one row depends on the others, so this takes one thread. */
void ethash_build_cache(const uint8_t seed[32], uint32_t count, uint8_t *rows);

/* The digest that goes with a mix, which takes two permutations and no table: what a share is checked by first. */
void ethash_final(const uint8_t header[ETHASH_HEADER_LEN], uint64_t nonce, const uint8_t mix[ETHASH_MIX_LEN],
                  uint8_t digest[POW_DIGEST_LEN]);

#endif
