// SHA-2 and HMAC: crypto.subtle, and our own code where there is none (plain http).

import { concat } from "../bytes.js";

/** @param {"SHA-256" | "SHA-384" | "SHA-512"} name @param {Uint8Array} data @returns {Promise<Uint8Array>} */
async function digest(name, data) {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) return (await import("./sha2.js")).digest(name, data);
  return new Uint8Array(await subtle.digest(name, /** @type {BufferSource} */ (data)));
}

/** @param {Uint8Array} data */
export const sha256 = (data) => digest("SHA-256", data);
/** @param {Uint8Array} data */
export const sha384 = (data) => digest("SHA-384", data);
/** @param {Uint8Array} data */
export const sha512 = (data) => digest("SHA-512", data);

/** RFC 2104. @param {Uint8Array} key @param {Uint8Array} data */
export async function hmacSha512(key, data) {
  const block = new Uint8Array(128);
  block.set(key.length > 128 ? await sha512(key) : key);
  const inner = await sha512(concat(block.map((byte) => byte ^ 0x36), data));
  return sha512(concat(block.map((byte) => byte ^ 0x5c), inner));
}
