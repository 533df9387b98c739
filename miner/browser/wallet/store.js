// The wallet's database: one a service, shared by all tabs of the origin; and what its failures mean.

import { StorageFull, StorageRefused } from "../errors.js";

/** @import { Store, TableName, Tables, Work } from "./types" */
/** @typedef {keyof typeof REASONS} Reason */

const PATIENCE = 10_000; // milliseconds for a browser that hangs, or for other tabs to let go

/** Key in the row, then indices, without null. @type {Record<TableName, [(string | string[])?, ...string[]]>} */
const TABLES = {
  secrets: [],
  settings: [],
  keys: ["keyId"],
  counters: [["seedId", "keyId"]],
  requests: ["id"],
  outputs: [["seedId", "keyId", "counter"], "request"],
  tickets: [["keyId", "nonce"], "state", "request", "source"],
  history: ["id"],
  runs: ["id"],
};
const NAMES = /** @type {TableName[]} */ (Object.keys(TABLES));

const REASONS = {
  "wallet-closed": "This wallet is closed. Load the page again.",
  "wallet-deleted": "This wallet was deleted in another tab. Load the page again to begin a new one.",
  "wallet-newer": "A newer version of this page uses the wallet; nothing is lost. Load the page again.",
  "storage-lost": "The browser has closed this site's storage. Load the page again; words bring lost tickets back.",
  "storage-held": "The wallet's storage does not answer. Close the other tabs of this site and try again.",
  "storage-refused": "The browser lets this site store nothing. Allow its data, or leave private browsing.",
};

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
export const got = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** Rows whose key begins with `parts`. @param {...string} parts */
export const under = (...parts) => IDBKeyRange.bound(parts, [...parts, []]);

/** @param {string} name of the database, made when there is none @returns {Promise<Store>} */
export async function openStore(name) {
  /** @type {Reason | null} */
  let ended = null;
  const database = await patient(() => {
    if (!globalThis.indexedDB) throw refusal("storage-refused");
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      for (const [table, [key, ...indices]] of Object.entries(TABLES)) {
        const options = { keyPath: key, autoIncrement: key === "id" };
        const made = request.result.createObjectStore(table, key ? options : {});
        for (const index of indices) made.createIndex(index, index);
      }
    };
    return request;
  });
  /** @param {Reason} reason */
  const close = (reason) => {
    ended ??= reason;
    database.close();
  };
  // Letting go at once lets another tab delete or upgrade; what is under way is finished first.
  database.onversionchange = ({ newVersion }) => close(newVersion ? "wallet-newer" : "wallet-deleted");
  database.onclose = () => close("storage-lost");

  /** @type {<T>(mode: IDBTransactionMode, work: Work<T>, durability?: IDBTransactionDurability) => Promise<T>} */
  const run = async (mode, work, durability) => {
    if (ended) throw refusal(ended);
    try {
      const tx = database.transaction(NAMES, mode, { durability });
      const over = new Promise((resolve) => (tx.oncomplete = tx.onabort = resolve));
      const tables = /** @type {Tables} */ (Object.fromEntries(NAMES.map((name) => [name, tx.objectStore(name)])));
      const [result] = await Promise.allSettled([work(tables)]);
      const failed = result.status === "rejected";
      try {
        if (failed) tx.abort();
      } catch {} // When the disk is full it has ended by itself, and only it knows why.
      const { type } = await over;
      if (!failed && type === "complete") return result.value;
      throw tx.error ?? (failed ? result.reason : refusal("storage-lost"));
    } catch (error) {
      throw explained(error);
    }
  };
  return {
    read: (work) => run("readonly", work),
    write: (work, durability = "strict") => run("readwrite", work, durability),
    close: () => close("wallet-closed"),
    async wipe() {
      close("wallet-deleted");
      await patient(() => indexedDB.deleteDatabase(name));
    },
  };
}

/** @param {Reason} code @param {unknown} [cause] */
const refusal = (code, cause) => new StorageRefused(REASONS[code], { code, cause });

/** @param {() => IDBOpenDBRequest} ask @returns {Promise<IDBDatabase>} */
async function patient(ask) {
  let timer = 0;
  try {
    const request = ask();
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => {
        // Nobody will hold what opens now, so it must not be in the way of others.
        request.onsuccess = () => request.result?.close();
        reject(refusal("storage-held"));
      }, PATIENCE);
    });
    return await Promise.race([got(request), late]);
  } catch (error) {
    throw explained(error);
  } finally {
    clearTimeout(timer);
  }
}

/** What to throw for `error`. @param {unknown} error */
function explained(error) {
  const name = error instanceof DOMException || error instanceof Error ? error.name : "";
  if (name === "QuotaExceededError") {
    const message = "The browser has no room left for this site. Nothing was lost: free some space and try again.";
    return new StorageFull(message, { cause: error });
  }
  if (name === "VersionError") return refusal("wallet-newer", error);
  if (name === "AbortError") return refusal("storage-lost", error);
  // Data that cannot be stored are a mistake of the caller.
  return error instanceof DOMException && !name.startsWith("Data") ? refusal("storage-refused", error) : error;
}
