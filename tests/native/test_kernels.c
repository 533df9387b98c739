/* Every kernel of the table that this processor can run: published digests, and the same as portable C whatever the
 * length, place, range and room. Arguments: names of algorithms; all of them if there is none. */
#include "compare.h"
#include "vectors.h"

/* How much is compared of an algorithm, by how long a hash takes. */
typedef struct {
  const char *algorithm;
  size_t len_min, len_max, len_step; /* of messages */
  unsigned searches;
  uint64_t most; /* nonces a search */
} plan;

static const plan plans[] = {
    {"sha256d", 0, 300, 1, 1000, 150},
    {"scrypt", 0, 300, 23, 30, 30},
    {"neoscrypt", 64, 256, 32, 30, 40},
    {"yespower", 0, 300, 150, 6, 5},
};

enum { MOST_MEMORY = 4 << 20 }; /* bytes a thread */

static void check_vectors(const char *algorithm) {
  unsigned found = 0;
  for (const vector *published = vectors; published->algorithm; published++) {
    if (strcmp(published->algorithm, algorithm)) continue;
    uint8_t message[POW_BLOB_MAX_LEN], wanted[POW_DIGEST_LEN], digest[POW_DIGEST_LEN];
    const size_t len = from_hex(published->message, message, sizeof message);
    from_hex(published->digest, wanted, sizeof wanted);
    found++;
    for (const pow_kernel *kernel = pow_kernels; kernel->algorithm; kernel++) {
      if (strcmp(kernel->algorithm, algorithm) || !runs_here(kernel)) continue;
      memory exact = memory_of(len, 0);
      memcpy(exact.at, message, len);
      digest_of(kernel, exact.at, len, digest);
      CHECK(!memcmp(digest, wanted, sizeof wanted), "%s/%s: not the published digest of %s", algorithm, kernel->path,
            published->id);
      memory_free(exact);
    }
  }
  CHECK(found, "no vector of %s", algorithm);
}

static void check_lengths(const plan *plan) {
  const size_t unusual[] = {55, 56, 63, 65, 80, 84, 119, 120, 127, 129, 1000};
  uint8_t message[1024];
  random_bytes(message, sizeof message);
  for (size_t len = plan->len_min; len <= plan->len_max; len += plan->len_step)
    compare_hashes(plan->algorithm, message, len, len % 5);
  for (size_t i = 0; i < COUNT_OF(unusual); i++)
    if (unusual[i] >= plan->len_min && (unusual[i] <= plan->len_max || !plan->len_min))
      compare_hashes(plan->algorithm, message, unusual[i], 1 + i % 3);
}

/* The nonces of a search lie in the middle, end with the last, or cross a boundary that carries into another byte. */
static uint64_t random_start(size_t nonce_len, uint64_t count) {
  const uint64_t last = UINT64_MAX >> (64 - 8 * nonce_len);
  switch (random64() % 4) {
    case 0:
      return 0;
    case 1:
      return last - count + 1;
    case 2: {
      const uint64_t carry = (uint64_t)1 << (8 * random_between(0, nonce_len - 1)), back = random_between(0, count);
      return carry > back && carry - back <= last - count + 1 ? carry - back : 0;
    }
    default:
      return random_between(0, last - count + 1);
  }
}

/* Limits that every, hardly any and every so many digests meet, and one that is a digest itself, or just below it. */
static void random_limit(const plan *plan, pow_job *job, uint64_t start, uint64_t count) {
  const unsigned kind = random64() % 6;
  memset(job->limit, 0xff, sizeof job->limit);
  if (kind < 2) {
    job->limit[31] = kind ? 0x10 : 0x60;
    random_bytes(job->limit, 31);
  } else if (kind == 2) {
    memset(job->limit, 0, sizeof job->limit);
  } else if (kind < 5 && count) {
    uint8_t message[POW_BLOB_MAX_LEN];
    const uint64_t nonce = start + random_between(0, count - 1);
    memcpy(message, job->blob, job->len);
    for (size_t i = 0; i < job->nonce_len; i++) message[job->nonce_at + i] = (uint8_t)(nonce >> (8 * i));
    digest_of(portable_of(plan->algorithm), message, job->len, job->limit);
    if (kind == 4)
      for (int i = 0; i < POW_DIGEST_LEN && !job->limit[i]--; i++) continue;
  }
}

static void check_searches(const plan *plan) {
  for (unsigned i = 0; i < plan->searches; i++) {
    pow_job job;
    memset(&job, 0, sizeof job);
    random_bytes(job.blob, sizeof job.blob);
    const size_t least = plan->len_min > 8 ? plan->len_min : 8;
    job.len = i % 3 == 0 ? 80 : i % 3 == 1 ? 84 : random_between(least, POW_BLOB_MAX_LEN);
    job.nonce_len = i % 3 == 0 ? 4 : i % 3 == 1 ? 8 : random_between(1, 8);
    job.nonce_at = i % 3 < 2 || (i % 2 && job.len >= 84) ? 76 : random_between(0, job.len - job.nonce_len);
    uint64_t count = random_between(0, plan->most);
    if (i % 5 == 0) count = i % 2; /* none, or one alone */
    if (job.nonce_len == 1 && count > 256) count = 256;
    const uint64_t start = random_start(job.nonce_len, count);
    random_limit(plan, &job, start, count);
    const size_t room = i % 4 ? random_between(POW_LANES_MAX, 2 * POW_LANES_MAX) : random_between(1, 40);
    compare_searches(plan->algorithm, &job, start, count, room);
  }
}

/* Within an algorithm the portable kernel comes last, and the table keeps what pow.h and the Python side count on. */
static void check_table(const plan *plan) {
  const pow_kernel *last = NULL;
  for (const pow_kernel *kernel = pow_kernels; kernel->algorithm; kernel++) {
    if (strcmp(kernel->algorithm, plan->algorithm)) continue;
    CHECK(!last || last + 1 == kernel, "%s is not in one piece", kernel->algorithm);
    CHECK(kernel->lanes && kernel->lanes <= POW_LANES_MAX, "%s/%s: %zu lanes", kernel->algorithm, kernel->path,
          kernel->lanes);
    CHECK(kernel->len_min <= 80 && kernel->len_max >= 84, "%s/%s: takes no headers", kernel->algorithm, kernel->path);
    CHECK(kernel->scratch_len <= MOST_MEMORY, "%s/%s: %zu bytes of memory a thread", kernel->algorithm, kernel->path,
          kernel->scratch_len);
    last = kernel;
  }
  CHECK(last == portable_of(plan->algorithm) && !last->features, "%s: portable C is not the last", plan->algorithm);
}

int main(int argc, char **argv) {
  for (const pow_kernel *kernel = pow_kernels; kernel->algorithm; kernel++) {
    size_t i = 0;
    while (i < COUNT_OF(plans) && strcmp(plans[i].algorithm, kernel->algorithm)) i++;
    CHECK(i < COUNT_OF(plans), "%s is in the table and has no plan here", kernel->algorithm);
  }
  for (size_t i = 0; i < COUNT_OF(plans); i++) {
    int wanted = argc == 1;
    for (int k = 1; k < argc; k++) wanted |= !strcmp(argv[k], plans[i].algorithm);
    if (!wanted) continue;
    check_table(&plans[i]);
    check_vectors(plans[i].algorithm);
    check_lengths(&plans[i]);
    check_searches(&plans[i]);
    printf("%s:", plans[i].algorithm);
    for (const pow_kernel *kernel = pow_kernels; kernel->algorithm; kernel++)
      if (!strcmp(kernel->algorithm, plans[i].algorithm) && runs_here(kernel)) printf(" %s", kernel->path);
    printf("\n");
  }
  return 0;
}
