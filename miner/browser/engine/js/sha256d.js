// SHA-256 (FIPS 180-4) with HMAC (RFC 2104) and PBKDF2 (RFC 8018), and sha256d.

/** The first 32 bits of the fraction of `root` of each of the first 64 primes. @param {(n: number) => number} root */
function fractions(root) {
  const found = new Int32Array(64);
  for (let n = 2, count = 0; count < 64; n++) {
    let divisor = 2;
    while (divisor * divisor <= n && n % divisor) divisor++;
    if (divisor * divisor > n) found[count++] = (root(n) % 1) * 2 ** 32;
  }
  return found;
}

const K = fractions(Math.cbrt);
const START = fractions(Math.sqrt).slice(0, 8);
const w = new Int32Array(64);

/** Mix the first 16 words of `w` into `state`. Sums are cut to 32 bits at once, lest they become floats. */
function compress(/** @type {Int32Array} */ state) {
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15], y = w[i - 2];
    const s = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const t = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = ((w[i - 16] + s) | 0) + ((w[i - 7] + t) | 0);
  }
  let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (let i = 0; i < 64; i++) {
    const s = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t = ((((h + s) | 0) + (g ^ (e & (f ^ g)))) | 0) + ((K[i] + w[i]) | 0) | 0;
    const u = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const v = (u + ((a & b) | (c & (a | b)))) | 0;
    h = g, g = f, f = e, e = (d + t) | 0, d = c, c = b, b = a, a = (t + v) | 0;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

/** Put 64 bytes of `data`, zeros behind its end, into `w`. @param {Uint8Array} data @param {number} at */
function load(data, at) {
  for (let i = 0; i < 16; i++, at += 4)
    w[i] = at + 4 <= data.length ? (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3]
      : (data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8);
}

/** Absorb `data` into `state` and finish a message of which `before` bytes (a multiple of 64) stand there already. */
function finish(/** @type {Int32Array} */ state, /** @type {Uint8Array} */ data, before = 0) {
  let at = 0;
  for (; at + 64 <= data.length; at += 64) load(data, at), compress(state);
  load(data, at);
  const rest = data.length - at;
  w[rest >> 2] |= 0x80 << (24 - 8 * (rest & 3));
  if (rest >= 56) compress(state), w.fill(0, 0, 16);
  w[15] = 8 * (before + data.length);
  compress(state);
}

/** @param {Int32Array} state @param {Uint8Array} out 32 bytes */
function store(state, out) {
  for (let i = 0, at = 0; i < 8; i++, at += 4) {
    const word = state[i];
    out[at] = word >>> 24, out[at + 1] = word >>> 16, out[at + 2] = word >>> 8, out[at + 3] = word;
  }
  return out;
}

/** @param {Uint8Array} data @returns {Uint8Array} 32 bytes */
export function sha256(data) {
  const state = START.slice();
  finish(state, data);
  return store(state, new Uint8Array(32));
}

/** What computes the 32 bytes of HMAC-SHA256. @param {Uint8Array} key @returns {(data: Uint8Array) => Uint8Array} */
export function hmac(key) {
  const [inner, outer] = [0x36, 0x5c].map((pad) => {
    const block = new Uint8Array(64), state = START.slice();
    block.set(key.length > 64 ? sha256(key) : key);
    load(block.map((byte) => byte ^ pad), 0);
    compress(state);
    return state;
  });
  return (data) => {
    const within = inner.slice(), state = outer.slice();
    finish(within, data, 64);
    finish(state, store(within, new Uint8Array(32)), 64);
    return store(state, new Uint8Array(32));
  };
}

/**
 * PBKDF2-HMAC-SHA256 with one iteration: `length` bytes.
 * @param {Uint8Array} password @param {Uint8Array} salt @param {number} length
 */
export function pbkdf2(password, salt, length) {
  const mac = hmac(password), out = new Uint8Array(length), message = new Uint8Array(salt.length + 4);
  message.set(salt);
  for (let at = 0; at < length; at += 32) {
    message[message.length - 1]++;
    out.set(mac(message).subarray(0, length - at), at);
  }
  return out;
}

/**
 * What hashes messages: 32 bytes, good until the next call. The first `same` bytes are those of the last message.
 * @returns {(message: Uint8Array, same?: number) => Uint8Array}
 */
export function open() {
  const begun = START.slice(), state = new Int32Array(8), out = new Uint8Array(32);
  let skipped = 0;
  return (message, same = 0) => {
    if (same < skipped || same >= skipped + 64) {
      begun.set(START);
      skipped = same & ~63;
      for (let at = 0; at < skipped; at += 64) load(message, at), compress(begun);
    }
    state.set(begun);
    finish(state, message.subarray(skipped), skipped);
    w.fill(0);
    w.set(state);
    w[8] = 1 << 31, w[15] = 256;
    state.set(START);
    compress(state);
    store(state, out);
    return out;
  };
}
