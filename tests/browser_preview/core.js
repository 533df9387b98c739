// A core that only plays: the state is named by the folder that this worker came from, and a script tells the rest.
//
// It speaks the same protocol as miner/browser/core.js: {id, call, args} is answered by {id, result} or {id, problem}.

import { STATES, snapshot } from "./states.js";

const name = self.location.pathname.split("/").at(-2) ?? "";
const state = STATES[name] ?? {};
let shot = snapshot(state);

/** @param {Partial<import("../../miner/browser/types.d.ts").Snapshot>} news */
function change(news) {
  shot = { ...shot, ...news };
  postMessage({ snapshot: shot });
}

/** Play mining for the goal: a ticket every two seconds, or none where it is endless. */
function play() {
  if (state.endless) return;
  let ticks = 0;
  const timer = setInterval(() => {
    if (shot.phase !== "mining" || !shot.job) return clearInterval(timer);
    const searched = (++ticks % 8) * 1024;
    if (searched) return change({ job: { ...shot.job, searched } });
    const balance = shot.balance + 1;
    const missing = Math.max(0, shot.missing - 1);
    change({ balance, missing, earned: shot.earned + 1, secondsLeft: 6 * missing, job: { ...shot.job, searched: 0 } });
    if (!missing) change({ phase: "paid", location: shot.goal?.resource ?? "/", balance: 0 });
  }, 250);
}

const calls = {
  open: () => (state.dies && setTimeout(() => { throw new Error("The core of this state dies."); }, 200), change(snapshot(state))),
  surroundings: () => {},
  /** @param {import("../../miner/browser/types.d.ts").Goal} goal */
  start(goal) {
    change({ ...snapshot(STATES.starting), goal, balance: shot.balance, missing: goal.amount - shot.balance });
    setTimeout(() => (change({ ...snapshot(STATES.mining), goal, balance: 0, earned: 0, missing: goal.amount, shares: shot.shares }), play()), 500);
  },
  pause: () => change({ phase: "paused", reasons: ["user"], rate: null }),
  resume: () => (change({ phase: "mining", reasons: [], rate: 312 }), play()),
  stop: () => change({ phase: "idle", reasons: [], job: null, rate: null }),
  retry: () => change({ phase: "idle", problem: null }),
  /** @param {{ threads?: number, duty?: number, pauseOnBattery?: boolean }} limits */
  limits: (limits) => change(limits),
  price: () => (state.price === undefined ? 3 : state.price),
  /** @param {string} resource @param {number} most */
  pay(resource, most) {
    change({ phase: "paying" });
    const location = state.leads ?? resource;
    setTimeout(() => change({ phase: "paid", location, balance: shot.balance - most }), 500);
    return { location, amount: most, change: 0, reference: "1" };
  },
  /** @param {number} amount */
  donate: (amount) => (change({ balance: shot.balance - amount }), { amount, reference: "1" }),
};

if (state.ticks)
  setInterval(() => shot.job && change({ rate: 600 + (performance.now() % 373), job: { ...shot.job, searched: shot.job.searched + 20 } }), 40);

addEventListener("message", ({ data: { id, call, args } }) => {
  const act = /** @type {Record<string, ((...args: any[]) => unknown) | undefined>} */ (calls)[call];
  if (act) postMessage({ id, result: act(...args) });
  else postMessage({ id, problem: { code: "unexpected", detail: `The preview has no ${call}.` } });
});
