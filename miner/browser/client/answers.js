// Reading a site's answers strictly. Contracts: ./types.d.ts.

import { fromHex, fromUtf8 } from "../bytes.js";
import { SiteProtocolError, SiteRefused, SiteUnreachable } from "../errors.js";

/** @import { Answers, Fields, Members, Reply } from "./types" */

const JSON_TYPES = ["application/json", "application/problem+json", "application/private-token-issuer-directory"];
const PATH = /^\/(?:[\w.~!$&'()*+,;=:@%{}-]+(?:\/[\w.~!$&'()*+,;=:@%{}-]*)*)?$/;

/** @type {Answers["nonsense"]} */
export const nonsense = (what) =>
  new SiteProtocolError(`The site answered nonsense: ${what} Nothing was lost; try again later.`);

/** @type {Answers["loaded"]} */
export const loaded = (module) =>
  module.catch(() => {
    throw new SiteUnreachable("A part of this page could not be loaded. Check the connection and try again.");
  });

/** @param {Reply} reply */
export const isOk = ({ status }) => status >= 200 && status < 300;

/** @param {Reply} reply */
export const mediaType = ({ headers }) => (headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();

/** @type {Answers["isObject"]} */
export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @type {Answers["read"]} */
export function read(reply, name) {
  if (!isOk(reply)) throw refusal(reply);
  return decode(JSON_TYPES.includes(mediaType(reply)) ? reply.body : new Uint8Array(), name);
}

/** @type {Answers["decode"]} */
export function decode(data, name) {
  try {
    const source = fromUtf8(data);
    const value = JSON.parse(source);
    if (isObject(value) && !/\d[.e]/i.test(source.replace(/"[^"\\]*(?:\\.[^"\\]*)*"/g, ""))) return value;
  } catch {}
  throw nonsense(`${name} is not one JSON object with whole numbers.`);
}

/** @type {Answers["refusal"]} */
export function refusal({ status, headers, body }) {
  /** @type {Members} */
  let problem = {};
  try {
    problem = read({ status: 200, headers, body }, "");
  } catch {}
  const cause = `${problem.cause}`;
  const unsaid =
    status < 400 ? "It redirects, and tickets are never taken along. Load the page again." : "Try again later.";
  const after = /^\d{1,9}$/.exec(headers.get("retry-after") ?? "");
  const retryAfter = after && Math.min(Number(after[0]), 86_400);
  const known = problem.cause && /^[a-z\d][a-z\d-]{0,63}$/.test(cause) ? cause : `http-${status}`;
  return new SiteRefused(status, known, printable(problem.detail, 500) || unsaid, { retryAfter, body: problem });
}

/** @type {Answers["printable"]} */
export const printable = (text, limit = 200) =>
  `${text ?? ""}`
    .replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_C}]+/gu, " ")
    .trim()
    .slice(0, limit)
    .replace(/\p{Cs}/u, "");

/** @type {Answers["fields"]} */
export function fields(members, name) {
  /** @param {string} key @param {string} what @param {(value: any) => unknown} holds @returns {any} */
  const get = (key, what, holds) => {
    if (holds(members[key])) return members[key];
    throw nonsense(`${name}.${key} is not ${what}.`);
  };
  /** @type {Fields} */
  const reader = {
    members,
    text: (key, limit = 4096) =>
      get(key, "a short text", (value) => typeof value === "string" && value.length <= limit),
    integer: (key, low = 0, high = Number.MAX_SAFE_INTEGER) =>
      get(key, `from ${low} to ${high}`, (value) => Number.isSafeInteger(value) && value >= low && value <= high),
    hex: (key, size) => fromHex(members[key], size, `${name}.${key}`),
    items: (key, most) =>
      get(key, `a list of at most ${most}`, (value) => Array.isArray(value) && value.length <= most),
    objects: (key, most, read) =>
      reader.items(key, most).map((item) => read(fields({ [key]: item }, name).nested(key))),
    nested: (key) => fields(get(key, "an object", isObject), key),
    path: (key) => get(key, "a path here", (value) => PATH.test(reader.text(key, 512)) && !value.includes("/../")),
    optional: (key, read) => (members[key] == null ? null : read(key)),
  };
  return reader;
}
