/* SHA-256 (FIPS 180-4), and HMAC and PBKDF2 over it (RFC 2104, RFC 8018): the parts that scrypt and yespower begin and end with. */
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

void hmac_sha256(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len, uint8_t mac[SHA256_DIGEST_LEN]);

/* PBKDF2-HMAC-SHA256 with one iteration; `out_len` is a multiple of 32. */
void pbkdf2_sha256(const uint8_t *password, size_t password_len, const uint8_t *salt, size_t salt_len, uint8_t *out,
                   size_t out_len);

#endif
