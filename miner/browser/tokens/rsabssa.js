// The client's half of RSABSSA-SHA384-PSS (RFC 9474). `message` is always the prepared message.

import { concat, equal, fromBigInt, fromHex, sized, toBigInt } from "../bytes.js";
import { CodecError } from "../errors.js";
import { sha384 } from "./hashes.js";

/** @typedef {{n: bigint, e: bigint, bits: number, bytes: number}} PublicKey with the size of n */

// The RSASSA-PSS SubjectPublicKeyInfo (RFC 9578 section 6.5) of an RSA-2048 key, around its modulus; exponent 65537.
const BEFORE = fromHex(
  "30820152303d06092a864886f70d01010a3030a00d300b0609608648016503040202a11a301806092a864886f70d010108300b" +
    "0609608648016503040202a2030201300382010f003082010a0282010100",
);
const AFTER = fromHex("0203010001");
const HASH = 48;

/** Of 342 bytes in canonical form; throws CodecError: bad-key. @param {Uint8Array} spki @returns {PublicKey} */
export function publicKey(spki) {
  const modulus = spki.subarray(BEFORE.length, -AFTER.length);
  if (modulus.length !== 256 || modulus[0] < 128 || !equal(spki, concat(BEFORE, modulus, AFTER))) {
    throw new CodecError("bad-key", "A ticket key is RSA-2048, exponent 65537, as canonical RSASSA-PSS SPKI.");
  }
  return { n: toBigInt(modulus), e: 65537n, bits: 2048, bytes: 256 };
}

/**
 * Section 4.2; the salt of a ticket is 48 bytes, r is never used twice. Throws RangeError unless r has an inverse.
 * @param {PublicKey} key @param {Uint8Array} message @param {{salt: Uint8Array, r: bigint}} secrets
 */
export async function blind(key, message, { salt, r }) {
  const inverse = invert(r, key.n);
  const encoded = toBigInt(await encode(await sha384(message), salt, key.bits - 1));
  return { blindedMessage: fromBigInt((encoded * power(r, key)) % key.n, key.bytes), inverse };
}

/**
 * Section 4.4: the signature, verified. Throws CodecError: wrong-size, bad-signature.
 * @param {PublicKey} key @param {Uint8Array} message @param {Uint8Array} blindSignature @param {bigint} inverse
 */
export async function finalize(key, message, blindSignature, inverse) {
  const value = toBigInt(sized(blindSignature, key.bytes, "A blind signature"));
  const signature = fromBigInt((value * inverse) % key.n, key.bytes);
  if (value < key.n && (await verify(key, message, signature, null))) return signature;
  throw new CodecError("bad-signature", "The site's signature does not verify under its published key.");
}

/**
 * RFC 8017 section 8.1.2, with a salt of `saltSize` bytes; null: of any size.
 * @param {PublicKey} key @param {Uint8Array} message @param {Uint8Array} signature @param {number | null} [saltSize]
 */
export async function verify(key, message, signature, saltSize = HASH) {
  const value = toBigInt(signature);
  if (signature.length !== key.bytes || value >= key.n) return false;
  const bits = key.bits - 1;
  const block = fromBigInt(power(value, key), key.bytes).subarray(key.bytes - Math.ceil(bits / 8));
  const opened = await mask(block.subarray(0, -HASH - 1), block.subarray(-HASH - 1, -1), bits);
  const salt = opened.subarray(opened.findIndex(Boolean) + 1);
  // To encode what was recovered again checks all the rest: hash, padding, trailer.
  return salt.length < opened.length && salt.length === (saltSize ?? salt.length) &&
    equal(block, await encode(await sha384(message), salt, bits));
}

/** EMSA-PSS-ENCODE (RFC 8017 section 9.1.1). @param {Uint8Array} hash @param {Uint8Array} salt @param {number} bits */
async function encode(hash, salt, bits) {
  const digest = await sha384(concat(new Uint8Array(8), hash, salt));
  const zeros = new Uint8Array(Math.ceil(bits / 8) - salt.length - HASH - 2);
  return concat(await mask(concat(zeros, Uint8Array.of(1), salt), digest, bits), digest, Uint8Array.of(0xbc));
}

/** With MGF1 (RFC 8017 appendix B.2.1). @param {Uint8Array} block @param {Uint8Array} seed @param {number} bits */
async function mask(block, seed, bits) {
  const counters = Array.from({ length: Math.ceil(block.length / HASH) }, (_, i) => Uint8Array.of(0, 0, 0, i));
  const bytes = concat(...(await Promise.all(counters.map((counter) => sha384(concat(seed, counter))))));
  const result = block.map((byte, i) => byte ^ bytes[i]);
  result[0] &= 0xff >> (-bits & 7);
  return result;
}

/** @param {bigint} base @param {PublicKey} key */
function power(base, { n, e }) {
  let result = 1n;
  for (const bit of e.toString(2)) result = (result * result * (bit === "1" ? base : 1n)) % n;
  return result;
}

/** By Euclid. @param {bigint} r @param {bigint} n */
function invert(r, n) {
  let [a, b, x, y] = [n, r, 0n, 1n];
  while (b > 0n) {
    const quotient = a / b;
    [a, b, x, y] = [b, a - quotient * b, y, x - quotient * y];
  }
  if (a !== 1n || r >= n) throw new RangeError("The blinding factor must be invertible modulo n; draw another.");
  return x < 0n ? x + n : x;
}
