// SHA-2 and HMAC-SHA512: crypto.subtle where it exists, our own code where it does not (plain http).

import { concat } from "../bytes.js";

/** `own` is set by tests to take our own code in a secure context too. */
export const hashing = { own: !globalThis.crypto?.subtle };

/** @param {"SHA-256" | "SHA-384" | "SHA-512"} name @param {Uint8Array} data @returns {Promise<Uint8Array>} */
async function digest(name, data) {
  if (hashing.own) return (await import("./sha2.js")).digest(name, data);
  return new Uint8Array(await crypto.subtle.digest(name, /** @type {Uint8Array<ArrayBuffer>} */ (data)));
}

/** 32 bytes. @param {Uint8Array} data */
export const sha256 = (data) => digest("SHA-256", data);
/** 48 bytes. @param {Uint8Array} data */
export const sha384 = (data) => digest("SHA-384", data);
/** 64 bytes. @param {Uint8Array} data */
export const sha512 = (data) => digest("SHA-512", data);

/** 64 bytes (RFC 2104). @param {Uint8Array} key @param {Uint8Array} data */
export async function hmacSha512(key, data) {
  const block = new Uint8Array(128);
  block.set(key.length > 128 ? await sha512(key) : key);
  const inner = await sha512(concat(block.map((byte) => byte ^ 0x36), data));
  return sha512(concat(block.map((byte) => byte ^ 0x5c), inner));
}
