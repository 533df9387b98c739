// The words that bring a wallet back: shown once asked for, and taken in on another device.

import { h, write } from "../element/dom.js";
import { actions, Dialog } from "./dialogs.js";
import { button, check, facts, field } from "./forms.js";

/** @import { Context } from "./context.js" */

const WORDS = 24;
const MASTER = 12;

/** The section about the backup. @param {Context} context @returns {import("./context.js").Section} */
export function backup(context) {
  const { t } = context;
  const state = h("p", { class: "ticketminer-state" });
  const show = button(t("words.show"), () => void openWords(context));
  const node = h(
    "section",
    { "aria-labelledby": "ticketminer-backup" },
    h("h2", { id: "ticketminer-backup", tabindex: -1 }, t("words.section")),
    h("p", null, t("words.about")),
    state,
    h(
      "p",
      { class: "ticketminer-actions" },
      show,
      button(t("restore.open"), () => openRestore(context)),
    ),
  );
  return {
    node,
    draw(view) {
      const key = view.wordsSeen ? "seen" : view.balance ? "unseen" : "nothing";
      node.dataset.words = key;
      write(state, t(`words.state.${key}`));
      show.className = `ticketminer-act${key === "unseen" ? " ticketminer-act--main" : ""}`;
    },
  };
}

/** Show the words, after one more click, to be written down. @param {Context} context @param {() => void} [closed] */
export function openWords(context, closed) {
  const { core, t } = context;
  const dialog = new Dialog(context, t("words.title"), { wide: true });
  if (closed) dialog.closed = closed;
  const reveal = async () => {
    const spelt = await dialog.attempt(t("words.fetching"), () => core.words());
    if (spelt === undefined) return;
    const list = h(
      "ol",
      { class: "ticketminer-words", translate: "no", lang: "en", dir: "ltr" },
      ...spelt.split(" ").map((word) => h("li", null, h("span", null, word))),
    );
    const seen = async () => {
      await core.wordsSeen();
      context.announce(t("words.noted"));
      await context.refresh();
    };
    dialog.element.classList.add("ticketminer-dialog--print");
    dialog.show(
      h("p", { class: "ticketminer-print-only" }, t("words.printed", { origin: location.origin })),
      list,
      h("p", { class: "ticketminer-hint" }, t("words.paper")),
      actions(
        button(
          t("words.written"),
          async () => {
            if ((await dialog.attempt(t("words.noting"), async () => (await seen(), true))) === undefined) return;
            dialog.dismiss();
          },
          "main",
        ),
        button(t("words.print"), () => print()),
        button(t("words.later"), () => dialog.dismiss()),
      ),
    );
    dialog.title.focus();
  };
  dialog.open(
    h(
      "ul",
      { class: "ticketminer-points" },
      ...["what", "who", "never"].map((point) => h("li", null, t(`words.${point}`))),
    ),
    actions(
      button(t("words.reveal"), () => void reveal(), "main"),
      button(t("dialog.cancel"), () => dialog.dismiss()),
    ),
  );
  return dialog;
}

/** The words in a text, as they are compared. @param {string} text */
export const split = (text) =>
  text
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter(Boolean);

/**
 * Ask for the words of this site's wallet and bring its tickets back. Twelve words, the whole of a command-line wallet,
 * are refused here, before anything is stored or sent.
 * @param {Context} context
 */
export function openRestore(context) {
  const { core, t } = context;
  const before = (context.remote.snapshot?.balance ?? 0) > 0;
  const dialog = new Dialog(context, t("restore.title"), { wide: true });
  const input = h("textarea", {
    rows: 5,
    class: "ticketminer-input ticketminer-input--code",
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    lang: "en",
    dir: "ltr",
    translate: "no",
    autofocus: true,
  });
  const count = h("p", { class: "ticketminer-hint" });
  /** @type {HTMLInputElement} */
  const shown = h("input", {
    type: "checkbox",
    checked: true,
    change: () => input.classList.toggle("ticketminer-input--hidden", !shown.checked),
  });
  const number = () => split(input.value).length;
  const tell = () => write(count, t("restore.count", { n: number(), all: WORDS }));
  const refuse = () => {
    input.value = "";
    tell();
    dialog.complain(t("restore.master", { origin: location.origin }));
    input.focus();
  };
  input.addEventListener("input", () => {
    tell();
    dialog.complain("");
  });
  input.addEventListener("paste", () =>
    setTimeout(() => {
      if (number() === MASTER) refuse();
    }),
  );

  const restore = async () => {
    const words = split(input.value);
    if (words.length === MASTER) return refuse();
    if (words.length !== WORDS) {
      dialog.complain(t("restore.wrong-count", { n: words.length, all: WORDS }));
      return input.focus();
    }
    const bar = h("progress", { class: "ticketminer-progress", "aria-label": t("restore.working") });
    dialog.status.before(bar);
    const found = await dialog.attempt(t("restore.working"), () => core.restore(words.join(" ")));
    bar.remove();
    if (!found) return input.focus();
    const outcome = found.tickets || found.spent ? t("restore.found", { n: found.value }) : t("restore.nothing");
    write(dialog.title, t("restore.done-title"));
    dialog.show(
      h("p", { class: "ticketminer-lead" }, outcome),
      facts([
        [t("restore.tickets"), t("jobs.count", { n: found.tickets })],
        found.spent ? [t("restore.spent"), t("jobs.count", { n: found.spent })] : null,
      ]),
      h("p", { class: "ticketminer-hint" }, t("restore.after"), ...(before ? [" ", t("restore.former")] : [])),
      actions(button(t("dialog.done"), () => dialog.dismiss(), "main")),
    );
    dialog.say(outcome, { shown: true });
    await context.refresh();
  };
  dialog.open(
    h("p", null, t("restore.about")),
    field(t("restore.field"), input, t("restore.hint")),
    count,
    check(shown, t("restore.show")),
    actions(
      button(t("restore.go"), () => void restore(), "main"),
      button(t("dialog.cancel"), () => dialog.dismiss()),
    ),
  );
  tell();
  input.focus();
  return dialog;
}
