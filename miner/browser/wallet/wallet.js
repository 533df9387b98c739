// The wallet of one site in this browser, from which nothing is sent that is not written down first.
// The same rules as miner/wallet; several tabs may have it open.

import { toHex } from "../bytes.js";
import { CodecError, NotEnoughTickets, WrongWords } from "../errors.js";
import { pin, same } from "./keyring.js";
import * as requests from "./requests.js";
import { seedId } from "./seed.js";
import { choose } from "./selection.js";
import { Store, got, under } from "./store.js";

/** @import { Draft, HeldTicket, HistoryEntry, MiningRun, PendingRequest, TicketKey } from "../types" */

const { MONEY } = requests;
const BOOKED = [...MONEY, "history"];
const SEED_SIZE = 32;
const MAX_HISTORY = 500;
const MAX_RUNS = 50;
const MAX_RATES = 60;

/** Every method throws StorageFull or StorageRefused when the browser fails it, and then nothing has changed. */
export class Wallet {
  #store;
  #clock;
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /** @param {Store} store @param {() => number} clock */
  constructor(store, clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Open the wallet of the service at path `name`, made now with a fresh seed if there is none.
   * @param {string} name @param {{now?: () => number, random?: (size: number) => Uint8Array}} [options] `now`: Unix seconds
   */
  static async open(name, { now = () => Date.now() / 1000, random = drawn } = {}) {
    const store = await Store.open(`ticketminer:${name}`);
    if (!(await store.read(["secrets"], requests.seedsOf)).length) {
      const seed = random(SEED_SIZE);
      const id = await seedId(seed);
      await store.write(["secrets"], async (tx) => {
        // Another tab may have been first; its seed stands.
        if (!(await requests.seedsOf(tx)).length) tx.objectStore("secrets").put([{ id, seed }], "seeds");
      });
    }
    return new Wallet(store, now);
  }

  close() {
    this.#store.close();
  }

  /** This machine's time in Unix seconds. */
  now() {
    return Math.floor(this.#clock());
  }

  // Keys and seeds

  /** Pin directory entries, apart from those whose tickets have all expired; throws KeyMismatch. @param {TicketKey[]} keys @param {number} [now] */
  async pin(keys, now = this.now()) {
    const living = keys.filter((key) => key.redeemUntil > now);
    const known = new Map((await this.keys()).map((key) => [key.keyId, key]));
    const news = living.some((key) => !same(known.get(key.keyId) ?? { ...key, value: 0 }, key));
    if (news) await this.#store.write(["keys", "outputs", "tickets"], (tx) => pin(tx, living, now));
  }

  /** Pinned keys by start and value. @returns {Promise<TicketKey[]>} */
  async keys() {
    const keys = await this.#store.read(["keys"], (tx) => got(tx.objectStore("keys").getAll()));
    return keys.sort((a, b) => a.notBefore - b.notBefore || a.value - b.value);
  }

  /** @param {string} keyId @returns {Promise<TicketKey | null>} */
  async key(keyId) {
    return (await this.#store.read(["keys"], (tx) => got(tx.objectStore("keys").get(keyId)))) ?? null;
  }

  /** The 32 bytes that new tickets come from: 24 words. */
  async seed() {
    return (await this.seeds())[0];
  }

  /** All seeds that tickets here may come from, the one in use first. */
  async seeds() {
    return (await this.#store.read(["secrets"], requests.seedsOf)).map(({ seed }) => seed);
  }

  /** Make new tickets from another seed; tickets of the old one stay. @param {Uint8Array} seed 32 bytes; throws WrongWords */
  async useSeed(seed) {
    if (seed.length !== SEED_SIZE) {
      throw new WrongWords(
        "These words are a whole wallet of the command line; a page takes the 24 words of its own site only. Print them " +
          "with: ticketminer wallet words --site URL",
        { code: "master-words" },
      );
    }
    const id = await seedId(seed);
    await this.#store.write(MONEY, async (tx) => {
      const kept = [];
      for (const former of await requests.seedsOf(tx)) {
        const used = await got(tx.objectStore("counters").count(under(former.id)));
        if (former.id !== id && used) kept.push(former);
      }
      tx.objectStore("secrets").put([{ id, seed: seed.slice() }, ...kept], "seeds");
    });
  }

  /** The next counter of `key` under `seed`. @param {Uint8Array} seed @param {TicketKey} key */
  async counter(seed, key) {
    const id = await seedId(seed);
    return (await this.#store.read(["counters"], (tx) => requests.counterOf(tx, id, key.keyId))).next;
  }

  // Tickets

  /** All tickets that are known, spent and given ones included, by value and expiry. @returns {Promise<HeldTicket[]>} */
  async tickets() {
    const now = this.now();
    const tickets = await this.#store.read(["tickets"], (tx) => requests.held(tx));
    for (const ticket of tickets) if (ticket.state === "available" && ticket.redeemUntil <= now) ticket.state = "expired";
    return tickets;
  }

  /** Tickets that can be spent now. */
  async balance() {
    return sum(await this.#store.read(["tickets"], (tx) => requests.free(tx, this.now())));
  }

  /** Tokens worth exactly `amount`, marked given; throws NotEnoughTickets when none fit. @param {number} amount */
  give(amount) {
    return this.#store.write(["tickets", "history"], async (tx) => {
      const free = await requests.free(tx, this.now());
      const { inputs, change } = choose(free, amount);
      if (change.length || !inputs.length) {
        const message = `No tickets add up to exactly ${amount}; the site has to split one first. Go online and repeat.`;
        throw new NotEnoughTickets(message, amount, sum(free));
      }
      for (const ticket of inputs) tx.objectStore("tickets").put({ ...ticket, state: "given" });
      await this.#note(tx, { kind: "sent", amount });
      return inputs.map((ticket) => ticket.token);
    });
  }

  /**
   * File what a restore has found, by counter; go on with counter `following` or above.
   * @param {Uint8Array} seed @param {TicketKey} key @param {Map<number, Uint8Array>} found verified tokens
   * @param {number} following @param {(nonce: string) => boolean} spent
   * @returns {Promise<{added: number, gone: number}>} numbers of new and of spent tickets
   */
  async fileRestored(seed, key, found, following, spent) {
    const id = await seedId(seed);
    return this.#store.write(BOOKED, async (tx) => {
      let added = 0;
      let gone = 0;
      await requests.advance(tx, id, key, following, Math.max(-1, ...found.keys()) + 1);
      for (const token of found.values()) {
        const nonce = toHex(token.subarray(2, 34));
        const used = spent(nonce);
        const state = used ? "spent" : "available";
        const fresh = await requests.add(tx, { key, token, nonce, state, seedId: id, source: null });
        if (used) gone++;
        else if (fresh) added++;
      }
      if (added) await this.#note(tx, { kind: "restored", amount: added * key.value });
      return { added, gone };
    });
  }

  /** Mark free tickets of `key` that the site lists as spent; how many. @param {TicketKey} key @param {(nonce: string) => boolean} spent */
  markSpent(key, spent) {
    return this.#store.write(["tickets"], async (tx) => {
      /** @type {HeldTicket[]} */
      const rows = await got(tx.objectStore("tickets").getAll(under(key.keyId)));
      const gone = rows.filter((row) => row.state === "available" && spent(row.nonce));
      for (const row of gone) tx.objectStore("tickets").put({ ...row, state: "spent" });
      return gone.length;
    });
  }

  // Requests

  /**
   * Write a request down; send its body only after this returns. Throws TicketsTaken, and whatever `plan` throws.
   * @param {Draft} draft @param {requests.Plan} plan @param {requests.Compose} compose sync, perhaps called again
   * @param {{adopt?: boolean, now?: number}} [options] `adopt`: tickets from somebody else, or given ones that return
   * @returns {Promise<PendingRequest>}
   */
  begin({ kind, path, amount, resource, label }, plan, compose, { adopt = false, now = this.now() } = {}) {
    const draft = { kind, path, amount, resource, label };
    const begun = this.#last.then(() =>
      requests.begin(this.#store, draft, plan, compose, { adopt, now, created: this.now() }),
    );
    // One after the other: those of this tab need not race for counters.
    this.#last = begun.catch(() => {});
    return begun;
  }

  /**
   * Verify the blind `signatures` of the outputs, file the tickets, close the request; returns what it has brought, also
   * when another tab was first. Throws CodecError: a signature does not verify, and the request stays open.
   * @param {PendingRequest} request @param {Uint8Array[]} signatures @param {{reference?: string | null}} [options]
   */
  async settle(request, signatures, { reference = null } = {}) {
    const { id, kind, label, resource, outputs } = request;
    if (signatures.length !== outputs.length) {
      throw new CodecError("wrong-size", `The site was asked for ${outputs.length} signatures and sent ${signatures.length}.`);
    }
    /** @type {Uint8Array[]} */
    const tokens = [];
    for (const [i, output] of outputs.entries()) tokens.push(await requests.complete(output, signatures[i]));
    return this.#store.write(BOOKED, async (tx) => {
      if (await requests.settle(tx, request, tokens)) {
        const amount = request.amount || outputs.reduce((total, { key }) => total + key.value, 0);
        const detail = resource ?? "";
        await this.#note(tx, { kind: label || (kind === "payment" ? "paid" : "mined"), amount, detail, reference });
      }
      return requests.held(tx, "source", id);
    });
  }

  /**
   * Close a refused request and free its tickets but those with a nonce in `spent`; `signed` are the blinded messages
   * that the site has signed for something else.
   * @param {PendingRequest} request @param {string} cause
   * @param {{spent?: Iterable<string>, signed?: Iterable<string>}} [known] lower-case hex
   */
  async release(request, cause, { spent = [], signed = [] } = {}) {
    const known = { spent: new Set(spent), signed: new Set(signed) };
    await this.#store.write(MONEY, (tx) => requests.release(tx, request.id, known));
  }

  /** Requests without an answer, oldest first. */
  unanswered() {
    return this.#store.read(MONEY, requests.unanswered);
  }

  // Notes

  /** @param {string} name @returns {Promise<any>} undefined when there is none */
  setting(name) {
    return this.#store.read(["settings"], (tx) => got(tx.objectStore("settings").get(name)));
  }

  /** @param {string} name @param {unknown} value what can be cloned; null or undefined removes it */
  async setSetting(name, value) {
    await this.#jot("settings", async (table) => {
      if (value === null || value === undefined) table.delete(name);
      else table.put(value, name);
    });
  }

  /** The newest first. @param {number} [limit] @returns {Promise<HistoryEntry[]>} */
  history(limit = 100) {
    return this.#newest("history", limit);
  }

  /** @param {Partial<HistoryEntry> & {kind: string, amount: number}} entry */
  note(entry) {
    return this.#store.write(["history"], (tx) => this.#note(tx, entry), "relaxed");
  }

  /** Its number. @param {Omit<MiningRun, "id">} run @returns {Promise<number>} */
  startRun(run) {
    return this.#jot("runs", async (table) => {
      const id = /** @type {number} */ (await got(table.add(run)));
      await trim(table, MAX_RUNS);
      return id;
    });
  }

  /** A run that was deleted stays so. @param {number} id @param {Partial<MiningRun>} changes */
  updateRun(id, changes) {
    return this.#jot("runs", async (table) => {
      const run = await got(table.get(id));
      if (!run) return;
      const changed = { ...run, updated: this.now(), ...changes, id };
      table.put({ ...changed, rates: changed.rates.slice(-MAX_RATES) });
    });
  }

  /** @param {number} id */
  deleteRun(id) {
    return this.#jot("runs", async (table) => void table.delete(id));
  }

  /** The newest first. @param {number} [limit] @returns {Promise<MiningRun[]>} */
  runs(limit = MAX_RUNS) {
    return this.#newest("runs", limit);
  }

  /** Forget settings, history and runs; tickets, keys and seeds stay. */
  reset() {
    const notes = ["settings", "history", "runs"];
    return this.#store.write(notes, async (tx) => notes.forEach((name) => tx.objectStore(name).clear()));
  }

  /** Delete everything. This wallet, here and in other tabs, is closed then. */
  wipe() {
    return this.#store.wipe();
  }

  /** @template T @param {string} name @param {(table: IDBObjectStore) => Promise<T>} work */
  #jot(name, work) {
    return this.#store.write([name], (tx) => work(tx.objectStore(name)), "relaxed");
  }

  /** @param {string} name @param {number} limit */
  async #newest(name, limit) {
    const rows = await this.#store.read([name], (tx) => got(tx.objectStore(name).getAll()));
    return rows.reverse().slice(0, limit);
  }

  /** @param {IDBTransaction} tx @param {Partial<HistoryEntry> & {kind: string, amount: number}} entry */
  async #note(tx, { at = this.now(), kind, amount, detail = "", reference = null }) {
    const table = tx.objectStore("history");
    table.add({ at, kind, amount, detail, reference });
    await trim(table, MAX_HISTORY);
  }
}

/** @param {number} size */
const drawn = (size) => crypto.getRandomValues(new Uint8Array(size));

/** @param {HeldTicket[]} tickets */
const sum = (tickets) => tickets.reduce((total, ticket) => total + ticket.value, 0);

/** Delete the oldest rows above `most`. @param {IDBObjectStore} table @param {number} most */
async function trim(table, most) {
  const extra = (await got(table.count())) - most;
  if (extra > 0) for (const key of await got(table.getAllKeys(null, extra))) table.delete(key);
}
