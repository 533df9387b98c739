// The wallet of one site in this browser, shared by its tabs: nothing is sent that is not written down first.
// The rules are those of miner/wallet; contracts of the methods stand in ./types.d.ts.

import { CodecError } from "../errors.js";
import { pin } from "./keyring.js";
import { begin, complete, free, held, release, seedsOf, settle, unanswered } from "./requests.js";
import { SEED_SIZE, seedId } from "./seed.js";
import { Store, got } from "./store.js";

/** @import { Note, Tables, WalletApi } from "./types" */

const MAX_HISTORY = 500;
const MAX_RUNS = 50;
const MAX_RATES = 60;

const upkeep = () => import("./upkeep.js");

/** @implements {WalletApi} */
export class Wallet {
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();
  #clock;

  /** @param {Store} store for the wallet's own modules only @param {() => number} clock */
  constructor(store, clock) {
    this.store = store;
    this.#clock = clock;
  }

  /**
   * Open the wallet of the service at path `name`, with a fresh seed if there is none yet.
   * @param {string} name @param {{now?: () => number, random?: (size: number) => Uint8Array}} [options] `now`: Unix seconds
   */
  static async open(name, { now = () => Date.now() / 1000, random = drawn } = {}) {
    const store = await Store.open(`ticketminer:${name}`);
    if (!(await store.read(seedsOf)).length) {
      const seed = random(SEED_SIZE);
      const id = await seedId(seed);
      await store.write(async (tables) => {
        // Another tab may have been first; its seed stands.
        if (!(await seedsOf(tables)).length) tables.secrets.put([{ id, seed }], "seeds");
      });
    }
    return new Wallet(store, now);
  }

  close() {
    this.store.close();
  }

  now() {
    return Math.floor(this.#clock());
  }

  /** @type {WalletApi["pin"]} */
  pin(keys, now = this.now()) {
    const living = keys.filter((key) => key.redeemUntil > now);
    return this.store.write((tables) => pin(tables, living, now));
  }

  /** @type {WalletApi["keys"]} */
  async keys() {
    const keys = await this.store.read((tables) => got(tables.keys.getAll()));
    return keys.sort((a, b) => a.notBefore - b.notBefore || a.value - b.value);
  }

  /** @type {WalletApi["key"]} */
  async key(keyId) {
    return (await this.store.read((tables) => got(tables.keys.get(keyId)))) ?? null;
  }

  async seed() {
    return (await this.seeds())[0];
  }

  async seeds() {
    return (await this.store.read(seedsOf)).map(({ seed }) => seed);
  }

  /** @type {WalletApi["useSeed"]} */
  async useSeed(seed) {
    return (await upkeep()).useSeed(this, seed);
  }

  /** @type {WalletApi["counter"]} */
  async counter(seed, key) {
    return (await upkeep()).counter(this, seed, key);
  }

  async tickets() {
    const now = this.now();
    const rows = await this.store.read((tables) => held(tables));
    for (const row of rows) if (row.state === "available" && row.redeemUntil <= now) row.state = "expired";
    return rows;
  }

  async balance() {
    return (await this.store.read((tables) => free(tables, this.now()))).reduce((sum, { value }) => sum + value, 0);
  }

  /** @type {WalletApi["give"]} */
  async give(amount) {
    return (await upkeep()).give(this, amount);
  }

  /** @type {WalletApi["fileRestored"]} */
  async fileRestored(seed, key, found, following, spent) {
    return (await upkeep()).fileRestored(this, seed, key, found, following, spent);
  }

  /** @type {WalletApi["markSpent"]} */
  async markSpent(key, spent) {
    return (await upkeep()).markSpent(this, key, spent);
  }

  /** @type {WalletApi["begin"]} */
  begin({ kind, path, amount, resource, label }, plan, compose, { adopt = false, now = this.now() } = {}) {
    const draft = { kind, path, amount, resource, label };
    const begun = this.#last.then(() => begin(this.store, draft, plan, compose, { adopt, now, created: this.now() }));
    // One after the other: those of one tab need not race for counters.
    this.#last = begun.catch(() => {});
    return begun;
  }

  /** @type {WalletApi["settle"]} */
  async settle(request, signatures, { reference = null } = {}) {
    const { id, kind, label, resource, outputs } = request;
    if (signatures.length !== outputs.length) {
      throw new CodecError("wrong-size", `The site was asked for ${outputs.length} signatures and sent ${signatures.length}.`);
    }
    const tokens = await Promise.all(outputs.map((output, i) => complete(output, signatures[i])));
    return this.store.write(async (tables) => {
      if (await settle(tables, request, tokens)) {
        const amount = request.amount || outputs.reduce((sum, { key }) => sum + key.value, 0);
        await this.jot(tables, { kind: label || (kind === "payment" ? "paid" : "mined"), amount, detail: resource ?? "", reference });
      }
      return held(tables, "source", id);
    });
  }

  /** @type {WalletApi["release"]} */
  release({ id }, _cause, { spent = [], signed = [] } = {}) {
    return this.store.write((tables) => release(tables, id, new Set(spent), new Set(signed)));
  }

  unanswered() {
    return this.store.read(unanswered);
  }

  /** @type {WalletApi["setting"]} */
  setting(name) {
    return this.store.read((tables) => got(tables.settings.get(name)));
  }

  /** @type {WalletApi["setSetting"]} */
  setSetting(name, value) {
    return this.#relaxed(async ({ settings }) => void ((value ?? null) === null ? settings.delete(name) : settings.put(value, name)));
  }

  /** @type {WalletApi["history"]} */
  history(limit = 100) {
    return this.#newest("history", limit);
  }

  /** @type {WalletApi["note"]} */
  note(entry) {
    return this.#relaxed((tables) => this.jot(tables, entry));
  }

  /** @type {WalletApi["startRun"]} */
  startRun(run) {
    return this.#relaxed(async ({ runs }) => {
      const id = /** @type {number} */ (await got(runs.add(run)));
      await trim(runs, MAX_RUNS);
      return id;
    });
  }

  /** @type {WalletApi["updateRun"]} */
  updateRun(id, changes) {
    return this.#relaxed(async ({ runs }) => {
      const run = await got(runs.get(id));
      if (!run) return;
      const { rates, ...changed } = { ...run, updated: this.now(), ...changes, id };
      runs.put({ ...changed, rates: rates.slice(-MAX_RATES) });
    });
  }

  /** @type {WalletApi["deleteRun"]} */
  deleteRun(id) {
    return this.#relaxed(async ({ runs }) => void runs.delete(id));
  }

  /** @type {WalletApi["runs"]} */
  runs(limit = MAX_RUNS) {
    return this.#newest("runs", limit);
  }

  reset() {
    return this.store.write(async ({ settings, history, runs }) => [settings, history, runs].forEach((table) => table.clear()));
  }

  wipe() {
    return this.store.wipe();
  }

  /** Add to the history, within a transaction of the wallet's own modules. @param {Tables} tables @param {Note} note */
  async jot({ history }, { at = this.now(), kind, amount, detail = "", reference = null }) {
    history.add({ at, kind, amount, detail, reference });
    await trim(history, MAX_HISTORY);
  }

  /** @template T @param {(tables: Tables) => Promise<T>} work */
  #relaxed(work) {
    return this.store.write(work, "relaxed");
  }

  /** @param {"history" | "runs"} name @param {number} limit */
  async #newest(name, limit) {
    return (await this.store.read((tables) => got(tables[name].getAll()))).reverse().slice(0, limit);
  }
}

/** @param {number} size */
const drawn = (size) => crypto.getRandomValues(new Uint8Array(size));

/** Delete the oldest rows above `most`. @param {IDBObjectStore} table @param {number} most */
async function trim(table, most) {
  const extra = (await got(table.count())) - most;
  if (extra > 0) for (const key of await got(table.getAllKeys(null, extra))) table.delete(key);
}
