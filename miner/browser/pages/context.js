// What the parts of a page share: the core, texts, numbers and dates, and a place for dialogs.

import { Messages } from "../element/messages.js";
import { connect } from "../element/remote.js";
import { Locale } from "./locale.js";

/** @import { Problem, WalletView, Snapshot } from "../types" */
/**
 * `root` is where dialogs go; `offer` what the page knows of the site's offer already, as attributes of <ticket-miner>;
 * `mines`: whether the site offers to mine in a page (true).
 * @typedef {Record<string, string | number | null | undefined>} Attributes
 * @typedef {{
 *   service: string, assets: URL, lang: string, root: HTMLElement | ShadowRoot, offer?: Attributes, mines?: boolean,
 * }} Place
 */
/**
 * A part of the wallet page.
 * @typedef {{ node: HTMLElement, draw: (view: WalletView, snapshot: Snapshot) => void }} Section
 */

export class Context {
  /** Load the texts and start the core. Throws where the texts cannot be had. @param {Place} place */
  static async open(place) {
    const messages = new Messages(place.lang);
    await Promise.all(["miner", "errors", "wallet"].map((name) => messages.load(place.assets, name)));
    return new Context(place, messages);
  }

  /** @param {Place} place @param {Messages} messages */
  constructor(place, messages) {
    this.place = place;
    this.messages = messages;
    this.remote = connect(place.assets, place.service);
    this.core = this.remote.core;
    this.locale = new Locale(messages.lang);
    this.mines = place.mines ?? true;
    /** Say an outcome to everyone, also to screen readers. @type {(text: string) => void} */
    this.announce = () => {};
    /** Read the wallet again. @type {() => Promise<void>} */
    this.refresh = async () => {};
  }

  /**
   * A text of messages/…/wallet.json.
   * @param {string} key without "wallet." @param {Record<string, string | number>} [values]
   */
  t = (key, values) => this.messages.text(`wallet.${key}`, values);

  /** A path within a text, from left to right in every language. @param {string} path */
  path = (path) => (this.messages.dir === "rtl" ? `\u2066${path}\u2069` : path);

  /** Why something did not work, in words. @param {unknown} reason what a call of the core was rejected with */
  why(reason) {
    const { code, cause, detail, values = {} } = /** @type {Problem} */ (reason ?? {});
    const about = { ...values, n: values.amount ?? values.available ?? 0, detail: values.detail ?? detail };
    for (const key of [`wallet.error.${cause}`, `wallet.error.${code}`, `error.${cause}`, `error.${code}`])
      if (this.messages.has(key)) return this.messages.text(key, about);
    return detail ?? String(reason);
  }

  /**
   * The core's next snapshot for which `holds` is true; rejects with the problem when there is no core.
   * @param {(snapshot: Snapshot) => boolean} holds
   */
  when(holds) {
    return /** @type {Promise<Snapshot>} */ (
      new Promise((resolve, reject) => {
        /** @type {() => void} */
        let leave = () => {};
        let over = false;
        leave = this.remote.subscribe(({ snapshot, failure }) => {
          if (over || (!failure && !(snapshot && holds(snapshot)))) return;
          over = true;
          setTimeout(leave);
          if (failure) reject(failure);
          else resolve(/** @type {Snapshot} */ (snapshot));
        });
      })
    );
  }
}
