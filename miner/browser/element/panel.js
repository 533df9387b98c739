// What is shown after consent: the core's snapshots in plain words, and the buttons that steer it.

import { h, icon, put, write } from "./dom.js";
import { formats } from "./format.js";
import { connect } from "./remote.js";
import { rows } from "./rows.js";
import { describe } from "./scene.js";

/** @import { Action } from "./host" */
/** @import { Problem } from "../types" */

const TICK = 1000; // milliseconds between two changes of figures
const MOST_PIPS = 10;
/** Before the first word of the core. */
const NOTHING = /** @type {import("../types.d.ts").Snapshot} */ (
  /** @type {unknown} */ ({ phase: "loading", reasons: [], notices: [], balance: 0, given: 0 })
);
const CHECK = "M5 12.5l4.7 4.7L19.5 7";
/** @type {Map<string, string>} */
const DRAWN = new Map([
  ["starting", "chip"], ["mining", "chip"], ["paused", "pause"], ["paid", CHECK], ["enough", CHECK], ["open", CHECK],
  ["failed", "M12 4l9 16H3zM12 10v4.5m0 2.6v.1"],
  ["thanks", "M12 19.5C6 15.3 3.5 12 4.3 8.8 5.2 5.6 9.8 5 12 8.6c2.2-3.6 6.8-3 7.7.2.8 3.2-1.7 6.5-7.7 10.7z"],
]);

/** @param {import("./host.d.ts").Host} host @returns {Promise<import("./host.d.ts").Panel>} */
export async function open(host) {
  const { assets, service } = host.settings();
  const messages = host.messages();
  await Promise.all([messages.load(assets, "miner"), host.sheet("panel.css")]);
  const format = formats(messages.lang);
  const remote = connect(assets, service);
  const { core } = remote;
  const me = {};

  const mark = h("span", { class: "mark" });
  const title = h("span");
  const heading = h("h2", { id: "title", tabindex: -1 }, mark, title);
  const lines = h("div", { class: "lines" });
  const progress = h("progress", { max: 1, "aria-label": messages.text("progress") });
  const pace = h("p");
  const meter = h("div", { class: "meter", hidden: true }, progress, pace);
  const figures = h("dl");
  const notices = h("ul", { class: "notices" });
  const actions = h("p", { class: "actions" });
  const withdraw = h("button", { type: "button", class: "plain", click: () => host.withdraw() },
    messages.text("withdraw"));
  const details = h("details", { toggle: () => void controls().catch(() => (show = null)) },
    h("summary", null, messages.text("details")));
  const node = h("div", { class: "panel" }, heading, lines, meter, figures, notices, actions, details,
    h("p", { class: "links" }, host.link("about"), host.link("wallet"), withdraw));

  let drawn = 0;
  let timer = 0;
  let key = "";
  let phase = "";
  let scene = "";
  let stub = "";
  let tickets = 0;
  let gave = 0;
  let target = 0;
  let calling = false;
  let closed = false;
  /** @type {Problem | null} a refusal that the snapshot does not tell of */
  let refused = null;
  /** @type {{ price: number | null } | null} what the site says that the resource costs */
  let asked = null;
  let looked = false;
  const loaded = new Set();
  /** @type {((s: import("../types.d.ts").Snapshot) => void) | null} */
  let show = null;

  const price = () => host.settings().price ?? asked?.price ?? null;
  const goal = () => target || (price() ?? 0);

  /** One thing at a time. @param {() => unknown} act */
  async function call(act) {
    if (calling) return;
    calling = true;
    refused = null;
    draw();
    try {
      await act();
    } catch (problem) {
      refused = /** @type {Problem} */ (problem);
    }
    calling = false;
    draw();
  }

  /** The same, and from now on the core works for this element. @param {() => unknown} act */
  function own(act) {
    remote.owner = me;
    gave = 0;
    return call(act);
  }

  /** Learn what it costs now, or that it is open. */
  async function ask() {
    asked = { price: await core.price(host.settings().resource) };
  }

  /** The same without a click. A page that shows a price may be of something that was paid for before. */
  function look() {
    const { kind, resource } = host.settings();
    if (price() === null) return void call(ask);
    if (looked || kind !== "pay" || resource === location.pathname + location.search) return;
    looked = true;
    ask().then(draw, () => {}); // where nothing can be learned, the price stands
  }

  function start() {
    const { kind, resource, fund } = host.settings();
    const version = host.agreed();
    if (version === null) return host.ask();
    void own(async () => {
      if (price() === null) await ask();
      const balance = remote.snapshot?.balance ?? 0;
      if (kind === "tickets" && balance >= goal()) target = balance + (price() ?? 1);
      await core.start({ kind, amount: goal(), resource, fund }, version);
    });
  }

  /** @type {Record<Action, () => unknown>} */
  const act = {
    open: () => {},
    pay: () => own(() => core.pay(host.settings().resource, price() ?? 0)),
    give: () => own(async () => {
      const { fund } = host.settings();
      gave = (await core.donate(price() ?? 0, fund)).amount;
      host.emit("ticketminer-paid", { amount: gave, location: null, fund });
    }),
    agree: () => host.ask(remote.snapshot?.phase === "failed"),
    start,
    pause: () => call(() => ((remote.snapshot?.reasons.indexOf("user") ?? -1) >= 0 ? core.resume() : core.pause())),
    battery: () => call(() => core.limits({ pauseOnBattery: false })),
    retry: () => (remote.snapshot?.problem?.code === "price-changed" ? location.reload() : call(() => core.retry())),
    stop: () => call(() => core.stop()),
  };
  /** @type {Map<Action, HTMLElement>} */
  const buttons = new Map();
  for (const action of /** @type {Action[]} */ (Object.keys(act)))
    buttons.set(action, actions.appendChild(action === "open" ? h("a", { hidden: true })
      : h("button", { type: "button", hidden: true, click: act[action] })));

  async function controls() {
    if (show) return draw();
    show = () => {}; // once
    await Promise.all([messages.load(assets, "controls"), host.sheet("controls.css")]);
    const { controls: make } = await import("./controls.js");
    const made = make(messages, format, (limits) => void core.limits(limits).catch(() => {}));
    details.appendChild(made.node);
    show = made.show;
    draw();
  }

  function hear() {
    const { snapshot: s, failure } = remote;
    if (failure) return host.trouble(failure.code);
    if (!s) return;
    const mine = remote.owner === me;
    const { balance, earned, given, reasons, missing, location } = s;
    if (s.phase === "idle" && !asked && !calling) look();
    const came = earned + given - tickets;
    if (mine && came > 0) host.emit("ticketminer-ticket", { amount: came, balance });
    tickets = earned + given;
    const before = phase;
    phase = `${s.phase} ${reasons}`;
    if (before !== phase) {
      host.emit("ticketminer-state", { phase: s.phase, reasons, balance, missing });
      const inside = within(location);
      const paid = { amount: price() ?? 0, location, fund: null };
      if (s.phase === "paid" && mine && host.emit("ticketminer-paid", paid) && inside) window.location.assign(inside);
    }
    const now = `${phase} ${s.notices.length} ${balance} ${tickets}`;
    const wait = now === key ? drawn + TICK - performance.now() : 0;
    key = now;
    if (wait <= 0) draw();
    else timer ||= setTimeout(draw, wait);
  }

  /** Load a catalogue that few visits need. @param {string} name */
  function texts(name) {
    if (loaded.has(name)) return;
    loaded.add(name);
    messages.load(assets, name).then(draw, () => loaded.delete(name));
  }

  function draw() {
    if (closed) return;
    clearTimeout(timer);
    timer = 0;
    drawn = performance.now();
    const s = remote.snapshot ?? NOTHING;
    const { owner } = remote;
    const agreed = host.agreed() !== null;
    const { kind, fundTitle: fund } = host.settings();
    withdraw.hidden = !agreed;
    details.hidden = !agreed || s.phase === "loading";
    if (s.notices.length) texts("notices");
    // Until they are here, and where they cannot be had, a problem speaks for itself.
    if (s.problem || refused) texts("errors");
    const free = asked?.price === null;
    const self = {
      kind, fund, agreed, free, gave, refused, price: price(), target: goal(), own: !owner || owner === me,
    };
    const shown = describe(s, self, messages, format);
    node.className = `panel ${shown.is}`;
    if (scene !== shown.is) put(mark, [icon(DRAWN.get(shown.is) ?? "ticket")]);
    scene = shown.is;
    write(title, shown.title);
    rows(lines, shown.lines, () => h("p"));
    rows(figures, shown.figures, () => h("div", null, h("dt"), h("dd")));
    rows(notices, shown.notices, () => h("li", null, icon("info"), h("span")));
    const jumps = meter.hidden || (shown.meter?.value ?? 0) < progress.value;
    meter.hidden = !shown.meter;
    if (shown.meter) {
      progress.className = jumps ? "fresh" : "";
      progress.value = shown.meter.value;
      write(pace, shown.meter.text);
    }
    buttonsFor(shown.actions);
    host.others(scene === "failed" && /no-kernel|storage-refused/.test(s.problem?.code ?? ""));
    stubFor(shown.stub);
    if (/mining|paused|observing|enough|open|paid|thanks|failed/.test(scene))
      host.say(`${shown.title}. ${scene === "mining" ? "" : shown.lines.join(" ")}`);
    if (remote.snapshot) show?.(s);
  }

  /** @param {Map<Action, string>} labels */
  function buttonsFor(labels) {
    actions.hidden = !labels.size;
    const focused = /** @type {ShadowRoot} */ (node.getRootNode()).activeElement;
    let look = scene === "thanks" ? "" : "main";
    for (const [action, button] of buttons) {
      const label = labels.get(action);
      button.hidden = label === undefined;
      button.setAttribute("aria-disabled", String(calling));
      if (label === undefined) continue;
      write(button, label);
      button.className = action === "stop" || label === messages.text("act.pause") ? "" : look;
      look = "";
    }
    const to = within(remote.snapshot?.location) ?? host.settings().resource;
    /** @type {HTMLAnchorElement} */ (buttons.get("open")).href = to;
    if (focused instanceof HTMLElement && focused.hidden) heading.focus();
  }

  /** @param {import("./host.d.ts").Scene["stub"]} wanted */
  function stubFor({ number, unit, done, got, all }) {
    const now = `${number} ${unit} ${got}`;
    if (now === stub) return;
    stub = now;
    const pips = h("span", { class: "pips" });
    for (let i = 0; i < all && all <= MOST_PIPS; i++) pips.appendChild(h("i", { class: i < got ? "got" : "" }));
    host.stub(done ? icon(CHECK) : h("b", null, number || icon("ticket")), unit, pips);
  }

  draw();
  const leave = remote.subscribe(hear);
  return {
    node,
    start,
    stop: () => void core.stop().catch(() => {}),
    update() {
      asked = null;
      looked = false;
      draw();
    },
    focus: () => heading.focus(),
    close() {
      closed = true;
      clearTimeout(timer);
      leave();
    },
  };
}

/** The address, if it is one of this site: no payment leads to another. @param {string | null} [address] */
function within(address) {
  const url = new URL(address ?? "", location.href);
  return address && url.origin === location.origin ? url.href : null;
}
