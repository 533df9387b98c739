/* The compression function of BLAKE2s (RFC 7693, section 3.2) on several blocks at once, one in each lane of a vector of 32-bit words.
 * The including file defines NAME, V, SET1, ADD, XOR and ROTL, as neoscrypt_lanes.h describes them. */

#define BLAKE2S_G(a, b, c, d, x, y)           \
  do {                                        \
    a = ADD(ADD(a, b), x), d = XOR(d, a);     \
    d = ROTL(d, 16);                          \
    c = ADD(c, d), b = XOR(b, c);             \
    b = ROTL(b, 20);                          \
    a = ADD(ADD(a, b), y), d = XOR(d, a);     \
    d = ROTL(d, 24);                          \
    c = ADD(c, d), b = XOR(b, c);             \
    b = ROTL(b, 25);                          \
  } while (0)

/* One round; the arguments are a row of the message schedule. */
#define BLAKE2S_ROUND(i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11, i12, i13, i14, i15) \
  BLAKE2S_G(v0, v4, v8, v12, m[i0], m[i1]);                                                 \
  BLAKE2S_G(v1, v5, v9, v13, m[i2], m[i3]);                                                 \
  BLAKE2S_G(v2, v6, v10, v14, m[i4], m[i5]);                                                \
  BLAKE2S_G(v3, v7, v11, v15, m[i6], m[i7]);                                                \
  BLAKE2S_G(v0, v5, v10, v15, m[i8], m[i9]);                                                \
  BLAKE2S_G(v1, v6, v11, v12, m[i10], m[i11]);                                              \
  BLAKE2S_G(v2, v7, v8, v13, m[i12], m[i13]);                                               \
  BLAKE2S_G(v3, v4, v9, v14, m[i14], m[i15])

/* Mix the block `m`, which ends `hashed` bytes into the message, into the state `h`; `last` is all ones for the last block, else 0. */
static void NAME(blake2s_compress)(V h[8], const V m[16], uint32_t hashed, uint32_t last) {
  V v0 = h[0], v1 = h[1], v2 = h[2], v3 = h[3], v4 = h[4], v5 = h[5], v6 = h[6], v7 = h[7];
  V v8 = SET1(0x6a09e667u), v9 = SET1(0xbb67ae85u), v10 = SET1(0x3c6ef372u), v11 = SET1(0xa54ff53au);
  V v12 = SET1(0x510e527fu ^ hashed), v13 = SET1(0x9b05688cu), v14 = SET1(0x1f83d9abu ^ last), v15 = SET1(0x5be0cd19u);
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
