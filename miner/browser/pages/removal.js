// Forgetting settings and notes, and deleting the wallet: two steps, what is lost, and the words offered first.

import { h, write } from "../element/dom.js";
import { actions, Dialog } from "./dialogs.js";
import { button, check } from "./forms.js";
import { openWords } from "./words.js";

/** @import { Context } from "./context.js" */
/** @import { WalletView } from "../types" */

/** @param {Context} context @returns {import("./context.js").Section} */
export function removal(context) {
  const { t } = context;
  return {
    node: h(
      "section",
      { "aria-labelledby": "ticketminer-removal" },
      h("h2", { id: "ticketminer-removal", tabindex: -1 }, t("removal.title")),
      h(
        "div",
        { class: "ticketminer-group" },
        h("p", null, t("reset.about")),
        actions(button(t("reset.open"), () => void ask(context, "reset"))),
        h("p", null, t("delete.about")),
        actions(button(t("delete.open"), () => void ask(context, "delete"), "danger")),
      ),
    ),
    draw() {},
  };
}

/** The first step: what would be lost. @param {Context} context @param {"reset" | "delete"} what */
async function ask(context, what) {
  const { core, t } = context;
  const dialog = new Dialog(context, t(`${what}.title`)).open();
  const view = await dialog.attempt(t("dialog.opening"), () => core.view());
  if (!view) return;
  const offer = what === "delete" && view.balance + view.pending > 0;
  dialog.show(
    h("p", null, t(`${what}.lost`)),
    h("ul", { class: "ticketminer-points" }, ...losses(context, what, view).map((text) => h("li", null, text))),
    h("p", null, t(offer ? (view.wordsSeen ? "delete.words-seen" : "delete.words-unseen") : `${what}.stays`)),
    actions(
      offer
        ? button(
            t("words.show"),
            () => {
              dialog.dismiss();
              openWords(context, () => void ask(context, what));
            },
            "main",
          )
        : null,
      button(t(`${what}.next`), () => sure(context, dialog, what, view), "danger"),
      button(t("dialog.keep"), () => dialog.dismiss()),
    ),
  );
}

/** @param {Context} context @param {"reset" | "delete"} what @param {WalletView} view */
function losses({ t }, what, view) {
  const notes = [
    t("loss.settings"),
    t("loss.history", { n: view.history.length }),
    t("loss.jobs", { n: view.runs.length }),
  ];
  if (what === "reset") return notes;
  const held = [t("loss.tickets", { n: view.balance })];
  if (view.pending) held.push(t("loss.pending", { n: view.pending }));
  return [...held, t("loss.secret"), ...notes];
}

/**
 * The second step.
 * @param {Context} context @param {Dialog} dialog @param {"reset" | "delete"} what @param {WalletView} view
 */
function sure(context, dialog, what, view) {
  const { core, t } = context;
  const agree = h("input", { type: "checkbox" });
  const total = view.balance + view.pending;
  write(dialog.title, t(`${what}.sure-title`));
  const go = async () => {
    if (!agree.checked) {
      dialog.complain(t("removal.tick"));
      agree.focus();
      return;
    }
    const done = await dialog.attempt(t(`${what}.doing`), async () => {
      await (what === "reset" ? core.reset() : core.wipe());
      return true;
    });
    if (!done) return;
    dialog.dismiss();
    context.announce(t(`${what}.done`));
    await context.refresh();
  };
  dialog.show(
    check(agree, what === "delete" ? t("delete.agree", { n: total }) : t("reset.agree")),
    actions(
      button(t("dialog.keep"), () => dialog.dismiss(), "main"),
      button(t(`${what}.go`), () => void go(), "danger"),
    ),
  );
  dialog.title.focus();
}
