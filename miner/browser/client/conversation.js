// A conversation with the site: bounded requests, service document, pinned keys, clock. Contracts: ./types.d.ts.

import { concat, utf8 } from "../bytes.js";
import { SiteError, SiteUnreachable } from "../errors.js";
import { nonsense, read } from "./answers.js";
import { readDirectory, readService } from "./service.js";

/** @import { Members, Place, Talk } from "./types" */

const CLOCK_TOLERANCE = 300;
const MAX_REPLY = 1 << 20;

/** @implements {Talk} */
export class Conversation {
  clockOffset = 0;
  /** @type {import("../types").Service | null} */
  #service = null;
  #asked = false;

  /** @param {import("../wallet/wallet.js").Wallet} wallet @param {Place} place */
  constructor(wallet, { origin, servicePath, fetch = globalThis.fetch, timeout = 60_000 }) {
    this.wallet = wallet;
    this.origin = origin;
    this.servicePath = servicePath;
    this.fetch = fetch.bind(globalThis);
    this.timeout = timeout;
  }

  now() {
    return this.wallet.now() + (Math.abs(this.clockOffset) > CLOCK_TOLERANCE ? this.clockOffset : 0);
  }

  /** @type {Talk["call"]} */
  async call(path, { method = "GET", body, limit = MAX_REPLY } = {}) {
    try {
      const response = await this.fetch(this.origin + path, {
        method,
        body: /** @type {BodyInit | undefined} */ (body),
        headers: { Accept: "application/json, */*;q=0.5", ...(body && { "Content-Type": "application/json" }) },
        mode: "same-origin",
        redirect: "manual",
        cache: "no-cache", // an old answer has an old date, by which no clock may be set
        signal: AbortSignal.timeout(this.timeout),
      });
      const { headers, type } = response;
      const seconds = Date.parse(headers.get("date") ?? "") / 1000;
      if (seconds && !headers.has("age")) {
        this.clockOffset = Math.round(seconds - this.wallet.now());
        this.wallet.offset = this.now() - this.wallet.now();
      }
      const chunks = [];
      let size = 0;
      for (const reader = response.body?.getReader(); reader;) {
        const { value } = await reader.read();
        if (!value) break;
        size += value.length;
        chunks.push(value);
        if (size <= limit) continue;
        reader.cancel();
        throw nonsense(`an answer has more than ${limit} bytes.`);
      }
      return { status: type === "opaqueredirect" ? 302 : response.status, headers, body: concat(...chunks) };
    } catch (error) {
      if (error instanceof SiteError) throw error;
      throw new SiteUnreachable(
        "The site gave no complete answer. What was sent is kept and will be repeated; check the connection.",
      );
    }
  }

  /** @type {Talk["post"]} */
  post(path, body) {
    return this.call(path, { method: "POST", body });
  }

  /** @type {Talk["service"]} */
  async service({ refresh = false } = {}) {
    if (!this.#service || refresh)
      this.#service = readService(read(await this.call(this.servicePath), "The service document"));
    return this.#service;
  }

  /** @type {Talk["keys"]} */
  async keys({ refresh = false } = {}) {
    if (!this.#asked || refresh) {
      const reply = await this.call((await this.service()).links.keys);
      await this.wallet.pin(await readDirectory(read(reply, "The key directory")), this.now());
      this.#asked = true;
    }
    return this.wallet.keys();
  }

  /** @type {Talk["key"]} */
  async key(keyId) {
    const found = await this.wallet.key(keyId);
    if (!found) await this.keys({ refresh: true });
    return found ?? this.wallet.key(keyId);
  }

  /** @type {Talk["current"]} */
  async current() {
    const now = this.now();
    const keys = (await this.wallet.keys()).filter(({ notBefore, issueUntil }) => notBefore <= now && now < issueUntil);
    return new Map(keys.map((key) => [key.value, key]));
  }
}

/** The JSON that travels. @param {Members} members */
export const encode = (members) => utf8(JSON.stringify(members));
