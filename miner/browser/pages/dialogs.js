// Native dialogs: a title, what it asks, an outcome that is spoken, and focus that returns to where it was.

import { h, icon, put, write } from "../element/dom.js";
import { id } from "./forms.js";

/** @import { Context } from "./context.js" */

const CROSS = "M6 6l12 12M18 6L6 18";

export class Dialog {
  /** Asked before the visitor closes it; false keeps it open. */
  mayClose = () => true;
  /** Called once it is closed. */
  closed = () => {};
  #busy = false;

  /** @param {Context} context @param {string} title @param {{ wide?: boolean }} [options] */
  constructor(context, title, { wide = false } = {}) {
    this.context = context;
    const heading = id("title");
    this.title = h("h2", { id: heading, tabindex: -1, autofocus: true }, title);
    this.body = h("div", { class: "ticketminer-dialog__body" });
    this.status = h("p", { class: "ticketminer-dialog__status", role: "status" });
    this.alert = h("p", { class: "ticketminer-dialog__alert", role: "alert", hidden: true });
    const close = h(
      "button",
      {
        type: "button",
        class: "ticketminer-dialog__close",
        "aria-label": context.t("dialog.close"),
        click: () => this.dismiss(),
      },
      icon(CROSS),
    );
    /** @type {HTMLDialogElement} */
    this.element = h(
      "dialog",
      {
        class: `ticketminer-dialog${wide ? " ticketminer-dialog--wide" : ""}`,
        "aria-labelledby": heading,
        lang: context.messages.lang,
        dir: context.messages.dir,
        cancel: (event) => {
          if (event.target !== this.element) return;
          event.preventDefault();
          this.dismiss();
        },
        close: (event) => {
          if (event.target !== this.element) return;
          if (this.#dismissed) return this.#leave();
          this.element.showModal(); // a second Escape closes without asking: then it is asked now
          this.dismiss();
        },
      },
      h(
        "div",
        { class: "ticketminer-dialog__paper" },
        h("header", null, this.title, close),
        this.body,
        this.alert,
        this.status,
      ),
    );
  }

  /** Show it, with `nodes` in it. @param {(Node | string | null)[]} nodes */
  open(...nodes) {
    this.#opener = document.activeElement;
    this.show(...nodes);
    this.context.place.root.appendChild(this.element);
    this.element.showModal();
    // The core may have no other view, and would end under the visitor's hands.
    this.#release = this.context.remote.subscribe(() => {});
    return this;
  }
  #release = () => {};
  /** @type {Element | null} */
  #opener = null;

  /** Let `nodes` be what it asks now. @param {(Node | string | null)[]} nodes */
  show(...nodes) {
    const held = this.body.contains(
      /** @type {ShadowRoot | Document} */ (this.element.getRootNode()).activeElement ?? null,
    );
    put(this.body, nodes);
    this.complain("");
    this.say("");
    if (held) this.title.focus();
  }

  /**
   * Say an outcome; `shown`: its words are on show already.
   * @param {string} text @param {{ shown?: boolean }} [options]
   */
  say(text, { shown = false } = {}) {
    this.status.className = `ticketminer-dialog__status${shown ? " ticketminer-spoken" : ""}`;
    write(this.status, text);
  }

  /** Say what is wrong; an empty text takes it back. @param {string} text */
  complain(text) {
    this.alert.hidden = !text;
    write(this.alert, text);
  }

  /**
   * Do what takes time, once at a time; what goes wrong is said.
   * @template T
   * @param {string} doing what to say meanwhile @param {() => Promise<T>} act @returns {Promise<T | undefined>}
   */
  async attempt(doing, act) {
    if (this.#busy) return undefined;
    this.#wait(true);
    this.complain("");
    this.say(doing);
    try {
      return await act();
    } catch (reason) {
      this.complain(this.context.why(reason));
      return undefined;
    } finally {
      this.say("");
      this.#wait(false);
    }
  }

  /** Close it when the visitor may. */
  dismiss() {
    if (this.#busy || !this.mayClose()) return;
    this.#dismissed = true;
    this.element.close();
  }
  #dismissed = false;

  /** @param {boolean} busy */
  #wait(busy) {
    this.#busy = busy;
    this.element.toggleAttribute("data-busy", busy);
    this.body.setAttribute("aria-busy", String(busy));
    for (const control of this.element.querySelectorAll("button")) control.setAttribute("aria-disabled", String(busy));
  }

  #leave() {
    this.#release();
    this.element.remove();
    const opener = /** @type {HTMLElement | null} */ (this.#opener);
    if (opener?.isConnected) opener.focus();
    this.closed();
  }
}

/** The row of buttons at the end of a dialog or form. @param {(Node | null)[]} buttons */
export const actions = (...buttons) => h("p", { class: "ticketminer-actions" }, ...buttons);
