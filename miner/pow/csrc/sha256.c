#include "sha256.h"

#include "pow_impl.h"

const uint32_t sha256_iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

void sha256_compress(uint32_t state[8], const uint32_t block[16]) {
  uint32_t w[16], s[8];
  memcpy(w, block, sizeof w);
  memcpy(s, state, sizeof s);
  for (int i = 0; i < 64; i++) {
    if (i >= 16) {
      const uint32_t w15 = w[(i + 1) & 15], w2 = w[(i + 14) & 15];
      const uint32_t s0 = pow_rotr32(w15, 7) ^ pow_rotr32(w15, 18) ^ (w15 >> 3);
      const uint32_t s1 = pow_rotr32(w2, 17) ^ pow_rotr32(w2, 19) ^ (w2 >> 10);
      w[i & 15] += s0 + w[(i + 9) & 15] + s1;
    }
    const uint32_t e = s[4], a = s[0];
    const uint32_t t1 = s[7] + (pow_rotr32(e, 6) ^ pow_rotr32(e, 11) ^ pow_rotr32(e, 25)) +
                        (s[6] ^ (e & (s[5] ^ s[6]))) + sha256_k[i] + w[i & 15];
    const uint32_t t2 = (pow_rotr32(a, 2) ^ pow_rotr32(a, 13) ^ pow_rotr32(a, 22)) + ((a & s[1]) | (s[2] & (a | s[1])));
    s[7] = s[6], s[6] = s[5], s[5] = s[4], s[4] = s[3] + t1;
    s[3] = s[2], s[2] = s[1], s[1] = a, s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) state[i] += s[i];
}

typedef struct {
  uint32_t state[8];
  uint64_t len;
  uint8_t held[SHA256_BLOCK_LEN];
} sha256_context;

static void compress_bytes(uint32_t state[8], const uint8_t block[SHA256_BLOCK_LEN]) {
  uint32_t words[16];
  for (int i = 0; i < 16; i++) words[i] = pow_load32_be(block + 4 * i);
  sha256_compress(state, words);
}

static void begin(sha256_context *context) {
  memcpy(context->state, sha256_iv, sizeof context->state);
  context->len = 0;
}

static void update(sha256_context *context, const uint8_t *data, size_t len) {
  size_t held = context->len % SHA256_BLOCK_LEN;
  context->len += len;
  while (held + len >= SHA256_BLOCK_LEN) {
    const size_t part = SHA256_BLOCK_LEN - held;
    memcpy(context->held + held, data, part);
    compress_bytes(context->state, context->held);
    data += part, len -= part, held = 0;
  }
  if (len) memcpy(context->held + held, data, len);
}

static void finish(sha256_context *context, uint8_t digest[SHA256_DIGEST_LEN]) {
  static const uint8_t padding[SHA256_BLOCK_LEN] = {0x80};
  const uint64_t bits = context->len * 8;
  const size_t held = context->len % SHA256_BLOCK_LEN;
  uint8_t length[8];
  pow_store32_be(length, (uint32_t)(bits >> 32));
  pow_store32_be(length + 4, (uint32_t)bits);
  update(context, padding, held < 56 ? 56 - held : 120 - held);
  update(context, length, sizeof length);
  for (int i = 0; i < 8; i++) pow_store32_be(digest + 4 * i, context->state[i]);
}

void sha256(const uint8_t *data, size_t len, uint8_t digest[SHA256_DIGEST_LEN]) {
  sha256_context context;
  begin(&context);
  update(&context, data, len);
  finish(&context, digest);
}

typedef struct {
  sha256_context inner, outer;
} hmac_context;

static void hmac_begin(hmac_context *context, const uint8_t *key, size_t key_len) {
  uint8_t pad[SHA256_BLOCK_LEN] = {0};
  if (key_len > SHA256_BLOCK_LEN)
    sha256(key, key_len, pad);
  else if (key_len)
    memcpy(pad, key, key_len);
  for (int i = 0; i < SHA256_BLOCK_LEN; i++) pad[i] ^= 0x36;
  begin(&context->inner);
  update(&context->inner, pad, sizeof pad);
  for (int i = 0; i < SHA256_BLOCK_LEN; i++) pad[i] ^= 0x36 ^ 0x5c;
  begin(&context->outer);
  update(&context->outer, pad, sizeof pad);
}

static void hmac_finish(hmac_context *context, uint8_t mac[SHA256_DIGEST_LEN]) {
  finish(&context->inner, mac);
  update(&context->outer, mac, SHA256_DIGEST_LEN);
  finish(&context->outer, mac);
}

void hmac_sha256(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len, uint8_t mac[SHA256_DIGEST_LEN]) {
  hmac_context context;
  hmac_begin(&context, key, key_len);
  update(&context.inner, data, len);
  hmac_finish(&context, mac);
}

void pbkdf2_sha256(const uint8_t *password, size_t password_len, const uint8_t *salt, size_t salt_len, uint8_t *out,
                   size_t out_len) {
  hmac_context salted;
  hmac_begin(&salted, password, password_len);
  update(&salted.inner, salt, salt_len);
  for (uint32_t i = 1; out_len; i++, out += SHA256_DIGEST_LEN, out_len -= SHA256_DIGEST_LEN) {
    hmac_context context = salted;
    uint8_t number[4];
    pow_store32_be(number, i);
    update(&context.inner, number, sizeof number);
    hmac_finish(&context, out);
  }
}
