#include "compare_ethash.h"

enum { COUNT_MAX = 4096 };

const ethash_kernel *ethash_portable(void) {
  for (const ethash_kernel *kernel = ethash_kernels; kernel->path; kernel++)
    if (!strcmp(kernel->path, "portable")) return kernel;
  FAIL("ethash has no portable kernel");
}

int ethash_runs_here(const ethash_kernel *kernel) { return (kernel->features & ~pow_features()) == 0; }

ethash_pair ethash_pair_of(const uint8_t seed[32], uint32_t rows, uint32_t pages) {
  ethash_pair pair;
  pair.cache_rows = memory_of((size_t)rows * ETHASH_ROW_LEN, 0);
  pair.dataset_rows = memory_of((size_t)pages * ETHASH_PAGE_LEN, 0);
  ethash_build_cache(seed, rows, pair.cache_rows.at);
  pair.cache = (ethash_table){pair.cache_rows.at, ethash_divisor_of(rows), ethash_divisor_of(pages)};
  pair.dataset = (ethash_table){pair.dataset_rows.at, ethash_divisor_of(1), ethash_divisor_of(pages)};
  ethash_portable()->items(&pair.cache, 0, 2 * (size_t)pages, pair.dataset_rows.at);
  return pair;
}

void ethash_pair_free(ethash_pair pair) { memory_free(pair.cache_rows), memory_free(pair.dataset_rows); }

void compare_items(const ethash_table *cache, uint32_t first, size_t count) {
  memory truth = memory_of(count * ETHASH_ROW_LEN, 0);
  for (size_t i = 0; i < count; i++)
    ethash_portable()->items(cache, first + (uint32_t)i, 1, truth.at + i * ETHASH_ROW_LEN);
  for (const ethash_kernel *kernel = ethash_kernels; kernel->path; kernel++) {
    if (!ethash_runs_here(kernel)) continue;
    memory items = memory_of(count * ETHASH_ROW_LEN, 1);
    kernel->items(cache, first, count, items.at);
    CHECK(!memcmp(items.at, truth.at, count * ETHASH_ROW_LEN), "ethash/%s: other items from %u on", kernel->path, first);
    memory_free(items);
  }
  memory_free(truth);
}

void compare_ethash(const ethash_pair *pair, int full, const uint8_t header[ETHASH_HEADER_LEN], uint64_t nonce) {
  uint8_t mix[ETHASH_MIX_LEN], digest[POW_DIGEST_LEN], true_mix[ETHASH_MIX_LEN], truth[POW_DIGEST_LEN];
  ethash_portable()->light(&pair->cache, header, nonce, true_mix, truth);
  ethash_final(header, nonce, true_mix, digest);
  CHECK(!memcmp(digest, truth, sizeof digest), "ethash: the digest of nonce %llu is not that of its mix",
        (unsigned long long)nonce);
  for (const ethash_kernel *kernel = ethash_kernels; kernel->path; kernel++) {
    if (!ethash_runs_here(kernel)) continue;
    if (full)
      kernel->full(&pair->dataset, header, nonce, mix, digest);
    else
      kernel->light(&pair->cache, header, nonce, mix, digest);
    CHECK(!memcmp(mix, true_mix, sizeof mix) && !memcmp(digest, truth, sizeof digest),
          "ethash/%s: another digest of nonce %llu", kernel->path, (unsigned long long)nonce);
  }
}

void compare_ethash_searches(const ethash_pair *pair, int full, const ethash_job *job, uint64_t start, uint64_t count,
                             size_t room) {
  CHECK(count <= COUNT_MAX, "%llu nonces are too many to compare", (unsigned long long)count);
  memory truth_places = memory_of((size_t)count * sizeof(pow_hit), 0);
  pow_hit *truth = (pow_hit *)(void *)truth_places.at;
  size_t true_len = 0;
  for (uint64_t i = 0; i < count; i++) {
    uint8_t mix[ETHASH_MIX_LEN], digest[POW_DIGEST_LEN];
    ethash_portable()->light(&pair->cache, job->header, job->fixed + ((start + i) << job->shift), mix, digest);
    if (memcmp(digest, job->limit, sizeof digest) > 0) continue;
    truth[true_len].nonce = start + i;
    memcpy(truth[true_len++].digest, digest, sizeof digest);
  }
  for (const ethash_kernel *kernel = ethash_kernels; kernel->path; kernel++) {
    if (!ethash_runs_here(kernel)) continue;
    memory places = memory_of(room * sizeof(pow_hit), 0);
    size_t seen = 0;
    for (uint64_t done = 0; done < count;) {
      pow_hits hits = {(pow_hit *)(void *)places.at, 0, room};
      const uint64_t tried =
          full ? kernel->scan_full(&pair->dataset, job, start + done, count - done, &hits)
               : kernel->scan_light(&pair->cache, job, start + done, count - done, &hits);
      CHECK(tried <= count - done && hits.len <= room, "ethash/%s: more than it was asked for", kernel->path);
      CHECK(tried == count - done || room - hits.len < POW_LANES_MAX, "ethash/%s: ended with room for %zu hits",
            kernel->path, room - hits.len);
      CHECK(seen + hits.len <= true_len, "ethash/%s: more hits than there are", kernel->path);
      for (size_t i = 0; i < hits.len; i++, seen++)
        CHECK(hits.at[i].nonce == truth[seen].nonce && !memcmp(hits.at[i].digest, truth[seen].digest, POW_DIGEST_LEN),
              "ethash/%s: number %llu is none of the hits, or not the next", kernel->path,
              (unsigned long long)hits.at[i].nonce);
      done += tried;
      CHECK(seen == true_len || truth[seen].nonce - start >= done, "ethash/%s: number %llu was left out", kernel->path,
            (unsigned long long)truth[seen].nonce);
      if (!tried && room < POW_LANES_MAX) break; /* its lanes may need more than that for one step */
    }
    memory_free(places);
  }
  memory_free(truth_places);
}
