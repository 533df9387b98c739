// Mining jobs: each stretch of mining with how fast it went, and all its figures.

import { h, write } from "../element/dom.js";
import { button } from "./forms.js";
import { List } from "./list.js";
import { draw as drawLine, sparkline } from "./sparkline.js";

/** @import { Context } from "./context.js" */
/** @import { MiningRun, Snapshot } from "../types" */
/** @typedef {{ view: import("../types.d.ts").WalletView, snapshot: Snapshot }} Now */

const FIGURES = [
  "state",
  "algorithm",
  "threads",
  "duty",
  "duration",
  "donation",
  "tickets",
  "speed",
  "average",
  "sent",
  "accepted",
  "refused",
  "hashes",
];

/** @param {Context} context @returns {import("./context.js").Section} */
export function jobs(context) {
  const { t } = context;
  const heading = h("h2", { id: "ticketminer-jobs", tabindex: -1 }, t("jobs.title"));
  const badge = h("span", { class: "ticketminer-badge", hidden: true });
  const rows = h("ul", { class: "ticketminer-jobs", role: "list" });
  const none = h("p", { class: "ticketminer-quiet" }, t("jobs.none"));
  /** @type {Now | null} */
  let now = null;
  const list = new List(
    rows,
    (/** @type {MiningRun} */ run) => run.id,
    (run) =>
      row(
        context,
        run.id,
        () => now,
        () => heading.focus(),
      ),
  );
  return {
    node: h(
      "section",
      { "aria-labelledby": "ticketminer-jobs" },
      h("div", { class: "ticketminer-heading" }, heading, badge),
      h("p", { class: "ticketminer-quiet" }, t("jobs.about")),
      none,
      rows,
    ),
    draw(view, snapshot) {
      now = { view, snapshot };
      list.draw(view.runs);
      none.hidden = view.runs.length > 0;
      const running = view.runs.filter(({ state }) => state === "running").length;
      badge.hidden = !running;
      write(badge, t("jobs.running", { n: running }));
    },
  };
}

/**
 * What a run comes to; `sent` are answered shares and those under way.
 * @param {MiningRun} run @param {Snapshot | null} snapshot where it is a run of this tab
 */
export function figures(run, snapshot) {
  const duration = Math.max(0, run.updated - run.started);
  const running = run.state === "running";
  return {
    duration,
    speed: running ? (snapshot?.rate ?? run.rates.at(-1) ?? null) : null,
    average: duration > 0 ? run.hashes / duration : null,
    sent: run.accepted + run.refused + (running ? (snapshot?.shares.pending ?? 0) : 0),
  };
}

/**
 * @param {Context} context @param {number} id @param {() => Now | null} now
 * @param {() => void} away focuses what stays when the row goes @returns {import("./list.js").Row<MiningRun>}
 */
function row(context, id, now, away) {
  const { t, core, locale } = context;
  const title = h("h3", null);
  const gist = h("p", { class: "ticketminer-quiet" });
  const line = sparkline();
  /** @type {Record<string, HTMLElement>} */
  const values = {};
  const list = h(
    "dl",
    { class: "ticketminer-facts ticketminer-facts--grid" },
    ...FIGURES.map((name) => h("div", null, h("dt", null, t(`jobs.${name}`)), (values[name] = h("dd", null)))),
  );
  const stop = button(t("jobs.stop"), async () => {
    await core.stop().catch(tell);
    context.announce(t("jobs.stopped"));
    await context.refresh();
  });
  const remove = button(
    t("jobs.delete"),
    async () => {
      await core.deleteRun(id).catch(tell);
      away();
      context.announce(t("jobs.deleted"));
      await context.refresh();
    },
    "plain",
  );
  const tell = (/** @type {unknown} */ reason) => context.announce(context.why(reason));
  const details = h("details", { class: "ticketminer-more" }, h("summary", null, t("jobs.figures")), list);
  const node = h(
    "li",
    { class: "ticketminer-job" },
    h("div", { class: "ticketminer-job__head" }, h("div", null, title, gist), line),
    h("div", { class: "ticketminer-job__foot" }, details, h("p", { class: "ticketminer-actions" }, stop, remove)),
  );
  return {
    node,
    draw(run) {
      const { snapshot, view } = now() ?? {};
      const running = run.state === "running";
      const { duration, speed, average, sent } = figures(run, snapshot ?? null);
      const rate = (/** @type {number | null} */ value) =>
        value === null ? t("jobs.unknown") : t("jobs.rate", { n: value, rate: locale.compact(value) });
      const fund = view?.service.funds.find(({ name }) => name === run.fund)?.title ?? run.fund ?? "";
      const donation = !run.donation ? t("jobs.own") : fund ? t("jobs.fund", { fund }) : t("jobs.site");
      const when = locale.moment(run.started);
      write(title, when);
      write(
        gist,
        t(run.donation ? "jobs.gist-donation" : "jobs.gist", {
          n: run.tickets,
          state: t(`jobs.state.${run.state}`),
          fund: fund || t("jobs.site"),
        }),
      );
      const rates = run.rates;
      line.toggleAttribute("hidden", !rates.length);
      drawLine(
        line,
        rates,
        rates.length
          ? t("jobs.line", {
              first: rate(rates[0]),
              last: rate(rates[rates.length - 1]),
              most: rate(Math.max(...rates)),
              least: rate(Math.min(...rates)),
            })
          : t("jobs.no-line"),
      );
      write(values.state, t(`jobs.state.${run.state}`));
      write(values.algorithm, run.algorithm);
      write(values.threads, t("jobs.workers", { n: run.threads }));
      write(values.duty, locale.percent(run.duty));
      write(values.duration, locale.length(duration));
      write(values.donation, donation);
      write(values.tickets, t("jobs.count", { n: run.tickets }));
      write(values.speed, rate(speed));
      /** @type {HTMLElement} */ (values.speed.parentElement).hidden = !running;
      write(values.average, rate(average));
      write(values.sent, t("jobs.count", { n: sent }));
      write(values.accepted, t("jobs.count", { n: run.accepted }));
      write(values.refused, t("jobs.count", { n: run.refused }));
      write(values.hashes, t("jobs.count", { n: run.hashes }));
      stop.hidden = !running;
      remove.hidden = running;
      remove.setAttribute("aria-label", t("jobs.delete-of", { when }));
      stop.setAttribute("aria-label", t("jobs.stop-of", { when }));
    },
  };
}
