// Which tab of an origin mines: who has a Web Lock or, where there are none (plain http), a lease in a small database.

const LEASE = 5000, RENEW = 2000; // milliseconds

/** The turn goes round among the visible tabs that want it. `onchange` is called when `held` has changed. */
export class Turn {
  held = false;
  onchange = () => {};
  #wanted = false;
  #visible;
  /** @type {AbortController | null} */
  #claim = null;

  /** @param {string} name @param {{ visible: boolean }} options */
  constructor(name, { visible }) {
    this.name = name;
    this.#visible = visible;
  }

  /** Want the turn. Resolves when it is known whether it is free now; it may come at any time later. */
  take() {
    this.#wanted = true;
    return this.#update();
  }

  release() {
    this.#wanted = false;
    this.#update();
  }

  /** @param {boolean} visible a hidden tab gives the turn away */
  show(visible) {
    this.#visible = visible;
    this.#update();
  }

  async #update() {
    const claims = this.#wanted && this.#visible;
    if (claims === (this.#claim !== null)) return;
    if (!claims) {
      this.#claim?.abort();
      this.#claim = null;
      return this.#hold(false);
    }
    const claim = (this.#claim = new AbortController());
    await (navigator.locks ? lock : lease)(this.name, claim.signal, (held) => {
      if (this.#claim === claim) this.#hold(held);
    });
  }

  /** @param {boolean} held */
  #hold(held) {
    if (this.held === held) return;
    this.held = held;
    this.onchange();
  }
}

/**
 * Claims the turn until `signal`, and tells when it was got or lost; resolves when that is known for the first time.
 * @typedef {(name: string, signal: AbortSignal, hold: (held: boolean) => void) => Promise<void>} Way
 */

/** @type {Way} */
function lock(name, signal, hold) {
  const ended = new Promise((resolve) => signal.addEventListener("abort", resolve));
  const have = () => (hold(true), ended);
  return new Promise((known) => {
    navigator.locks.request(name, { ifAvailable: true }, (free) => {
      known();
      if (signal.aborted) return;
      if (free) return have();
      navigator.locks.request(name, { signal }, have).catch(() => {});
    }).catch(() => (hold(true), known())); // where nothing is shared with other tabs
  });
}

/** @type {Way} */
async function lease(name, signal, hold) {
  const [owner] = crypto.getRandomValues(new Uint32Array(1));
  const channel = new BroadcastChannel(`${name} turn`);
  let timer = 0, mine = false, asking = false;
  const ask = async () => {
    if (asking) return;
    asking = true;
    clearTimeout(timer);
    mine = await change(name, (row) => {
      const until = Date.now() + LEASE;
      // One that ends much later than any lease can was written by another clock.
      const free = !row || row.owner === owner || row.until < until - LEASE || row.until > until + RENEW;
      return free && { owner, until };
    });
    asking = false;
    if (signal.aborted) return end();
    hold(mine);
    timer = setTimeout(ask, RENEW);
  };
  const end = async () => {
    clearTimeout(timer);
    if (asking) return;
    await change(name, (row) => row?.owner === owner && null);
    channel.postMessage("free");
    channel.close();
  };
  channel.onmessage = () => mine || ask();
  signal.addEventListener("abort", end);
  await ask();
}

/** @typedef {{ owner: number, until: number }} Row */

/**
 * In one transaction, replace the row `name` by what `decide` makes of it; null deletes it, and false leaves it.
 * Returns whether it did, and true where there is no database: then there are no other tabs to agree with.
 * @param {string} name @param {(row: Row | undefined) => Row | null | false} decide @returns {Promise<boolean>}
 */
function change(name, decide) {
  return new Promise((resolve) => {
    const opening = indexedDB.open("ticketminer-turn", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("turns");
    opening.onerror = () => resolve(true);
    opening.onsuccess = () => {
      const transaction = opening.result.transaction("turns", "readwrite"), rows = transaction.objectStore("turns");
      const reading = rows.get(name);
      let row = /** @type {Row | null | false} */ (false);
      reading.onsuccess = () => {
        row = decide(reading.result);
        if (row) rows.put(row, name);
        else if (row === null) rows.delete(name);
      };
      transaction.oncomplete = () => resolve(row !== false);
      transaction.onabort = () => resolve(true);
      opening.result.close();
    };
  });
}
