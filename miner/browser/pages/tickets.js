// The tickets, put together by value, last day and state.

import { h, write } from "../element/dom.js";
import { time } from "./locale.js";
import { List } from "./list.js";

/** @import { Context } from "./context.js" */
/** @import { TicketState } from "../types" */
/** @typedef {{ value: number, redeemUntil: number, state: TicketState, count: number }} Group */

/** @type {TicketState[]} */
const HELD = ["available", "pending"];

/**
 * Tickets that are alike, those that end first before the others, then the most valuable.
 * @param {import("../types.d.ts").WalletView["tickets"]} tickets @returns {Group[]}
 */
export function grouped(tickets) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const { value, redeemUntil, state } of tickets) {
    const key = `${value} ${redeemUntil} ${state}`;
    const group = groups.get(key) ?? { value, redeemUntil, state, count: 0 };
    group.count++;
    groups.set(key, group);
  }
  return [...groups.values()].sort(
    (one, other) =>
      one.redeemUntil - other.redeemUntil || other.value - one.value || one.state.localeCompare(other.state),
  );
}

/** @param {Context} context @returns {import("./context.js").Section} */
export function tickets(context) {
  const { t } = context;
  const held = h("ul", { class: "ticketminer-cards", role: "list" });
  const past = h("ul", { class: "ticketminer-cards ticketminer-cards--past", role: "list" });
  const none = h("p", { class: "ticketminer-quiet" }, t("tickets.none"));
  const count = h("summary", null);
  const more = h("details", { class: "ticketminer-more" }, count, past);
  const key = (/** @type {Group} */ { value, redeemUntil, state }) => `${value} ${redeemUntil} ${state}`;
  const lists = [held, past].map((parent) => new List(parent, key, () => card(context)));
  return {
    node: h(
      "section",
      { "aria-labelledby": "ticketminer-tickets" },
      h("h2", { id: "ticketminer-tickets", tabindex: -1 }, t("tickets.title")),
      h("p", { class: "ticketminer-quiet" }, t("tickets.about")),
      none,
      held,
      more,
    ),
    draw(view) {
      const groups = grouped(view.tickets);
      const [now, then] = [
        groups.filter(({ state }) => HELD.includes(state)),
        groups.filter(({ state }) => !HELD.includes(state)),
      ];
      lists[0].draw(now);
      lists[1].draw(then.reverse());
      none.hidden = now.length > 0;
      more.hidden = !then.length;
      write(count, t("tickets.past", { n: then.reduce((sum, group) => sum + group.count, 0) }));
    },
  };
}

/** @param {Context} context @returns {import("./list.js").Row<Group>} */
function card(context) {
  const { t, locale } = context;
  const value = h("b", null);
  const unit = h("span", null);
  const amount = h("p", { class: "ticketminer-card__amount" });
  const state = h("p", { class: "ticketminer-card__state" });
  const ends = h("p", { class: "ticketminer-card__ends" });
  const node = h(
    "li",
    { class: "ticketminer-card" },
    h("p", { class: "ticketminer-card__value", "aria-hidden": "true" }, value, unit),
    h("div", { class: "ticketminer-card__text" }, amount, state, ends),
  );
  return {
    node,
    draw(group) {
      const many = group.count > 1 ? " ticketminer-card--many" : "";
      node.className = `ticketminer-card ticketminer-card--${group.state}${many}`;
      write(value, context.locale.number(group.value));
      write(unit, t("unit", { n: group.value }));
      write(amount, t("tickets.amount", { n: group.count, value: group.value }));
      write(state, t(`tickets.state.${group.state}`));
      const words = t(group.redeemUntil * 1000 < Date.now() ? "tickets.ended" : "tickets.ends", {
        when: locale.away(group.redeemUntil),
        day: locale.day(group.redeemUntil),
      });
      ends.hidden = group.state === "spent" || group.state === "given";
      if (ends.textContent !== words) ends.replaceChildren(time(group.redeemUntil, words));
    },
  };
}
