// Every state that <ticket-miner> can show, by name: attributes of the element, the visitor's answer, and the core's snapshot.

/** @typedef {import("../../miner/browser/types.d.ts").Snapshot} Snapshot */

/**
 * `answer`: what the visitor said before; `press`: buttons to press, by their words; `price`: what
 * the site answers; `dies`: the core does; `endless`: mining brings nothing; `unfold`: the details are open; `pays`: another element is at work; `leads`: where a
 * payment does; `ticks`: many snapshots a second.
 *
 * @typedef {{
 *   attributes?: Record<string, string>, answer?: "yes" | "no" | "old", press?: string[], snapshot?: Partial<Snapshot>,
 *   price?: number | null, dies?: boolean, endless?: boolean, unfold?: boolean, pays?: boolean, leads?: string, ticks?: boolean,
 * }} State
 */

/** @type {Snapshot} */
const BASE = {
  phase: "idle", reasons: [], notices: [], problem: null, goal: null, siteName: "shop.example", consentVersion: "1", balance: 0,
  missing: 3, earned: 0, given: 0, algorithm: "yespower", effort: 4096, rate: null, kernel: "simd", threads: 1, maxThreads: 2,
  duty: 0.5, job: null, shares: { accepted: 0, refused: 0, pending: 0 }, secondsPerTicket: 6.4, secondsLeft: null, location: null,
  battery: "charging", saveData: false, persisted: true,
};

/** @type {Partial<Snapshot>} */
const MINING = {
  phase: "mining", balance: 1, earned: 1, missing: 2, rate: 638, secondsLeft: 12.8,
  job: { value: 1, expectedHashes: 4096, searched: 3100 }, shares: { accepted: 1, refused: 0, pending: 0 },
};

/** @param {State} state @returns {Snapshot} */
export const snapshot = ({ snapshot = {} }) => ({ ...BASE, ...snapshot });

/** @param {Partial<Snapshot>} [more] @returns {State} */
const mining = (more = {}) => ({ answer: "yes", unfold: false, snapshot: { ...MINING, ...more } });
/** @param {import("../../miner/browser/types.d.ts").PauseReason[]} reasons @param {Partial<Snapshot>} [more] */
const paused = (reasons, more = {}) => mining({ phase: "paused", reasons, rate: null, ...more });
/** @param {import("../../miner/browser/types.d.ts").NoticeCode} code @param {Record<string, number>} [values] @param {Partial<Snapshot>} [more] */
const noticed = (code, values, more = {}) => mining({ notices: [{ code, values }], ...more });
/** @param {string} code @param {Partial<import("../../miner/browser/types.d.ts").Problem>} [more] @returns {State} */
const failed = (code, more = {}) => ({ answer: "yes", snapshot: { phase: "failed", problem: { code, detail: "An English sentence.", ...more } } });

const GIFT = { goal: "donate", price: "5", fund: "articles", "fund-title": "New articles", resource: "" };

/** @type {Record<string, State>} */
export const STATES = {
  "ask": {},
  "ask-endless": { endless: true },
  "ask-old": { answer: "old" },
  "ask-earn": { attributes: { goal: "tickets", price: "8" } },
  "ask-gift": { attributes: GIFT },
  "ask-gift-open": { attributes: { ...GIFT, price: "0" } },
  "ask-tag-alone": { attributes: { price: "", consent: "", "consent-text": "", algorithm: "", effort: "" }, price: 3 },
  "ask-changed": { answer: "old", attributes: { consent: "0" }, snapshot: { phase: "failed", problem: { code: "consent-changed", detail: "" } }, press: ["Read what mining means here"] },
  "declined": { answer: "no" },
  "withdrawn": { answer: "yes", press: ["Withdraw my consent"] },
  "blocked": { press: ["Agree and start"] },
  "updated": { press: ["Agree and start"] },
  "offline": { press: ["Agree and start"] },
  "unreachable": { press: ["Agree and start"] },
  "worker": { press: ["Agree and start"] },
  "blocked-core": { press: ["Agree and start"] },
  "dies": { answer: "yes", dies: true },
  "unstyled": {},
  "wordless": {},
  "have": { press: ["I have tickets already"], snapshot: { balance: 1, missing: 2 } },
  "have-enough": { press: ["I have tickets already"], snapshot: { balance: 5, missing: 0 } },
  "loading": { answer: "yes", snapshot: { phase: "loading" } },
  "idle": { answer: "yes", snapshot: { balance: 1, missing: 2 } },
  "idle-unmeasured": { answer: "yes", snapshot: { secondsPerTicket: null } },
  "idle-earn": { answer: "yes", attributes: { goal: "tickets", price: "8" }, snapshot: { balance: 2, missing: 6 } },
  "idle-gift": { answer: "yes", attributes: GIFT, snapshot: { balance: 7 } },
  "enough": { answer: "yes", snapshot: { balance: 5, missing: 0 } },
  "enough-earn": { answer: "yes", attributes: { goal: "tickets", price: "8" }, snapshot: { balance: 9 } },
  "free": { answer: "yes", attributes: { price: "" }, price: null },
  "starting": { answer: "yes", snapshot: { phase: "starting" } },
  "mining": mining(),
  "mining-details": { ...mining({ notices: [{ code: "recovered", values: { amount: 2 } }] }), unfold: true },
  "mining-unknown": { ...mining({ battery: "unknown", saveData: null, persisted: null, kernel: "javascript" }), unfold: true },
  "mining-fast": mining({ rate: 1_240_000, job: { value: 16, expectedHashes: 65536, searched: 20000 }, algorithm: "sha256d", secondsPerTicket: 0.3 }),
  "mining-many": { ...mining({ balance: 118, missing: 137, secondsLeft: 860 }), attributes: { price: "255" } },
  "mining-earn": { ...mining({ balance: 2, missing: 6, secondsLeft: 38 }), attributes: { goal: "tickets", price: "8" } },
  "mining-gift": { ...mining({ given: 2, missing: 3, balance: 4, secondsLeft: 19 }), attributes: GIFT },
  "mining-gift-open": { ...mining({ given: 12, missing: 0, balance: 0, secondsLeft: null }), attributes: { ...GIFT, price: "0" } },
  "unlucky": mining({ job: { value: 1, expectedHashes: 4096, searched: 14000 } }),
  "paused-user": paused(["user"]),
  "paused-hidden": paused(["hidden"]),
  "paused-battery": paused(["battery"], { battery: "discharging" }),
  "paused-save-data": paused(["save-data"], { saveData: true }),
  "paused-offline": paused(["offline"]),
  "paused-several": paused(["offline", "battery"], { battery: "discharging" }),
  "observing": mining({ phase: "observing", job: null }),
  "observing-waiting": mining({ phase: "observing", reasons: ["elsewhere"], job: null, rate: null }),
  "javascript-kernel": noticed("javascript-kernel", {}, { kernel: "javascript" }),
  "wasm-forbidden": noticed("wasm-forbidden", {}, { kernel: "javascript" }),
  "no-simd": noticed("no-simd", {}, { kernel: "scalar" }),
  "fewer-threads": noticed("fewer-threads"),
  "clock-wrong": noticed("clock-wrong", { seconds: 5400 }),
  "storage-temporary": noticed("storage-temporary", {}, { persisted: false }),
  "site-restarted": noticed("site-restarted", { seconds: 8 }),
  "no-work": noticed("no-work", { seconds: 5 }),
  "job-stale": noticed("job-stale"),
  "upstream-moved": noticed("upstream-moved"),
  "words-unseen": noticed("words-unseen"),
  "paying": { answer: "yes", snapshot: { phase: "paying", balance: 3, missing: 0 } },
  "paid-away": { answer: "yes", snapshot: { balance: 3, missing: 0 }, leads: "https://elsewhere.example/" },
  "ticking": { ...mining(), ticks: true },
  "paid": { answer: "yes", snapshot: { phase: "paid", location: "/report", missing: 0 } },
  "thanks": { answer: "yes", attributes: GIFT, press: ["Give 5 tickets I have"], snapshot: { balance: 7 } },
  "busy": { answer: "yes", attributes: GIFT, snapshot: {}, pays: true },
  "no-connection": failed("site-unreachable"),
  "nonsense": failed("site-protocol"),
  "refused": failed("site-refused", { cause: "busy", values: { detail: "The site is busy. Ask again in a minute." } }),
  "keys-changed": failed("key-mismatch"),
  "price-changed": failed("price-changed", { values: { amount: 5 } }),
  "storage-refused": failed("storage-refused"),
  "storage-full": failed("storage-full"),
  "no-kernel": failed("no-kernel"),
  "out-of-memory": failed("out-of-memory"),
  "unknown-problem": failed("never-heard-of", { detail: "Something that this version has no words for." }),
};
