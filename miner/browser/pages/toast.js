// Where the wallet page says an outcome, for the eye and for screen readers.

import { h, write } from "../element/dom.js";

const AGAIN = 50; // milliseconds between two texts, so that the same one is said twice

/** The place, which `context.announce` writes to from now on. @param {import("./context.js").Context} context */
export function toast(context) {
  const status = h("p", { class: "ticketminer-toast__text", role: "status" });
  /** @type {HTMLElement} */
  const node = h(
    "div",
    { class: "ticketminer-toast", hidden: true },
    status,
    h("button", { type: "button", "aria-label": context.t("dialog.close"), click: () => (node.hidden = true) }, "×"),
  );
  context.announce = (text) => {
    node.hidden = false;
    write(status, "");
    setTimeout(() => write(status, text), AGAIN);
  };
  return node;
}
