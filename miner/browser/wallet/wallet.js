// The wallet of one site in this browser, shared by its tabs: nothing is sent that is not written down first.
// The rules are those of miner/wallet; what the methods promise stands in ./types.d.ts.

import { CodecError } from "../errors.js";
import { pin } from "./keyring.js";
import { begin, complete, free, held, jot, seedsOf, settle, trim, unanswered } from "./requests.js";
import { SEED_SIZE, seedId } from "./seed.js";
import { got, openStore } from "./store.js";

/** @import { Store, WalletApi } from "./types" */
/** @typedef {WalletApi} Wallet */

const MAX_RUNS = 50;
const MAX_RATES = 60;

const upkeep = () => import("./upkeep.js");

/** @param {number} size */
const drawn = (size) => crypto.getRandomValues(new Uint8Array(size));

export const Wallet = {
  /**
   * Open the wallet of the service at path `name`, with a fresh seed if there is none yet.
   * @param {string} name
   * @param {{now?: () => number, random?: (size: number) => Uint8Array}} [options] `now`: Unix seconds
   */
  async open(name, { now = () => Date.now() / 1000, random = drawn } = {}) {
    const store = await openStore(`ticketminer:${name}`);
    if (!(await store.read(seedsOf)).length) {
      const seed = random(SEED_SIZE);
      const id = await seedId(seed);
      await store.write(async (tables) => {
        // Another tab may have been first; its seed stands.
        if (!(await seedsOf(tables)).length) tables.secrets.put([{ id, seed }], "seeds");
      });
    }
    return methods(store, () => Math.floor(now()));
  },
};

/** @param {Store} store @param {() => number} now @returns {WalletApi} */
function methods({ read, write, close, wipe }, now) {
  /** @type {Promise<unknown>} */
  let last = Promise.resolve();
  /** @param {"history" | "runs"} name @param {number} [limit] */
  const newest = async (name, limit) => (await read((tables) => got(tables[name].getAll()))).reverse().slice(0, limit);

  const there = () => now() + wallet.offset;
  /** @type {WalletApi} */
  const wallet = {
    offset: 0,
    now,
    close,
    wipe,

    pin(keys, at = now()) {
      const living = keys.filter((key) => key.redeemUntil > at);
      return write((tables) => pin(tables, living, at));
    },
    async keys() {
      const keys = await read((tables) => got(tables.keys.getAll()));
      return keys.sort((a, b) => a.notBefore - b.notBefore || a.value - b.value);
    },
    key: async (keyId) => (await read((tables) => got(tables.keys.get(keyId)))) ?? null,

    seed: async () => (await read(seedsOf))[0].seed,
    seeds: async () => (await read(seedsOf)).map(({ seed }) => seed),
    useSeed: async (seed) => (await upkeep()).useSeed(write, seed),
    counter: async (seed, key) => (await upkeep()).counter(read, seed, key),

    async tickets() {
      const rows = await read((tables) => held(tables));
      for (const row of rows) if (row.state === "available" && row.redeemUntil <= there()) row.state = "expired";
      return rows;
    },
    balance: async () => (await read((tables) => free(tables, there()))).reduce((sum, { value }) => sum + value, 0),
    give: async (amount) => (await upkeep()).give(write, there(), amount),
    fileRestored: async (...found) => (await upkeep()).fileRestored(write, now(), ...found),
    markSpent: async (key, spent) => (await upkeep()).markSpent(write, key, spent),

    begin({ kind, path, amount, resource, label }, plan, compose, { adopt = false, now: at = now() } = {}) {
      const draft = { kind, path, amount, resource, label };
      const begun = last.then(() => begin({ read, write }, draft, plan, compose, { adopt, now: at, created: now() }));
      // One after the other: those of one tab need not race for counters.
      last = begun.catch(() => {});
      return begun;
    },
    async settle(request, signatures, { reference = null } = {}) {
      const { id, kind, label, resource, outputs } = request;
      if (signatures.length !== outputs.length) {
        throw new CodecError("wrong-size", `${signatures.length} of ${outputs.length} tickets are signed; repeat it.`);
      }
      const tokens = await Promise.all(outputs.map((output, i) => complete(output, signatures[i])));
      return write(async (tables) => {
        if (await settle(tables, request, tokens)) {
          const amount = request.amount || outputs.reduce((sum, { key }) => sum + key.value, 0);
          const what = label || (kind === "payment" ? "paid" : "mined");
          await jot(tables, { at: now(), kind: what, amount, detail: resource ?? "", reference });
        }
        return held(tables, "source", id);
      });
    },
    release: async ({ id }, _, { spent, signed } = {}) => (await upkeep()).release(write, id, spent, signed),
    unanswered: () => read(unanswered),

    setting: (name) => read((tables) => got(tables.settings.get(name))),
    setSetting: (name, value) =>
      write(async ({ settings }) => {
        if (value === null || value === undefined) settings.delete(name);
        else settings.put(value, name);
      }, "relaxed"),

    history: (limit = 100) => newest("history", limit),
    note: (entry) => write((tables) => jot(tables, { at: now(), ...entry }), "relaxed"),

    startRun: (run) =>
      write(async ({ runs }) => {
        const id = /** @type {number} */ (await got(runs.add(run)));
        await trim(runs, MAX_RUNS);
        return id;
      }, "relaxed"),
    updateRun: (id, changes) =>
      write(async ({ runs }) => {
        const run = await got(runs.get(id));
        if (!run) return;
        const { rates, ...changed } = { ...run, updated: now(), ...changes, id };
        runs.put({ ...changed, rates: rates.slice(-MAX_RATES) });
      }, "relaxed"),
    deleteRun: (id) => write(async ({ runs }) => void runs.delete(id), "relaxed"),
    runs: (limit) => newest("runs", limit),

    reset: () =>
      write(async ({ settings, history, runs }) => {
        const gifts = await got(settings.get("gifts"));
        for (const table of [settings, history, runs]) table.clear();
        if (gifts) settings.put(gifts, "gifts");
      }),
  };
  return wallet;
}
