// <ticket-miner>: asks first, and loads the miner only after a yes. Attributes and events are described in host.d.ts.

import { remember, remembered, watch } from "./consent.js";
import { h, icon, put } from "./dom.js";
import { Messages } from "./messages.js";
import { diagnose } from "./trouble.js";

/** @typedef {import("./host.d.ts").Settings} Settings */
/** @typedef {import("./host.d.ts").Host} Host */
/** @typedef {"" | "asking" | "declined" | "opening" | "panel" | "trouble"} View */

/** @implements {Host} */
export class TicketMiner extends HTMLElement {
  static observedAttributes = ["goal", "price", "resource", "fund", "fund-title"];

  messages = new Messages("en");
  settings = this.#read();
  #title = h("h2", { id: "title", tabindex: -1 });
  #body = h("div", { class: "body" });
  #stub = h("p", { class: "stub", "aria-hidden": "true" });
  #live = h("p", { class: "live", role: "status" });
  #root = h("section", { class: "root", "aria-labelledby": "title", hidden: true },
    h("div", { class: "ticket" }, h("div", { class: "paper" }, h("div")), this.#body, this.#stub), this.#live);
  #slot = h("slot");
  #leave = new AbortController();
  /** @type {View} */
  #view = "";
  /** @type {import("./host.d.ts").Panel | null} */
  #panel = null;
  /** @type {import("./host.d.ts").Offer | null} */
  #offered = null;

  connectedCallback() {
    this.#leave = new AbortController();
    void this.#begin(this.#leave.signal);
  }

  disconnectedCallback() {
    this.#leave.abort();
    this.#panel?.close();
    this.#panel = null;
    this.#view = "";
  }

  attributeChangedCallback() {
    if (!this.#view) return;
    this.settings = this.#read();
    if (this.#panel) this.#panel.update();
    else if (this.#view === "asking") void this.ask();
  }

  get agreed() {
    const answer = remembered(this.settings.service);
    return answer?.yes ? answer.version : null;
  }

  /** @returns {Settings} */
  #read() {
    const price = /^(0|[1-9]\d{0,9})$/.exec(this.getAttribute("price") ?? "");
    const service = this.getAttribute("service") ?? "/ticketminer/";
    const assets = this.getAttribute("assets");
    const resource = this.getAttribute("resource");
    const fund = this.getAttribute("fund");
    const goal = this.getAttribute("goal");
    const kind = goal === "pay" || goal === "donate" || goal === "tickets" ? goal : resource ? "pay" : fund ? "donate" : "tickets";
    return {
      service, kind, fund,
      assets: assets ? new URL(assets, document.baseURI) : new URL("../", import.meta.url),
      price: price ? Number(price[0]) : kind === "pay" ? null : 1,
      resource: resource ?? location.pathname + location.search,
      fundTitle: this.getAttribute("fund-title") ?? fund ?? "",
      wallet: this.getAttribute("wallet") ?? `${service}wallet`,
      about: this.getAttribute("about") ?? `${service}about`,
    };
  }

  /** @param {AbortSignal} gone */
  async #begin(gone) {
    const { assets, service } = (this.settings = this.#read());
    this.messages = new Messages(this.closest("[lang]")?.getAttribute("lang") || navigator.language);
    this.#root.lang = this.messages.lang;
    this.#root.dir = this.getAttribute("dir") ?? this.messages.dir;
    put(this.shadowRoot ?? this.attachShadow({ mode: "open" }), [this.#root, this.#slot]);
    try {
      await Promise.all([this.messages.load(assets, "consent"), this.sheet("style.css")]);
    } catch {
      return; // what the page itself says stays on show
    }
    if (gone.aborted) return;
    watch(service, () => this.#route(), gone);
    this.#route();
  }

  /** Show what follows from the visitor's answer. */
  #route() {
    const answer = remembered(this.settings.service);
    if (this.#view === "opening") return;
    if (!answer || answer.version !== (this.getAttribute("consent") ?? answer.version)) {
      if (!this.#panel) void this.ask();
    } else if (!answer.yes) this.#decline();
    else if (this.#panel) this.#panel.update();
    else void this.#open(false);
  }

  async ask(changed = false) {
    const { kind, price, fundTitle, service } = this.settings;
    try {
      this.#offered = changed ? await offer(service) : this.#offered ?? written(this) ?? (await offer(service));
    } catch {
      return this.trouble(await diagnose(new URL(service, location.href), service));
    }
    const { version, text, algorithm, effort } = this.#offered;
    const n = price ?? 0;
    const say = (/** @type {string} */ key) =>
      this.messages.text(key, { n, fund: fundTitle, hashes: (n || 1) * effort, algorithm });
    const facts = h("ul", { class: "facts" });
    /** @param {string} drawing @param {string} key */
    const fact = (drawing, key) =>
      facts.appendChild(h("li", null, icon(drawing), h("p", null, h("b", null, say(`fact.${drawing}`)), " ", say(key))));
    fact("ticket", n ? "work" : "work.open");
    fact("clock", kind === "donate" && !n ? "end.open" : "end");
    fact("chip", "power");
    fact("pause", "pauses");
    fact("shield", "privacy");
    const answer = (/** @type {boolean} */ yes) => () => {
      remember(service, { yes, version });
      if (!this.#panel) void (yes ? this.#open(true) : this.#decline());
    };
    this.#show("asking", say(`ask.${kind}${n ? (kind === "donate" && fundTitle ? ".to" : "") : ".open"}`),
      h("p", null, say(changed ? "ask.changed" : "ask.lede")),
      h("blockquote", null, text), facts,
      h("p", { class: "actions" }, this.#button("agree", answer(true), "main"), this.#button("decline", answer(false)),
        this.#button("have", () => this.#open(false), "plain")),
      h("p", { class: "links" }, this.link("about"), this.link("wallet")));
    this.stub(h("b", null, n ? say("n") : icon("ticket")), h("span", null, n ? say("unit") : ""));
  }

  #decline() {
    this.#show("declined", this.messages.text("declined"), h("p", { class: "actions" },
      this.#button("reconsider", () => this.ask(), "plain"), this.#button("have", () => this.#open(false), "plain")));
  }

  /** Load the miner. @param {boolean} start */
  async #open(start) {
    this.#show("opening", this.messages.text("opening"));
    try {
      const { open } = await import("./panel.js");
      const panel = await open(this);
      if (this.#leave.signal.aborted) return panel.close();
      this.#panel = panel;
    } catch {
      return this.trouble(await diagnose(new URL("panel.js", import.meta.url), this.settings.service));
    }
    this.#show("panel", "");
    if (start) this.#panel.start();
  }

  /** @param {string} code */
  trouble(code) {
    this.#show("trouble", this.messages.text(`trouble.${code}`), h("p", null, this.messages.text(`trouble.${code}.text`)),
      h("p", { class: "actions" }, this.#button("reload", () => location.reload())));
  }

  withdraw() {
    remember(this.settings.service, { yes: false, version: this.agreed ?? this.#offered?.version ?? "" });
  }

  /** @param {View} view @param {string} title @param {Node[]} nodes */
  #show(view, title, ...nodes) {
    const focused = this.shadowRoot?.activeElement;
    if (view !== "panel") this.#panel?.close();
    if (view !== "panel") this.#panel = null;
    this.#view = view;
    this.#title.textContent = title;
    this.stub();
    put(this.#body, this.#panel ? [this.#panel.node] : [this.#title, ...nodes]);
    this.#root.className = `root ${view}`;
    this.#root.hidden = false;
    this.#slot.hidden = view !== "declined" && view !== "trouble";
    if (focused) (this.#panel ?? this.#title).focus();
    if (view !== "panel" && view !== "opening")
      this.emit("ticketminer-state", { phase: view, reasons: [], balance: 0, missing: this.settings.price ?? 0 });
  }

  /** @param {Node[]} nodes */
  stub(...nodes) {
    this.#stub.hidden = !nodes.length;
    put(this.#stub, nodes);
  }

  /** Load a stylesheet of ours; without it all is plain and works. @param {string} name @returns {Promise<unknown>} */
  sheet(name) {
    const link = h("link", { rel: "stylesheet", href: new URL(`element/${name}`, this.settings.assets).href });
    return new Promise((done) => {
      link.onload = link.onerror = done;
      this.shadowRoot?.insertBefore(link, this.#root);
    });
  }

  /** @param {string} text */
  say(text) {
    if (this.#live.textContent !== text) this.#live.textContent = text;
  }

  /** @param {string} name @param {unknown} detail */
  emit(name, detail) {
    return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true }));
  }

  /** @param {string} key @param {() => unknown} press */
  #button(key, press, look = "") {
    return h("button", { type: "button", class: look, click: press }, this.messages.text(key));
  }

  /** @param {"about" | "wallet"} key */
  link(key) {
    return this.settings[key] ? h("a", { href: this.settings[key] }, this.messages.text(key)) : null;
  }
}

/** What the page itself says of the offer; null where anything is missing. @param {Element} element */
function written(element) {
  const version = element.getAttribute("consent");
  const text = element.getAttribute("consent-text");
  const algorithm = element.getAttribute("algorithm");
  const effort = Number(element.getAttribute("effort"));
  return version && text && algorithm && effort > 0 ? { version, text, algorithm, effort } : null;
}

/** The same from the service document. @param {string} service */
async function offer(service) {
  const { consent, algorithms } = await (await fetch(service, { headers: { Accept: "application/json" } })).json();
  return {
    version: String(consent.version), text: String(consent.text), algorithm: String(algorithms[0].algorithm),
    effort: Number(algorithms[0].expected_hashes),
  };
}

if (!customElements.get("ticket-miner")) customElements.define("ticket-miner", TicketMiner);
