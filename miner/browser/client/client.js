// The site, as its visitor's wallet talks to it. What is rarely needed is loaded when it is.

import { Conversation } from "./conversation.js";
import { requestJob, submitShare } from "./mining.js";
import { findPrice, pay } from "./payment.js";

/** @import { Job, TicketKey } from "../types" */
/** @import { Challenge } from "./challenge.js" */

/**
 * Everything a visitor does with the site, its tickets kept in `wallet`. Every method throws SiteError, WalletError or
 * PaymentFailed; what was sent and not answered is kept for recover().
 */
export class SiteClient {
  #talk;

  /** @param {import("../wallet/wallet.js").Wallet} wallet @param {import("./conversation.js").Place} place */
  constructor(wallet, place) {
    this.#talk = new Conversation(wallet, place);
  }

  /** Seconds that the site's clock is ahead of this machine's; known after the first answer. */
  get clockOffset() {
    return this.#talk.clockOffset;
  }

  /** Unix seconds, by the site's clock where this machine's is wrong. */
  now() {
    return this.#talk.now();
  }

  /** What the site offers; asked for once. @param {{refresh?: boolean}} [options] */
  service(options) {
    return this.#talk.service(options);
  }

  /** The site's keys, pinned; throws KeyMismatch. @param {{refresh?: boolean}} [options] */
  keys(options) {
    return this.#talk.keys(options);
  }

  /** Work in one of `algorithms` (preferred first), worth about `value` tickets. @param {string[]} algorithms @param {import("./mining.js").Wish} [wish] */
  job(algorithms, wish = {}) {
    return requestJob(this.#talk, algorithms, wish);
  }

  /** Send a share and file its ticket; written down before it is sent. @param {Job} job @param {bigint} nonce @param {Uint8Array | null} [mix] */
  submit(job, nonce, mix = null) {
    return submitShare(this.#talk, job, nonce, mix);
  }

  /** What `resource` (path and query) costs; null when it asks for nothing. @param {string} resource */
  challenge(resource) {
    return findPrice(this.#talk, resource);
  }

  /** Pay for `resource` at most `most` tickets; see payment.js. @param {Challenge | null} challenge @param {string} resource @param {number} most */
  pay(challenge, resource, most) {
    return pay(this.#talk, challenge, resource, most);
  }

  /** Give `amount` tickets from the balance. @param {number} amount @param {string | null} fund */
  async donate(amount, fund) {
    const { links } = await this.service();
    const resource = `${links.donate}?${new URLSearchParams({ amount: `${amount}`, ...(fund && { fund }) })}`;
    const paid = await pay(this.#talk, await this.challenge(resource), resource, amount, "donated");
    return { amount: paid.amount, reference: paid.reference };
  }

  /** Send what was not answered again, as it was written down; see recovery.js. @param {{olderThan?: number}} [options] seconds */
  async recover(options) {
    return (await import("./recovery.js")).recover(this.#talk, options);
  }

  /** Text that carries exactly `amount` tickets. @param {number} amount */
  async send(amount) {
    return (await import("./exchange.js")).send(this.#talk, amount);
  }

  /** Take over the tickets in `text`; returns their value. @param {string} text */
  async receive(text) {
    return (await import("./exchange.js")).receive(this.#talk, text);
  }

  /** Swap small tickets for as few as possible; returns by how many they became fewer. */
  async join() {
    return (await import("./exchange.js")).join(this.#talk);
  }

  /** Swap tickets that near their end for new ones; returns their value. */
  async renew() {
    return (await import("./exchange.js")).renew(this.#talk);
  }

  /** Bring back what this wallet's seeds have earned; see restore.js. @param {(key: TicketKey, index: number, count: number) => void} [progress] @param {AbortSignal} [signal] */
  async restore(progress, signal) {
    return (await import("./restore.js")).restore(this.#talk, progress, signal);
  }
}
