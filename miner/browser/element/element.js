// <ticket-miner>: asks first, and loads the miner only after a yes. host.d.ts describes attributes and events.

import { remember, remembered, watch } from "./consent.js";
import { h, icon, put, write } from "./dom.js";
import { Messages } from "./messages.js";
import { diagnose } from "./trouble.js";

/** @import { Host } from "./host" */

export class TicketMiner extends HTMLElement {
  static observedAttributes = ["goal", "price", "resource", "fund", "fund-title"];
  #inside = inside(this, this.attachShadow({ mode: "open" }));

  connectedCallback() {
    void this.#inside.begin();
  }

  disconnectedCallback() {
    this.#inside.end();
  }

  attributeChangedCallback() {
    this.#inside.change();
  }
}

/** @param {HTMLElement} element @param {ShadowRoot} root */
function inside(element, root) {
  const title = h("h2", { id: "title", tabindex: -1 });
  const body = h("div", { class: "body" });
  const stub = h("p", { class: "stub" });
  const live = h("p", { class: "live", role: "status" });
  const frame = h("section", { "aria-labelledby": "title", hidden: true },
    h("div", { class: "ticket" }, h("div", { class: "paper" }, h("div")), body, stub), live);
  const slot = h("slot");
  let view = "";
  let starts = false;
  let newest = ""; // version of the text, where the site has changed it since this page was made
  let gone = new AbortController();
  let messages = new Messages("en");
  let settings = read(element);
  /** @type {import("./host.d.ts").Panel | null} */
  let panel = null;

  async function begin() {
    const { signal } = (gone = new AbortController());
    settings = read(element);
    messages = new Messages(element.closest("[lang]")?.getAttribute("lang") || navigator.language);
    frame.lang = messages.lang;
    frame.dir = element.getAttribute("dir") ?? messages.dir;
    put(root, [frame, slot]);
    try {
      await Promise.all([messages.load(settings.assets, "consent"), host.sheet("style.css")]);
    } catch {
      return; // the fallback stays on show
    }
    if (signal.aborted) return;
    watch(settings.service, route, signal);
    route();
  }

  function end() {
    gone.abort();
    panel?.close();
    panel = null;
    view = "";
  }

  function change() {
    settings = read(element);
    if (panel) panel.update();
    else if (view === "asking") void ask();
  }

  /** Show what follows from the visitor's answer. */
  function route() {
    const answer = remembered(settings.service);
    if (view === "opening") return;
    if (!answer || answer.version !== (newest || element.getAttribute("consent") || answer.version)) {
      if (!panel) void ask();
    } else if (!answer.yes) decline();
    else if (panel) panel.update();
    else void open(starts);
  }

  async function ask(changed = false) {
    const { kind, price, fundTitle, service } = settings;
    const offered = await offer(element, service, changed).catch(() => null);
    if (!offered) return host.trouble(await diagnose(service, service));
    const { version, text, algorithm, effort } = offered;
    if (changed) newest = version;
    const n = price ?? 0;
    const values = { n, fund: fundTitle, hashes: (n || 1) * effort, algorithm };
    const say = (/** @type {string} */ key) => messages.text(key, values);
    /** @param {string} drawing @param {string} key */
    const fact = (drawing, key) =>
      h("li", null, icon(drawing), h("p", null, h("b", null, say(`fact.${drawing}`)), " ", h("span", null, say(key))));
    const answer = (/** @type {boolean} */ yes) => () => {
      starts = yes;
      remember(service, yes, version); // and route() goes on
    };
    show("asking", say(`ask.${kind}${n ? (kind === "donate" && fundTitle ? ".to" : "") : ".open"}`),
      h("p", null, say(changed ? "ask.changed" : "ask.lede")),
      h("blockquote", { dir: "auto" }, text),
      h("ul", { class: "facts", role: "list" }, fact("ticket", n ? "work" : "work.open"),
        fact("clock", kind === "donate" && !n ? "end.open" : "end"), fact("chip", "power"),
        fact("pause", "pauses"), fact("shield", "privacy")),
      h("p", { class: "actions" }, button("agree", answer(true), "main"), button("decline", answer(false)), have()),
      h("p", { class: "links" }, host.link("about"), host.link("wallet")));
    host.stub(h("b", null, n ? say("n") : icon("ticket")), n ? say("unit") : "");
  }

  function decline() {
    panel?.stop();
    show("declined", messages.text("declined"),
      h("p", { class: "actions" }, button("reconsider", () => ask(), "plain"), have()));
  }

  /** Load the miner. @param {boolean} start */
  async function open(start) {
    const { signal } = gone;
    starts = false;
    show("opening", messages.text("opening"));
    try {
      const opened = await (await import("./panel.js")).open(host);
      if (signal.aborted) return opened.close();
      panel = opened;
    } catch {
      const code = await diagnose(new URL("panel.js", import.meta.url).href, settings.service);
      return host.trouble(code === "worker" ? "blocked" : code); // a file that it needs
    }
    show("panel", "");
    if (start) panel.start();
  }

  /** @param {string} now @param {string} heading @param {Node[]} nodes */
  function show(now, heading, ...nodes) {
    const focused = root.activeElement;
    view = now;
    if (now !== "panel") {
      panel?.close();
      panel = null;
      host.stub();
      host.others(now === "declined" || now === "trouble");
      title.textContent = heading;
    }
    put(body, panel ? [panel.node] : [title, ...nodes]);
    frame.className = `root ${now}`;
    frame.hidden = false;
    if (focused) (panel ?? title).focus();
    if (now === "asking" || now === "declined" || now === "trouble")
      host.emit("ticketminer-state", { phase: now, reasons: [], balance: 0, missing: settings.price ?? 0 });
  }

  /** @param {string} key @param {() => unknown} click */
  const button = (key, click, look = "") => h("button", { type: "button", class: look, click }, messages.text(key));
  const have = () => button("have", () => open(false), "plain");

  /** @type {Host} */
  const host = {
    settings: () => settings,
    messages: () => messages,
    agreed() {
      const answer = remembered(settings.service);
      return answer?.yes ? answer.version : null;
    },
    ask: (changed) => void ask(changed),
    withdraw: () => remember(settings.service, false, host.agreed() ?? ""),
    trouble: (code) => show("trouble", messages.text(`trouble.${code}`),
      h("p", null, messages.text(`trouble.${code}.text`)),
      h("p", { class: "actions" }, button("reload", () => location.reload()))),
    say: (text) => write(live, text),
    emit: (name, detail) =>
      element.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true })),
    link(key) {
      const link = h("a", { href: settings[key] }, messages.text(key));
      // A page may have the address from a stranger.
      return settings[key] && /^https?:$/.test(link.protocol) ? link : null;
    },
    others: (shown) => void (slot.hidden = !shown),
    stub(...nodes) {
      stub.hidden = !nodes.length;
      put(stub, nodes);
    },
    sheet(name) {
      const link = h("link", { rel: "stylesheet", href: new URL(`element/${name}`, settings.assets).href });
      root.insertBefore(link, frame);
      return new Promise((done) => (link.onload = link.onerror = done)); // without it all is plain, and works
    },
  };
  return { begin, end, change };
}

/** The attributes. @param {Element} element @returns {import("./host.d.ts").Settings} */
function read(element) {
  const get = (/** @type {string} */ name) => element.getAttribute(name);
  const service = get("service") ?? "/ticketminer/";
  const price = /^(0|[1-9]\d{0,9})$/.exec(get("price") ?? "");
  const resource = get("resource");
  const fund = get("fund");
  const goal = get("goal");
  const kind = goal === "pay" || goal === "donate" || goal === "tickets" ? goal
    : resource ? "pay" : fund ? "donate" : "tickets";
  return {
    service, kind, fund,
    assets: new URL(get("assets") ?? new URL("../", import.meta.url), document.baseURI),
    price: price ? Number(price[0]) : kind === "pay" ? null : 1,
    resource: resource ?? location.pathname + location.search,
    fundTitle: get("fund-title") ?? fund ?? "",
    wallet: get("wallet") ?? `${service}wallet`,
    about: get("about") ?? `${service}about`,
  };
}

/**
 * What the page says of the offer, or the service document.
 * @param {Element} element @param {string} service @param {boolean} fresh
 */
async function offer(element, service, fresh) {
  const get = (/** @type {string} */ name) => element.getAttribute(name);
  const version = get("consent"), text = get("consent-text"), algorithm = get("algorithm");
  const effort = Number(get("effort"));
  if (!fresh && version && text && algorithm && effort) return { version, text, algorithm, effort };
  const { consent, algorithms: [work] } = await (await fetch(service)).json();
  const { algorithm: name, expected_hashes: hashes } = work;
  return { version: `${consent.version}`, text: `${consent.text}`, algorithm: `${name}`, effort: Number(hashes) };
}

if (!customElements.get("ticket-miner")) customElements.define("ticket-miner", TicketMiner);
