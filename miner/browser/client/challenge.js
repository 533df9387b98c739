// Reading `WWW-Authenticate`: any mixture of challenges (RFC 9110 section 11), and the Payment scheme among them.

import { fromBase64url } from "../bytes.js";
import { decode, nested, nonsense, path, text } from "./answers.js";
import { amountOf } from "./booking.js";

/**
 * A request for payment: `amount` in tickets, `recipient` the issuer name, `redeem` and `service` paths on the site, `expires` in
 * Unix seconds; `echo` is what the credential repeats.
 * @typedef {{amount: number, recipient: string, redeem: string, service: string | null, expires: number | null, digest: string | null,
 *   echo: Record<string, string>}} Challenge
 */

const HEADERS = ["Authorization", "Payment-Authorization"];
const ECHO = ["id", "realm", "method", "intent", "request", "expires", "digest", "opaque", "header", "description"];
const WORD = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const SCHEME = new RegExp(`(${WORD})(?:[ \\t]+|(?=,)|$)`, "y");
const PARAMETER = new RegExp(`(${WORD})[ \\t]*=[ \\t]*(?:(${WORD})|"([^"\\\\]*(?:\\\\.[^"\\\\]*)*)")[ \\t]*(?=,|$)`, "y");
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*[ \t]*(?=,|$)/y;
const SPACE = /[ \t,]*/y;

/** The first request for tickets in the field, null when there is none; throws SiteProtocolError where it is nonsense. @param {string} field */
export function findChallenge(field) {
  for (const [scheme, parameters] of parseChallenges(field)) {
    const { method, intent = "charge", header = HEADERS[0] } = parameters;
    if (scheme === "payment" && method === "ticket" && intent === "charge" && HEADERS.includes(header)) return readChallenge(parameters);
  }
  return null;
}

/**
 * Lower-case scheme and parameters (lower-case names) of each challenge; one that repeats a parameter is left out.
 * @param {string} field @returns {[string, Record<string, string>][]}
 */
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
  match(SPACE);
  while (at < field.length) {
    const scheme = match(SCHEME);
    if (!scheme) {
      const comma = field.indexOf(",", at);
      at = comma < 0 ? field.length : comma;
    } else {
      /** @type {Record<string, string>} */
      const parameters = Object.create(null);
      let distinct = true;
      let found = match(PARAMETER);
      if (!found) match(TOKEN68);
      for (; found; found = match(PARAMETER)) {
        const name = found[1].toLowerCase();
        distinct &&= !(name in parameters);
        parameters[name] = found[2] ?? found[3].replace(/\\(.)/g, "$1");
        match(SPACE);
      }
      if (distinct) challenges.push([scheme[1].toLowerCase(), parameters]);
    }
    match(SPACE);
  }
  return challenges;
}

/** @param {Record<string, string>} parameters @returns {Challenge} */
function readChallenge(parameters) {
  for (const name of ["id", "realm", "method", "intent", "request"]) {
    if (!(name in parameters)) throw nonsense(`the request for payment lacks ${name}.`);
  }
  const request = decode(fromBase64url(parameters.request, undefined, "request"), "The request for payment");
  const amount = amountOf(request);
  if (request.currency !== "ticket" || !amount) throw nonsense("the request for payment names another currency, or nothing to pay.");
  const details = nested(request, "methodDetails", "request");
  const { expires, digest = null } = parameters;
  if (expires !== undefined && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(expires)) {
    throw nonsense("the request for payment expires at no date.");
  }
  return {
    amount,
    recipient: text(request, "recipient", "request", 255),
    redeem: text(details, "redeem", "methodDetails", 512),
    service: "service" in details ? path(details, "service", "methodDetails") : null,
    expires: expires === undefined ? null : Math.floor(Date.parse(expires) / 1000),
    digest,
    echo: Object.fromEntries(ECHO.filter((name) => name in parameters).map((name) => [name, parameters[name]])),
  };
}
