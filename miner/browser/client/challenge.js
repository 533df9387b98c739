// Reading `WWW-Authenticate`, and the Payment scheme in it. Contracts stand in ./types.d.ts.

import { fromBase64url } from "../bytes.js";
import { decode, fields, nonsense } from "./answers.js";
import { parseAmount } from "./booking.js";

/** @import { Challenge, Challenges } from "./types" */

const HEADERS = ["Authorization", "Payment-Authorization"];
const ECHO = ["id", "realm", "method", "intent", "request", "expires", "digest", "opaque", "header", "description"];
const SCHEME = /([!#$%&'*+\-.^_`|~\w]+)(?:[ \t]+|(?=,)|$)/y;
const PARAMETER = /([!#$%&'*+\-.^_`|~\w]+)[ \t]*=[ \t]*(?:([!#$%&'*+\-.^_`|~\w]+)|"([^"\\]*(?:\\.[^"\\]*)*)")[ \t]*(?=,|$)/y;
const TOKEN68 = /[\w\-.~+/]+=*[ \t]*(?=,|$)/y;
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** @type {Challenges["findChallenge"]} */
export function findChallenge(field) {
  for (const [scheme, parameters] of parseChallenges(field)) {
    const { method, intent = "charge", header = HEADERS[0] } = parameters;
    if (scheme === "payment" && method === "ticket" && intent === "charge" && HEADERS.includes(header)) return readChallenge(parameters);
  }
  return null;
}

/** @type {Challenges["parseChallenges"]} */
export function parseChallenges(field) {
  let at = 0;
  /** @param {RegExp} pattern */
  const match = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(field);
    if (found) at = pattern.lastIndex;
    return found;
  };
  /** @type {[string, Record<string, string>][]} */
  const challenges = [];
  for (match(/[ \t,]*/y); at < field.length; match(/[ \t,]*/y)) {
    const scheme = match(SCHEME)?.[1].toLowerCase();
    if (!scheme) {
      match(/[^,]*/y); // not a challenge: on behind the next comma
      continue;
    }
    /** @type {Record<string, string>} */
    const parameters = Object.create(null);
    let found = match(PARAMETER);
    let distinct = true;
    if (!found) match(TOKEN68);
    for (; found; found = match(PARAMETER)) {
      const name = found[1].toLowerCase();
      distinct &&= !(name in parameters);
      parameters[name] = found[2] ?? found[3].replace(/\\(.)/g, "$1");
      match(/[ \t,]*/y);
    }
    if (distinct) challenges.push([scheme, parameters]);
  }
  return challenges;
}

/** @param {Record<string, string>} parameters @returns {Challenge} */
function readChallenge(parameters) {
  const { id, realm, intent, expires = null, digest = null } = parameters;
  const request = fields(decode(fromBase64url(parameters.request, undefined, "request"), "The request for payment"), "request");
  const amount = parseAmount(request.members.amount);
  if (!id || !realm || !intent || request.members.currency !== "ticket" || !amount || (expires !== null && !DATE.test(expires))) {
    throw nonsense("the request for payment names no amount of tickets, or lacks something.");
  }
  const details = request.nested("methodDetails");
  return {
    amount,
    recipient: request.text("recipient", 255),
    redeem: details.text("redeem", 512),
    service: details.optional("service", details.path),
    expires: expires === null ? null : Math.floor(Date.parse(expires) / 1000),
    digest,
    echo: Object.fromEntries(ECHO.filter((name) => name in parameters).map((name) => [name, parameters[name]])),
  };
}
