// Requests written down before they are sent, and what their answers change: the part that must never lose a ticket.
//
// A transaction ends while anything but itself is awaited. So secrets are derived between two transactions, and the
// second one starts over when another tab has taken a ticket or a counter in the meantime.

import { fromBigInt, fromHex, toBigInt, toHex } from "../bytes.js";
import { TicketsTaken } from "../errors.js";
import { blind, finalize, publicKey } from "../tokens/rsabssa.js";
import { challengeDigest, encodeToken, tokenInput } from "../tokens/structures.js";
import { seedId, ticketSecrets } from "./seed.js";
import { got, under } from "./store.js";

/** @import { Draft, HeldTicket, Output, PendingRequest, TicketKey, TicketState } from "../types" */
/** @typedef {(available: HeldTicket[]) => {inputs: HeldTicket[], keys: TicketKey[]}} Plan what a request hands over, and what it wants */
/** @typedef {(inputs: HeldTicket[], outputs: Output[]) => Uint8Array} Compose */
/** @typedef {{seedId: string, keyId: string, counter: number, request: number | null, position: number, nonce: Uint8Array, blinded: Uint8Array, inverse: Uint8Array}} OutputRow */
/** @typedef {{key: TicketKey, counter: number, row?: OutputRow}} Slot a counter to use; with a row, that of a refused output */

/** Unsigned counters in a row after which a restoring wallet stops looking. */
export const SCAN_GAP = 64;
/** Unsigned counters in a row after which refused outputs are asked for again instead of using up new counters. */
export const REUSE_GAP = 48;
export const MONEY = ["secrets", "keys", "counters", "requests", "outputs", "tickets"];

/** Output number `counter` of `key`; the same number gives the same output. @param {Uint8Array} seed @param {TicketKey} key @param {number} counter @returns {Promise<Output>} */
export async function derive(seed, key, counter) {
  const { nonce, salt, r } = await ticketSecrets(seed, key, counter);
  const message = tokenInput(nonce, await challengeDigest(key.issuerName), fromHex(key.keyId));
  const { blindedMessage, inverse } = await blind(publicKey(key.spki), message, { salt, r });
  return { key, seedId: await seedId(seed), counter, blindedMessage, nonce, inverse };
}

/** The ticket (354 bytes) that `signed` makes of `output`, verified; throws CodecError. @param {Output} output @param {Uint8Array} signed */
export async function complete({ key, nonce, inverse }, signed) {
  const message = tokenInput(nonce, await challengeDigest(key.issuerName), fromHex(key.keyId));
  return encodeToken(message, await finalize(publicKey(key.spki), message, signed, inverse));
}

/** @param {IDBTransaction} tx @returns {Promise<{id: string, seed: Uint8Array}[]>} the one in use first */
export const seedsOf = async (tx) => (await got(tx.objectStore("secrets").get("seeds"))) ?? [];

/** Tickets by value and expiry. @param {IDBTransaction} tx @param {"state" | "request" | "source"} [index] @param {IDBValidKey} [value] @returns {Promise<HeldTicket[]>} */
export async function held(tx, index, value) {
  const table = tx.objectStore("tickets");
  const rows = await got(index ? table.index(index).getAll(value) : table.getAll());
  return rows.sort((a, b) => a.value - b.value || a.redeemUntil - b.redeemUntil || (a.nonce < b.nonce ? -1 : 1));
}

/** Tickets that can be spent at `now`. @param {IDBTransaction} tx @param {number} now */
export const free = async (tx, now) => (await held(tx, "state", "available")).filter((ticket) => ticket.redeemUntil > now);

/**
 * Write a request down. `now` decides which tickets are valid, `created` is this machine's time. Throws TicketsTaken.
 * @param {import("./store.js").Store} store @param {Draft} draft @param {Plan} plan @param {Compose} compose
 * @param {{adopt: boolean, now: number, created: number}} options `adopt`: tickets that came from somebody else, or return
 * @returns {Promise<PendingRequest>}
 */
export async function begin(store, draft, plan, compose, { adopt, now, created }) {
  /** @type {Map<string, Output>} */
  const derived = new Map();
  for (;;) {
    const { inputs, seed, slots } = await store.read(MONEY, async (tx) => {
      const { inputs, keys } = plan(await free(tx, now));
      if (!(await takable(tx, inputs, adopt))) {
        throw new TicketsTaken(
          "This wallet knows one of these tickets already: it is being spent by another request, or has been spent. " +
            "Look at the balance before you repeat.",
        );
      }
      const [seed] = await seedsOf(tx);
      return { inputs, seed, slots: await countersFor(tx, seed.id, keys) };
    });
    /** @type {Output[]} */
    const outputs = [];
    for (const { key, counter, row } of slots) {
      const name = `${seed.id} ${key.keyId} ${counter}`;
      const output = derived.get(name) ?? (row ? fromRow(row, key) : await derive(seed.seed, key, counter));
      derived.set(name, output);
      outputs.push(output);
    }
    const body = compose(inputs, outputs).slice();
    const id = await store.write(MONEY, async (tx) => {
      const [inUse] = await seedsOf(tx);
      const again = await countersFor(tx, inUse.id, slots.map(({ key }) => key));
      if (inUse.id !== seed.id || again.some(({ counter }, i) => counter !== slots[i].counter)) return null;
      const rows = await takable(tx, inputs, adopt);
      if (!rows) return null;
      const request = /** @type {number} */ (await got(tx.objectStore("requests").add({ ...draft, created, body })));
      for (const row of rows) tx.objectStore("tickets").put({ ...row, state: "pending", request });
      for (const [position, output] of outputs.entries()) {
        if (!slots[position].row) await advance(tx, seed.id, output.key, output.counter + 1);
        tx.objectStore("outputs").put(toRow(output, request, position));
      }
      return request;
    });
    if (id === null) continue;
    return { ...draft, id, created, body, inputs: inputs.map((ticket) => ({ ...ticket, state: "pending", request: id })), outputs };
  }
}

/** Requests without an answer, oldest first. @param {IDBTransaction} tx @returns {Promise<PendingRequest[]>} */
export async function unanswered(tx) {
  const found = [];
  for (const row of await got(tx.objectStore("requests").getAll())) {
    /** @type {OutputRow[]} */
    const rows = await outputsOf(tx, row.id);
    const outputs = [];
    for (const output of rows.sort((a, b) => a.position - b.position)) {
      outputs.push(fromRow(output, await got(tx.objectStore("keys").get(output.keyId))));
    }
    found.push({ ...row, inputs: await held(tx, "request", row.id), outputs });
  }
  return found;
}

/**
 * File `tokens`, the finished outputs of `request`; what it handed over is spent. False when another tab was first.
 * @param {IDBTransaction} tx @param {PendingRequest} request @param {Uint8Array[]} tokens
 */
export async function settle(tx, { id, outputs }, tokens) {
  if (!(await finish(tx, id))) return false;
  for (const [i, { key, seedId, counter, nonce }] of outputs.entries()) {
    await add(tx, { key, token: tokens[i], nonce: toHex(nonce), state: "available", seedId, source: id });
    await advance(tx, seedId, key, counter + 1, counter + 1);
    tx.objectStore("outputs").delete([seedId, key.keyId, counter]);
  }
  for (const row of await held(tx, "request", id)) tx.objectStore("tickets").put({ ...row, state: "spent", request: null });
  return true;
}

/**
 * Free the tickets of a refused request but those with a nonce in `spent`; outputs in `signed` (blinded messages) were
 * signed for something else and are not asked for again. False when another tab was first.
 * @param {IDBTransaction} tx @param {number} id @param {{spent: Set<string>, signed: Set<string>}} known hex
 */
export async function release(tx, id, { spent, signed }) {
  if (!(await finish(tx, id))) return false;
  for (const row of await held(tx, "request", id)) {
    tx.objectStore("tickets").put({ ...row, state: spent.has(row.nonce) ? "spent" : "available", request: null });
  }
  const table = tx.objectStore("outputs");
  for (const row of await outputsOf(tx, id)) {
    if (signed.has(toHex(row.blinded))) table.delete([row.seedId, row.keyId, row.counter]);
    else table.put({ ...row, request: null });
  }
  return true;
}

/**
 * File a ticket; whether it is new. One that is here already keeps its state.
 * @param {IDBTransaction} tx
 * @param {{key: TicketKey, token: Uint8Array, nonce: string, state: TicketState, seedId: string, source: number | null}} ticket
 */
export async function add(tx, { key: { keyId, value, redeemUntil }, token, ...rest }) {
  const table = tx.objectStore("tickets");
  if (await got(table.getKey([keyId, rest.nonce]))) return false;
  table.add({ keyId, value, redeemUntil, token: token.slice(), request: null, ...rest });
  return true;
}

/** @param {IDBTransaction} tx @param {string} seedId @param {string} keyId @returns {Promise<{next: number, signed: number}>} */
export const counterOf = async (tx, seedId, keyId) =>
  (await got(tx.objectStore("counters").get([seedId, keyId]))) ?? { next: 0, signed: 0 };

/**
 * Let the counter continue at `following` or later; `above` is one above the highest signed number.
 * @param {IDBTransaction} tx @param {string} seedId @param {TicketKey} key @param {number} following @param {number} [above]
 */
export async function advance(tx, seedId, { keyId }, following, above = 0) {
  const { next, signed } = await counterOf(tx, seedId, keyId);
  tx.objectStore("counters").put({ seedId, keyId, next: Math.max(next, following), signed: Math.max(signed, above) });
}

/** The counters that one output of each of `keys` takes. @param {IDBTransaction} tx @param {string} seedId @param {TicketKey[]} keys */
async function countersFor(tx, seedId, keys) {
  /** @type {Map<string, {next: number, signed: number, refused: OutputRow[]}>} */
  const lines = new Map();
  /** @type {Slot[]} */
  const slots = [];
  for (const key of keys) {
    let line = lines.get(key.keyId);
    if (!line) {
      const { next, signed } = await counterOf(tx, seedId, key.keyId);
      const near = next + keys.length - signed > REUSE_GAP;
      const rows = near ? await got(tx.objectStore("outputs").getAll(under(seedId, key.keyId))) : [];
      line = { next, signed, refused: rows.filter((row) => row.request === null) };
      lines.set(key.keyId, line);
    }
    // A refused message is never replaced by another; asking for it again leaves no gap that ends a restore too early.
    const row = line.next - line.signed >= REUSE_GAP ? line.refused.shift() : undefined;
    slots.push({ key, counter: row ? row.counter : line.next++, row });
  }
  return slots;
}

/** The rows to take, null when one is not free. @param {IDBTransaction} tx @param {HeldTicket[]} tickets @param {boolean} adopt */
async function takable(tx, tickets, adopt) {
  /** @type {Map<string, HeldTicket>} */
  const rows = new Map();
  for (const ticket of tickets) {
    const { keyId, nonce, value, redeemUntil, token } = ticket;
    const known = await got(tx.objectStore("tickets").get([keyId, nonce]));
    if (known ? known.state !== "available" && !(adopt && known.state === "given") : !adopt) return null;
    const stranger = { keyId, nonce, value, redeemUntil, token, seedId: null, source: null };
    rows.set(`${keyId} ${nonce}`, known ?? stranger);
  }
  return rows.size === tickets.length ? [...rows.values()] : null;
}

/** @param {IDBTransaction} tx @param {number} id @returns {Promise<OutputRow[]>} */
const outputsOf = (tx, id) => got(tx.objectStore("outputs").index("request").getAll(id));

/** What is answered is forgotten: an absent request is a finished one, and numbers are never given twice. @param {IDBTransaction} tx @param {number} id */
async function finish(tx, id) {
  const open = await got(tx.objectStore("requests").getKey(id));
  tx.objectStore("requests").delete(id);
  return open !== undefined;
}

/** @param {Output} output @param {number} request @param {number} position @returns {OutputRow} */
const toRow = ({ key, seedId, counter, nonce, blindedMessage, inverse }, request, position) => ({
  seedId, keyId: key.keyId, counter, request, position, nonce: nonce.slice(), blinded: blindedMessage.slice(),
  inverse: fromBigInt(inverse, 256),
});

/** @param {OutputRow} row @param {TicketKey} key @returns {Output} */
const fromRow = ({ seedId, counter, nonce, blinded, inverse }, key) => ({
  key, seedId, counter, blindedMessage: blinded, nonce, inverse: toBigInt(inverse),
});
