/* Hashing one message and searching, for kernels that only know how to hash several messages at once. */
#include "pow_impl.h"

void pow_hash(const pow_kernel *kernel, const uint8_t *data, size_t len, uint8_t *copies, void *scratch,
              uint8_t digest[POW_DIGEST_LEN]) {
  uint8_t digests[POW_LANES_MAX * POW_DIGEST_LEN];
  if (kernel->hash_one) {
    kernel->hash_one(data, len, scratch, digest);
    return;
  }
  for (size_t lane = 0; lane < kernel->lanes; lane++) memcpy(copies + lane * len, data, len);
  kernel->hash(copies, len, scratch, digests);
  memcpy(digest, digests, POW_DIGEST_LEN);
}

uint64_t pow_scan_by_hash(pow_hash_lanes *hash, size_t lanes, const pow_job *job, uint64_t start, uint64_t count,
                          void *scratch, pow_hits *hits) {
  const size_t len = job->len;
  uint8_t blobs[POW_LANES_MAX * POW_BLOB_MAX_LEN], digests[POW_LANES_MAX * POW_DIGEST_LEN];
  for (size_t lane = 0; lane < lanes; lane++) memcpy(blobs + lane * len, job->blob, len);
  uint64_t done = 0;
  while (done < count && hits->room - hits->len >= lanes) {
    const uint64_t left = count - done;
    const size_t used = left < lanes ? (size_t)left : lanes;
    for (size_t lane = 0; lane < used; lane++) pow_put_nonce(blobs + lane * len, job, start + done + lane);
    hash(blobs, len, scratch, digests);
    for (size_t lane = 0; lane < used; lane++)
      pow_offer(hits, job, start + done + lane, digests + lane * POW_DIGEST_LEN);
    done += used;
  }
  return done;
}

uint64_t pow_search(const pow_kernel *kernel, const pow_job *job, uint64_t start, uint64_t count, void *scratch,
                    pow_hits *hits) {
  return kernel->scan ? kernel->scan(job, start, count, scratch, hits)
                      : pow_scan_by_hash(kernel->hash, kernel->lanes, job, start, count, scratch, hits);
}
