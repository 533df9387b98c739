#include "compare.h"

enum { COUNT_MAX = 4096 };

const pow_kernel *portable_of(const char *algorithm) {
  for (const pow_kernel *kernel = pow_kernels; kernel->algorithm; kernel++)
    if (!strcmp(kernel->algorithm, algorithm) && !strcmp(kernel->path, "portable")) return kernel;
  FAIL("%s has no portable kernel", algorithm);
}

int runs_here(const pow_kernel *kernel) { return (kernel->features & ~pow_features()) == 0; }

static memory scratch_for(const pow_kernel *kernel) {
  return memory_aligned(kernel->scratch_len, POW_SCRATCH_ALIGN);
}

void digest_of(const pow_kernel *kernel, const uint8_t *data, size_t len, uint8_t digest[POW_DIGEST_LEN]) {
  memory copies = memory_of(kernel->lanes * len, 0), scratch = scratch_for(kernel);
  pow_hash(kernel, data, len, copies.at, scratch.at, digest);
  memory_free(copies), memory_free(scratch);
}

/* The message of a lane: the first is `data` itself. */
static void message_of(size_t lane, const uint8_t *data, size_t len, uint8_t *message) {
  for (size_t i = 0; i < len; i++) message[i] = (uint8_t)(data[i] + 29 * lane);
}

static void compare_hash(const pow_kernel *kernel, const uint8_t *data, size_t len, size_t offset,
                         const uint8_t *truth) {
  memory messages = memory_of(kernel->lanes * len, offset), scratch = scratch_for(kernel);
  memory digests = memory_of(kernel->lanes * POW_DIGEST_LEN, offset);
  for (size_t lane = 0; lane < kernel->lanes; lane++) message_of(lane, data, len, messages.at + lane * len);
  kernel->hash(messages.at, len, scratch.at, digests.at);
  for (size_t lane = 0; lane < kernel->lanes; lane++)
    CHECK(!memcmp(digests.at + lane * POW_DIGEST_LEN, truth + lane * POW_DIGEST_LEN, POW_DIGEST_LEN),
          "%s/%s: another digest of %zu bytes in lane %zu", kernel->algorithm, kernel->path, len, lane);
  memory_free(messages), memory_free(scratch), memory_free(digests);

  uint8_t digest[POW_DIGEST_LEN];
  memory message = memory_of(len, offset);
  memcpy(message.at, data, len);
  digest_of(kernel, message.at, len, digest);
  CHECK(!memcmp(digest, truth, POW_DIGEST_LEN), "%s/%s: another digest of a single message of %zu bytes",
        kernel->algorithm, kernel->path, len);
  memory_free(message);
}

void compare_hashes(const char *algorithm, const uint8_t *data, size_t len, size_t offset) {
  const pow_kernel *portable = portable_of(algorithm);
  size_t lanes = 1;
  for (const pow_kernel *kernel = pow_kernels; kernel->algorithm; kernel++)
    if (!strcmp(kernel->algorithm, algorithm) && runs_here(kernel) && kernel->lanes > lanes) lanes = kernel->lanes;
  memory truth = memory_of(lanes * POW_DIGEST_LEN, 0), message = memory_of(len, 0);
  for (size_t lane = 0; lane < lanes; lane++) {
    message_of(lane, data, len, message.at);
    digest_of(portable, message.at, len, truth.at + lane * POW_DIGEST_LEN);
  }
  for (const pow_kernel *kernel = pow_kernels; kernel->algorithm; kernel++)
    if (!strcmp(kernel->algorithm, algorithm) && runs_here(kernel))
      compare_hash(kernel, data, len, offset, truth.at);
  memory_free(truth), memory_free(message);
}

/* Whether `digest`, as a little-endian number, is at most `limit`; written apart from the kernels' own comparison. */
static int at_most(const uint8_t *digest, const uint8_t *limit) {
  int borrow = 0;
  for (int i = 0; i < POW_DIGEST_LEN; i++) borrow = limit[i] - digest[i] - borrow < 0;
  return !borrow;
}

/* Append the hits that hashing one nonce after the other finds to `hits`; return how many. */
static size_t true_hits(const pow_kernel *portable, const pow_job *job, uint64_t start, uint64_t count, pow_hit *hits) {
  memory scratch = scratch_for(portable), copies = memory_of(job->len, 0), message = memory_of(job->len, 0);
  size_t found = 0;
  memcpy(message.at, job->blob, job->len);
  for (uint64_t done = 0; done < count; done++) {
    const uint64_t nonce = start + done;
    uint8_t digest[POW_DIGEST_LEN];
    for (size_t i = 0; i < job->nonce_len; i++) message.at[job->nonce_at + i] = (uint8_t)(nonce >> 8 * i);
    pow_hash(portable, message.at, job->len, copies.at, scratch.at, digest);
    if (!at_most(digest, job->limit)) continue;
    hits[found].nonce = nonce;
    memcpy(hits[found++].digest, digest, POW_DIGEST_LEN);
  }
  memory_free(scratch), memory_free(copies), memory_free(message);
  return found;
}

static void compare_search(const pow_kernel *kernel, const pow_job *job, uint64_t start, uint64_t count, size_t room,
                           const pow_hit *truth, size_t true_len) {
  memory scratch = scratch_for(kernel), places = memory_of(room * sizeof(pow_hit), 0);
  size_t seen = 0;
  for (uint64_t done = 0; done < count;) {
    pow_hits hits = {(pow_hit *)(void *)places.at, 0, room};
    const uint64_t tried = pow_search(kernel, job, start + done, count - done, scratch.at, &hits);
    CHECK(tried <= count - done && hits.len <= room, "%s/%s: more than it was asked for", kernel->algorithm,
          kernel->path);
    CHECK(tried == count - done || room - hits.len < POW_LANES_MAX, "%s/%s: ended with room for %zu hits",
          kernel->algorithm, kernel->path, room - hits.len);
    for (size_t i = 0; i < hits.len; i++, seen++)
      CHECK(seen < true_len && hits.at[i].nonce == truth[seen].nonce &&
                !memcmp(hits.at[i].digest, truth[seen].digest, POW_DIGEST_LEN),
            "%s/%s: nonce %llu is none of the hits, or not the next", kernel->algorithm, kernel->path,
            (unsigned long long)hits.at[i].nonce);
    done += tried;
    CHECK(seen == true_len || truth[seen].nonce - start >= done, "%s/%s: nonce %llu was left out", kernel->algorithm,
          kernel->path, (unsigned long long)truth[seen].nonce);
    if (!tried && room < POW_LANES_MAX) break; /* its lanes may need more than that for one step */
  }
  memory_free(scratch), memory_free(places);
}

void compare_searches(const char *algorithm, pow_job *job, uint64_t start, uint64_t count, size_t room) {
  CHECK(count <= COUNT_MAX, "%llu nonces are too many to compare", (unsigned long long)count);
  memory truth = memory_of((size_t)count * sizeof(pow_hit), 0);
  memset(job->blob + job->len, 0x5a, sizeof job->blob - job->len);
  const size_t found = true_hits(portable_of(algorithm), job, start, count, (pow_hit *)(void *)truth.at);
  for (const pow_kernel *kernel = pow_kernels; kernel->algorithm; kernel++)
    if (!strcmp(kernel->algorithm, algorithm) && runs_here(kernel))
      compare_search(kernel, job, start, count, room, (const pow_hit *)(const void *)truth.at, found);
  memory_free(truth);
}
