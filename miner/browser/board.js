// The snapshot: what the views of this tab show, and what other tabs are told.

import { toProblem } from "./errors.js";

/** @import { NoticeCode, Snapshot } from "./types" */

const FRESH = 3000; // milliseconds for which another tab's snapshot counts

export class Board {
  /** @type {Snapshot} */
  snapshot = {
    phase: "loading", reasons: [], notices: [], problem: null, goal: null, siteName: "", consentVersion: "",
    balance: 0, missing: 0, earned: 0, given: 0, algorithm: null, effort: null, rate: null, kernel: null,
    threads: 1, maxThreads: 1, duty: 0.5, job: null, shares: { accepted: 0, refused: 0, pending: 0 },
    secondsPerTicket: null, secondsLeft: null, location: null, battery: "unknown", saveData: null, persisted: null,
  };
  /** @type {Map<NoticeCode, import("./types.d.ts").Notice>} */
  #notices = new Map();
  /** @type {BroadcastChannel | null} */
  #channel = null;
  /** @type {{ at: number, snapshot: Snapshot } | null} */
  #other = null;
  #told = false;

  /**
   * @param {(snapshot: Snapshot) => void} publish
   * @param {() => { mining: import("./mining.js").Mining | null, wanted: number, limits: Partial<Snapshot> }} look
   *   `wanted`: tickets that the goal still lacks
   */
  constructor(publish, look) {
    this.publish = publish;
    this.look = look;
  }

  /**
   * Hear of other tabs; `recount` when they changed the balance.
   * @param {string} service @param {() => Promise<void>} recount
   */
  listen(service, recount) {
    if (this.#channel) return;
    this.#channel = new BroadcastChannel(`ticketminer:${service}`);
    this.#channel.onmessage = async ({ data }) => {
      if (data.snapshot) {
        this.#other = { at: performance.now(), snapshot: data.snapshot };
        setTimeout(() => this.changed(), FRESH + 100);
      } else await recount();
      this.changed();
    };
  }

  /** The balance is another one: other tabs count theirs. */
  spread() {
    this.#channel?.postMessage({ changed: true });
    this.changed();
  }

  /** @param {NoticeCode} code @param {Record<string, string | number>} [values] */
  notice(code, values) {
    this.#notices.set(code, { code, values });
    this.changed();
  }

  /** @param {NoticeCode} code */
  dismiss(code) {
    if (this.#notices.delete(code)) this.changed();
  }

  /** @param {Partial<Snapshot>} news */
  show(news) {
    Object.assign(this.snapshot, news);
    this.changed();
  }

  /** Show `error`, and return it. @param {unknown} error */
  fail(error) {
    this.show({ phase: "failed", problem: toProblem(error) });
    return error;
  }

  /** Publish, once after all that changes now. */
  changed() {
    if (this.#told) return;
    this.#told = true;
    setTimeout(() => {
      this.#told = false;
      const { mining } = this.look();
      this.#draw();
      this.publish(this.snapshot);
      if (mining) this.#channel?.postMessage({ snapshot: this.snapshot });
    });
  }

  #draw() {
    const shot = this.snapshot;
    const { mining, wanted, limits } = this.look();
    Object.assign(shot, limits, { missing: wanted === Infinity ? 0 : wanted, notices: [...this.#notices.values()] });
    if (mining) this.#drawMining(mining);
    if (shot.phase === "idle" || shot.phase === "observing") {
      const { at = -FRESH, snapshot } = this.#other ?? {};
      const other = performance.now() - at < FRESH && /starting|mining/.test(snapshot?.phase ?? "") ? snapshot : null;
      if (!mining) shot.phase = other ? "observing" : "idle";
      shot.rate = other?.rate ?? null;
    }
    shot.secondsLeft = shot.secondsPerTicket && wanted !== Infinity ? shot.secondsPerTicket * wanted : null;
  }

  /** @param {import("./mining.js").Mining} mining */
  #drawMining({ work, engine, kernel }) {
    const shot = this.snapshot;
    const { job, shares, searched, notice } = work;
    if (notice) shot.notices.push(notice);
    Object.assign(shot, { kernel, rate: engine.rate || null, shares });
    // What is asked for now, not what was announced at the start.
    if (job) Object.assign(shot, { algorithm: job.algorithm, effort: job.expectedHashes / job.value });
    shot.job = job && { value: job.value, expectedHashes: job.expectedHashes, searched };
    if (shot.rate && shot.effort) shot.secondsPerTicket = shot.effort / shot.rate;
    if (shot.reasons.includes("elsewhere")) shot.phase = "observing";
    else shot.phase = shot.reasons.length ? "paused" : shot.rate ? "mining" : "starting";
  }
}
