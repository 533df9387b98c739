// Giving tickets to a fund: from the balance, or by computing instead.

import { h, put, write } from "../element/dom.js";
import { actions, Dialog } from "./dialogs.js";
import { amountInput, amountOf, button, facts, field, id } from "./forms.js";
import { minerFor } from "./mine.js";

/** @typedef {import("./context.js").Context} Context */
/** @typedef {import("../types.d.ts").Fund} Fund */

/**
 * Ask what to give, and give it.
 * @param {Context} context
 * @param {{ fund?: string | null, amount?: number, given?: (amount: number, fund: Fund | null) => void }} [wish]
 */
export async function openDonate(context, wish = {}) {
  const { core, t } = context;
  const dialog = new Dialog(context, t("donate.title")).open();
  const opened = await dialog.attempt(t("dialog.opening"), async () => {
    await context.when((snapshot) => snapshot.phase !== "loading");
    return core.view();
  });
  if (!opened) return dialog;
  const { balance, service: { funds } } = opened;
  const names = wish.fund !== undefined ? funds.filter((fund) => fund.name === wish.fund) : funds;
  const choices = names.length ? names : [null];
  let fund = choices[0];

  const amount = amountInput(wish.amount ?? Math.max(fund?.minimum ?? 1, Math.min(fund?.default ?? 1, balance)), 1);
  const slider = h("input", { type: "range", class: "ticketminer-slider", min: 1, max: 3, step: 1 });
  const short = h("div", { class: "ticketminer-short", hidden: true });
  const give = button(t("donate.give", { n: 1 }), () => void donate(), "main");
  const left = h("p", { class: "ticketminer-hint" });

  const third = (/** @type {number} */ step) => Math.ceil((balance * step) / 3);
  const snap = () => {
    amount.value = String(Math.max(third(slider.valueAsNumber), 1));
    check();
  };
  slider.addEventListener("input", snap);

  /** Show what the amount means; whether it can be given. */
  function check() {
    const n = amountOf(amount);
    const least = fund?.minimum ?? 1;
    const enough = n !== null && n <= balance;
    const allowed = n !== null && n >= least;
    const nearest = [1, 2, 3].reduce((best, step) => (Math.abs(third(step) - (n ?? 0)) < Math.abs(third(best) - (n ?? 0)) ? step : best), 1);
    if (n !== third(slider.valueAsNumber)) slider.value = String(nearest);
    const step = slider.valueAsNumber;
    slider.setAttribute("aria-valuetext", t(`donate.third-${step}`, { n: third(step) }));
    amount.setAttribute("aria-invalid", String(!allowed));
    write(give, n === null ? t("donate.give-none") : t("donate.give", { n }));
    give.hidden = !enough;
    write(left, !allowed ? t("donate.least", { n: least }) : enough ? t("donate.left", { n: balance - n }) : "");
    short.hidden = enough || !allowed;
    if (!short.hidden && n !== null) {
      put(short, [h("p", null, t(balance ? "donate.short" : "donate.none", { n: balance })),
        actions(button(t("donate.mine", { n }), () => mine(n), "main"))]);
    }
  }
  amount.addEventListener("input", check);

  async function donate() {
    const n = amountOf(amount);
    if (n === null || n < (fund?.minimum ?? 1)) {
      dialog.complain(t("donate.least", { n: fund?.minimum ?? 1 }));
      amount.focus();
      return;
    }
    const done = await dialog.attempt(t("donate.giving", { n }), () => core.donate(n, fund?.name ?? null));
    if (!done) return;
    const thanks = t(fund ? "donate.thanks" : "donate.thanks-site", { n: done.amount, fund: fund?.title ?? "" });
    write(dialog.title, t("donate.thank-you"));
    dialog.show(h("p", { class: "ticketminer-lead" }, thanks),
      facts([done.reference ? [t("receipt.reference"), h("code", null, done.reference)] : null]),
      h("p", { class: "ticketminer-hint" }, t("donate.anonymous")),
      actions(button(t("dialog.done"), () => dialog.dismiss(), "main")));
    dialog.say(thanks);
    wish.given?.(done.amount, fund);
    await context.refresh();
  }

  /** @param {number} n */
  function mine(n) {
    write(dialog.title, fund ? t("donate.mine-title", { fund: fund.title }) : t("donate.mine-title-site"));
    dialog.show(minerFor(context, { goal: "donate", price: n, fund: fund?.name, "fund-title": fund?.title }));
  }

  const name = id("fund");
  const radios = choices.map((choice) => {
    const radio = h("input", { type: "radio", name, value: choice?.name ?? "", checked: choice === fund,
      change: () => {
        fund = choice;
        amount.min = String(choice?.minimum ?? 1);
        check();
      } });
    return choice && h("label", { class: "ticketminer-check", for: (radio.id = id("fund")) }, radio,
      h("span", null, choice.title, " ", h("span", { class: "ticketminer-quiet" }, t("donate.minimum", { n: choice.minimum }))));
  });
  dialog.show(
    h("p", { class: "ticketminer-lead" }, t("donate.balance", { n: balance })),
    choices.length > 1
      ? h("fieldset", { class: "ticketminer-fieldset" }, h("legend", { class: "ticketminer-field" }, t("donate.fund")), ...radios)
      : fund && h("p", null, t("donate.to", { fund: fund.title })),
    field(t("donate.amount"), amount),
    balance >= 3 ? h("div", { class: "ticketminer-fieldset" },
      h("label", { class: "ticketminer-field", for: (slider.id = id("part")) }, t("donate.part")), slider,
      h("p", { class: "ticketminer-thirds", "aria-hidden": "true" },
        ...[1, 2, 3].map((step) => h("span", null, t(`donate.mark-${step}`))))) : null,
    left, short, actions(give, button(t("dialog.cancel"), () => dialog.dismiss())));
  check();
  return dialog;
}
