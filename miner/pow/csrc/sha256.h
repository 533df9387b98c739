/* SHA-256 (FIPS 180-4) of one message; of several at once in sha256_lanes.h. */
#ifndef POW_SHA256_H
#define POW_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_DIGEST_LEN 32
#define SHA256_BLOCK_LEN 64

extern const uint32_t sha256_iv[8];
extern const uint32_t sha256_k[64];

/* Mix one block of 16 words (already in the processor's order) into `state`. */
void sha256_compress(uint32_t state[8], const uint32_t block[16]);

void sha256(const uint8_t *data, size_t len, uint8_t digest[SHA256_DIGEST_LEN]);

/* SHA-256 of SHA-256; a kernel's hash_one, without scratch memory. */
void sha256d_one(const uint8_t *data, size_t len, void *scratch, uint8_t *digest);

#endif
