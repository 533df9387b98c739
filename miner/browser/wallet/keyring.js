// Pinned ticket keys: what a site's directory said first is what it has to keep saying.

import { equal } from "../bytes.js";
import { KeyMismatch } from "../errors.js";
import { got, under } from "./store.js";

/** @import { TicketKey } from "../types" */
/** @import { OutputRow, Tables, TicketRow } from "./types" */

/** Entries of a directory, and living keys of one site. */
const MAX_KEYS = 512;
/** Seconds for which a key stays pinned after its tickets have expired. */
const KEPT_AFTER_END = 30 * 86_400;

/**
 * Pin `keys`, and forget those that ended long before `now` and that nothing here needs. Throws KeyMismatch.
 * @param {Tables} tables @param {TicketKey[]} keys @param {number} now
 */
export async function pin(tables, keys, now) {
  /** @type {Map<string, TicketKey>} */
  const pinned = new Map();
  for (const key of await got(tables.keys.getAll())) {
    if (key.redeemUntil > now - KEPT_AFTER_END || !(await forgotten(tables, key))) pinned.set(key.keyId, key);
  }
  for (const key of keys) {
    const known = pinned.get(key.keyId);
    if (known && !same(known, key)) throw mismatch("has changed a ticket key, which never happens to published ones");
    if (!known) tables.keys.put(key);
    pinned.set(key.keyId, key);
  }
  checkPeriods(pinned.values());
  if (pinned.size > MAX_KEYS) throw mismatch(`has more than ${MAX_KEYS} ticket keys: that tells its visitors apart`);
}

/** Let no two keys make tickets of one value at the same time; throws KeyMismatch. @param {Iterable<TicketKey>} keys */
function checkPeriods(keys) {
  /** @type {TicketKey | undefined} */
  let last;
  for (const key of [...keys].sort((a, b) => a.value - b.value || a.notBefore - b.notBefore)) {
    if (last?.value === key.value && key.notBefore < last.issueUntil && !same(last, key)) {
      throw mismatch(`shows a second key for tickets of value ${key.value} in one period: that marks its visitors`);
    }
    last = key;
  }
}

/** @param {TicketKey} a @param {TicketKey} b */
const same = ({ spki, ...a }, b) =>
  equal(spki, b.spki) && Object.entries(a).every(([name, value]) => b[/** @type {keyof a} */ (name)] === value);

/** @param {string} what */
const mismatch = (what) =>
  new KeyMismatch(`This site ${what}. Nothing is mined or paid here. Ask its operator; look from another connection.`);

/** Forget a key unless it is needed. @param {Tables} tables @param {TicketKey} key */
async function forgotten({ keys, outputs, tickets }, { keyId }) {
  /** @type {TicketRow[]} */
  const held = await got(tickets.getAll(under(keyId)));
  /** @type {OutputRow[]} */
  const asked = await got(outputs.getAll());
  if (held.some(({ state }) => state !== "spent") || asked.some((row) => row.keyId === keyId)) return false;
  keys.delete(keyId);
  // Nothing brings tickets of this key back, so nobody has to remember that they were spent.
  tickets.delete(under(keyId));
  return true;
}
