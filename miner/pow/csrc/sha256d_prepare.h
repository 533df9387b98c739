/* What all nonces of a search for SHA-256d have in common, computed once.
 *
 * The nonce begins at byte 76 of a blob of 80 to 119 bytes, so that it is word 3 of the second block: the first block is hashed once,
 * rounds 0 to 2 of the second are done once, and of the message schedule only what depends on word 3 is left for each nonce.
 * Source: FIPS 180-4; the folding is common to all miners.
 */
#ifndef POW_SHA256D_PREPARE_H
#define POW_SHA256D_PREPARE_H

#include "pow_impl.h"
#include "sha256.h"

#define SHA256D_NONCE_AT 76

/* A function of its own, because V8 runs better code only from the next call on. */
#define SHA256D_CANDIDATES static __attribute__((noinline)) uint32_t

typedef struct {
  uint32_t midstate[8];   /* after the first block */
  uint32_t two[8];        /* a to h after rounds 0 and 1 of the second */
  uint32_t early[8];      /* and after round 2 */
  uint32_t round[18];     /* constant + word, of rounds 0 to 17; of round 3 without the nonce */
  uint32_t schedule[33];  /* what words 16 to 32 have in common; of 16 and 17 that is everything */
  uint32_t second_d, second_h; /* of the second hash after round 0, without its first word */
} sha256d_common;

POW_INLINE uint32_t sha256d_small0(uint32_t x) { return pow_rotr32(x, 7) ^ pow_rotr32(x, 18) ^ (x >> 3); }
POW_INLINE uint32_t sha256d_small1(uint32_t x) { return pow_rotr32(x, 17) ^ pow_rotr32(x, 19) ^ (x >> 10); }

/* Set `words` to block `number` of a message with its padding. */
POW_INLINE void sha256d_block(const uint8_t *message, size_t len, size_t number, uint32_t words[16]) {
  uint8_t bytes[64] = {0};
  const size_t from = number * 64, blocks = (len + 8) / 64 + 1;
  if (from < len) memcpy(bytes, message + from, len - from < 64 ? len - from : 64);
  if (from <= len && len - from < 64) bytes[len - from] = 0x80;
  if (number + 1 == blocks) {
    pow_store32_be(bytes + 56, (uint32_t)((uint64_t)len >> 29));
    pow_store32_be(bytes + 60, (uint32_t)(len << 3));
  }
  for (int i = 0; i < 16; i++) words[i] = pow_load32_be(bytes + 4 * i);
}

/* Whether a search can be prepared. */
POW_INLINE int sha256d_can_prepare(const pow_job *job) {
  return job->len >= 80 && job->len < 120 && job->nonce_at == SHA256D_NONCE_AT && job->nonce_len >= 4;
}

/* Prepare a search for the nonces whose bytes beyond the first four are those of `nonce`. */
POW_INLINE void sha256d_prepare(sha256d_common *common, const pow_job *job, uint64_t nonce) {
  uint8_t bytes[128] = {0};
  memcpy(bytes, job->blob, job->len);
  for (size_t i = 0; i < job->nonce_len; i++) bytes[job->nonce_at + i] = (uint8_t)(nonce >> (8 * i));
  bytes[job->len] = 0x80;
  pow_store32_be(bytes + 124, (uint32_t)job->len * 8);
  uint32_t first[16], w[33];
  for (int i = 0; i < 16; i++) first[i] = pow_load32_be(bytes + 4 * i), w[i] = pow_load32_be(bytes + 64 + 4 * i);
  w[3] = 0;
  memcpy(common->midstate, sha256_iv, sizeof common->midstate);
  sha256_compress(common->midstate, first);

  /* Words that the nonce does not reach count as they are; of the others, the part without it. */
  for (int i = 16; i <= 32; i++) {
    uint32_t sum = w[i - 16];
    if (i - 15 != 3 && i - 15 < 18) sum += sha256d_small0(w[i - 15]);
    if (i - 7 < 18) sum += w[i - 7];
    if (i - 2 < 18) sum += sha256d_small1(w[i - 2]);
    w[i] = common->schedule[i] = sum;
  }
  for (int i = 0; i < 18; i++) common->round[i] = sha256_k[i] + w[i];

  uint32_t s[8];
  memcpy(s, common->midstate, sizeof s);
  for (int i = 0; i < 3; i++) {
    if (i == 2) memcpy(common->two, s, sizeof s);
    const uint32_t a = s[0], e = s[4];
    const uint32_t t1 = s[7] + (pow_rotr32(e, 6) ^ pow_rotr32(e, 11) ^ pow_rotr32(e, 25)) +
                        (s[6] ^ (e & (s[5] ^ s[6]))) + sha256_k[i] + w[i];
    const uint32_t t2 = (pow_rotr32(a, 2) ^ pow_rotr32(a, 13) ^ pow_rotr32(a, 22)) + ((a & s[1]) | (s[2] & (a | s[1])));
    s[7] = s[6], s[6] = s[5], s[5] = s[4], s[4] = s[3] + t1;
    s[3] = s[2], s[2] = s[1], s[1] = a, s[0] = t1 + t2;
  }
  memcpy(common->early, s, sizeof s);

  const uint32_t *iv = sha256_iv;
  const uint32_t t1 = iv[7] + (pow_rotr32(iv[4], 6) ^ pow_rotr32(iv[4], 11) ^ pow_rotr32(iv[4], 25)) +
                      (iv[6] ^ (iv[4] & (iv[5] ^ iv[6]))) + sha256_k[0];
  common->second_d = iv[3] + t1;
  common->second_h = t1 + (pow_rotr32(iv[0], 2) ^ pow_rotr32(iv[0], 13) ^ pow_rotr32(iv[0], 22)) +
                     ((iv[0] & iv[1]) | (iv[2] & (iv[0] | iv[1])));
}

#endif
