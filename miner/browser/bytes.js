// Byte strings and their one accepted spelling each, as miner/tokens/codec.py has them.

import { CodecError } from "./errors.js";

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

/** Lower case. @param {Uint8Array} bytes */
export function toHex(bytes) {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/**
 * Bytes of lower-case hex, exactly `size` when given. Throws CodecError: wrong-type, malformed-hex, wrong-size.
 * @param {unknown} text @param {number} [size] @param {string} [name] begins the message
 */
export function fromHex(text, size, name = "The value") {
  if (typeof text !== "string") throw new CodecError("wrong-type", `${name} must be a string of hexadecimal digits.`);
  if (text.length % 2 || !/^[0-9a-f]*$/.test(text)) {
    throw new CodecError("malformed-hex", `${name} must be lower-case hexadecimal, two digits a byte.`);
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return sized(bytes, size, name);
}

/** Unpadded (RFC 4648 section 5). @param {Uint8Array} bytes */
export function toBase64url(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replace(/[+/=]/g, (sign) => (sign === "+" ? "-" : sign === "/" ? "_" : ""));
}

/**
 * Bytes of canonical, unpadded base64url, exactly `size` when given. Throws CodecError: wrong-type, malformed-base64,
 * wrong-size.
 * @param {unknown} text @param {number} [size] @param {string} [name] begins the message
 */
export function fromBase64url(text, size, name = "The value") {
  if (typeof text !== "string") throw new CodecError("wrong-type", `${name} must be a string of base64url.`);
  if (text.length % 4 === 1 || !/^[\w-]*$/.test(text)) {
    throw new CodecError("malformed-base64", `${name} must be base64url (RFC 4648 section 5) without padding.`);
  }
  const bytes = Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  if (toBase64url(bytes.subarray(-(bytes.length % 3) || bytes.length)) !== text.slice(text.length - (text.length % 4))) {
    throw new CodecError("malformed-base64", `${name} is not canonical base64url: its last character has stray bits.`);
  }
  return sized(bytes, size, name);
}

/** @template {Uint8Array} T @param {T} bytes @param {number | undefined} size @param {string} name */
export function sized(bytes, size, name) {
  if (size !== undefined && bytes.length !== size) {
    throw new CodecError("wrong-size", `${name} must be ${size} bytes, not ${bytes.length}.`);
  }
  return bytes;
}

/** @param {string} text */
export const utf8 = (text) => new TextEncoder().encode(text);

/** @param {Uint8Array} bytes strict UTF-8, without a byte order mark; throws TypeError */
export const fromUtf8 = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);

/** @param {Uint8Array[]} parts */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** @param {Uint8Array} a @param {Uint8Array} b */
export const equal = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** Big-endian. @param {Uint8Array} bytes */
export const toBigInt = (bytes) => BigInt(`0x0${toHex(bytes)}`);

/** `size` bytes, big-endian; throws CodecError when the number needs more. @param {bigint} value @param {number} size */
export const fromBigInt = (value, size) => fromHex(value.toString(16).padStart(2 * size, "0"), size, "The number");
