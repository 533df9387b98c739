// Reading a site's answers strictly: what is not as the protocol says is refused by name, never guessed at.

import { fromUtf8 } from "../bytes.js";
import { SiteProtocolError, SiteRefused } from "../errors.js";

/** @typedef {Record<string, unknown>} Members */
/** @typedef {{status: number, headers: Headers, body: Uint8Array}} Reply one complete answer */

const JSON_TYPES = ["application/json", "application/problem+json", "application/private-token-issuer-directory"];
const UNSEEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_C}]+/gu;
const STRINGS = /"[^"\\]*(?:\\.[^"\\]*)*"/g;

/** The error for an answer that breaks the protocol. @param {string} what */
export const nonsense = (what) =>
  new SiteProtocolError(
    `The site answered nonsense: ${what} Nothing was lost. If this does not pass, tell the site's operator.`,
  );

/** @param {Reply} reply */
export const mediaType = (reply) => (reply.headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();

/** @param {Reply} reply */
export const isOk = (reply) => reply.status >= 200 && reply.status < 300;

/** @param {unknown} value @returns {value is Members} */
export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** The JSON object of a 2xx reply; throws SiteRefused, SiteProtocolError. @param {Reply} reply @param {string} name */
export function read(reply, name) {
  if (!isOk(reply)) throw refusal(reply);
  if (!JSON_TYPES.includes(mediaType(reply))) throw nonsense(`${name} is not JSON by its media type.`);
  return decode(reply.body, name);
}

/** The JSON object in UTF-8 `data`: no fractions. Members named twice cannot be seen here. @param {Uint8Array} data @param {string} name */
export function decode(data, name) {
  try {
    const source = fromUtf8(data);
    const value = JSON.parse(source);
    if (isObject(value) && !/\d[.eE]/.test(source.replace(STRINGS, "0"))) return value;
  } catch {}
  throw nonsense(`${name} is not one JSON object with whole numbers.`);
}

/** What `reply`, which is not 2xx, amounts to. @param {Reply} reply */
export function refusal({ status, headers, body }) {
  /** @type {Members} */
  let problem = {};
  try {
    if (JSON_TYPES.includes(mediaType({ status, headers, body }))) problem = decode(body, "The refusal");
  } catch {}
  const cause = typeof problem.cause === "string" && /^[a-z0-9][a-z0-9-]{0,63}$/.test(problem.cause) ? problem.cause : `http-${status}`;
  let detail = typeof problem.detail === "string" ? printable(problem.detail, 500) : "";
  if (!detail && status < 400) detail = "It redirects elsewhere, and tickets are never taken along. Load the page again.";
  if (!detail) detail = `HTTP status ${status} without an explanation. Try again later.`;
  const after = /^\s*(\d{1,9})\s*$/.exec(headers.get("retry-after") ?? "");
  return new SiteRefused(status, cause, detail, { retryAfter: after && Math.min(+after[1], 86_400), body: problem });
}

/** `text` without control and direction characters, at most `limit` long. @param {string} text */
export function printable(text, limit = 200) {
  const clean = text.replace(UNSEEN, " ").trim();
  return clean.length <= limit ? clean : `${clean.slice(0, limit - 1)}…`.replace(UNSEEN, "");
}

/** @param {Members} members @param {string} key @param {string} name */
export function text(members, key, name, limit = 4096) {
  const value = members[key];
  if (typeof value === "string" && value.length <= limit) return value;
  throw nonsense(`${name}.${key} is not a string of at most ${limit} characters.`);
}

/** @param {Members} members @param {string} key @param {string} name */
export function integer(members, key, name, low = 0, high = Number.MAX_SAFE_INTEGER) {
  const value = members[key];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= low && value <= high) return value;
  throw nonsense(`${name}.${key} is not an integer from ${low} to ${high}.`);
}

/** @param {Members} members @param {string} key @param {string} name @param {number} most @returns {unknown[]} */
export function items(members, key, name, most) {
  const value = members[key];
  if (Array.isArray(value) && value.length <= most) return value;
  throw nonsense(`${name}.${key} is not a list of at most ${most} items.`);
}

/** @param {Members} members @param {string} key @param {string} name @param {number} most */
export function objects(members, key, name, most) {
  const value = items(members, key, name, most);
  if (value.every(isObject)) return value;
  throw nonsense(`${name}.${key} is not a list of objects.`);
}

/** @param {Members} members @param {string} key @param {string} name */
export function nested(members, key, name) {
  const value = members[key];
  if (isObject(value)) return value;
  throw nonsense(`${name}.${key} is not an object.`);
}

/** A path on the same origin, never an address elsewhere. @param {Members} members @param {string} key @param {string} name */
export function path(members, key, name) {
  const value = text(members, key, name, 512);
  if (/^\/(?:[\w.~!$&'()*+,;=:@%{}-]+(?:\/[\w.~!$&'()*+,;=:@%{}-]*)*)?$/.test(value) && !value.includes("/../")) return value;
  throw nonsense(`${name}.${key} is not a path on the site.`);
}
