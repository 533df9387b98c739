// yespower 1.0 (openwall/yespower) with N = 1024, r = 8 and the personalisation of local work.
//
// Words are kept as everywhere in yespower: word i of a block is word 5 i mod 16 of its bytes, and two words, the low
// one first, are a number of 64 bits. Offsets and lengths are in words.

import { hmac, pbkdf2, sha256 } from "./sha256d.js";

const PERSONALISATION = new TextEncoder().encode("ticketminer local v1");
const N = 1024;
const LOOPS = 342; // of the second pass: a third of N, rounded up to an even number
const BLOCK = 16, PAIR = 32, ENTRY = 256;
const BOX = 8192, BOXES = 3 * BOX;
const V = BOXES; // where the entries begin
const NONE = V + (N + 1) * ENTRY; // zeros, in the place of another entry
const INDEX = 0x7ff0; // the bits of a word that choose an entry of a box, in bytes

/** The boxes and the entries: a constant of the module, whose address compilers know. */
const m = new Int32Array(NONE + ENTRY);
const x = new Int32Array(BLOCK), y = new Int32Array(BLOCK);
/** The boxes in the order in which the next block uses them, and the entry that is written next. */
let s0 = 0, s1 = 0, s2 = 0, w = 0;

/** A quarter round of Salsa20 in `y`. */
function quarter(/** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ c, /** @type {number} */ d) {
  let t = (y[a] + y[d]) | 0;
  y[b] ^= (t << 7) | (t >>> 25), t = (y[b] + y[a]) | 0;
  y[c] ^= (t << 9) | (t >>> 23), t = (y[c] + y[b]) | 0;
  y[d] ^= (t << 13) | (t >>> 19), t = (y[d] + y[c]) | 0;
  y[a] ^= (t << 18) | (t >>> 14);
}

/** Replace the block in `x` by its Salsa20/2 core. */
function salsa() {
  y.set(x);
  quarter(0, 4, 8, 12), quarter(1, 5, 9, 13), quarter(2, 6, 10, 14), quarter(3, 7, 11, 15);
  quarter(0, 13, 10, 7), quarter(1, 14, 11, 4), quarter(2, 15, 8, 5), quarter(3, 12, 9, 6);
  for (let i = 0; i < BLOCK; i++) x[i] += y[i];
}

/** The high word of `a` times `b` plus `c`, of which `low` is the low one. Floats err by far less than half of it. */
function high(/** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ c, /** @type {number} */ low) {
  return (((a >>> 0) * (b >>> 0) + (c >>> 0) - (low >>> 0)) * 2 ** -32 + 0.5) | 0;
}

/**
 * Mix the entry at `from`, of `length`, xored with the one at `other`, into the one at `to`; with `save`, the sum also
 * replaces the other.
 * @param {number} from @param {number} other @param {number} to @param {number} length @param {boolean} save
 */
function mix(from, other, to, length, save) {
  const last = length - BLOCK;
  for (let i = 0; i < BLOCK; i++) x[i] = m[from + last + i] ^ m[other + last + i];
  let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3] = x;
  let p = 0, q = 0, t = 0, u = 0;
  for (const end = from + length; from < end; from += BLOCK, other += BLOCK, to += BLOCK) {
    if (save) {
      a0 ^= m[other] ^= m[from], a1 ^= m[other + 1] ^= m[from + 1], a2 ^= m[other + 2] ^= m[from + 2];
      a3 ^= m[other + 3] ^= m[from + 3], b0 ^= m[other + 4] ^= m[from + 4], b1 ^= m[other + 5] ^= m[from + 5];
      b2 ^= m[other + 6] ^= m[from + 6], b3 ^= m[other + 7] ^= m[from + 7], c0 ^= m[other + 8] ^= m[from + 8];
      c1 ^= m[other + 9] ^= m[from + 9], c2 ^= m[other + 10] ^= m[from + 10], c3 ^= m[other + 11] ^= m[from + 11];
      d0 ^= m[other + 12] ^= m[from + 12], d1 ^= m[other + 13] ^= m[from + 13], d2 ^= m[other + 14] ^= m[from + 14];
      d3 ^= m[other + 15] ^= m[from + 15];
    } else {
      a0 ^= m[from] ^ m[other], a1 ^= m[from + 1] ^ m[other + 1], a2 ^= m[from + 2] ^ m[other + 2];
      a3 ^= m[from + 3] ^ m[other + 3], b0 ^= m[from + 4] ^ m[other + 4], b1 ^= m[from + 5] ^ m[other + 5];
      b2 ^= m[from + 6] ^ m[other + 6], b3 ^= m[from + 7] ^ m[other + 7], c0 ^= m[from + 8] ^ m[other + 8];
      c1 ^= m[from + 9] ^ m[other + 9], c2 ^= m[from + 10] ^ m[other + 10], c3 ^= m[from + 11] ^ m[other + 11];
      d0 ^= m[from + 12] ^ m[other + 12], d1 ^= m[from + 13] ^ m[other + 13], d2 ^= m[from + 14] ^ m[other + 14];
      d3 ^= m[from + 15] ^ m[other + 15];
    }
    for (let turn = 0; turn < 3; turn++) {
      p = s0 + ((a0 & INDEX) >> 2), q = s1 + ((a1 & INDEX) >> 2);
      t = m[p], u = (Math.imul(a0, a1) + t) | 0, a1 = (high(a0, a1, t, u) + m[p + 1]) ^ m[q + 1], a0 = u ^ m[q];
      t = m[p + 2], u = (Math.imul(a2, a3) + t) | 0, a3 = (high(a2, a3, t, u) + m[p + 3]) ^ m[q + 3], a2 = u ^ m[q + 2];
      t = s0 + w, m[t] = a0, m[t + 1] = a1, m[t + 2] = a2, m[t + 3] = a3;
      p = s0 + ((b0 & INDEX) >> 2), q = s1 + ((b1 & INDEX) >> 2);
      t = m[p], u = (Math.imul(b0, b1) + t) | 0, b1 = (high(b0, b1, t, u) + m[p + 1]) ^ m[q + 1], b0 = u ^ m[q];
      t = m[p + 2], u = (Math.imul(b2, b3) + t) | 0, b3 = (high(b2, b3, t, u) + m[p + 3]) ^ m[q + 3], b2 = u ^ m[q + 2];
      t = s1 + w, m[t] = b0, m[t + 1] = b1, m[t + 2] = b2, m[t + 3] = b3, w += 4;
      p = s0 + ((c0 & INDEX) >> 2), q = s1 + ((c1 & INDEX) >> 2);
      t = m[p], u = (Math.imul(c0, c1) + t) | 0, c1 = (high(c0, c1, t, u) + m[p + 1]) ^ m[q + 1], c0 = u ^ m[q];
      t = m[p + 2], u = (Math.imul(c2, c3) + t) | 0, c3 = (high(c2, c3, t, u) + m[p + 3]) ^ m[q + 3], c2 = u ^ m[q + 2];
      if (!turn) t = s0 + w, m[t] = c0, m[t + 1] = c1, m[t + 2] = c2, m[t + 3] = c3;
      p = s0 + ((d0 & INDEX) >> 2), q = s1 + ((d1 & INDEX) >> 2);
      t = m[p], u = (Math.imul(d0, d1) + t) | 0, d1 = (high(d0, d1, t, u) + m[p + 1]) ^ m[q + 1], d0 = u ^ m[q];
      t = m[p + 2], u = (Math.imul(d2, d3) + t) | 0, d3 = (high(d2, d3, t, u) + m[p + 3]) ^ m[q + 3], d2 = u ^ m[q + 2];
      if (!turn) t = s1 + w, m[t] = d0, m[t + 1] = d1, m[t + 2] = d2, m[t + 3] = d3, w += 4;
    }
    w &= BOX - 1;
    t = s1, s1 = s0, s0 = s2, s2 = t;
    m[to] = a0, m[to + 1] = a1, m[to + 2] = a2, m[to + 3] = a3, m[to + 4] = b0, m[to + 5] = b1;
    m[to + 6] = b2, m[to + 7] = b3, m[to + 8] = c0, m[to + 9] = c1, m[to + 10] = c2, m[to + 11] = c3;
    m[to + 12] = d0, m[to + 13] = d1, m[to + 14] = d2, m[to + 15] = d3;
  }
  x[0] = a0, x[1] = a1, x[2] = a2, x[3] = a3, x[4] = b0, x[5] = b1, x[6] = b2, x[7] = b3;
  x[8] = c0, x[9] = c1, x[10] = c2, x[11] = c3, x[12] = d0, x[13] = d1, x[14] = d2, x[15] = d3;
  salsa();
  m.set(x, to - BLOCK);
}

/** A number below `i`: `word` modulo the largest power of two that is not above it, counted from the end. */
function wrap(/** @type {number} */ word, /** @type {number} */ i) {
  const power = 1 << (31 - Math.clz32(i));
  return (word & (power - 1)) + (i - power);
}

function fill() {
  const row = m.slice(0, PAIR);
  for (let n = 0; n < BOXES / PAIR; n++) {
    m.set(row, n * PAIR);
    const other = n > 1 ? PAIR * wrap(row[BLOCK], n) : -1;
    if (other >= 0) for (let i = 0; i < PAIR; i++) row[i] ^= m[other + i];
    for (let block = 0; block < PAIR; block += BLOCK) {
      for (let i = 0; i < BLOCK; i++) x[i] = row[i] ^ row[BLOCK + i];
      salsa();
      row.set(x, block);
    }
  }
  m.set(row, V);
}

/** What hashes messages: 32 bytes. @returns {(message: Uint8Array) => Uint8Array} */
export const open = () => (message) => {
  const seed = pbkdf2(sha256(message), PERSONALISATION, 4 * PAIR), words = new DataView(seed.buffer);
  for (let i = 0; i < PAIR; i++) m[i] = words.getInt32(4 * ((i & BLOCK) | ((5 * i) & 15)), true);
  fill();
  s0 = 0, s1 = BOX, s2 = 2 * BOX, w = 0;
  for (let at = V; at < V + ENTRY - PAIR; at += PAIR) mix(at, NONE, at + PAIR, PAIR, false);
  let at = V;
  for (let i = 0; i < N; i++, at += ENTRY)
    mix(at, i > 1 ? V + ENTRY * wrap(m[at + ENTRY - BLOCK], i) : NONE, at + ENTRY, ENTRY, false);
  for (let i = 0; i < LOOPS; i++) mix(at, V + ENTRY * (m[at + ENTRY - BLOCK] & (N - 1)), at, ENTRY, true);
  const key = seed.subarray(0, 32), last = new Uint8Array(4 * BLOCK), view = new DataView(last.buffer);
  for (let i = 0; i < BLOCK; i++) view.setInt32(4 * ((5 * i) & 15), m[at + ENTRY - BLOCK + i], true);
  return hmac(last)(key);
};
