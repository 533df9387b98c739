/* Sizes of NeoScrypt (J. Doering, 2014) in the profile of Feathercoin: FastKDF over BLAKE2s, and SMix of scrypt
 * (RFC 7914) with N = 128 and r = 2, once with 20 rounds of ChaCha and once with 20 of Salsa20. */
#ifndef POW_NEOSCRYPT_H
#define POW_NEOSCRYPT_H

#include "pow_impl.h"

#define NEOSCRYPT_N 128
#define NEOSCRYPT_BLOCK_LEN 256     /* 128 * r */
#define NEOSCRYPT_KDF_LEN 256       /* of the two rings of FastKDF, and so the longest password */
#define NEOSCRYPT_KDF_ROUNDS 32
#define NEOSCRYPT_PRF_INPUT_LEN 64  /* of each BLAKE2s, and so the shortest password */
#define NEOSCRYPT_PRF_LEN 32        /* of its key and of its digest */

/* Parts of the scratch memory, in bytes for each lane. Behind a ring its beginning lies once more, so that what is
 * taken from it is in one piece. */
#define NEOSCRYPT_V_LEN (NEOSCRYPT_N * NEOSCRYPT_BLOCK_LEN)
#define NEOSCRYPT_INPUTS_LEN (NEOSCRYPT_KDF_LEN + NEOSCRYPT_PRF_INPUT_LEN)
#define NEOSCRYPT_KEYS_LEN (2 * NEOSCRYPT_KDF_LEN)
#define NEOSCRYPT_SCRATCH_LEN(lanes) ((lanes) * (NEOSCRYPT_V_LEN + NEOSCRYPT_INPUTS_LEN + NEOSCRYPT_KEYS_LEN))

/* `len` is a multiple of 8. */
POW_INLINE void neoscrypt_xor(uint8_t *to, const uint8_t *from, size_t len) {
  for (size_t i = 0; i < len; i += 8) {
    uint64_t a, b;
    memcpy(&a, to + i, 8), memcpy(&b, from + i, 8);
    a ^= b;
    memcpy(to + i, &a, 8);
  }
}

/* Repeat `data` in a ring, with its beginning behind it. */
POW_INLINE void neoscrypt_fill_ring(uint8_t ring[NEOSCRYPT_INPUTS_LEN], const uint8_t *data, size_t len) {
  memcpy(ring, data, len);
  for (size_t full = len; full < NEOSCRYPT_KDF_LEN; full *= 2)
    memcpy(ring + full, ring, full < NEOSCRYPT_KDF_LEN - full ? full : NEOSCRYPT_KDF_LEN - full);
  memcpy(ring + NEOSCRYPT_KDF_LEN, ring, NEOSCRYPT_PRF_INPUT_LEN);
}

#endif
