// scrypt (RFC 7914) with N = 1024, r = 1, p = 1 and 32 bytes; the message is password and salt.

import { pbkdf2 } from "./sha256d.js";

const N = 1024;
const WORDS = 32; // of an entry

/** Replace the 16 words of `x` from `at` on by the Salsa20/8 core of them xored with those from `other` on. */
function salsa(/** @type {Int32Array} */ x, /** @type {number} */ at, /** @type {number} */ other) {
  let a = (x[at] ^= x[other]), b = (x[at + 1] ^= x[other + 1]), c = (x[at + 2] ^= x[other + 2]);
  let d = (x[at + 3] ^= x[other + 3]), e = (x[at + 4] ^= x[other + 4]), f = (x[at + 5] ^= x[other + 5]);
  let g = (x[at + 6] ^= x[other + 6]), h = (x[at + 7] ^= x[other + 7]), i = (x[at + 8] ^= x[other + 8]);
  let j = (x[at + 9] ^= x[other + 9]), k = (x[at + 10] ^= x[other + 10]), l = (x[at + 11] ^= x[other + 11]);
  let m = (x[at + 12] ^= x[other + 12]), n = (x[at + 13] ^= x[other + 13]), o = (x[at + 14] ^= x[other + 14]);
  let p = (x[at + 15] ^= x[other + 15]);
  let t = 0;
  for (let round = 0; round < 4; round++) {
    t = (a + m) | 0, e ^= (t << 7) | (t >>> 25), t = (e + a) | 0, i ^= (t << 9) | (t >>> 23);
    t = (i + e) | 0, m ^= (t << 13) | (t >>> 19), t = (m + i) | 0, a ^= (t << 18) | (t >>> 14);
    t = (f + b) | 0, j ^= (t << 7) | (t >>> 25), t = (j + f) | 0, n ^= (t << 9) | (t >>> 23);
    t = (n + j) | 0, b ^= (t << 13) | (t >>> 19), t = (b + n) | 0, f ^= (t << 18) | (t >>> 14);
    t = (k + g) | 0, o ^= (t << 7) | (t >>> 25), t = (o + k) | 0, c ^= (t << 9) | (t >>> 23);
    t = (c + o) | 0, g ^= (t << 13) | (t >>> 19), t = (g + c) | 0, k ^= (t << 18) | (t >>> 14);
    t = (p + l) | 0, d ^= (t << 7) | (t >>> 25), t = (d + p) | 0, h ^= (t << 9) | (t >>> 23);
    t = (h + d) | 0, l ^= (t << 13) | (t >>> 19), t = (l + h) | 0, p ^= (t << 18) | (t >>> 14);
    t = (a + d) | 0, b ^= (t << 7) | (t >>> 25), t = (b + a) | 0, c ^= (t << 9) | (t >>> 23);
    t = (c + b) | 0, d ^= (t << 13) | (t >>> 19), t = (d + c) | 0, a ^= (t << 18) | (t >>> 14);
    t = (f + e) | 0, g ^= (t << 7) | (t >>> 25), t = (g + f) | 0, h ^= (t << 9) | (t >>> 23);
    t = (h + g) | 0, e ^= (t << 13) | (t >>> 19), t = (e + h) | 0, f ^= (t << 18) | (t >>> 14);
    t = (k + j) | 0, l ^= (t << 7) | (t >>> 25), t = (l + k) | 0, i ^= (t << 9) | (t >>> 23);
    t = (i + l) | 0, j ^= (t << 13) | (t >>> 19), t = (j + i) | 0, k ^= (t << 18) | (t >>> 14);
    t = (p + o) | 0, m ^= (t << 7) | (t >>> 25), t = (m + p) | 0, n ^= (t << 9) | (t >>> 23);
    t = (n + m) | 0, o ^= (t << 13) | (t >>> 19), t = (o + n) | 0, p ^= (t << 18) | (t >>> 14);
  }
  x[at] += a, x[at + 1] += b, x[at + 2] += c, x[at + 3] += d, x[at + 4] += e, x[at + 5] += f;
  x[at + 6] += g, x[at + 7] += h, x[at + 8] += i, x[at + 9] += j, x[at + 10] += k, x[at + 11] += l;
  x[at + 12] += m, x[at + 13] += n, x[at + 14] += o, x[at + 15] += p;
}

/** What hashes messages: 32 bytes. Takes 128 KiB. @returns {(message: Uint8Array) => Uint8Array} */
export function open() {
  const x = new Int32Array(WORDS), v = new Int32Array(WORDS * N);
  return (message) => {
    const seed = new DataView(pbkdf2(message, message, 4 * WORDS).buffer);
    for (let i = 0; i < WORDS; i++) x[i] = seed.getInt32(4 * i, true);
    for (let step = 0; step < N; step++) {
      v.set(x, WORDS * step);
      salsa(x, 0, 16);
      salsa(x, 16, 0);
    }
    for (let step = 0; step < N; step++) {
      const at = WORDS * (x[16] & (N - 1));
      for (let i = 0; i < WORDS; i++) x[i] ^= v[at + i];
      salsa(x, 0, 16);
      salsa(x, 16, 0);
    }
    for (let i = 0; i < WORDS; i++) seed.setInt32(4 * i, x[i], true);
    return pbkdf2(message, new Uint8Array(seed.buffer), 32);
  };
}
