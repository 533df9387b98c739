// Tickets given away as text, link or QR code, and tickets taken over from somebody else.

import { h, put, write } from "../element/dom.js";
import { fromBase64url, fromUtf8, utf8 } from "../bytes.js";
import { actions, Dialog } from "./dialogs.js";
import { amountInput, amountOf, button, copy, field, save } from "./forms.js";
import { encode, outline } from "./qr.js";

/** @import { Context } from "./context.js" */

const PREFIX = "ticketminer-tickets-1.";
const FRAGMENT = "#receive=";
const DENSE = 30; // versions above are hard to read for a camera from a screen
const QUIET = 4;

/** The text of tickets in what was pasted, which may be a link; null where there is none. @param {string} pasted */
export function giftIn(pasted) {
  return /ticketminer-tickets-1\.[\w-]+/.exec(pasted)?.[0] ?? null;
}

/**
 * Where a gift comes from and how many signed tickets it says to hold; null where it cannot be read.
 * @param {string} text
 */
export function described(text) {
  try {
    const { origin, tickets } = JSON.parse(fromUtf8(fromBase64url(text.slice(PREFIX.length))));
    const url = new URL(origin); // which leaves no room for sentences
    const known = /^https?:$/.test(url.protocol) && Array.isArray(tickets);
    return known ? { origin: url.origin, count: tickets.length } : null;
  } catch {
    return null;
  }
}

/** A link that opens the wallet page with a gift. What follows # never reaches a server. @param {string} text */
const linkOf = (text) => `${location.origin}${location.pathname}${FRAGMENT}${text}`;

/** @param {string} text @returns {Promise<SVGElement | null>} null where it does not fit, or no camera would read it */
async function qrCode(text, label = "") {
  const code = await encode(utf8(text));
  if (!code || code.version > DENSE) return null;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const size = code.size + 2 * QUIET;
  svg.setAttribute("viewBox", `${-QUIET} ${-QUIET} ${size} ${size}`);
  svg.setAttribute("class", "ticketminer-qr");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  svg.setAttribute("shape-rendering", "crispEdges");
  const paper = document.createElementNS(svg.namespaceURI, "rect");
  for (const [name, value] of Object.entries({ x: -QUIET, y: -QUIET, width: size, height: size, fill: "#fff" }))
    paper.setAttribute(name, String(value));
  const dark = document.createElementNS(svg.namespaceURI, "path");
  dark.setAttribute("d", outline(code));
  dark.setAttribute("fill", "#000");
  svg.append(paper, dark);
  return svg;
}

/** Ask how many, and put them into text. @param {Context} context */
export async function openSend(context) {
  const { core, t } = context;
  const dialog = new Dialog(context, t("gift.title"), { wide: true }).open();
  const view = await dialog.attempt(t("dialog.opening"), () => core.view());
  if (!view) return dialog;
  const { balance } = view;
  const amount = amountInput(Math.min(1, balance), 1, balance);
  amount.autofocus = true;
  const left = h("p", { class: "ticketminer-hint" });
  const make = button("", () => void give(), "main");
  const check = () => {
    const n = amountOf(amount);
    write(make, n ? t("gift.make", { n }) : t("gift.make-none"));
    write(
      left,
      n === null ? t("gift.whole") : n > balance ? t("gift.short", { n: balance }) : t("gift.left", { n: balance - n }),
    );
    amount.setAttribute("aria-invalid", String(n === null || n > balance));
  };
  amount.addEventListener("input", check);
  const give = async () => {
    const n = amountOf(amount);
    if (n === null || n > balance) {
      dialog.complain(n === null ? t("gift.whole") : t("gift.short", { n: balance }));
      amount.focus();
      return;
    }
    const made = await dialog.attempt(t("gift.making", { n }), async () => drawn(context, n, await core.send(n)));
    if (!made) return;
    handOver(context, dialog, n, made);
    await context.refresh();
  };
  dialog.show(
    h("p", null, t("gift.about")),
    field(t("gift.amount"), amount, t("gift.balance", { n: balance })),
    left,
    actions(
      make,
      button(t("dialog.cancel"), () => dialog.dismiss()),
    ),
  );
  check();
  amount.focus();
  return dialog;
}

/** @param {Context} context @param {number} n @param {string} text */
const drawn = async ({ t }, n, text) => ({
  text,
  code: await qrCode(linkOf(text), t("gift.qr-label", { n })).catch(() => null),
});

/**
 * Show a gift that an earlier page has made and that the visitor has not said to have.
 * @param {Context} context @param {{ amount: number, text: string }} gift
 */
export async function openGift(context, { amount, text }) {
  const made = await drawn(context, amount, text);
  handOver(context, new Dialog(context, context.t("gift.title"), { wide: true }).open(), amount, made);
}

/**
 * Show a gift in every form; it is not closed by mistake before it was taken along.
 * @param {Context} context @param {Dialog} dialog @param {number} n
 * @param {{ text: string, code: SVGElement | null }} made
 */
function handOver(context, dialog, n, { text, code }) {
  const { core, t } = context;
  const link = linkOf(text);
  let kept = false;
  const stay = (/** @type {Event} */ event) => event.preventDefault();
  addEventListener("beforeunload", stay);
  dialog.closed = () => removeEventListener("beforeunload", stay);
  const keep = (/** @type {string} */ said) => {
    kept = true;
    void core.taken(text).catch(() => {}); // else it is shown once more
    dialog.closed();
    dialog.say(said);
    put(sure, []);
  };
  /** @type {HTMLInputElement} */
  const linkBox = h("input", {
    type: "text",
    readonly: true,
    dir: "ltr",
    value: link,
    class: "ticketminer-input",
    focus: () => linkBox.select(),
  });
  /** @type {HTMLTextAreaElement} */
  const textBox = h(
    "textarea",
    {
      readonly: true,
      rows: 4,
      dir: "ltr",
      class: "ticketminer-input ticketminer-input--code",
      focus: () => textBox.select(),
    },
    text,
  );
  const copied = async (
    /** @type {string} */ what,
    /** @type {HTMLInputElement | HTMLTextAreaElement} */ box,
    /** @type {string} */ said,
  ) => {
    if (await copy(what, box)) keep(said);
    else dialog.complain(t("gift.copy-yourself"));
  };
  const sure = h("div", { role: "alert" });
  dialog.mayClose = () => {
    if (kept) return true;
    put(sure, [
      h(
        "div",
        { class: "ticketminer-short" },
        h("p", null, t(code ? "gift.close-sure" : "gift.close-lost", { n })),
        actions(
          button(
            t("gift.stay"),
            () => {
              put(sure, []);
              linkBox.focus();
            },
            "main",
          ),
          button(
            t(code ? "gift.leave" : "gift.leave-lost"),
            () => {
              keep("");
              dialog.dismiss();
            },
            "danger",
          ),
        ),
      ),
    ]);
    sure.querySelector("button")?.focus();
    return false;
  };
  const share = /** @type {{ share?: (data: { url: string, title: string }) => Promise<void> }} */ (navigator).share;
  write(dialog.title, t("gift.ready-title", { n }));
  dialog.show(
    h("p", { class: "ticketminer-lead" }, t("gift.ready", { n })),
    h(
      "div",
      { class: "ticketminer-gift" },
      code
        ? h("figure", null, code, h("figcaption", null, t("gift.qr")))
        : h("p", { class: "ticketminer-quiet ticketminer-gift__none" }, t("gift.no-qr")),
      h(
        "div",
        null,
        field(t("gift.link"), linkBox, t("gift.link-hint")),
        actions(
          button(t("gift.copy-link"), () => void copied(link, linkBox, t("gift.link-copied")), "main"),
          share
            ? button(
                t("gift.share"),
                () =>
                  void share.call(navigator, { url: link, title: t("gift.share-title", { n }) }).then(
                    () => keep(t("gift.shared")),
                    () => {},
                  ),
              )
            : null,
        ),
        field(t("gift.text"), textBox, t("gift.text-hint")),
        actions(
          button(t("gift.copy-text"), () => void copied(text, textBox, t("gift.text-copied"))),
          button(t("gift.save"), () => {
            save(`tickets-${n}.txt`, `${t("gift.file", { n, origin: location.origin })}\n\n${link}\n\n${text}\n`);
            keep(t("gift.saved"));
          }),
        ),
      ),
    ),
    sure,
    actions(button(t("dialog.done"), () => dialog.dismiss())),
  );
  dialog.say(t("gift.ready-title", { n }), { shown: true });
  dialog.title.focus();
}

/**
 * Ask for a gift, or about the one at hand; "" is one that cannot be read.
 * @param {Context} context @param {string} [given]
 */
export function openReceive(context, given) {
  const { core, t } = context;
  const dialog = new Dialog(context, t("receive.title"));
  const done = () => actions(button(t("dialog.done"), () => dialog.dismiss(), "main"));

  /** @param {string} text */
  const take = async (text) => {
    const received = await dialog.attempt(t("receive.taking"), () => core.receive(text));
    if (received === undefined) return;
    const outcome = t("receive.received", { n: received });
    write(dialog.title, t("receive.done-title"));
    dialog.show(h("p", { class: "ticketminer-lead" }, outcome), done());
    dialog.say(outcome, { shown: true });
    await context.refresh();
  };

  if (given !== undefined) {
    const about = described(given);
    if (!about) return dialog.open(h("p", null, t("receive.unreadable")), done());
    if (about.origin !== location.origin)
      return dialog.open(h("p", null, t("receive.foreign", { origin: about.origin })), done());
    return dialog.open(
      h("p", { class: "ticketminer-lead" }, t("receive.ask", { n: about.count })),
      h("p", null, t("receive.ask-hint")),
      actions(
        button(t("receive.take"), () => void take(given), "main"),
        button(t("receive.leave"), () => dialog.dismiss()),
      ),
    );
  }

  const input = h("textarea", {
    rows: 5,
    class: "ticketminer-input ticketminer-input--code",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    translate: "no",
    dir: "ltr",
  });
  const read = () => {
    const text = giftIn(input.value);
    const about = text && described(text);
    if (about && about.origin === location.origin) return void take(text);
    dialog.complain(
      about ? t("receive.foreign", { origin: about.origin }) : t(text ? "error.damaged-gift" : "receive.no-gift"),
    );
    input.focus();
  };
  dialog.open(
    field(t("receive.field"), input, t("receive.hint")),
    actions(
      button(t("receive.take"), read, "main"),
      button(t("dialog.cancel"), () => dialog.dismiss()),
    ),
  );
  input.focus();
  return dialog;
}

/**
 * Ask about the gift in this page's address, then take it out of there.
 * @param {Context} context @returns {boolean} whether there was one
 */
export function receiveFromAddress(context) {
  if (!location.hash.startsWith(FRAGMENT)) return false;
  const text = giftIn(location.hash);
  openReceive(context, text ?? "").closed = () =>
    history.replaceState(history.state, "", location.pathname + location.search);
  return true;
}
