// What happened, the newest first, to look at and to keep as text. Only this browser has this list.

import { h, write } from "../element/dom.js";
import { time } from "./locale.js";
import { button, save } from "./forms.js";

/** @import { Context } from "./context.js" */
/** @import { HistoryEntry } from "../types" */

const KINDS = ["mined", "donated", "paid", "exchanged", "renewed", "sent", "received", "restored"];
const FIRST = 10;
const TOGETHER = 900; // seconds between two shares of one row

/**
 * Entries as rows: tickets that were earned one after the other are one.
 * @param {HistoryEntry[]} entries the newest first @returns {(HistoryEntry & { since: number })[]}
 */
export function rows(entries) {
  /** @type {(HistoryEntry & { since: number })[]} */
  const found = [];
  for (const entry of entries) {
    const last = found[found.length - 1];
    if (last && entry.kind === "mined" && last.kind === "mined" && last.since - entry.at < TOGETHER) {
      last.amount += entry.amount;
      last.since = entry.at;
    } else found.push({ ...entry, since: entry.at });
  }
  return found;
}

/** @param {Context} context @returns {import("./context.js").Section} */
export function history(context) {
  const { t, locale } = context;
  const list = h("ol", { class: "ticketminer-history", role: "list" });
  const rest = h("ol", { class: "ticketminer-history", role: "list" });
  const summary = h("summary", null);
  const more = h("details", { class: "ticketminer-more" }, summary, rest);
  const none = h("p", { class: "ticketminer-quiet" }, t("history.none"));
  /** @type {HistoryEntry[]} */
  let entries = [];
  let site = "";
  const download = button(t("history.download"), () => {
    save(
      `ticketminer-${location.hostname}.txt`,
      `${t("history.file", { site, origin: location.origin })}\n\n${entries.map(line).join("\n")}\n`,
    );
    context.announce(t("history.saved"));
  });

  /** @param {HistoryEntry} entry */
  const said = ({ kind, amount, detail }) =>
    t(KINDS.includes(kind) ? `history.${kind}` : "history.other", { n: amount, kind }) +
    (detail ? ` · ${context.path(detail.replace(/^GET /, ""))}` : "");
  /** @param {HistoryEntry} entry */
  const line = (entry) =>
    [locale.moment(entry.at), said(entry), entry.reference && `${t("receipt.reference")}: ${entry.reference}`]
      .filter(Boolean)
      .join("  ");
  /** @param {HistoryEntry & { since: number }} entry */
  const row = (entry) =>
    h(
      "li",
      { "data-kind": entry.kind },
      h("p", null, said(entry)),
      h(
        "p",
        { class: "ticketminer-quiet" },
        time(entry.at, locale.span(entry.since, entry.at)),
        ...(entry.reference ? [" · ", `${t("receipt.reference")}: `, h("code", null, entry.reference)] : []),
      ),
    );
  let drawn = "";

  return {
    node: h(
      "section",
      { "aria-labelledby": "ticketminer-history" },
      h("h2", { id: "ticketminer-history", tabindex: -1 }, t("history.title")),
      h("p", { class: "ticketminer-quiet" }, t("history.about")),
      none,
      list,
      more,
      h("p", { class: "ticketminer-actions" }, download),
    ),
    draw(view) {
      const now = JSON.stringify(view.history);
      if (now === drawn) return;
      drawn = now;
      entries = view.history;
      site = view.service.siteName;
      const shown = rows(entries);
      list.replaceChildren(...shown.slice(0, FIRST).map(row));
      rest.replaceChildren(...shown.slice(FIRST).map(row));
      none.hidden = entries.length > 0;
      download.hidden = !entries.length;
      more.hidden = shown.length <= FIRST;
      write(summary, t("history.more", { n: shown.length - FIRST }));
    },
  };
}
