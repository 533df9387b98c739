// The wallet page of a site, in the `<main id="ticketminer-wallet">` whose data attributes the template writes.

import { h, put } from "../element/dom.js";
import { balance } from "./balance.js";
import { Context } from "./context.js";
import { earning } from "./earning.js";
import { button } from "./forms.js";
import { openGift, receiveFromAddress } from "./gifts.js";
import { history } from "./history.js";
import { jobs } from "./jobs.js";
import { notices } from "./notices.js";
import { news, notify } from "./notify.js";
import { openPurchase, ownResource } from "./purchase.js";
import { removal } from "./removal.js";
import { settings } from "./settings.js";
import { tickets } from "./tickets.js";
import { toast } from "./toast.js";
import { backup } from "./words.js";

/** @import { Problem, Snapshot, WalletView } from "../types" */

const FRESH = 5000; // milliseconds after which figures of a running job are read again

/** @param {HTMLElement} main */
async function start(main) {
  const {
    service = "/ticketminer/",
    assets = "../",
    site = "",
    consent,
    consentText,
    algorithm,
    effort,
    about,
    mines,
  } = main.dataset;
  const context = await Context.open({
    service,
    assets: new URL(assets, import.meta.url),
    lang: document.documentElement.lang,
    root: document.body,
    offer: { consent, "consent-text": consentText, algorithm, effort, about },
    mines: mines !== "no",
  });
  const { core, remote, t, messages } = context;

  const shown = toast(context);
  const trouble = h("div", { class: "ticketminer-problem", role: "alert", hidden: true });
  const waiting = h("p", { class: "ticketminer-lead", role: "status" }, t("loading"));
  const loading = h("header", null, h("h1", null, t("title", { site })), waiting);

  async function keep() {
    await remote.persist();
    const persisted = await navigator.storage?.persisted?.().catch(() => false);
    context.announce(t(persisted ? "settings.kept-now" : "settings.kept-refused"));
    await context.refresh();
  }

  const earn = earning(context);
  const parts = {
    balance: balance(context, () => focus("earn")),
    notices: notices(context, keep),
    earn,
    tickets: tickets(context),
    jobs: jobs(context),
    history: history(context),
    backup: backup(context),
    settings: settings(context, keep),
    removal: removal(context),
  };
  const linked = /** @type {const} */ (["earn", "tickets", "jobs", "history", "backup", "settings", "removal"]);
  const links = new Map(
    linked.map((name) => [name, h("li", null, h("a", { href: `#ticketminer-${name}` }, t(`nav.${name}`)))]),
  );
  const nav = h(
    "nav",
    { class: "ticketminer-nav", "aria-label": t("nav.title") },
    h("ul", { role: "list" }, ...links.values()),
  );
  const body = h(
    "div",
    { class: "ticketminer-wallet__body", hidden: true },
    nav,
    h("div", { class: "ticketminer-wallet__parts" }, ...Object.values(parts).map(({ node }) => node)),
  );
  main.classList.add("ticketminer-wallet");
  main.lang = messages.lang;
  main.dir = messages.dir;
  const home = main.querySelector(".ticketminer-home"); // the template's link to the site
  put(main, [...(home ? [home] : []), loading, trouble, body, shown]);

  /** @param {(typeof linked)[number]} name */
  function focus(name) {
    const heading = document.getElementById(`ticketminer-${name}`);
    heading?.scrollIntoView();
    heading?.focus({ preventScroll: true });
  }

  /** @type {WalletView | null} */
  let view = null;
  /** @type {Snapshot | null} */
  let last = null;
  /** @type {Problem | null} why the wallet could not be read */
  let unread = null;
  let read = 0;
  let reading = false;
  let again = false;

  function draw() {
    if (!view || !last) return;
    for (const part of Object.values(parts)) part.draw(view, last);
    const known = {
      earn: context.mines,
      tickets: view.tickets.length,
      jobs: view.runs.length,
      history: view.history.length,
      backup: true,
      settings: true,
      removal: true,
    };
    for (const name of linked) {
      const shown = Boolean(known[name]);
      parts[name].node.hidden = !shown;
      /** @type {HTMLElement} */ (links.get(name)).hidden = !shown;
    }
    loading.hidden = true;
    body.hidden = false;
  }

  context.refresh = async () => {
    if (reading) {
      again = true;
      return;
    }
    reading = true;
    try {
      do {
        again = false;
        view = await core.view();
        read = performance.now();
        unread = null;
      } while (again);
    } catch (reason) {
      unread = /** @type {Problem} */ (reason);
    } finally {
      reading = false;
    }
    complain(unread);
    draw();
  };

  /** @param {Problem | null} problem */
  function complain(problem) {
    trouble.hidden = !problem;
    if (!problem) return;
    waiting.hidden = true;
    put(trouble, [
      h("h2", null, t("trouble.title")),
      h("p", null, context.why(problem)),
      h(
        "p",
        { class: "ticketminer-actions" },
        problem.code === "updated"
          ? button(t("trouble.reload"), () => location.reload(), "main")
          : button(t("trouble.retry"), retry, "main"),
      ),
    ]);
  }

  function retry() {
    trouble.hidden = true;
    waiting.hidden = false;
    if (!remote.failure) return void core.retry().catch(complain);
    leave();
    leave = remote.subscribe(hear);
  }

  /** @param {import("../element/host.d.ts").Remote} remote */
  function hear({ snapshot, failure }) {
    if (failure) return complain(failure);
    if (!snapshot) return;
    const before = last;
    last = structuredClone(snapshot);
    const opened = snapshot.phase !== "loading" && (view || snapshot.siteName);
    complain(snapshot.phase === "failed" && !view ? snapshot.problem : unread);
    if (before && view?.limits.notifications) {
      const told = news(before, last);
      if (told) notify(snapshot.siteName, t(told.key, { n: told.n }));
    }
    if (!opened) return;
    const changed =
      !view ||
      !before ||
      ["balance", "earned", "given", "phase", "persisted"].some(
        (name) => /** @type {any} */ (before)[name] !== /** @type {any} */ (last)[name],
      ) ||
      before.shares.accepted !== last.shares.accepted;
    if (changed || (snapshot.phase === "mining" && performance.now() - read > FRESH)) void context.refresh();
    else draw();
  }
  let leave = remote.subscribe(hear);

  /** What the address asks for, once the wallet is open. */
  async function answer() {
    const wish = /^#(receive|pay)=/.exec(location.hash)?.[1];
    if (!wish) return;
    await context.when((snapshot) => snapshot.phase !== "loading" && Boolean(snapshot.siteName));
    if (wish === "receive") receiveFromAddress(context);
    else {
      const resource = ownResource(location.hash.slice(5));
      window.history.replaceState(window.history.state, "", location.pathname + location.search);
      if (resource) await openPurchase(context, { resource });
    }
  }
  addEventListener("hashchange", () => void answer().catch(complain));
  await answer().catch(complain);
  const opened = context.when((snapshot) => snapshot.phase !== "loading" && Boolean(snapshot.siteName));
  const found = await opened.then(() => core.view()).catch(() => null); // why it does not open is told already
  for (const gift of found?.gifts ?? []) await openGift(context, gift);
}

const main = document.getElementById("ticketminer-wallet");
if (main) void start(main).catch((error) => console.error(error));
