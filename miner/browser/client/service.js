// What a site says about itself: its service document and its directory of ticket keys.

import { fromBase64url, fromHex, toHex } from "../bytes.js";
import { publicKey } from "../tokens/rsabssa.js";
import { tokenKeyId } from "../tokens/structures.js";
import { DENOMINATIONS } from "../wallet/selection.js";
import { integer, items, nested, nonsense, objects, path, printable, text } from "./answers.js";

/** @import { Service, TicketKey } from "../types" */
/** @import { Members } from "./answers.js" */

const MAX_KEYS = 512;
const MAX_AMOUNT = 2 ** 31 - 1;
const LIMITS = { inputs: 64, outputs: 32, body: 65_536, restore: 256, job_value: 512 };
const LINKS = /** @type {const} */ (["job", "submit", "redeem", "keys", "restore", "donate", "spent"]);

/** The service document in `members`; throws SiteProtocolError. @param {Members} members @returns {Service} */
export function readService(members) {
  if (members.service !== "ticketminer") throw nonsense("this is not a ticket site's service document.");
  if (members.version !== 1) throw nonsense("the service document is not of version 1; load the page again.");
  const denominations = /** @type {number[]} */ (items(members, "denominations", "service", DENOMINATIONS.length));
  if (!denominations.length || !denominations.every((value) => DENOMINATIONS.includes(value))) {
    throw nonsense("denominations are powers of two from 1 to 512.");
  }
  const consent = nested(members, "consent", "service");
  const offered = nested(members, "limits", "service");
  /** @param {keyof typeof LIMITS} name */
  const limit = (name) => Math.min(integer(offered, name, "limits", 1), LIMITS[name]);
  return {
    siteName: text(members, "site_name", "service", 255),
    denominations: [...new Set(denominations)].sort((a, b) => a - b),
    algorithms: objects(members, "algorithms", "service", 64).map((item) => ({
      name: text(item, "algorithm", "algorithms", 64),
      expectedHashes: integer(item, "expected_hashes", "algorithms", 1, 2 ** 52),
      work: text(item, "work", "algorithms", 64),
    })),
    limits: {
      inputs: limit("inputs"),
      outputs: limit("outputs"),
      body: limit("body"),
      restore: limit("restore"),
      jobValue: limit("job_value"),
    },
    consent: { version: text(consent, "version", "consent", 255), text: printable(text(consent, "text", "consent", 20_000), 20_000) },
    funds: objects(members, "funds", "service", 1000).map((item) => ({
      name: text(item, "fund", "funds", 255),
      title: printable(text(item, "title", "funds", 1000), 1000),
      minimum: integer(item, "minimum", "funds", 0, MAX_AMOUNT),
      default: integer(item, "default", "funds", 0, MAX_AMOUNT),
    })),
    links: readLinks(nested(members, "links", "service")),
  };
}

/** @param {Members} members @returns {Service["links"]} */
function readLinks(members) {
  const links = /** @type {Service["links"]} */ (Object.fromEntries(LINKS.map((name) => [name, path(members, name, "links")])));
  const places = LINKS.filter((name) => /[{}]/.test(links[name]));
  if (places.join() !== "spent" || links.spent.split("{key_id}").length !== 2) throw nonsense("a link has a wrong placeholder.");
  return links;
}

/** The ticket keys in `members`, in their order; other token types are passed over. Throws SiteProtocolError. @param {Members} members */
export function readDirectory(members) {
  const entries = objects(members, "token-keys", "directory", MAX_KEYS);
  return Promise.all(entries.filter((entry) => entry["token-type"] === 2).map(readKey));
}

/** @param {Members} entry @returns {Promise<TicketKey>} */
async function readKey(entry) {
  const name = "token-keys";
  const spki = fromBase64url(entry["token-key"], undefined, "token-key");
  publicKey(spki);
  const keyId = toHex(fromHex(entry["key-id"], 32, "key-id"));
  if (toHex(await tokenKeyId(spki)) !== keyId) throw nonsense("a key's id in the directory is not the hash of the key.");
  const value = integer(entry, "value", name, 1, 512);
  const issuerName = text(entry, "issuer-name", name, 255);
  const [notBefore, issueUntil, redeemUntil] = ["not-before", "issue-until", "redeem-until"].map((key) => integer(entry, key, name));
  if (!DENOMINATIONS.includes(value) || !issuerName || notBefore >= issueUntil || issueUntil > redeemUntil) {
    throw nonsense("a key in the directory has no valid value, name or dates.");
  }
  if (notBefore % 86_400 || issueUntil % 86_400) throw nonsense("a key's epoch does not begin and end at midnight UTC.");
  return { keyId, value, notBefore, issueUntil, redeemUntil, issuerName, spki };
}

/** Whether the site makes new tickets with `key` at `now`. @param {TicketKey} key @param {number} now */
export const issues = (key, now) => key.notBefore <= now && now < key.issueUntil;
