// What a wallet does seldom, loaded when it does: refusals, gifts, restores, another seed.

import { toHex } from "../bytes.js";
import { NotEnoughTickets, WrongWords } from "../errors.js";
import { add, advance, finish, free, held, jot, outputsOf, seedsOf } from "./requests.js";
import { SEED_SIZE, seedId } from "./seed.js";
import { choose } from "./selection.js";
import { got, under } from "./store.js";

/** @import { TicketKey } from "../types" */
/** @import { Spent, Store, TicketRow } from "./types" */

/** @param {Store["write"]} write @param {Uint8Array} seed */
export async function useSeed(write, seed) {
  if (seed.length !== SEED_SIZE) {
    const message =
      "These words are a whole wallet of the command line. A page takes only the 24 words of its own site: " +
      "ticketminer wallet words --site URL prints them.";
    throw new WrongWords(message, { code: "master-words" });
  }
  const id = await seedId(seed);
  await write(async (tables) => {
    const seeds = [{ id, seed }];
    for (const former of await seedsOf(tables)) {
      const used = await got(tables.counters.count(under(former.id)));
      if (former.id !== id && used) seeds.push(former);
    }
    tables.secrets.put(seeds, "seeds");
  });
}

/** @param {Store["read"]} read @param {Uint8Array} seed @param {TicketKey} key */
export async function counter(read, seed, { keyId }) {
  const id = await seedId(seed);
  return (await read(({ counters }) => got(counters.get([id, keyId]))))?.next ?? 0;
}

/** @param {Store["write"]} write @param {number} at @param {number} amount */
export function give(write, at, amount) {
  return write(async (tables) => {
    const available = await free(tables, at);
    const { inputs, change } = choose(available, amount);
    if (change.length || !inputs.length) {
      const message = `No tickets add up to exactly ${amount}; the site has to split one first. Go online and repeat.`;
      throw new NotEnoughTickets(message, amount, available.reduce((sum, { value }) => sum + value, 0));
    }
    for (const row of inputs) tables.tickets.put({ ...row, state: "given" });
    await jot(tables, { at, kind: "sent", amount });
    const tokens = inputs.map(({ token }) => token);
    tables.settings.put([...((await got(tables.settings.get("gifts"))) ?? []), { amount, tokens }], "gifts");
    return tokens;
  });
}

/**
 * @param {Store["write"]} write @param {number} at @param {Uint8Array} seed @param {TicketKey} key
 * @param {Map<number, Uint8Array>} found @param {number} following @param {Spent} spent
 */
export async function fileRestored(write, at, seed, key, found, following, spent) {
  const id = await seedId(seed);
  return write(async (tables) => {
    let added = 0;
    let gone = 0;
    await advance(tables, id, key.keyId, following, Math.max(-1, ...found.keys()) + 1);
    for (const token of found.values()) {
      const nonce = toHex(token.subarray(2, 34));
      const used = spent(nonce);
      const state = used ? "spent" : "available";
      const fresh = await add(tables, { key, token, nonce, state, seedId: id, source: null });
      if (used) gone++;
      else if (fresh) added++;
    }
    if (added) await jot(tables, { at, kind: "restored", amount: added * key.value });
    return { added, gone };
  });
}

/** @param {Store["write"]} write @param {TicketKey} key @param {Spent} spent */
export function markSpent(write, { keyId }, spent) {
  return write(async ({ tickets }) => {
    /** @type {TicketRow[]} */
    const rows = await got(tickets.getAll(under(keyId)));
    const gone = rows.filter((row) => row.state === "available" && spent(row.nonce));
    for (const row of gone) tickets.put({ ...row, state: "spent" });
    return gone.length;
  });
}

/**
 * @param {Store["write"]} write @param {number} id of a request
 * @param {Iterable<string>} [spentNonces] @param {Iterable<string>} [signedMessages]
 */
export function release(write, id, spentNonces, signedMessages) {
  const spent = new Set(spentNonces);
  const signed = new Set(signedMessages);
  return write(async (tables) => {
    if (!(await finish(tables, id))) return;
    for (const row of await held(tables, "request", id)) {
      tables.tickets.put({ ...row, state: spent.has(row.nonce) ? "spent" : "available", request: null });
    }
    for (const row of await outputsOf(tables, id)) {
      if (signed.has(toHex(row.blindedMessage))) tables.outputs.delete([row.seedId, row.keyId, row.counter]);
      else tables.outputs.put({ ...row, request: null });
    }
  });
}
