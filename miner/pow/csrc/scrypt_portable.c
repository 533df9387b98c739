/* scrypt with N=1024, r=1, p=1 (RFC 7914) in portable C. */
#include "kernels.h"
#include "pow_impl.h"
#include "salsa20.h"
#include "scrypt.h"

#define NAME(verb) scrypt_##verb##_portable
#include "words_scalar.h"
#include "pbkdf2_lanes.h"

static void mix(uint32_t x[2][16]) {
  for (int i = 0; i < 16; i++) x[0][i] ^= x[1][i];
  salsa20(x[0], 4);
  for (int i = 0; i < 16; i++) x[1][i] ^= x[0][i];
  salsa20(x[1], 4);
}

void NAME(hash)(const uint8_t *data, size_t len, void *scratch, uint8_t *digests) {
  uint32_t(*v)[2][16] = scratch;
  uint8_t b[SCRYPT_ENTRY_LEN];
  uint32_t x[2][16];
  NAME(keyed) keyed;
  NAME(key)(&keyed, data, len, 1);
  NAME(pbkdf2)(&keyed, data, len, len, 1, b, sizeof b);
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
  NAME(pbkdf2)(&keyed, b, sizeof b, sizeof b, 1, digests, POW_DIGEST_LEN);
}
