// Reading `WWW-Authenticate`, and the Payment scheme in it. Contracts: ./types.d.ts.

import { fromBase64url } from "../bytes.js";
import { decode, fields, nonsense } from "./answers.js";
import { parseAmount } from "./booking.js";

/** @import { Challenge, Challenges } from "./types" */

const HEADERS = ["Authorization", "Payment-Authorization"];
const ECHO = ["id", "realm", "method", "intent", "request", "expires", "digest", "opaque", "header", "description"];
const WORD = "([!#$%&'*+.^`|~\\w-]+)";
/** A parameter (name, word or quoted text), a scheme (with a token68), or what is neither, up to the next comma. */
const PART = new RegExp(
  `[ \\t,]*(?:${WORD}[ \\t]*=[ \\t]*(?:${WORD}|"([^"\\\\]*(?:\\\\.[^"\\\\]*)*)")[ \\t]*(?=,|$)|` +
    `${WORD}(?:[ \\t]+([\\w.~+/-]+=*[ \\t]*(?=,|$))?|(?=,)|$)|[^,]+)`,
  "gy",
);
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** @type {Challenges["findChallenge"]} */
export function findChallenge(field) {
  for (const [scheme, parameters] of parseChallenges(field)) {
    const { method, intent = "charge", header = HEADERS[0] } = parameters;
    if (scheme === "payment" && method === "ticket" && intent === "charge" && HEADERS.includes(header))
      return readChallenge(parameters);
  }
  return null;
}

/** Whose the parameters are that belong to no scheme. @returns {[string, Record<string, string>]} */
const nobody = () => ["", {}];

/** @type {Challenges["parseChallenges"]} */
export function parseChallenges(field) {
  const challenges = [nobody()];
  for (const [, name, word, quoted, scheme = "", token68] of field.matchAll(PART)) {
    const last = challenges[challenges.length - 1];
    if (!name) challenges.push([scheme.toLowerCase(), Object.create(null)], ...(token68 ? [nobody()] : []));
    else if (name.toLowerCase() in last[1]) last[0] = "";
    else last[1][name.toLowerCase()] = word ?? quoted.replace(/\\(.)/g, "$1");
  }
  return challenges.filter(([scheme]) => scheme);
}

/** @param {Record<string, string>} parameters @returns {Challenge} */
function readChallenge(parameters) {
  const { id, realm, intent, expires = null, digest = null } = parameters;
  const request = fields(
    decode(fromBase64url(parameters.request, undefined, "request"), "The request for payment"),
    "request",
  );
  const amount = parseAmount(request.members.amount);
  if (
    !id ||
    !realm ||
    !intent ||
    request.members.currency !== "ticket" ||
    !amount ||
    (expires !== null && !DATE.test(expires))
  ) {
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
