/* scrypt with N=1024, r=1, p=1 (RFC 7914) in portable C. */
#include "kernels.h"
#include "pow_impl.h"
#include "salsa20.h"
#include "scrypt.h"
#include "sha256.h"

static void mix(uint32_t x[2][16]) {
  for (int i = 0; i < 16; i++) x[0][i] ^= x[1][i];
  salsa20(x[0], 4);
  for (int i = 0; i < 16; i++) x[1][i] ^= x[0][i];
  salsa20(x[1], 4);
}

void scrypt_hash_portable(const uint8_t *data, size_t len, void *scratch, uint8_t *digests) {
  uint32_t(*v)[2][16] = scratch;
  uint8_t b[SCRYPT_ENTRY_LEN];
  uint32_t x[2][16];
  pbkdf2_sha256(data, len, data, len, b, sizeof b);
  salsa20_load(x[0], b);
  salsa20_load(x[1], b + SALSA20_BLOCK_LEN);
  for (int i = 0; i < SCRYPT_N; i++) {
    memcpy(v[i], x, sizeof x);
    mix(x);
  }
  for (int i = 0; i < SCRYPT_N; i++) {
    uint32_t(*const entry)[16] = v[x[1][0] % SCRYPT_N];
    for (int k = 0; k < 16; k++) x[0][k] ^= entry[0][k], x[1][k] ^= entry[1][k];
    mix(x);
  }
  salsa20_store(b, x[0]);
  salsa20_store(b + SALSA20_BLOCK_LEN, x[1]);
  pbkdf2_sha256(data, len, b, sizeof b, digests, POW_DIGEST_LEN);
}
