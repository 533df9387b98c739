/* Holding ethash's kernels against the portable one, on tables that are as small as a test likes. */
#ifndef COMPARE_ETHASH_H
#define COMPARE_ETHASH_H

#include "check.h"
#include "ethash.h"

const ethash_kernel *ethash_portable(void);

int ethash_runs_here(const ethash_kernel *kernel);

/* A cache of `rows` rows and the dataset of `pages` pages that belongs to it. */
typedef struct {
  memory cache_rows, dataset_rows;
  ethash_table cache, dataset;
} ethash_pair;

ethash_pair ethash_pair_of(const uint8_t seed[32], uint32_t rows, uint32_t pages);

void ethash_pair_free(ethash_pair pair);

/* Compute `count` items from `first` on with every kernel. */
void compare_items(const ethash_table *cache, uint32_t first, size_t count);

/* Hash one nonce with every kernel from the cache, or with `full` from the dataset: all the digests are the same, and
 * that which belongs to the mix. */
void compare_ethash(const ethash_pair *pair, int full, const uint8_t header[ETHASH_HEADER_LEN], uint64_t nonce);

/* Search `count` numbers (at most 4096) from `start` on with every kernel, with `room` for hits. */
void compare_ethash_searches(const ethash_pair *pair, int full, const ethash_job *job, uint64_t start, uint64_t count,
                             size_t room);

#endif
