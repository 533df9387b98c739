// Donation banners: computing while one reads, and giving from the balance. Loaded with the page, so it is small; all
// else is loaded when a button is pressed. Where that fails, the banner's form goes the way it goes without JavaScript.

/** @import { Context } from "./context.js" */
/** @typedef {Record<string, string | number | null>} Miner attributes of <ticket-miner> */

const BANNER = ".ticketminer-banner[data-ticketminer-miner]";
/** All that is taken from a page that may show what strangers wrote, where data attributes pass as harmless. */
const ATTRIBUTES = [
  "service", "goal", "price", "fund", "fund-title", "consent", "consent-text", "algorithm", "effort", "wallet", "about",
];
const ASSETS = new URL("../", import.meta.url);
/** @type {Map<string, Promise<Context>>} by language */
const contexts = new Map();

/** @param {HTMLElement} banner */
function enliven(banner) {
  const form = /** @type {HTMLFormElement | null} */ (banner.querySelector("form"));
  const read = /** @type {HTMLButtonElement | null} */ (banner.querySelector("[data-ticketminer-read]"));
  /** @type {Miner} */
  const miner = JSON.parse(banner.dataset.ticketminerMiner ?? "{}");
  if (!form || !read) return;
  read.hidden = false;
  read.addEventListener("click", () => void mine(banner, read, miner).catch(() => form.submit()));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const amount = Number(new FormData(form).get("amount"));
    void give(banner, miner, amount).catch(() => form.submit());
  });
}

/**
 * Place the element that mines in the banner.
 * @param {HTMLElement} banner @param {HTMLElement} read @param {Miner} miner
 */
async function mine(banner, read, miner) {
  read.setAttribute("aria-disabled", "true");
  await import("../element/element.js");
  const element = document.createElement("ticket-miner");
  element.className = "ticketminer-banner__miner";
  element.lang = banner.lang;
  element.tabIndex = -1;
  for (const name of ATTRIBUTES) if (miner[name] != null) element.setAttribute(name, String(miner[name]));
  read.hidden = true;
  banner.append(element);
  element.focus();
}

/** Ask and give in a dialog. @param {HTMLElement} banner @param {Miner} miner @param {number} amount */
async function give(banner, miner, amount) {
  const key = banner.lang;
  if (!contexts.has(key)) contexts.set(key, prepare(banner, miner));
  try {
    const context = await contexts.get(key);
    const { openDonate } = await import("./donate.js");
    await openDonate(/** @type {Context} */ (context), {
      fund: /** @type {string | null} */ (miner.fund),
      amount,
      given: (n, fund) => thank(banner, /** @type {Context} */ (context), n, fund?.title ?? ""),
    });
  } catch (error) {
    contexts.delete(key);
    throw error;
  }
}

/**
 * Texts, core, and a place for dialogs that the page's own styles do not reach.
 * @param {HTMLElement} banner @param {Miner} miner
 */
async function prepare(banner, miner) {
  const { Context } = await import("./context.js");
  const { service, consent, algorithm, effort, about, wallet } = miner;
  const root = await shelter();
  /** @type {Miner} */
  const offer = { consent, "consent-text": miner["consent-text"], algorithm, effort, about, wallet };
  return Context.open({ service: String(service), assets: ASSETS, lang: banner.lang, root, offer });
}

/** @returns {Promise<ShadowRoot>} */
async function shelter() {
  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "open" });
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = new URL("pages/dialogs.css", ASSETS).href;
  const loaded = new Promise((done, fail) => {
    style.onload = done;
    style.onerror = fail;
  });
  root.append(style);
  document.body.append(host);
  await loaded;
  return root;
}

/** @param {HTMLElement} banner @param {Context} context @param {number} n @param {string} fund */
function thank(banner, { t }, n, fund) {
  const words = banner.querySelector(".ticketminer-banner__thanks");
  if (words)
    words.textContent = `${t("donate.thank-you")}. ${t(fund ? "donate.thanks" : "donate.thanks-site", { n, fund })}`;
}

for (const banner of document.querySelectorAll(BANNER)) enliven(/** @type {HTMLElement} */ (banner));
