// Byte strings and their one accepted spelling each, as in miner/tokens/codec.py.

import { CodecError } from "./errors.js";

/** @param {Uint8Array} bytes */
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * `size` bytes, or any number, of lower-case hex. Throws CodecError: wrong-type, malformed-hex, wrong-size.
 * @param {unknown} text @param {number} [size] @param {string} [name] what the message calls it
 */
export function fromHex(text, size, name = "The value") {
  const pairs = spelt(text, /^([0-9a-f]{2})*$/, "hex", name).match(/../g) ?? [];
  return sized(Uint8Array.from(pairs, (pair) => parseInt(pair, 16)), size, name);
}

/** Without padding (RFC 4648 section 5). @param {Uint8Array} bytes */
export function toBase64url(bytes) {
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const BASE64URL = /^([\w-]{4})*([\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;

/**
 * The same for canonical base64url; malformed-base64.
 * @param {unknown} text @param {number} [size] @param {string} [name]
 */
export function fromBase64url(text, size, name = "The value") {
  const binary = atob(spelt(text, BASE64URL, "base64", name).replaceAll("-", "+").replaceAll("_", "/"));
  return sized(Uint8Array.from(binary, (letter) => letter.charCodeAt(0)), size, name);
}

/** @param {unknown} text @param {RegExp} pattern @param {string} kind @param {string} name */
function spelt(text, pattern, kind, name) {
  if (typeof text !== "string") throw new CodecError("wrong-type", `${name} must be a string of ${kind}.`);
  if (!pattern.test(text)) throw new CodecError(`malformed-${kind}`, `${name} must be canonical ${kind}.`);
  return text;
}

/** @param {Uint8Array} bytes @param {number | undefined} size @param {string} name */
export function sized(bytes, size, name) {
  if (bytes.length === (size ?? bytes.length)) return bytes;
  throw new CodecError("wrong-size", `${name} must be ${size} bytes, not ${bytes.length}.`);
}

/** @param {string} text */
export const utf8 = (text) => new TextEncoder().encode(text);

/** Throws TypeError for what is not UTF-8. @param {Uint8Array} bytes */
export const fromUtf8 = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);

/** @param {Uint8Array[]} parts */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

/** @param {Uint8Array} a @param {Uint8Array} b */
export const equal = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** Big-endian. @param {Uint8Array} bytes */
export const toBigInt = (bytes) => BigInt(`0x0${toHex(bytes)}`);

/** `size` bytes, big-endian. @param {bigint} value not negative, below 256^size @param {number} size */
export const fromBigInt = (value, size) => fromHex(value.toString(16).padStart(2 * size, "0"), size, "The number");
