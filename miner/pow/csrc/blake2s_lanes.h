/* The compression function of BLAKE2s (RFC 7693, section 3.2) on several blocks at once, one in each lane of a vector
 * of 32-bit words. The including file defines NAME, V, SET1, ADD32, XOR and ROTL32, as neoscrypt_kdf_lanes.h describes
 * them. */

/* Half of two G: `b` comes last into a sum, since it is ready last. */
#define BLAKE2S_HALVES(a0, b0, c0, d0, w0, a1, b1, c1, d1, w1, turn_d, turn_b)   \
  a0 = ADD32(ADD32(a0, m[w0]), b0), a1 = ADD32(ADD32(a1, m[w1]), b1);                    \
  d0 = XOR(d0, a0), d1 = XOR(d1, a1);                                            \
  d0 = ROTL32(d0, turn_d), d1 = ROTL32(d1, turn_d);                                  \
  c0 = ADD32(c0, d0), c1 = ADD32(c1, d1);                                            \
  b0 = XOR(b0, c0), b1 = XOR(b1, c1);                                            \
  b0 = ROTL32(b0, turn_b), b1 = ROTL32(b1, turn_b)

/* One round; the arguments are a row of the message schedule. */
#define BLAKE2S_ROUND(i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11, i12, i13, i14, i15)   \
  BLAKE2S_HALVES(v0, v4, v8, v12, i0, v1, v5, v9, v13, i2, 16, 20);                           \
  BLAKE2S_HALVES(v2, v6, v10, v14, i4, v3, v7, v11, v15, i6, 16, 20);                         \
  BLAKE2S_HALVES(v0, v4, v8, v12, i1, v1, v5, v9, v13, i3, 24, 25);                           \
  BLAKE2S_HALVES(v2, v6, v10, v14, i5, v3, v7, v11, v15, i7, 24, 25);                         \
  BLAKE2S_HALVES(v0, v5, v10, v15, i8, v1, v6, v11, v12, i10, 16, 20);                        \
  BLAKE2S_HALVES(v2, v7, v8, v13, i12, v3, v4, v9, v14, i14, 16, 20);                         \
  BLAKE2S_HALVES(v0, v5, v10, v15, i9, v1, v6, v11, v12, i11, 24, 25);                        \
  BLAKE2S_HALVES(v2, v7, v8, v13, i13, v3, v4, v9, v14, i15, 24, 25)

/* Mix the block `m`, which ends `hashed` bytes into the message, into the state `h`; `last` is all ones for the last
 * block, else 0. */
static void NAME(blake2s_compress)(V h[8], const V m[16], uint32_t hashed, uint32_t last) {
  V v0 = h[0], v1 = h[1], v2 = h[2], v3 = h[3], v4 = h[4], v5 = h[5], v6 = h[6], v7 = h[7];
  V v8 = SET1(0x6a09e667u), v9 = SET1(0xbb67ae85u), v10 = SET1(0x3c6ef372u), v11 = SET1(0xa54ff53au);
  V v12 = SET1(0x510e527fu ^ hashed), v13 = SET1(0x9b05688cu);
  V v14 = SET1(0x1f83d9abu ^ last), v15 = SET1(0x5be0cd19u);
  BLAKE2S_ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  BLAKE2S_ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3);
  BLAKE2S_ROUND(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4);
  BLAKE2S_ROUND(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8);
  BLAKE2S_ROUND(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13);
  BLAKE2S_ROUND(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9);
  BLAKE2S_ROUND(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11);
  BLAKE2S_ROUND(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10);
  BLAKE2S_ROUND(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5);
  BLAKE2S_ROUND(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0);
  h[0] = XOR(h[0], XOR(v0, v8)), h[1] = XOR(h[1], XOR(v1, v9));
  h[2] = XOR(h[2], XOR(v2, v10)), h[3] = XOR(h[3], XOR(v3, v11));
  h[4] = XOR(h[4], XOR(v4, v12)), h[5] = XOR(h[5], XOR(v5, v13));
  h[6] = XOR(h[6], XOR(v6, v14)), h[7] = XOR(h[7], XOR(v7, v15));
}
