// Buttons, fields and amounts.

import { h } from "../element/dom.js";

let ids = 0;

/** An id that nothing else in this document has. @param {string} name */
export const id = (name) => `ticketminer-${name}-${++ids}`;

/** @param {string} text @param {(event: Event) => unknown} press @param {"main" | "plain" | "danger" | ""} [look] */
export function button(text, press, look = "") {
  return h(
    "button",
    { type: "button", class: `ticketminer-act${look && ` ticketminer-act--${look}`}`, click: press },
    text,
  );
}

/**
 * A field with its label above, and words about it between them.
 * @param {string} label @param {HTMLInputElement | HTMLTextAreaElement} input @param {string} [hint]
 */
export function field(label, input, hint) {
  input.id ||= id("field");
  const words = hint ? h("p", { class: "ticketminer-hint", id: `${input.id}-hint` }, hint) : null;
  if (words) input.setAttribute("aria-describedby", words.id);
  return h(
    "div",
    { class: "ticketminer-fieldset" },
    h("label", { class: "ticketminer-field", for: input.id }, label),
    words,
    input,
  );
}

/** A box to tick, its text beside it. @param {HTMLInputElement} input @param {string} text @param {string} [hint] */
export function check(input, text, hint) {
  input.id ||= id("check");
  if (hint) input.setAttribute("aria-describedby", `${input.id}-hint`);
  const words = h("span", null, text);
  return h(
    "div",
    { class: "ticketminer-fieldset" },
    h("label", { class: "ticketminer-check", for: input.id }, input, words),
    hint ? h("p", { class: "ticketminer-hint ticketminer-hint--indented", id: `${input.id}-hint` }, hint) : null,
  );
}

/** A field for an amount. @param {number} value @param {number} least @param {number} [most] */
export function amountInput(value, least, most) {
  return h("input", {
    type: "number",
    inputmode: "numeric",
    class: "ticketminer-input ticketminer-input--amount",
    step: 1,
    min: least,
    required: true,
    value,
    ...(most === undefined ? {} : { max: most }),
  });
}

/** The amount as written; null for anything but a whole number of tickets above 0. @param {HTMLInputElement} input */
export function amountOf(input) {
  const match = /^[1-9]\d{0,9}$/.exec(input.value.trim());
  const amount = match ? Number(match[0]) : 0;
  return amount > 0 && amount < 2 ** 31 ? amount : null;
}

/** Pairs of terms and descriptions; what is null is left out. @param {([string, string | Node] | null)[]} pairs */
export function facts(pairs, look = "") {
  return h(
    "dl",
    { class: `ticketminer-facts${look && ` ticketminer-facts--${look}`}` },
    ...pairs.map((pair) => pair && h("div", null, h("dt", null, pair[0]), h("dd", null, pair[1]))),
  );
}

/** Offer `text` as a file to keep. @param {string} name @param {string} text */
export function save(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * Put `text` on the clipboard, also where there is no clipboard API (plain http).
 * @param {string} text @param {HTMLInputElement | HTMLTextAreaElement} shown where it can be selected
 */
export async function copy(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    shown.focus();
    shown.select();
    return document.execCommand("copy");
  }
}
