// The site, as its visitor's wallet talks to it. What is seldom needed is loaded when it is. Contracts stand in ./types.d.ts.

import { Conversation } from "./conversation.js";
import { requestJob, submitShare } from "./mining.js";

/** @import { SiteClientApi } from "./types" */

const payment = () => import("./payment.js");
const exchange = () => import("./exchange.js");

/** @implements {SiteClientApi} */
export class SiteClient extends Conversation {
  /** @type {SiteClientApi["job"]} */
  job(algorithms, wish = {}) {
    return requestJob(this, algorithms, wish);
  }

  /** @type {SiteClientApi["submit"]} */
  submit(job, nonce, mix = null) {
    return submitShare(this, job, nonce, mix);
  }

  /** @type {SiteClientApi["challenge"]} */
  async challenge(resource) {
    return (await payment()).findPrice(this, resource);
  }

  /** @type {SiteClientApi["pay"]} */
  async pay(challenge, resource, most) {
    return (await payment()).pay(this, challenge, resource, most);
  }

  /** @type {SiteClientApi["donate"]} */
  async donate(amount, fund) {
    const query = new URLSearchParams({ amount: `${amount}`, ...(fund && { fund }) });
    const resource = `${(await this.service()).links.donate}?${query}`;
    return (await payment()).pay(this, await this.challenge(resource), resource, amount, "donated");
  }

  /** @type {SiteClientApi["recover"]} */
  async recover(options) {
    return (await import("./recovery.js")).recover(this, options);
  }

  /** @type {SiteClientApi["send"]} */
  async send(amount) {
    return (await exchange()).send(this, amount);
  }

  /** @type {SiteClientApi["receive"]} */
  async receive(text) {
    return (await exchange()).receive(this, text);
  }

  async join() {
    return (await exchange()).join(this);
  }

  async renew() {
    return (await exchange()).renew(this);
  }

  /** @type {SiteClientApi["restore"]} */
  async restore(progress, signal) {
    return (await import("./restore.js")).restore(this, progress, signal);
  }
}
