// The balance: a large number and what it means; for an empty wallet, the one thing to do next.

import { h, put, write } from "../element/dom.js";
import { openDonate } from "./donate.js";
import { button } from "./forms.js";
import { openReceive, openSend } from "./gifts.js";
import { openRestore } from "./words.js";

/** @import { Context } from "./context.js" */
/** @import { WalletView } from "../types" */

/** @param {Context} context @param {() => void} earn leads to the miner @returns {import("./context.js").Section} */
export function balance(context, earn) {
  const { t, locale } = context;
  const heading = h("h1", { id: "ticketminer-top", tabindex: -1 });
  const number = h("span", { class: "ticketminer-stub__number" });
  const unit = h("span", { class: "ticketminer-stub__unit" });
  const words = h("p", { class: "ticketminer-lead" });
  const means = h("p", null);
  const ends = h("p", { class: "ticketminer-quiet" });
  const pending = h("p", { class: "ticketminer-quiet" });
  const send = button(t("gift.open"), () => void openSend(context));
  const donate = button(t("donate.open"), () => void openDonate(context));
  const receive = button(t("receive.open"), () => openReceive(context));
  const first = button(t("empty.earn"), earn, "main");
  const elsewhere = h(
    "p",
    { class: "ticketminer-quiet" },
    t("empty.elsewhere"),
    " ",
    button(t("receive.open"), () => openReceive(context), "plain"),
    " ",
    button(t("restore.open"), () => openRestore(context), "plain"),
  );
  const buttons = h("p", { class: "ticketminer-actions" });
  const node = h(
    "header",
    { class: "ticketminer-stub ticketminer-balance" },
    h("div", { class: "ticketminer-stub__text" }, heading, words, means, ends, pending, buttons, elsewhere),
    h("p", { class: "ticketminer-stub__price", "aria-hidden": "true" }, number, unit),
  );
  let was = "";

  return {
    node,
    draw(view, snapshot) {
      const { balance: n, service } = view;
      const algorithm = service.algorithms[0];
      write(heading, t("title", { site: service.siteName }));
      write(number, context.locale.number(n));
      write(unit, t("unit", { n }));
      write(words, n ? t("balance.have", { n }) : t("empty.have"));
      const cost = algorithm ? t("balance.cost", { n: algorithm.expectedHashes, algorithm: algorithm.name }) : "";
      const wait = snapshot.secondsPerTicket
        ? t("balance.time", { time: locale.about(snapshot.secondsPerTicket) })
        : "";
      write(
        means,
        [n ? t("balance.means", { site: service.siteName }) : t("empty.means", { site: service.siteName }), cost, wait]
          .filter(Boolean)
          .join(" "),
      );
      const end = soonest(view);
      write(ends, end ? t("balance.ends", { n: end.amount, when: locale.away(end.at), day: locale.day(end.at) }) : "");
      write(pending, view.pending ? t("balance.pending", { n: view.pending }) : "");
      const kind = n ? "some" : "none";
      if (kind !== was) put(buttons, n ? [send, donate, receive] : context.mines ? [first] : []);
      elsewhere.hidden = n > 0;
      donate.hidden = !service.funds.length;
      was = kind;
    },
  };
}

/** The tickets that end first: how many are worth anything then. @param {WalletView} view */
function soonest({ tickets }) {
  const held = tickets.filter(({ state }) => state === "available");
  if (!held.length) return null;
  const at = Math.min(...held.map(({ redeemUntil }) => redeemUntil));
  return { at, amount: held.reduce((sum, ticket) => sum + (ticket.redeemUntil === at ? ticket.value : 0), 0) };
}
