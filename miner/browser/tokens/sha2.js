// SHA-256, SHA-384 and SHA-512 (FIPS 180-4), for pages that have no crypto.subtle. A block takes some microseconds.
// 64-bit words are pairs of 32-bit ones, high half first: BigInt would take a millisecond for a ticket.

/** @type {number[]} */
const PRIMES = [];
for (let i = 2; PRIMES.length < 80; i++) if (PRIMES.every((prime) => i % prime)) PRIMES.push(i);

/**
 * The first 64 fractional bits of the square (2) or cube (3) roots of primes, as pairs.
 * @param {number[]} primes @param {2 | 3} power
 */
function fractions(primes, power) {
  return Uint32Array.from(primes.flatMap((prime) => {
    const wanted = BigInt(prime) << BigInt(64 * power);
    let root = 0n;
    for (let bit = 1n << 68n; bit; bit >>= 1n) if ((root + bit) ** BigInt(power) <= wanted) root += bit;
    return [Number((root >> 32n) & 0xffffffffn), Number(root & 0xffffffffn)];
  }));
}

/** @param {Uint32Array} pairs */
const highs = (pairs) => pairs.filter((_, i) => i % 2 === 0);

const K512 = fractions(PRIMES, 3);
const K256 = highs(K512);
const START512 = fractions(PRIMES.slice(0, 8), 2);
const START384 = fractions(PRIMES.slice(8, 16), 2);

/** @param {"SHA-256" | "SHA-384" | "SHA-512"} name @param {Uint8Array} data */
export function digest(name, data) {
  if (name === "SHA-256") return hash(data, 64, highs(START512), compress256);
  if (name === "SHA-384") return hash(data, 128, START384.slice(), compress512).slice(0, 48);
  return hash(data, 128, START512.slice(), compress512);
}

/**
 * @param {Uint8Array} data @param {64 | 128} size of a block @param {Uint32Array} state
 * @param {(state: Uint32Array, w: Uint32Array) => void} compress `w` begins with the block
 */
function hash(data, size, state, compress) {
  const padded = new Uint8Array(Math.ceil((data.length + 1 + size / 8) / size) * size);
  padded.set(data);
  padded[data.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(data.length / 2 ** 29));
  view.setUint32(padded.length - 4, data.length << 3);
  const w = new Uint32Array(160);
  for (let at = 0; at < padded.length; at += size) {
    for (let i = 0; i < size / 4; i++) w[i] = view.getUint32(at + 4 * i);
    compress(state, w);
  }
  const digest = new DataView(new ArrayBuffer(4 * state.length));
  state.forEach((word, i) => digest.setUint32(4 * i, word));
  return new Uint8Array(digest.buffer);
}

/** The low word of (high, low) rotated right by n < 32. @param {number} high @param {number} low @param {number} n */
const turn = (high, low, n) => (low >>> n) | (high << (32 - n));

/** @param {Uint32Array} state @param {Uint32Array} w */
function compress256(state, w) {
  for (let t = 16; t < 64; t++) {
    const x = w[t - 15];
    const y = w[t - 2];
    w[t] = w[t - 16] + w[t - 7] +
      (turn(x, x, 7) ^ turn(x, x, 18) ^ (x >>> 3)) + (turn(y, y, 17) ^ turn(y, y, 19) ^ (y >>> 10));
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let t = 0; t < 64; t++) {
    const one = h + (turn(e, e, 6) ^ turn(e, e, 11) ^ turn(e, e, 25)) + ((e & f) ^ (~e & g)) + K256[t] + w[t];
    const two = (turn(a, a, 2) ^ turn(a, a, 13) ^ turn(a, a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] += word));
}

/** @param {Uint32Array} state @param {Uint32Array} w */
function compress512(state, w) {
  for (let t = 32; t < 160; t += 2) {
    const [xh, xl, yh, yl] = [w[t - 30], w[t - 29], w[t - 4], w[t - 3]];
    const low =
      ((turn(xh, xl, 1) ^ turn(xh, xl, 8) ^ turn(xh, xl, 7)) >>> 0) +
      ((turn(yh, yl, 19) ^ turn(yl, yh, 29) ^ turn(yh, yl, 6)) >>> 0) + w[t - 31] + w[t - 13];
    w[t + 1] = low;
    w[t] =
      (turn(xl, xh, 1) ^ turn(xl, xh, 8) ^ (xh >>> 7)) + (turn(yl, yh, 19) ^ turn(yh, yl, 29) ^ (yh >>> 6)) +
      w[t - 32] + w[t - 14] + carry(low);
  }
  let [ah, al, bh, bl, ch, cl, dh, dl, eh, el, fh, fl, gh, gl, hh, hl] = state;
  for (let t = 0; t < 160; t += 2) {
    const low1 = hl + ((turn(eh, el, 14) ^ turn(eh, el, 18) ^ turn(el, eh, 9)) >>> 0) +
      (((el & fl) ^ (~el & gl)) >>> 0) + K512[t + 1] + w[t + 1];
    const high1 = hh + (turn(el, eh, 14) ^ turn(el, eh, 18) ^ turn(eh, el, 9)) +
      ((eh & fh) ^ (~eh & gh)) + K512[t] + w[t] + carry(low1);
    const low2 = ((turn(ah, al, 28) ^ turn(al, ah, 2) ^ turn(al, ah, 7)) >>> 0) +
      (((al & bl) ^ (al & cl) ^ (bl & cl)) >>> 0);
    const high2 = (turn(al, ah, 28) ^ turn(ah, al, 2) ^ turn(ah, al, 7)) +
      ((ah & bh) ^ (ah & ch) ^ (bh & ch)) + carry(low2);
    const lowE = dl + (low1 >>> 0);
    const lowA = (low1 >>> 0) + (low2 >>> 0);
    [hh, hl, gh, gl, fh, fl] = [gh, gl, fh, fl, eh, el];
    [eh, el] = [(dh + high1 + carry(lowE)) >>> 0, lowE >>> 0];
    [dh, dl, ch, cl, bh, bl] = [ch, cl, bh, bl, ah, al];
    [ah, al] = [(high1 + high2 + carry(lowA)) >>> 0, lowA >>> 0];
  }
  const sums = [ah, al, bh, bl, ch, cl, dh, dl, eh, el, fh, fl, gh, gl, hh, hl];
  for (let i = 0; i < 16; i += 2) {
    const low = state[i + 1] + sums[i + 1];
    state[i + 1] = low;
    state[i] += sums[i] + carry(low);
  }
}

/** @param {number} low a sum of a few unsigned words */
const carry = (low) => Math.floor(low / 2 ** 32);
