/* Fuzz target: ethash on a small cache, the same in every path. WHAT is LIGHT (a hash, and items), FULL (a hash from the
 * dataset) or SCAN (a search of either). */
#include "compare_ethash.h"
#include "input.h"

enum { LIGHT, FULL, SCAN, MOST = 40 };

static void fuzz_search(const ethash_pair *pair, input *from) {
  ethash_job job = {{0}, 0, 0, {0}};
  const int full = (int)take_between(from, 0, 1);
  job.shift = (unsigned)take_between(from, 0, 63);
  const uint64_t count = take_between(from, 0, MOST);
  const size_t room = take_between(from, 1, 3 * POW_LANES_MAX);
  uint64_t start = take64(from);
  if (count && start > UINT64_MAX - count + 1) start = UINT64_MAX - count + 1;
  job.fixed = take64(from);
  take_bytes(from, job.limit, sizeof job.limit), take_bytes(from, job.header, sizeof job.header);
  compare_ethash_searches(pair, full, &job, start, count, room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input from = {data, size};
  uint8_t seed[32], header[ETHASH_HEADER_LEN];
  const uint32_t rows = (uint32_t)take_between(&from, 1, 64), pages = (uint32_t)take_between(&from, 1, 16);
  take_bytes(&from, seed, sizeof seed);
  ethash_pair pair = ethash_pair_of(seed, rows, pages);
  if (WHAT == SCAN) {
    fuzz_search(&pair, &from);
  } else {
    const uint64_t nonce = take64(&from);
    take_bytes(&from, header, sizeof header);
    compare_ethash(&pair, WHAT == FULL, header, nonce);
    if (WHAT == LIGHT) {
      const size_t count = take_between(&from, 0, MOST);
      const uint32_t first = (uint32_t)take64(&from);
      compare_items(&pair.cache, first < UINT32_MAX - MOST ? first : UINT32_MAX - MOST, count);
    }
  }
  ethash_pair_free(pair);
  return 0;
}
