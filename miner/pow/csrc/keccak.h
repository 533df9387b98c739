/* Keccak as it was before the standard: padding begins with 0x01, where SHA-3 has 0x06 (Keccak reference 3.0; FIPS
 * 202 is the same permutation). Ethash calls Keccak-256 and Keccak-512 "sha3". */
#ifndef POW_KECCAK_H
#define POW_KECCAK_H

#include <stddef.h>
#include <stdint.h>

#define KECCAK_WORDS 25
#define KECCAK_ROUNDS 24
#define KECCAK256_RATE_LEN 136
#define KECCAK512_RATE_LEN 72

extern const uint64_t keccak_constants[KECCAK_ROUNDS];

void keccak_permute(uint64_t state[KECCAK_WORDS]);

void keccak256(const uint8_t *data, size_t len, uint8_t digest[32]);
void keccak512(const uint8_t *data, size_t len, uint8_t digest[64]);

/* Keccak-512 of 64 bytes, as 8 little-endian words in the processor's order; `digest` may be `words`. */
void keccak512_of_digest(const uint64_t words[8], uint64_t digest[8]);

#endif
