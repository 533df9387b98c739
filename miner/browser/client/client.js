// The site, as its visitor's wallet talks to it; what is seldom needed loads when it is. Contracts: ./types.d.ts.

import { loaded } from "./answers.js";
import { Conversation } from "./conversation.js";
import { requestJob, submitShare } from "./mining.js";

/** @import { SiteClientApi } from "./types" */

const payment = () => loaded(import("./payment.js"));
const exchange = () => loaded(import("./exchange.js"));

/** @implements {SiteClientApi} */
export class SiteClient extends Conversation {
  /** @type {SiteClientApi["job"]} */
  job = (algorithms, wish = {}) => requestJob(this, algorithms, wish);

  /** @type {SiteClientApi["submit"]} */
  submit = (job, nonce, mix = null) => submitShare(this, job, nonce, mix);

  /** @type {SiteClientApi["challenge"]} */
  challenge = async (resource) => (await payment()).findPrice(this, resource);

  /** @type {SiteClientApi["pay"]} */
  pay = async (challenge, resource, most) => (await payment()).pay(this, challenge, resource, most);

  /** @type {SiteClientApi["donate"]} */
  async donate(amount, fund) {
    const query = new URLSearchParams({ amount: `${amount}`, ...(fund && { fund }) });
    const resource = `${(await this.service()).links.donate}?${query}`;
    return (await payment()).pay(this, await this.challenge(resource), resource, amount, "donated");
  }

  /** @type {SiteClientApi["recover"]} */
  recover = async (options) => (await loaded(import("./recovery.js"))).recover(this, options);

  /** @type {SiteClientApi["send"]} */
  send = async (amount) => (await exchange()).send(this, amount);

  /** @type {SiteClientApi["receive"]} */
  receive = async (text) => (await exchange()).receive(this, text);

  renew = async () => (await exchange()).renew(this);

  reissue = async () => (await exchange()).reissue(this);

  /** @type {SiteClientApi["restore"]} */
  restore = async (progress, signal) => (await loaded(import("./restore.js"))).restore(this, progress, signal);
}
