// A conversation with the site: requests within bounds, its service document, pinned keys and clock.

import { concat, utf8 } from "../bytes.js";
import { SiteError, SiteProtocolError, SiteUnreachable } from "../errors.js";
import { nonsense, read } from "./answers.js";
import { issues, readDirectory, readService } from "./service.js";

/** @import { Service, TicketKey } from "../types" */
/** @import { Reply } from "./answers.js" */

/** Seconds by which this machine's clock may differ from the site's before the site's counts. */
export const CLOCK_TOLERANCE = 300;
const MAX_REPLY = 1 << 20;
const TIMEOUT = 30_000; // milliseconds until the head of an answer, and as many for the rest

/** @typedef {{origin: string, servicePath: string, fetch?: typeof globalThis.fetch, timeout?: number}} Place */

export class Conversation {
  /** Seconds that the site's clock is ahead of this machine's. */
  clockOffset = 0;
  /** @type {Service | null} */
  #service = null;
  #refreshed = false;

  /** @param {import("../wallet/wallet.js").Wallet} wallet @param {Place} place */
  constructor(wallet, { origin, servicePath, fetch = globalThis.fetch, timeout = TIMEOUT }) {
    this.wallet = wallet;
    this.origin = origin;
    this.servicePath = servicePath;
    this.timeout = timeout;
    /** @type {typeof globalThis.fetch} */
    this.fetch = (...args) => fetch(...args);
  }

  /** Unix seconds: this machine's, corrected by the site's where they differ too much. */
  now() {
    return this.wallet.now() + (Math.abs(this.clockOffset) > CLOCK_TOLERANCE ? this.clockOffset : 0);
  }

  /**
   * The whole answer to one request; throws SiteUnreachable, and SiteProtocolError above `limit` bytes. A redirect is an answer
   * with status 302.
   * @param {string} path @param {{method?: string, body?: Uint8Array, limit?: number, accept?: string}} [options]
   * @returns {Promise<Reply>}
   */
  async send(path, { method = "GET", body, limit = MAX_REPLY, accept = "*/*" } = {}) {
    const abort = new AbortController();
    const late = () => abort.abort();
    let timer = setTimeout(late, this.timeout);
    try {
      const response = await this.fetch(this.origin + path, {
        method,
        body: /** @type {BodyInit | undefined} */ (body),
        headers: { Accept: accept, ...(body && { "Content-Type": "application/json" }) },
        credentials: "same-origin",
        mode: "same-origin",
        redirect: "manual",
        // What comes out of a cache has an old date, by which no clock may be set.
        cache: method === "GET" ? "no-cache" : "no-store",
        signal: abort.signal,
      });
      clearTimeout(timer);
      timer = setTimeout(late, this.timeout);
      if (response.type === "opaqueredirect") return { status: 302, headers: new Headers(), body: new Uint8Array() };
      const reply = { status: response.status, headers: response.headers, body: await bounded(response, limit) };
      const date = Date.parse(reply.headers.get("date") ?? "") / 1000;
      if (date && !reply.headers.has("age")) this.clockOffset = Math.round(date - this.wallet.now());
      return reply;
    } catch (error) {
      if (error instanceof SiteError) throw error;
      const message = `${this.origin} gave no complete answer. What was sent is written down and will be repeated; check the connection and try again.`;
      throw new SiteUnreachable(message, { cause: error });
    } finally {
      clearTimeout(timer);
      abort.abort();
    }
  }

  /** @param {string} path @param {Uint8Array} body */
  post(path, body) {
    return this.send(path, { method: "POST", body });
  }

  /** What the site offers, asked for once. */
  async service({ refresh = false } = {}) {
    if (!this.#service || refresh) this.#service = readService(read(await this.send(this.servicePath), "The service document"));
    return this.#service;
  }

  /** The pinned keys, after a look at the directory if there was none or `refresh`; throws KeyMismatch. */
  async keys({ refresh = false } = {}) {
    if (refresh || !this.#refreshed) {
      const { links } = await this.service();
      await this.wallet.pin(await readDirectory(read(await this.send(links.keys), "The key directory")), this.now());
      this.#refreshed = true;
    }
    return this.wallet.keys();
  }

  /** The pinned key; the directory is asked once when it is unknown. @param {string} keyId */
  async key(keyId) {
    const found = await this.wallet.key(keyId);
    if (found) return found;
    await this.keys({ refresh: true });
    return this.wallet.key(keyId);
  }

  /** The keys with which the site makes new tickets now, by value. @returns {Promise<Map<number, TicketKey>>} */
  async current() {
    const now = this.now();
    return new Map((await this.wallet.keys()).filter((key) => issues(key, now)).map((key) => [key.value, key]));
  }

  /** For each of `values` the key of new tickets; throws SiteProtocolError where the directory has none. @param {number[]} values */
  async issuing(values) {
    let current = await this.current();
    if (!values.every((value) => current.has(value))) {
      await this.keys({ refresh: true });
      current = await this.current();
    }
    return values.map((value) => {
      const key = current.get(value);
      if (key) return key;
      throw new SiteProtocolError(`The site has no current key for tickets of value ${value}. Compare this device's clock, and try again later.`);
    });
  }
}

/** The JSON that travels. @param {Record<string, unknown>} members */
export const encode = (members) => utf8(JSON.stringify(members));

/** @param {Response} response @param {number} limit */
async function bounded(response, limit) {
  const chunks = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); reader && part?.value; part = await reader.read()) {
    size += part.value.length;
    if (size > limit) throw nonsense(`the answer has more than ${limit} bytes.`);
    chunks.push(part.value);
  }
  return concat(...chunks);
}
