// Giving tickets to a fund: from the balance, or by computing instead.

import { h, put, write } from "../element/dom.js";
import { actions, Dialog } from "./dialogs.js";
import { amountInput, amountOf, button, facts, field, id } from "./forms.js";
import { minerFor } from "./mine.js";

/** @import { Context } from "./context.js" */
/** @import { Fund } from "../types" */

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
  const {
    balance,
    service: { funds },
  } = opened;
  const names = wish.fund !== undefined ? funds.filter((fund) => fund.name === wish.fund) : funds;
  const choices = names.length ? names : [null];
  let fund = choices[0];

  const amount = amountInput(wish.amount ?? Math.max(fund?.minimum ?? 1, Math.min(fund?.default ?? 1, balance)), 1);
  const slider = thirds(balance, (part) => {
    amount.value = String(part);
    check();
  });
  const short = h("div", { class: "ticketminer-short", hidden: true });
  const give = button(t("donate.give", { n: 1 }), () => void donate(), "main");
  const left = h("p", { class: "ticketminer-hint" });

  /** Show what the amount means; whether it can be given. */
  function check() {
    const n = amountOf(amount);
    const least = fund?.minimum ?? 1;
    const enough = n !== null && n <= balance;
    const allowed = n !== null && n >= least;
    slider.value = String(Math.min(n ?? 0, balance));
    slider.setAttribute(
      "aria-valuetext",
      t(`donate.part-${[1, 2, 3].find((step) => third(balance, step) === n) ?? 0}`, { n: n ?? 0 }),
    );
    amount.setAttribute("aria-invalid", String(!allowed));
    write(give, n === null ? t("donate.give-none") : t("donate.give", { n }));
    give.hidden = !enough;
    write(left, !allowed ? t("donate.least", { n: least }) : enough ? t("donate.left", { n: balance - n }) : "");
    short.hidden = enough || !allowed;
    if (!short.hidden && n !== null) {
      const words = !context.mines ? "gift.short" : balance ? "donate.short" : "donate.none";
      put(short, [
        h("p", null, t(words, { n: balance })),
        context.mines ? actions(button(t("donate.mine", { n }), () => mine(n), "main")) : null,
      ]);
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
    dialog.show(
      h("p", { class: "ticketminer-lead" }, thanks),
      facts([done.reference ? [t("receipt.reference"), h("code", null, done.reference)] : null]),
      h("p", { class: "ticketminer-hint" }, t("donate.anonymous")),
      actions(button(t("dialog.done"), () => dialog.dismiss(), "main")),
    );
    dialog.say(thanks, { shown: true });
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
    const radio = h("input", {
      type: "radio",
      name,
      value: choice?.name ?? "",
      checked: choice === fund,
      change: () => {
        fund = choice;
        amount.min = String(choice?.minimum ?? 1);
        check();
      },
    });
    return (
      choice &&
      h(
        "label",
        { class: "ticketminer-check", for: (radio.id = id("fund")) },
        radio,
        h(
          "span",
          null,
          h("bdi", null, choice.title),
          " ",
          h("span", { class: "ticketminer-quiet" }, t("donate.minimum", { n: choice.minimum })),
        ),
      )
    );
  });
  dialog.show(
    balance ? h("p", { class: "ticketminer-lead" }, t("donate.balance", { n: balance })) : null,
    choices.length > 1
      ? h(
          "fieldset",
          { class: "ticketminer-fieldset" },
          h("legend", { class: "ticketminer-field" }, t("donate.fund")),
          ...radios,
        )
      : fund && h("p", null, t("donate.to", { fund: fund.title })),
    field(t("donate.amount"), amount),
    balance >= 3
      ? h(
          "div",
          { class: "ticketminer-fieldset" },
          h("label", { class: "ticketminer-field", for: (slider.id = id("part")) }, t("donate.part")),
          slider,
          h(
            "p",
            { class: "ticketminer-thirds", "aria-hidden": "true" },
            ...[1, 2, 3].map((step) => h("span", null, t(`donate.mark-${step}`))),
          ),
        )
      : null,
    left,
    short,
    actions(
      give,
      button(t("dialog.cancel"), () => dialog.dismiss()),
    ),
  );
  check();
  return dialog;
}

/** A third of the balance, rounded up, two of them, or all. @param {number} balance @param {number} step 1 to 3 */
const third = (balance, step) => Math.ceil((balance * step) / 3);

/**
 * A slider over the balance that stops at its thirds.
 * @param {number} balance @param {(amount: number) => void} choose
 */
function thirds(balance, choose) {
  const steps = [1, 2, 3].map((step) => third(balance, step));
  const slider = h("input", { type: "range", class: "ticketminer-slider", min: 0, max: balance, step: "any" });
  slider.addEventListener("input", () => {
    const distance = (/** @type {number} */ step) => Math.abs(step - slider.valueAsNumber);
    choose(steps.reduce((best, step) => (distance(step) < distance(best) ? step : best)));
  });
  slider.addEventListener("keydown", (event) => {
    const [back, on] = slider.matches(":dir(rtl)") ? ["ArrowRight", "ArrowLeft"] : ["ArrowLeft", "ArrowRight"];
    const now = slider.valueAsNumber;
    const above = steps.find((step) => step > now);
    const below = [...steps].reverse().find((step) => step < now);
    /** @type {Record<string, number | undefined>} */
    const next = {
      [on]: above,
      ArrowUp: above,
      PageUp: above,
      [back]: below,
      ArrowDown: below,
      PageDown: below,
      Home: steps[0],
      End: balance,
    };
    if (!(event.key in next)) return;
    event.preventDefault();
    const chosen = next[event.key];
    if (chosen !== undefined) choose(chosen);
  });
  return slider;
}
