// ?state=mining shows one state; &dir=rtl, &host=hostile and &nav=no change what is around; &leave=yes lets it open what is paid.
// See states.js.

import { STATES } from "./states.js";

const query = new URLSearchParams(location.search);
const name = query.get("state") ?? "ask";
const state = STATES[name];
const service = `/site/${name}/`;
const SAID = { yes: "yes 1", no: "no 1", old: "yes 0" };
const TEXT = "This site offers to be paid with computing time. If you agree, your device searches for numbers that prove work, using the processor time and electricity you allow. It stops when you say so, and you may refuse. The work earns tickets that pay for things on this site. Tickets are site credit, not money, and they expire.";

if (query.get("host") === "hostile") {
  document.documentElement.className = "hostile";
  for (const prototype of [Array.prototype, Object.prototype])
    for (const extra of ["each", "toQueryString"]) prototype[extra] = () => { throw new Error("changed"); };
  for (const method of ["map", "filter", "reduce", "forEach", "includes"]) Array.prototype[method] = () => { throw new Error("changed"); };
}

if (name === "offline") Object.defineProperty(navigator, "onLine", { get: () => false });

if (state.answer) localStorage.setItem(`ticketminer:${service}`, SAID[state.answer]);
else localStorage.removeItem(`ticketminer:${service}`);

const script = document.createElement("script");
script.type = "module";
script.src = `/tree/${name}/element/element.js`;
document.head.append(script);

/** @param {Record<string, string>} more */
function element(more) {
  const miner = document.createElement("ticket-miner");
  const attributes = {
    service, assets: `/tree/${name}/`, goal: "pay", price: "3", resource: "/report", consent: "1", "consent-text": TEXT, algorithm: "yespower",
    effort: "4096", ...more,
  };
  for (const [key, value] of Object.entries(attributes)) if (value) miner.setAttribute(key, value);
  if (query.get("dir")) miner.setAttribute("dir", query.get("dir"));
  if (query.get("lang")) miner.setAttribute("lang", query.get("lang"));
  miner.innerHTML = "<p>Without the miner: run <code>ticketminer pay</code> in a terminal and paste what it prints, or come back later.</p>";
  if (!query.get("leave")) miner.addEventListener("ticketminer-paid", (event) => event.preventDefault());
  return miner;
}

const miner = element(state.attributes ?? {});
document.querySelector("#place").append(miner);
if (state.pays) {
  const other = element({});
  other.hidden = true;
  document.querySelector("#place").append(other);
  await pressed(other, "Start mining");
}
for (const words of state.press ?? []) await pressed(miner, words);
if (state.unfold) (await found(miner, "details")).open = true;
document.documentElement.dataset.ready = "yes";

/** Press a button, once it is there. */
async function pressed(within, words) {
  for (;;) {
    for (const button of within.shadowRoot?.querySelectorAll("button") ?? [])
      if (button.textContent === words && !button.hidden) return button.click();
    await new Promise((done) => setTimeout(done, 20));
  }
}

async function found(within, selector) {
  for (;;) {
    const node = within.shadowRoot?.querySelector(selector);
    if (node && !node.hidden) return node;
    await new Promise((done) => setTimeout(done, 20));
  }
}

if (query.get("nav") !== "no")
  for (const other of Object.keys(STATES)) {
    const link = document.createElement("a");
    link.href = `?state=${other}`;
    link.textContent = other;
    document.querySelector("nav").append(link, " ");
  }
