#include "keccak.h"

#include "pow_impl.h"

#define NAME(verb) verb##_one
typedef uint64_t word;
#define K64 word
#define K64_SET1(x) (x)
#define K64_XOR(a, b) ((a) ^ (b))
#define K64_XOR3(a, b, c) ((a) ^ (b) ^ (c))
#define K64_ROTL(x, n) ((x) << (n) | (x) >> (64 - (n)))
#define K64_CHI(a, b, c) ((a) ^ (~(b) & (c)))
#include "keccak_lanes.h"

const uint64_t keccak_constants[KECCAK_ROUNDS] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};

void keccak_permute(uint64_t state[KECCAK_WORDS]) { keccak_one(state); }

static uint64_t load64_le(const uint8_t *p) { return (uint64_t)pow_load32_le(p + 4) << 32 | pow_load32_le(p); }

static void keccak(const uint8_t *data, size_t len, size_t rate_len, uint8_t *digest, size_t digest_len) {
  uint64_t state[KECCAK_WORDS] = {0};
  uint8_t block[KECCAK256_RATE_LEN];
  for (int last = 0; !last;) {
    const size_t part = len < rate_len ? len : rate_len;
    last = part < rate_len;
    if (part) memcpy(block, data, part);
    if (last) {
      memset(block + part, 0, rate_len - part);
      block[part] = 0x01;
      block[rate_len - 1] |= 0x80;
    } else {
      data += part, len -= part;
    }
    for (size_t i = 0; i < rate_len / 8; i++) state[i] ^= load64_le(block + 8 * i);
    keccak_one(state);
  }
  for (size_t i = 0; i < digest_len; i++) digest[i] = (uint8_t)(state[i / 8] >> (8 * (i % 8)));
}

void keccak256(const uint8_t *data, size_t len, uint8_t digest[32]) {
  keccak(data, len, KECCAK256_RATE_LEN, digest, 32);
}

void keccak512(const uint8_t *data, size_t len, uint8_t digest[64]) {
  keccak(data, len, KECCAK512_RATE_LEN, digest, 64);
}

void keccak512_of_digest(const uint64_t words[8], uint64_t digest[8]) {
  uint64_t state[KECCAK_WORDS] = {0};
  memcpy(state, words, 64);
  state[8] = 0x8000000000000001; /* the first and the last bit of the padding meet in one word */
  keccak_one(state);
  memcpy(digest, state, 64);
}
