// Buying something that asks for tickets: from the balance, or by computing for the rest.

import { h, write } from "../element/dom.js";
import { actions, Dialog } from "./dialogs.js";
import { button, facts } from "./forms.js";
import { minerFor } from "./mine.js";

/** @import { Context } from "./context.js" */

/** A path of this site, with its query; null for anything that leads elsewhere. @param {string} text */
export function ownResource(text) {
  try {
    const url = new URL(text, location.href);
    return text.startsWith("/") && url.origin === location.origin ? url.pathname + url.search : null;
  } catch {
    return null;
  }
}

/**
 * Say what `resource` costs, and buy it when the visitor says so.
 * @param {Context} context
 * @param {{ resource: string, title?: string, opened?: (location: string) => void }} wish `title` as the site names it;
 *   `opened` goes to what was bought (by default, this page does)
 */
export async function openPurchase(context, { resource, title, opened = (to) => location.assign(to) }) {
  const { core, t } = context;
  const dialog = new Dialog(context, t("purchase.title")).open();
  const known = await dialog.attempt(t("purchase.asking"), async () => {
    const { balance } = await context.when((snapshot) => snapshot.phase !== "loading");
    return { balance, price: await core.price(resource) };
  });
  if (!known) return dialog;
  const { balance, price } = known;
  const path = context.path(resource);
  const what = h(
    "span",
    null,
    title ?? path,
    title ? h("span", { class: "ticketminer-quiet ticketminer-path" }, path) : null,
  );
  if (price === null) {
    dialog.show(
      facts([[t("purchase.what"), what]]),
      h("p", null, t("purchase.free")),
      actions(h("a", { class: "ticketminer-act ticketminer-act--main", href: resource }, t("purchase.open"))),
    );
    return dialog;
  }
  const tickets = (/** @type {number} */ n) => t("tickets", { n });
  const enough = balance >= price;

  async function pay() {
    const paid = await dialog.attempt(t("purchase.paying"), () => core.pay(resource, /** @type {number} */ (price)));
    if (!paid) return;
    write(dialog.title, t("purchase.paid-title"));
    dialog.show(
      h("p", { class: "ticketminer-lead" }, t("purchase.paid", { n: paid.amount })),
      facts([
        paid.change ? [t("purchase.returned"), tickets(paid.change)] : null,
        paid.reference ? [t("receipt.reference"), h("code", null, paid.reference)] : null,
      ]),
      actions(
        h("a", { class: "ticketminer-act ticketminer-act--main", href: paid.location }, t("purchase.open")),
        button(t("dialog.done"), () => dialog.dismiss()),
      ),
    );
    dialog.say(t("purchase.paid", { n: paid.amount }), { shown: true });
    void context.refresh();
    opened(paid.location);
  }

  function mine() {
    write(dialog.title, t("purchase.mine-title"));
    dialog.show(facts([[t("purchase.what"), what]]), minerFor(context, { goal: "pay", resource, price }));
  }

  dialog.show(
    facts([
      [t("purchase.what"), what],
      [t("purchase.price"), h("strong", null, tickets(price))],
      [t("purchase.balance"), tickets(balance)],
      enough ? [t("purchase.left"), tickets(balance - price)] : [t("purchase.missing"), tickets(price - balance)],
    ]),
    enough || !context.mines
      ? null
      : h("p", { class: "ticketminer-short" }, t(balance ? "purchase.short" : "purchase.none", { n: price - balance })),
    actions(
      enough
        ? button(t("purchase.pay", { n: price }), () => void pay(), "main")
        : context.mines
          ? button(t("purchase.mine", { n: price - balance }), mine, "main")
          : null,
      button(t("dialog.cancel"), () => dialog.dismiss()),
    ),
  );
  return dialog;
}
