// Requests written down before they are sent, and what their answers change: the part that must never lose a ticket.
// What the functions promise stands in ./types.d.ts.

import { fromBigInt, fromHex, toBigInt, toHex } from "../bytes.js";
import { TicketsTaken } from "../errors.js";
import { blind, finalize, publicKey } from "../tokens/rsabssa.js";
import { challengeDigest, encodeToken, tokenInput } from "../tokens/structures.js";
import { seedId, ticketSecrets } from "./seed.js";
import { got, under } from "./store.js";

/** @import { HeldTicket, Output, PendingRequest, TicketKey } from "../types" */
/** @import { OutputRow, RequestRow, Requests, Slot, Tables, TicketRow } from "./types" */

/** Unsigned counters in a row after which a restoring wallet stops looking. */
export const SCAN_GAP = 64;
/** Unsigned counters in a row after which refused outputs are asked for again instead of using up new counters. */
const REUSE_GAP = 48;
const MAX_HISTORY = 500;

/** @type {Requests["derive"]} */
export async function derive(seed, key, counter) {
  const { nonce, salt, r } = await ticketSecrets(seed, key, counter);
  const blinded = await blind(publicKey(key.spki), await input(key, nonce), { salt, r });
  return { key, seedId: await seedId(seed), counter, nonce, ...blinded };
}

/** @type {Requests["complete"]} */
export async function complete({ key, nonce, inverse }, signed) {
  const message = await input(key, nonce);
  return encodeToken(message, await finalize(publicKey(key.spki), message, signed, inverse));
}

/** @param {TicketKey} key @param {Uint8Array} nonce */
const input = async (key, nonce) => tokenInput(nonce, await challengeDigest(key.issuerName), fromHex(key.keyId));

/** @type {Requests["seedsOf"]} */
export const seedsOf = async ({ secrets }) => (await got(secrets.get("seeds"))) ?? [];

/** @type {Requests["held"]} */
export const held = async ({ tickets }, index, value) =>
  (await got(index ? tickets.index(index).getAll(value) : tickets.getAll())).sort(
    (a, b) => a.value - b.value || a.redeemUntil - b.redeemUntil || (a.nonce < b.nonce ? -1 : 1),
  );

/** @type {Requests["free"]} */
export const free = async (tables, now) =>
  (await held(tables, "state", "available")).filter((row) => row.redeemUntil > now);

/** @type {Requests["advance"]} */
export async function advance({ counters }, seedId, keyId, following, above = 0) {
  const { next = 0, signed = 0 } = (await got(counters.get([seedId, keyId]))) ?? {};
  counters.put({ seedId, keyId, next: Math.max(next, following), signed: Math.max(signed, above) });
}

/** @type {Requests["begin"]} */
export async function begin({ read, write }, draft, plan, compose, { adopt, now, created }) {
  // A transaction ends while anything else is awaited. So secrets are derived between two, and all starts over when
  // another tab has taken a ticket or a counter meanwhile.
  for (;;) {
    const { inputs, keys, slots } = await read(async (tables) => {
      const { inputs, keys } = plan(await free(tables, now));
      if (!(await takable(tables, inputs, adopt))) {
        throw new TicketsTaken("Some of these tickets are being spent or have been. Look at the balance, then repeat.");
      }
      return { inputs, keys, slots: await slotsFor(tables, keys) };
    });
    /** @type {Output[]} */
    const outputs = [];
    for (const { seed, key, counter, row } of slots) {
      outputs.push(row ? fromRow(row, key) : await derive(seed.seed, key, counter));
    }
    const row = { ...draft, created, body: compose(inputs, outputs) };
    const begun = await write(async (tables) => {
      const again = await slotsFor(tables, keys);
      const taken = await takable(tables, inputs, adopt);
      const late = again.some(({ seed, counter }, i) => seed.id !== slots[i].seed.id || counter !== slots[i].counter);
      if (late || !taken) return null;
      const id = /** @type {number} */ (await got(tables.requests.add(row)));
      for (const ticket of taken) tables.tickets.put({ ...ticket, state: "pending", request: id });
      for (const [position, { key, ...output }] of outputs.entries()) {
        const { keyId } = key;
        await advance(tables, output.seedId, keyId, output.counter + 1);
        tables.outputs.put({ ...output, keyId, request: id, position, inverse: fromBigInt(output.inverse, 256) });
      }
      return loaded(tables, { ...row, id });
    });
    if (begun) return begun;
  }
}

/** @type {Requests["unanswered"]} */
export async function unanswered(tables) {
  const found = [];
  for (const row of await got(tables.requests.getAll())) found.push(await loaded(tables, row));
  return found;
}

/** @type {Requests["settle"]} */
export async function settle(tables, { id, outputs }, tokens) {
  if (!(await finish(tables, id))) return false;
  for (const [i, { key, seedId, counter, nonce }] of outputs.entries()) {
    await add(tables, { key, token: tokens[i], nonce: toHex(nonce), state: "available", seedId, source: id });
    await advance(tables, seedId, key.keyId, counter + 1, counter + 1);
    tables.outputs.delete([seedId, key.keyId, counter]);
  }
  for (const row of await held(tables, "request", id)) {
    tables.tickets.put({ ...row, state: "spent", request: null });
  }
  return true;
}

/** @type {Requests["add"]} */
export async function add({ tickets }, { key: { keyId, value, redeemUntil }, ...rest }) {
  if (await got(tickets.getKey([keyId, rest.nonce]))) return false;
  tickets.add({ keyId, value, redeemUntil, request: null, ...rest });
  return true;
}

/** @type {Requests["jot"]} */
export async function jot({ history }, { at, kind, amount, detail = "", reference = null }) {
  history.add({ at, kind, amount, detail, reference });
  await trim(history, MAX_HISTORY);
}

/** @type {Requests["trim"]} */
export async function trim(table, most) {
  const extra = (await got(table.count())) - most;
  if (extra > 0) for (const key of await got(table.getAllKeys(null, extra))) table.delete(key);
}

/** @type {(tables: Tables, keys: TicketKey[]) => Promise<Slot[]>} counters for outputs of `keys` */
async function slotsFor(tables, keys) {
  const [seed] = await seedsOf(tables);
  const mine = under(seed.id);
  /** @type {Map<string, {next: number, signed: number}>} */
  const lines = new Map((await got(tables.counters.getAll(mine))).map((row) => [row.keyId, row]));
  /** @type {OutputRow[]} */
  const refused = (await got(tables.outputs.getAll(mine))).filter((row) => row.request === null);
  return keys.map((key) => {
    const line = lines.get(key.keyId) ?? { next: 0, signed: 0 };
    lines.set(key.keyId, line);
    // What was refused is never replaced by another message; asked for again, it leaves no gap that ends a restore.
    const at = line.next - line.signed < REUSE_GAP ? -1 : refused.findIndex((row) => row.keyId === key.keyId);
    const [row] = at < 0 ? [] : refused.splice(at, 1);
    return { seed, key, counter: row ? row.counter : line.next++, row };
  });
}

/** @type {(tables: Tables, inputs: HeldTicket[], adopt: boolean) => Promise<TicketRow[] | null>} null: not free */
async function takable({ tickets }, inputs, adopt) {
  /** @type {Map<string, TicketRow>} */
  const rows = new Map();
  for (const ticket of inputs) {
    const { keyId, nonce } = ticket;
    const known = await got(tickets.get([keyId, nonce]));
    const free = known ? known.state === "available" || (adopt && known.state === "given") : adopt;
    if (!free) return null;
    rows.set(keyId + nonce, known ?? { ...ticket, seedId: null, source: null });
  }
  return rows.size === inputs.length ? [...rows.values()] : null;
}

/** @param {Tables} tables @param {RequestRow} row @returns {Promise<PendingRequest>} */
async function loaded(tables, row) {
  const outputs = [];
  for (const output of (await outputsOf(tables, row.id)).sort((a, b) => a.position - b.position)) {
    outputs.push(fromRow(output, await got(tables.keys.get(output.keyId))));
  }
  return { ...row, inputs: await held(tables, "request", row.id), outputs };
}

/** @type {Requests["outputsOf"]} */
export const outputsOf = ({ outputs }, request) => got(outputs.index("request").getAll(request));

/** @type {Requests["finish"]} */
export async function finish({ requests }, id) {
  const open = await got(requests.getKey(id));
  requests.delete(id);
  return open !== undefined;
}

/** @param {OutputRow} row @param {TicketKey} key @returns {Output} */
const fromRow = ({ seedId, counter, blindedMessage, nonce, inverse }, key) => ({
  key, seedId, counter, blindedMessage, nonce, inverse: toBigInt(inverse),
});
