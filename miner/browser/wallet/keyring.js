// Pinned ticket keys: what a site's directory said first is what it has to keep saying.

import { equal } from "../bytes.js";
import { KeyMismatch } from "../errors.js";
import { got, under } from "./store.js";

/** @import { TicketKey } from "../types" */

/** Entries of a directory, and living keys of one site: ten denominations in a few epochs are some thirty. */
export const MAX_KEYS = 512;
/** Seconds for which a key stays pinned after its tickets have expired. */
export const KEPT_AFTER_END = 30 * 86_400;

/**
 * Pin `keys`, in a transaction over keys, outputs and tickets. Keys that expired long ago and that nothing here needs go.
 * Throws KeyMismatch: an entry differs from the pinned one, is a second key for its value and time, or there are too many.
 * @param {IDBTransaction} tx @param {TicketKey[]} keys @param {number} now
 */
export async function pin(tx, keys, now) {
  const table = tx.objectStore("keys");
  await forget(tx, now - KEPT_AFTER_END);
  /** @type {Map<string, TicketKey>} */
  const pinned = new Map((await got(table.getAll())).map((key) => [key.keyId, key]));
  const before = pinned.size;
  for (const key of keys) {
    const known = pinned.get(key.keyId);
    if (known && !same(known, key)) {
      throw new KeyMismatch(
        "This site has changed the value, dates or name of a ticket key that this wallet knows. Published keys never " +
          "change; nothing is mined or paid here. Ask the operator what happened.",
      );
    }
    pinned.set(key.keyId, known ?? key);
  }
  checkPeriods(pinned.values());
  if (pinned.size > MAX_KEYS) {
    throw new KeyMismatch(
      `This site has shown more than ${MAX_KEYS} ticket keys that are still good. So many small crowds would tell its ` +
        "visitors apart, so nothing is mined or paid here. Ask the operator.",
    );
  }
  for (const key of [...pinned.values()].slice(before)) table.add(key);
}

/** Let no two `keys` make tickets of one value at the same time; throws KeyMismatch. @param {Iterable<TicketKey>} keys */
export function checkPeriods(keys) {
  /** @type {TicketKey | undefined} */
  let last;
  for (const key of [...keys].sort((a, b) => a.value - b.value || a.notBefore - b.notBefore)) {
    if (last?.value === key.value && key.notBefore < last.issueUntil && key.keyId !== last.keyId) {
      throw new KeyMismatch(
        `The site shows a second key for tickets of value ${key.value} in the same period. That is how a site would mark ` +
          "its visitors to recognise them later, so nothing is mined or paid here. Ask the operator, and compare the " +
          "directory from another connection.",
      );
    }
    last = key;
  }
}

/** @param {TicketKey} a @param {TicketKey} b */
export const same = (a, b) =>
  a.keyId === b.keyId && a.value === b.value && a.notBefore === b.notBefore && a.issueUntil === b.issueUntil &&
  a.redeemUntil === b.redeemUntil && a.issuerName === b.issuerName && equal(a.spki, b.spki);

/** @param {IDBTransaction} tx @param {number} end */
async function forget(tx, end) {
  for (const { keyId, redeemUntil } of await got(tx.objectStore("keys").getAll())) {
    if (redeemUntil > end) continue;
    const tickets = await got(tx.objectStore("tickets").getAll(under(keyId)));
    const outputs = await got(tx.objectStore("outputs").getAll());
    if (outputs.some((row) => row.keyId === keyId) || tickets.some((row) => row.state !== "spent")) continue;
    tx.objectStore("keys").delete(keyId);
    // A key that is gone brings no ticket back, so nobody has to remember that these were spent.
    tx.objectStore("tickets").delete(under(keyId));
  }
}
