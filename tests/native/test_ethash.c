/* Ethash on small tables in every path, its remainders without a division, and Keccak's published digests. */
#include "compare_ethash.h"
#include "ethash_impl.h"
#include "keccak.h"
#include "vectors.h"

static void check_keccak(void) {
  unsigned found = 0;
  for (const vector *published = vectors; published->algorithm; published++) {
    uint8_t message[512], wanted[64], digest[64];
    if (strncmp(published->algorithm, "keccak", 6)) continue;
    const size_t len = from_hex(published->message, message, sizeof message);
    memory exact = memory_of(len, 0);
    memcpy(exact.at, message, len);
    const size_t digest_len = from_hex(published->digest, wanted, sizeof wanted);
    (digest_len == 64 ? keccak512 : keccak256)(exact.at, len, digest);
    CHECK(!memcmp(digest, wanted, digest_len), "not the published digest of %s", published->id);
    memory_free(exact), found++;
  }
  CHECK(found, "no vector of Keccak");
}

/* Powers of two, their neighbours and everything else, with numbers next to their multiples. */
static void check_remainders(void) {
  for (unsigned i = 0; i < 200000; i++) {
    uint32_t by = (uint32_t)random64() >> random_between(0, 31);
    if (i % 7 == 0) by = UINT32_C(1) << random_between(0, 31);
    if (i % 11 == 0) by = (UINT32_C(1) << random_between(1, 31)) - 1;
    if (i % 13 == 0) by = UINT32_MAX - (uint32_t)random_between(0, 2);
    if (!by) by = 1;
    const ethash_divisor divisor = ethash_divisor_of(by);
    const uint32_t most = UINT32_MAX / by * by;
    const uint32_t numbers[] = {0, by - 1, by, most - 1, most, UINT32_MAX, (uint32_t)random64(), (uint32_t)random64()};
    for (size_t k = 0; k < COUNT_OF(numbers); k++)
      CHECK(ethash_remainder(numbers[k], &divisor) == numbers[k] % by, "%u mod %u", numbers[k], by);
  }
}

static void check_paths(unsigned round) {
  uint8_t seed[32], header[ETHASH_HEADER_LEN];
  random_bytes(seed, sizeof seed), random_bytes(header, sizeof header);
  const uint32_t rows = round % 8 ? (uint32_t)random_between(2, 200) : 1;
  const uint32_t pages = round % 6 ? (uint32_t)random_between(2, 40) : 1;
  ethash_pair pair = ethash_pair_of(seed, rows, pages);
  compare_items(&pair.cache, 0, 2 * (size_t)pages);
  compare_items(&pair.cache, round % 2 ? UINT32_MAX - 40 : (uint32_t)random64() >> 1, random_between(0, 40));
  for (int full = 0; full < 2; full++) {
    const uint64_t nonce = round % 3 ? random64() : UINT64_MAX;
    compare_ethash(&pair, full, header, nonce);
    ethash_job job = {{0}, random64(), (unsigned)random_between(0, 63), {0}};
    memcpy(job.header, header, sizeof header);
    if (round % 5 == 0) job.shift = 0, job.fixed = 0;
    memset(job.limit, round % 3 ? 0x50 : 0xff, sizeof job.limit);
    const uint64_t count = round % 7 ? random_between(0, 50) : 1;
    const uint64_t start = round % 2 ? UINT64_MAX - count + 1 : random64() >> 1;
    const size_t room = round % 4 ? random_between(POW_LANES_MAX, 2 * POW_LANES_MAX) : random_between(1, 20);
    compare_ethash_searches(&pair, full, &job, count ? start : 0, count, room);
    /* The limit is met by a digest that equals it. */
    uint8_t mix[ETHASH_MIX_LEN];
    ethash_portable()->light(&pair.cache, header, job.fixed, mix, job.limit);
    compare_ethash_searches(&pair, full, &job, 0, 2, POW_LANES_MAX);
  }
  ethash_pair_free(pair);
}

int main(void) {
  check_keccak();
  check_remainders();
  for (unsigned round = 0; round < 12; round++) check_paths(round);
  printf("ethash:");
  for (const ethash_kernel *kernel = ethash_kernels; kernel->path; kernel++)
    if (ethash_runs_here(kernel)) printf(" %s", kernel->path);
  printf("\n");
  return 0;
}
