/* A kernel as a WebAssembly module, for one worker in a page: no imports, no glue, and memory that does not grow (but for yespower's
 * `parameters`), so that a view of it stays valid. The first kernel in the table of this build is the one; ethash, which needs a cache,
 * has wasm_ethash.c instead.
 *
 * A worker calls `scan` for some 10 ms of hashes at a time: V8 puts its better code in place only for the next call, and between two
 * calls a job can end.
 */
#if defined(__wasm__)
#include "wasm.h"

#include "pow_impl.h"

enum { HITS_ROOM = 64 };

wasm_io io;

static pow_job job;
static pow_hit found[HITS_ROOM];
static uint8_t copies[POW_LANES_MAX * MESSAGE_MAX_LEN];
static POW_ALIGNED(POW_SCRATCH_ALIGN) uint8_t scratch[POW_WASM_SCRATCH_LEN + 1];

static const pow_kernel *kernel = pow_kernels;
static void *kernel_scratch = scratch;

void wasm_use(const pow_kernel *other, void *its_scratch) {
  kernel = other ? other : pow_kernels;
  kernel_scratch = other ? its_scratch : scratch;
  job.len = 0;
}

static int takes(uint32_t len) {
  return len >= kernel->len_min && len <= kernel->len_max && kernel->scratch_len <= POW_WASM_SCRATCH_LEN;
}

uint32_t EXPORT(io_at)(void) { return (uint32_t)(uintptr_t)&io; }

/* Hits of 40 bytes: the nonce (8) and the digest. */
uint32_t EXPORT(hits_at)(void) { return (uint32_t)(uintptr_t)found; }

/* Hash the first `len` bytes of `blob` into `digest`; return 0 when the algorithm takes no such length. */
uint32_t EXPORT(hash)(uint32_t len) {
  if (len > MESSAGE_MAX_LEN || !takes(len)) return 0;
  pow_hash(kernel, io.blob, len, copies, kernel_scratch, io.digest);
  return 1;
}

/* Begin a job: search the first `len` bytes of `blob`, with a nonce of `nonce_len` bytes at `nonce_at`, for digests of at most
 * `limit`. Return 0, and leave nothing to scan, when that is no job. */
uint32_t EXPORT(set)(uint32_t len, uint32_t nonce_at, uint32_t nonce_len) {
  job.len = 0;
  if (len > POW_BLOB_MAX_LEN || !takes(len) || nonce_len < 1 || nonce_len > 8 || nonce_len > len || nonce_at > len - nonce_len)
    return 0;
  memcpy(job.blob, io.blob, len);
  memcpy(job.limit, io.limit, sizeof job.limit);
  job.len = len, job.nonce_at = nonce_at, job.nonce_len = nonce_len;
  return 1;
}

/* Try `count` nonces from `start` on; return how many hits there are. Tried are fewer than `count` where the hits have no more room, and
 * where the nonce's range ends. */
uint32_t EXPORT(scan)(uint32_t count) {
  pow_hits hits = {found, 0, HITS_ROOM};
  io.done = 0;
  if (!job.len || !count) return 0;
  const uint64_t last = UINT64_MAX >> (64 - 8 * job.nonce_len);
  if (io.start > last) return 0;
  const uint64_t more = last - io.start; /* behind the first */
  io.done = pow_search(kernel, &job, io.start, count - 1 < more ? count : more + 1, kernel_scratch, &hits);
  return (uint32_t)hits.len;
}
#endif
