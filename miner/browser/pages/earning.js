// The miner on the wallet page, which is asked for some tickets more than there are.

import { h, write } from "../element/dom.js";
import { amountInput, amountOf, field } from "./forms.js";
import { minerFor } from "./mine.js";

/** @import { Context } from "./context.js" */

const MORE = 5; // tickets that the miner is asked for at first

/** @param {Context} context @returns {import("./context.js").Section} */
export function earning(context) {
  const { t } = context;
  const about = h("p", { class: "ticketminer-quiet" });
  const amount = amountInput(MORE, 1);
  const total = h("p", { class: "ticketminer-hint" });
  const miner = context.mines ? minerFor(context, { goal: "tickets", price: MORE, wallet: "" }) : null;
  let balance = 0;
  /** Tell the miner, which adds to a balance that is as large as what it is asked for, and else fills it up. */
  const aim = () => {
    const more = amountOf(amount);
    amount.setAttribute("aria-invalid", String(more === null));
    write(total, more === null ? t("earn.whole") : t("earn.total", { n: balance + more }));
    const price = String(more === null ? MORE : balance >= more ? more : balance + more);
    if (miner?.getAttribute("price") !== price) miner?.setAttribute("price", price);
  };
  amount.addEventListener("input", aim);
  return {
    node: h(
      "section",
      { "aria-labelledby": "ticketminer-earn" },
      h("h2", { id: "ticketminer-earn", tabindex: -1 }, t("earn.title")),
      about,
      field(t("earn.more"), amount),
      total,
      miner,
    ),
    draw(view, { phase }) {
      write(about, t("earn.about", { site: view.service.siteName }));
      amount.disabled = phase !== "idle" && phase !== "failed";
      if (amount.disabled) return;
      balance = view.balance;
      aim();
    },
  };
}
