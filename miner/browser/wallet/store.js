// The wallet's database: one a service, shared by all tabs of the origin, and what its failures mean.

import { StorageFull, StorageRefused } from "../errors.js";

const VERSION = 1;
const PATIENCE = 10_000; // milliseconds until a browser or another tab that does not answer is given up

/** Store: [options, index: key path]. A row without the index's members is not in it. @type {Record<string, [IDBObjectStoreParameters, Record<string, string>?]>} */
const SCHEMA = {
  secrets: [{}],
  settings: [{}],
  keys: [{ keyPath: "keyId" }],
  counters: [{ keyPath: ["seedId", "keyId"] }],
  requests: [{ keyPath: "id", autoIncrement: true }],
  outputs: [{ keyPath: ["seedId", "keyId", "counter"] }, { request: "request" }],
  tickets: [{ keyPath: ["keyId", "nonce"] }, { state: "state", request: "request", source: "source" }],
  history: [{ autoIncrement: true }],
  runs: [{ keyPath: "id", autoIncrement: true }],
};

/** @typedef {[code: string, message: string]} Reason */
/** @type {Record<"closed" | "deleted" | "newer" | "lost" | "held" | "refused", Reason>} */
const REASONS = {
  closed: ["wallet-closed", "This wallet has been closed. Load the page again."],
  deleted: ["wallet-deleted", "This wallet was deleted in another tab. Load the page again to begin a new one."],
  newer: ["wallet-newer", "A newer version of this page has the wallet now; nothing is lost. Load the page again."],
  lost: ["storage-lost", "The browser has closed this site's storage. Load the page again; if the tickets are gone, restore them from their words."],
  held: ["storage-held", "The wallet's storage does not answer. Close the other tabs of this site, or restart the browser, and try again."],
  refused: ["storage-refused", "The browser gives this site no storage, so tickets cannot be kept here. Allow site data for it, leave private browsing, or use another browser."],
};

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} its result; in a transaction await nothing else */
export const got = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** Rows whose primary key begins with `parts`. @param {...string} parts */
export const under = (...parts) => IDBKeyRange.bound(parts, [...parts, []]);

/** Every method throws StorageFull or StorageRefused, and then nothing has changed. */
export class Store {
  /** @type {Reason | null} */
  #ended = null;

  /** @param {IDBDatabase} database */
  constructor(database) {
    this.#database = database;
    // Letting go at once lets another tab delete or upgrade; what runs here is finished first.
    database.onversionchange = ({ newVersion }) => this.close(newVersion === null ? "deleted" : "newer");
    database.onclose = () => this.close("lost");
  }

  #database;

  /** @param {string} name made when there is none */
  static async open(name) {
    try {
      const request = indexedDB.open(name, VERSION);
      request.onupgradeneeded = () => {
        for (const [table, [options, indices = {}]] of Object.entries(SCHEMA)) {
          const made = request.result.createObjectStore(table, options);
          for (const [index, path] of Object.entries(indices)) made.createIndex(index, path);
        }
      };
      const store = await patient(request, (late) => late.close());
      return new Store(store);
    } catch (error) {
      throw explained(error);
    }
  }

  /** @param {keyof typeof REASONS} reason what later calls say */
  close(reason = "closed") {
    this.#ended ??= REASONS[reason];
    this.#database.close();
  }

  /** Delete the database. Other tabs that have it open let go of it. */
  async wipe() {
    this.close("deleted");
    try {
      await patient(indexedDB.deleteDatabase(this.#database.name));
    } catch (error) {
      throw explained(error);
    }
  }

  /** One consistent view. @template T @param {string[]} tables @param {(tx: IDBTransaction) => Promise<T>} work */
  read(tables, work) {
    return this.#run(tables, "readonly", {}, work);
  }

  /**
   * All of `work` or nothing of it, on disk before this returns unless it may be "relaxed".
   * @template T @param {string[]} tables @param {(tx: IDBTransaction) => Promise<T>} work
   * @param {IDBTransactionDurability} [durability]
   */
  write(tables, work, durability = "strict") {
    return this.#run(tables, "readwrite", { durability }, work);
  }

  /** @template T @param {string[]} tables @param {IDBTransactionMode} mode @param {IDBTransactionOptions} options @param {(tx: IDBTransaction) => Promise<T>} work */
  async #run(tables, mode, options, work) {
    if (this.#ended) throw new StorageRefused(this.#ended[1], { code: this.#ended[0] });
    try {
      const tx = this.#database.transaction(tables, mode, options);
      const ended = new Promise((resolve, reject) => {
        tx.oncomplete = resolve;
        tx.onabort = () => reject(tx.error ?? new DOMException("The transaction was aborted.", "AbortError"));
      });
      try {
        const result = await work(tx);
        await ended;
        return result;
      } catch (error) {
        if (!tx.error) abort(tx);
        await ended.catch(() => {});
        // A full disk shows as an aborted request first.
        throw tx.error ?? error;
      }
    } catch (error) {
      throw explained(error, this.#ended);
    }
  }
}

/** @param {IDBTransaction} tx */
function abort(tx) {
  try {
    tx.abort();
  } catch {
    // It has ended already.
  }
}

/** @template T @param {IDBOpenDBRequest} request @param {(late: IDBDatabase) => void} [tooLate] @returns {Promise<IDBDatabase>} */
function patient(request, tooLate) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      if (tooLate) request.onsuccess = () => tooLate(request.result);
      reject(new StorageRefused(REASONS.held[1], { code: REASONS.held[0] }));
    }, PATIENCE);
    got(request).then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** @param {unknown} error @param {Reason | null} [ended] @returns {unknown} what to throw for it */
function explained(error, ended = null) {
  const name = error instanceof Error ? error.name : "";
  if (name === "QuotaExceededError") {
    return new StorageFull("The browser has no room left for this site. Nothing was lost: the last step was undone. Free some space and repeat it.", { cause: error });
  }
  const ours = !(error instanceof DOMException) || name === "DataError" || name === "DataCloneError";
  // Without IndexedDB its name is no variable.
  if (ours && !(error instanceof ReferenceError)) return error;
  const [code, message] = ended ?? (name === "VersionError" ? REASONS.newer : REASONS.refused);
  return new StorageRefused(message, { code, cause: error });
}
