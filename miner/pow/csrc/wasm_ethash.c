/* Ethash, light only, as a WebAssembly module for one worker in a page; what has the same name works as in wasm.c.
 * There is a cache besides, of some 20 MiB: the page grows the memory until the cache fits behind `cache_at`, copies
 * or builds it there, and names its size with `table`.
 */
#if defined(__wasm__)
#include "ethash_impl.h"
#include "kernels.h"

#define EXPORT(name) __attribute__((export_name(#name))) name

#if defined(__wasm_simd128__)
#define PATH(verb) ethash_##verb##_simd128
#else
#define PATH(verb) ethash_##verb##_portable
#endif

enum { BLOB_LEN = ETHASH_HEADER_LEN + 8, HITS_ROOM = 64 };

/* What the page writes before a call and reads after it; numbers are little-endian. */
static struct {
  uint8_t blob[256];              /* at 0: header hash (32) and nonce (8); for `build` the seed (32) */
  uint8_t limit[POW_DIGEST_LEN];  /* at 256, little-endian, although digests are read big-endian */
  uint8_t digest[POW_DIGEST_LEN]; /* at 288: what `hash` returns, with */
  uint64_t start;                 /* at 320: the first nonce of `scan` */
  uint64_t done;                  /* at 328: how many nonces `scan` tried */
  uint8_t mix[ETHASH_MIX_LEN];    /* at 336: the mix of `hash` */
} io;

static ethash_table cache;
static ethash_job job;
static uint32_t nonce_len;
static pow_hit found[HITS_ROOM];

extern uint8_t __heap_base[];

static uint64_t load64(const uint8_t *p) { return (uint64_t)pow_load32_le(p + 4) << 32 | pow_load32_le(p); }

uint32_t EXPORT(io_at)(void) { return (uint32_t)(uintptr_t)&io; }

uint32_t EXPORT(hits_at)(void) { return (uint32_t)(uintptr_t)found; }

/* Where the cache begins. */
uint32_t EXPORT(cache_at)(void) {
  return (uint32_t)(((uintptr_t)__heap_base + ETHASH_ROW_LEN - 1) / ETHASH_ROW_LEN * ETHASH_ROW_LEN);
}

/* The cache, if `count` rows of it fit into the memory there is. */
static uint8_t *room(uint32_t count) {
  const uint64_t end = cache_at() + (uint64_t)count * ETHASH_ROW_LEN;
  return count && end <= (uint64_t)__builtin_wasm_memory_size(0) << 16 ? (uint8_t *)(uintptr_t)cache_at() : NULL;
}

/* Compute a cache of `count` rows from the seed instead of copying one, which takes seconds; return 0 when the
 * memory is too small. */
uint32_t EXPORT(build)(uint32_t count) {
  uint8_t *rows = room(count);
  if (!rows) return 0;
  ethash_build_cache(io.blob, count, rows);
  return 1;
}

/* Use the cache of `count` rows that is in place, for a dataset of `pages` pages of 128 bytes; return 0 when that
 * cannot be. */
uint32_t EXPORT(table)(uint32_t count, uint32_t pages) {
  cache.rows = pages && pages <= UINT32_MAX / 2 ? room(count) : NULL;
  if (!cache.rows) return 0;
  cache.row_count = ethash_divisor_of(count);
  cache.pages = ethash_divisor_of(pages);
  return 1;
}

uint32_t EXPORT(hash)(uint32_t len) {
  if (len != BLOB_LEN || !cache.rows) return 0;
  PATH(light)(&cache, io.blob, load64(io.blob + ETHASH_HEADER_LEN), io.mix, io.digest);
  return 1;
}

uint32_t EXPORT(set)(uint32_t len, uint32_t nonce_at, uint32_t nonce_bytes) {
  nonce_len = 0;
  if (len != BLOB_LEN || !cache.rows || nonce_at < ETHASH_HEADER_LEN || nonce_bytes < 1 || nonce_bytes > 8 ||
      nonce_at > BLOB_LEN - nonce_bytes)
    return 0;
  memcpy(job.header, io.blob, ETHASH_HEADER_LEN);
  for (int i = 0; i < POW_DIGEST_LEN; i++) job.limit[i] = io.limit[POW_DIGEST_LEN - 1 - i];
  job.shift = 8 * (nonce_at - ETHASH_HEADER_LEN);
  job.fixed = load64(io.blob + ETHASH_HEADER_LEN) & ~((UINT64_MAX >> (64 - 8 * nonce_bytes)) << job.shift);
  nonce_len = nonce_bytes;
  return 1;
}

uint32_t EXPORT(scan)(uint32_t count) {
  pow_hits hits = {found, 0, HITS_ROOM};
  io.done = 0;
  if (!nonce_len || !count) return 0;
  const uint64_t last = UINT64_MAX >> (64 - 8 * nonce_len);
  if (io.start > last) return 0;
  const uint64_t more = last - io.start; /* behind the first */
  io.done = PATH(scan_light)(&cache, &job, io.start, count - 1 < more ? count : more + 1, &hits);
  return (uint32_t)hits.len;
}
#endif
