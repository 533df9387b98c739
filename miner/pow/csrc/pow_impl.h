/* What the kernels share: byte orders, rotations, comparison with a limit. */
#ifndef POW_IMPL_H
#define POW_IMPL_H

#include <string.h>

#include "pow.h"

#define POW_ALIGNED(bytes) __attribute__((aligned(bytes)))
#define POW_INLINE static inline __attribute__((always_inline, unused))
#define POW_LOCAL static __attribute__((unused))

#if defined(__x86_64__)
#define POW_X86 1
#else
#define POW_X86 0
#endif

/* Search nonce by nonce with `hash`, which takes `lanes` messages at once. */
uint64_t pow_scan_by_hash(pow_hash_lanes *hash, size_t lanes, const pow_job *job, uint64_t start, uint64_t count,
                          void *scratch, pow_hits *hits);

POW_INLINE uint32_t pow_rotl32(uint32_t x, int n) { return (x << n) | (x >> (32 - n)); }
POW_INLINE uint32_t pow_rotr32(uint32_t x, int n) { return (x >> n) | (x << (32 - n)); }

POW_INLINE uint32_t pow_load32_le(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

POW_INLINE uint32_t pow_load32_be(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

POW_INLINE void pow_store32_le(uint8_t *p, uint32_t x) {
  p[0] = (uint8_t)x, p[1] = (uint8_t)(x >> 8), p[2] = (uint8_t)(x >> 16), p[3] = (uint8_t)(x >> 24);
}

POW_INLINE void pow_store32_be(uint8_t *p, uint32_t x) {
  p[0] = (uint8_t)(x >> 24), p[1] = (uint8_t)(x >> 16), p[2] = (uint8_t)(x >> 8), p[3] = (uint8_t)x;
}

/* Whether `digest`, read as a little-endian number, is at most `limit`. */
POW_INLINE int pow_meets(const uint8_t digest[POW_DIGEST_LEN], const uint8_t limit[POW_DIGEST_LEN]) {
  for (int i = POW_DIGEST_LEN - 1; i >= 0; i--)
    if (digest[i] != limit[i]) return digest[i] < limit[i];
  return 1;
}

POW_INLINE void pow_put_nonce(uint8_t *blob, const pow_job *job, uint64_t nonce) {
  for (size_t i = 0; i < job->nonce_len; i++) blob[job->nonce_at + i] = (uint8_t)(nonce >> (8 * i));
}

/* Append a hit if `digest` is one. */
POW_INLINE void pow_offer(pow_hits *hits, const pow_job *job, uint64_t nonce, const uint8_t digest[POW_DIGEST_LEN]) {
  if (!pow_meets(digest, job->limit)) return;
  hits->at[hits->len].nonce = nonce;
  memcpy(hits->at[hits->len].digest, digest, POW_DIGEST_LEN);
  hits->len++;
}

#endif
