// What a site says about itself: its service document and its directory. Contracts: ./types.d.ts.

import { fromBase64url, toHex } from "../bytes.js";
import { publicKey } from "../tokens/rsabssa.js";
import { tokenKeyId } from "../tokens/structures.js";
import { DENOMINATIONS } from "../wallet/selection.js";
import { fields, nonsense, printable } from "./answers.js";

/** @import { Fields, Services } from "./types" */

const MAX_KEYS = 512;
const DAY = 86_400;
const LATEST = 2 ** 42; // what is beyond has no date

/** @type {Services["readService"]} */
export function readService(members) {
  const service = fields(members, "service");
  if (members.service !== "ticketminer" || members.version !== 1)
    throw nonsense("this is no service document of version 1.");
  const offered = new Set(service.items("denominations", DENOMINATIONS.length));
  const denominations = DENOMINATIONS.filter((value) => offered.delete(value));
  if (!denominations.length || offered.size) throw nonsense("denominations are powers of two from 1 to 512.");
  const [limits, consent, links] = ["limits", "consent", "links"].map(service.nested);
  /** Never above what this program handles. @param {string} key @param {number} ours */
  const limit = (key, ours) => Math.min(limits.integer(key, 1), ours);
  /** `hole`: what stands in it for something else. @param {string} key @param {string} [hole] */
  const link = (key, hole = "") => {
    const path = links.path(key);
    if (/[{}]/.test(path.replace(hole, "")) || !path.includes(hole))
      throw nonsense(`links.${key} has a wrong placeholder.`);
    return path;
  };
  /** @param {string} key */
  const ofAlgorithm = (key) => link(key, "{algorithm}");
  return {
    siteName: service.text("site_name", 255),
    denominations,
    algorithms: service.objects("algorithms", 64, ({ text, integer }) => ({
      name: text("algorithm", 64),
      expectedHashes: integer("expected_hashes", 1, 2 ** 52),
      work: text("work", 64),
    })),
    limits: {
      inputs: limit("inputs", 64),
      outputs: limit("outputs", 32),
      body: limit("body", 65_536),
      restore: limit("restore", 256),
      jobValue: limit("job_value", 512),
    },
    consent: { version: consent.text("version", 255), text: printable(consent.text("text", 20_000), 20_000) },
    funds: service.objects("funds", 1000, ({ text, integer }) => ({
      name: text("fund", 255),
      title: printable(text("title", 1000), 1000),
      minimum: integer("minimum", 0, 2 ** 31 - 1),
      default: integer("default", 0, 2 ** 31 - 1),
    })),
    links: {
      job: link("job"),
      submit: link("submit"),
      redeem: link("redeem"),
      keys: link("keys"),
      restore: link("restore"),
      donate: link("donate"),
      spent: link("spent", "{key_id}"),
      tip: links.optional("tip", ofAlgorithm),
      tipEvents: links.optional("tip_events", ofAlgorithm),
    },
  };
}

/** @type {Services["readDirectory"]} */
export async function readDirectory(members) {
  const keys = await Promise.all(fields(members, "directory").objects("token-keys", MAX_KEYS, readKey));
  return keys.flatMap((key) => key ?? []);
}

/** @param {Fields} entry */
async function readKey({ members, integer, text, hex }) {
  if (members["token-type"] !== 2) return null;
  const spki = fromBase64url(members["token-key"], undefined, "token-key");
  publicKey(spki);
  const dates = ["not-before", "issue-until", "redeem-until"];
  const [notBefore, issueUntil, redeemUntil] = dates.map((key) => integer(key, 0, LATEST));
  const [keyId, value, issuerName] = [toHex(hex("key-id", 32)), integer("value"), text("issuer-name", 255)];
  const dated = notBefore < issueUntil && issueUntil <= redeemUntil && notBefore % DAY === 0 && issueUntil % DAY === 0;
  if (toHex(await tokenKeyId(spki)) !== keyId || !DENOMINATIONS.includes(value) || !issuerName || !dated) {
    throw nonsense("a key in the directory has no valid id, value, name or dates.");
  }
  return { keyId, value, notBefore, issueUntil, redeemUntil, issuerName, spki };
}
