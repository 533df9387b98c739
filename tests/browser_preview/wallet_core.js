// A core that only plays a wallet, for pages/: served in the place of core.js after a line `const PLAYED = {…}` that a test or
// preview writes:
//
//     wallet    "full" or "empty"
//     view, snapshot    members to put over those of the wallet
//     answers   by call: what it is answered with; {"problem": {…}}: refused with that; {"never": true}: not answered
//     told      address to which each call is posted, as {"call", "args"}; none: nobody is told
//
// It speaks the protocol of miner/browser/core.js, and what is done to the wallet shows in it.

/** @typedef {import("../../miner/browser/types.d.ts").WalletView} WalletView */
/** @typedef {import("../../miner/browser/types.d.ts").Snapshot} Snapshot */

/** @type {{ wallet?: "full" | "empty", view?: Partial<WalletView>, snapshot?: Partial<Snapshot>, answers?: Record<string, any>, told?: string }} */
// @ts-ignore the line before
const played = PLAYED;
const now = Math.floor(Date.now() / 1000);
const DAY = 86400;
const WORDS =
  "abandon amount liar buzz cave diesel energy fabric glue harvest index jacket kidney lumber mango napkin olive pepper quiz ribbon salad tiger uncle zebra";

const service = {
  siteName: "tidepool.example",
  denominations: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
  algorithms: [{ name: "yespower", expectedHashes: 4096, work: "local" }],
  limits: { inputs: 64, outputs: 32, body: 65536, restore: 256, jobValue: 512 },
  consent: { version: "1", text: "This site offers to be paid with computing time." },
  funds: [
    { name: "articles", title: "Our articles", minimum: 1, default: 5 },
    { name: "library", title: "The town library", minimum: 3, default: 6 },
  ],
  links: { job: "", submit: "", redeem: "", keys: "", restore: "", donate: "", spent: "" },
};

/** @param {number} count @param {number} value @param {number} days @param {import("../../miner/browser/types.d.ts").TicketState} state */
const some = (count, value, days, state = "available") =>
  Array.from({ length: count }, () => ({ value, redeemUntil: now + Math.round(days * DAY), state, keyId: "00" }));

/** @param {number} rate */
const rates = (rate) =>
  Array.from({ length: 40 }, (_, place) =>
    Math.round(rate * (1 + 0.18 * Math.sin(place / 3) - 0.4 * Math.exp(-place))),
  );

/** @type {Omit<import("../../miner/browser/types.d.ts").MiningRun, "id">} */
const run = {
  algorithm: "yespower",
  donation: false,
  fund: null,
  state: "running",
  started: now - 205,
  updated: now,
  threads: 1,
  duty: 0.5,
  hashes: 126_400,
  seconds: 102,
  accepted: 24,
  refused: 1,
  tickets: 24,
  rates: rates(617),
};

/** @type {WalletView} */
const full = {
  balance: 47,
  pending: 2,
  tickets: [
    ...some(2, 16, 13.2),
    ...some(3, 4, 13.2),
    ...some(3, 1, 6.4),
    ...some(1, 2, 13.2, "pending"),
    ...some(4, 1, 6.4, "spent"),
    ...some(1, 8, 6.4, "given"),
    ...some(2, 1, -3, "expired"),
  ],
  runs: [
    { ...run, id: 3 },
    {
      ...run,
      id: 2,
      state: "finished",
      started: now - 2 * DAY,
      updated: now - 2 * DAY + 660,
      donation: true,
      fund: "library",
      tickets: 12,
      accepted: 12,
      refused: 0,
      hashes: 50_176,
      rates: rates(311),
    },
    {
      ...run,
      id: 1,
      state: "interrupted",
      started: now - 9 * DAY,
      updated: now - 9 * DAY + 12,
      threads: 4,
      duty: 0.8,
      tickets: 0,
      accepted: 0,
      refused: 0,
      hashes: 0,
      rates: [],
    },
  ],
  history: [
    { at: now - 40, kind: "mined", amount: 1, detail: "", reference: null },
    { at: now - 3_600, kind: "paid", amount: 3, detail: "GET /pictures/2/original", reference: "pay_5f0c2a9e8b71" },
    {
      at: now - 1.2 * DAY,
      kind: "donated",
      amount: 5,
      detail: "GET /ticketminer/donate?amount=5&fund=articles",
      reference: "pay_77aa01c3d904",
    },
    { at: now - 2 * DAY, kind: "sent", amount: 8, detail: "", reference: null },
    { at: now - 3 * DAY, kind: "received", amount: 2, detail: "", reference: null },
    { at: now - 4 * DAY, kind: "renewed", amount: 12, detail: "", reference: null },
    { at: now - 5 * DAY, kind: "restored", amount: 24, detail: "", reference: null },
    ...Array.from({ length: 9 }, (_, place) => ({
      at: now - (6 + place) * DAY,
      kind: "mined",
      amount: 1 + place,
      detail: "",
      reference: null,
    })),
  ],
  service,
  storage: { usage: 184_320, quota: 4e9, persisted: null },
  wordsSeen: false,
  limits: { threads: 1, duty: 0.5, pauseOnBattery: true, pauseOnHidden: true, notifications: false },
};

/** @type {WalletView} */
const empty = {
  ...full,
  balance: 0,
  pending: 0,
  tickets: [],
  runs: [],
  history: [],
  storage: { usage: 0, quota: 4e9, persisted: null },
};

/** @type {Snapshot} */
let shot = {
  phase: "idle",
  reasons: [],
  notices: [],
  problem: null,
  goal: null,
  siteName: service.siteName,
  consentVersion: "1",
  balance: 0,
  missing: 0,
  earned: 0,
  given: 0,
  algorithm: "yespower",
  effort: 4096,
  rate: null,
  kernel: null,
  threads: 1,
  maxThreads: 4,
  duty: 0.5,
  pauseOnBattery: true,
  job: null,
  shares: { accepted: 0, refused: 0, pending: 0 },
  secondsPerTicket: 6.6,
  secondsLeft: null,
  location: null,
  battery: "charging",
  saveData: false,
  persisted: null,
};

/** @type {WalletView} */
let wallet = { ...(played.wallet === "empty" ? empty : full), ...played.view };
shot = { ...shot, balance: wallet.balance, persisted: wallet.storage.persisted, ...played.snapshot };

/** @param {Partial<Snapshot>} news */
function tell(news = {}) {
  shot = { ...shot, balance: wallet.balance, ...news };
  postMessage({ snapshot: shot });
}

/** @param {number} amount @param {string} kind @param {string | null} [reference] @param {string} [detail] */
function move(amount, kind, reference = null, detail = "") {
  wallet = {
    ...wallet,
    balance: wallet.balance + amount,
    history: [{ at: now, kind, amount: Math.abs(amount), detail, reference }, ...wallet.history],
  };
  tell();
}

/** @type {Record<string, (...args: any[]) => unknown>} */
const calls = {
  open: () => (tell(), shot),
  surroundings: (/** @type {any} */ { persisted }) => {
    wallet = { ...wallet, storage: { ...wallet.storage, persisted: persisted ?? wallet.storage.persisted } };
    tell({ persisted: wallet.storage.persisted });
  },
  start: (goal) =>
    tell({
      phase: "mining",
      goal,
      missing: goal.amount,
      rate: 617,
      job: { value: 1, expectedHashes: 4096, searched: 900 },
    }),
  pause: () => tell({ phase: "paused", reasons: ["user"] }),
  resume: () => tell({ phase: "mining", reasons: [] }),
  stop: () => {
    wallet = {
      ...wallet,
      runs: wallet.runs.map((run) => (run.state === "running" ? { ...run, state: "stopped" } : run)),
    };
    tell({ phase: "idle", job: null, rate: null });
  },
  retry: () => tell({ phase: "idle", problem: null }),
  limits: (limits) => {
    wallet = { ...wallet, limits: { ...wallet.limits, ...limits } };
    tell({ threads: wallet.limits.threads, duty: wallet.limits.duty });
  },
  price: () => 3,
  pay: (resource, most) => {
    move(-most, "paid", "pay_0123456789ab", `GET ${resource}`);
    return { location: resource, amount: most, change: 1, reference: "pay_0123456789ab" };
  },
  donate: (amount) => {
    move(-amount, "donated", "pay_ba9876543210");
    return { amount, reference: "pay_ba9876543210" };
  },
  view: () => wallet,
  send: (amount) => {
    move(-amount, "sent");
    return gift(amount);
  },
  taken: () => {},
  receive: () => {
    move(5, "received");
    return 5;
  },
  words: () => WORDS,
  wordsSeen: () => {
    wallet = { ...wallet, wordsSeen: true };
    tell({ notices: shot.notices.filter(({ code }) => code !== "words-unseen") });
  },
  restore: () => {
    move(7, "restored");
    return { value: 7, tickets: 3, spent: 1 };
  },
  deleteRun: (id) => void (wallet = { ...wallet, runs: wallet.runs.filter((run) => run.id !== id) }),
  reset: () => {
    wallet = { ...wallet, runs: [], history: [], wordsSeen: false };
    tell();
  },
  wipe: () => {
    wallet = { ...empty, service: wallet.service };
    tell({ notices: [] });
  },
};

/** A gift of as many bytes as a real one. @param {number} amount */
function gift(amount) {
  const count = amount.toString(2).replaceAll("0", "").length;
  const tickets = Array.from({ length: count }, (_, place) => String.fromCharCode(97 + place).repeat(472));
  const text = btoa(JSON.stringify({ origin: self.location.origin, tickets }))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
  return `ticketminer-tickets-1.${text}`;
}

addEventListener("message", async ({ data: { id, call, args } }) => {
  if (played.told) await fetch(played.told, { method: "POST", body: JSON.stringify({ call, args }) });
  const answer = played.answers?.[call];
  if (answer?.never) return;
  if (answer?.problem) postMessage({ id, problem: answer.problem });
  else {
    const result = calls[call](...args);
    postMessage({ id, result: answer === undefined ? result : answer });
  }
});
