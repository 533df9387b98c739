/* Fuzz target: a hash of ALGORITHM or a search of MOST nonces at most, the same in every path. */
#include "compare.h"
#include "input.h"

enum { LONGEST = 300 };

static void fuzz_hash(const pow_kernel *portable, input *from) {
  uint8_t message[LONGEST];
  const size_t offset = take_between(from, 0, 7), most = portable->len_max < LONGEST ? portable->len_max : LONGEST;
  size_t len = from->len < most ? from->len : most;
  if (len < portable->len_min) len = portable->len_min;
  take_bytes(from, message, len);
  compare_hashes(ALGORITHM, message, len, offset);
}

static void fuzz_search(const pow_kernel *portable, input *from) {
  pow_job job;
  memset(&job, 0, sizeof job);
  job.nonce_len = take_between(from, 1, 8);
  const uint64_t last = UINT64_MAX >> (64 - 8 * job.nonce_len);
  const uint64_t count = take_between(from, 0, MOST), any = take64(from) & last;
  /* One in four crosses the end of a word, or nearly. */
  uint64_t start = take_between(from, 0, 3) ? any : (any | (UINT32_MAX & last)) - take_between(from, 0, MOST);
  if (count && start > last - count + 1) start = last - count + 1;
  const size_t room = take_between(from, 1, 3 * POW_LANES_MAX), at = take_between(from, 0, 255);
  take_bytes(from, job.limit, sizeof job.limit);
  const size_t least = portable->len_min > job.nonce_len ? portable->len_min : job.nonce_len;
  job.len = from->len < least ? least : from->len < POW_BLOB_MAX_LEN ? from->len : POW_BLOB_MAX_LEN;
  /* Where headers and blobs have it is looked at most. */
  job.nonce_at = at % 2 && job.len >= 76 + job.nonce_len ? 76 : at / 2 % (job.len - job.nonce_len + 1);
  take_bytes(from, job.blob, job.len);
  compare_searches(ALGORITHM, &job, start, count, room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input from = {data, size};
  const pow_kernel *portable = portable_of(ALGORITHM);
  if (take_between(&from, 0, 2))
    fuzz_search(portable, &from);
  else
    fuzz_hash(portable, &from);
  return 0;
}
