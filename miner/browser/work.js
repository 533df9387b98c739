// What is searched and sent: jobs are fetched before they are needed, shares sent one after another.

import { SiteProtocolError, SiteRefused, SiteUnreachable } from "./errors.js";
import { Tip } from "./tip.js";

/** @import { Job } from "./types" */

const SOLVE_SECONDS = 5;
const MAX_BACKOFF = 60_000;
const SHORTEST_ASK = 10_000; // milliseconds between two jobs asked for only because another value would fit better
const TOO_MANY_REFUSALS = 5;
const TOO_MANY_OVER = 20; // jobs in a row that were over before their share came: a site that takes work and never pays
const TOO_MUCH_NONSENSE = 3;
const JOB_OVER = new Set(["expired-job", "stale-job", "forged-job", "wrong-key", "key-not-signing"]);

/** The largest power of two that is at most `limit`, and at least 1. @param {number} limit */
const power = (limit) => 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, limit))));

/**
 * Keeps the engine busy for one goal. `run()` ends when `stop()` was called and rejects when nothing more is to be had.
 *
 * `wanted()` tells how many more tickets are (Infinity: no limit); `earned(value)` is called for each accepted share,
 * `changed()` whenever something is to be shown.
 */
export class SiteWork {
  /** @type {Job | null} */
  job = null;
  shares = { accepted: 0, refused: 0, pending: 0 };
  /** Hashes tried since the last share. */
  searched = 0;
  /** @type {import("./types.d.ts").Notice | null} */
  notice = null;

  /** @type {{ job: Job, nonce: bigint, mix: Uint8Array | null }[]} */
  #found = [];
  /** Values of the shares that wait for an answer. @type {number[]} */
  #unanswered = [];
  #stopped = false;
  #held = false;
  #wake = () => {};
  #asked = 0;
  #fetchedAt = 0;
  #renewAt = 0;
  #expiresAt = 0;
  #retryAt = 0;
  #failures = 0;
  #refusals = 0;
  #effort = 1;

  /**
   * @param {{
   *   client: import("./client/client.js").SiteClient, engine: import("./engine/engine.js").Engine,
   *   algorithms: string[], effort: number, consent: string, donate: boolean, fund: string | null,
   *   wanted: () => number, earned: (value: number) => Promise<void>, changed: () => void,
   * }} options
   */
  constructor(options) {
    const { client, engine, effort } = (this.options = options);
    this.#effort = effort;
    this.tip = new Tip({ client, running: () => engine.running && !this.#held, moved: () => this.#moved() });
  }

  async run() {
    while (!this.#stopped) {
      const now = performance.now();
      if (this.job && now >= this.#expiresAt) this.#drop();
      if (this.#found.length) await this.#submit();
      else if (now < this.#retryAt) await this.#sleep(this.#retryAt - now);
      else if (this.#unanswered.length) await this.#repeat();
      else if (this.#due(now)) await this.#fetch();
      else await this.#sleep(this.tip.due > now ? Math.min(1000, this.tip.due - now) : 1000);
    }
    while (this.#found.length) await this.#submit();
  }

  /** Search no further; run() sends what was found and ends. What then has no answer stays in the wallet. */
  stop() {
    this.#stopped = true;
    this.#drop();
    this.#wake();
  }

  /** Try again now. */
  retry() {
    this.#retryAt = 0;
    this.#wake();
  }

  /** The engine has tried `count` more hashes. @param {number} count */
  hashed(count) {
    this.searched += count;
  }

  /** Every nonce of the job was tried. */
  exhausted() {
    this.#renewAt = 0;
    this.#wake();
  }

  /** @param {Job} job @param {bigint} nonce @param {Uint8Array | null} mix */
  found(job, nonce, mix) {
    // No more than is wanted: what the goal does not need is not worth a signature.
    if (this.options.wanted() - this.#value() <= 0) return;
    this.#found.push({ job, nonce, mix });
    this.shares.pending = this.#found.length;
    this.searched = 0;
    if (this.options.wanted() - this.#value() <= 0) this.options.engine.search(null);
    this.#wake();
  }

  /** What the shares are worth of which nothing has come yet. */
  #value() {
    return [...this.#found.map(({ job }) => job.value), ...this.#unanswered].reduce((sum, value) => sum + value, 0);
  }

  /** Go on where shares came to nothing: with enough of them under way there was no more to search. */
  #resume() {
    if (this.job && !this.#held && this.options.wanted() > this.#value()) this.options.engine.search(this.job);
  }

  #best() {
    const rate = this.options.engine.rate;
    const fits = rate ? (rate * SOLVE_SECONDS) / this.#effort : 1;
    return power(Math.min(fits, this.options.wanted() - this.#value(), 512));
  }

  /** @param {number} now */
  #due(now) {
    if (this.options.wanted() - this.#value() <= 0) return false;
    if (!this.job || now >= Math.min(this.#renewAt, this.tip.due)) return true;
    const best = this.#best();
    const other = best > this.#asked || best < this.#asked / 2;
    return other && now - this.#fetchedAt > SHORTEST_ASK;
  }

  async #fetch() {
    const value = this.#best();
    const began = performance.now();
    try {
      const { donate, fund, consent, algorithms } = this.options;
      const job = await this.options.client.job(algorithms, { value, donate, fund, consent });
      this.#asked = value;
      this.#begin(job, began);
      this.#answered();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** @param {Job} job @param {number} began */
  #begin(job, began) {
    if (this.#stopped) return;
    if (job.algorithm !== this.options.engine.algorithm) this.searched = 0;
    this.job = job;
    this.#effort = job.expectedHashes / job.value;
    this.tip.begin(job);
    this.#fetchedAt = began;
    this.#expiresAt = began + 1000 * job.expiresIn;
    this.#renewAt = this.#expiresAt - Math.min(30_000, 250 * job.expiresIn);
    this.#held = false;
    this.options.engine.search(job);
    this.options.changed();
  }

  async #submit() {
    const share = this.#found[0];
    try {
      const answer = await this.options.client.submit(share.job, share.nonce, share.mix);
      this.#answered();
      if (!answer.accepted)
        this.#refused(share.job, new SiteProtocolError("The site takes work and accepts no share. Tell its operator."));
      else {
        this.shares.accepted++;
        this.#refusals = 0;
        const late = answer.upstream === "stale";
        if (late || this.notice?.code === "upstream-moved") this.notice = late ? { code: "upstream-moved" } : null;
        await this.options.earned(answer.value);
        if (answer.nextJob) this.#begin(answer.nextJob, performance.now());
        else if (late && share.job === this.job) this.tip.outdated();
      }
    } catch (error) {
      if (error instanceof SiteRefused && error.definite) this.#refused(share.job, error);
      else {
        this.#unanswered.push(share.job.value); // written down: it is sent again by #repeat, or by the next page
        this.#failed(error);
      }
    } finally {
      this.#found.shift();
      this.shares.pending = this.#found.length + this.#unanswered.length;
      this.#resume();
      this.options.changed();
    }
  }

  async #repeat() {
    try {
      const outcome = await this.options.client.recover({ olderThan: 0 });
      if (outcome.pending) throw new SiteUnreachable(outcome.problems[0] ?? "The site gave no answer.");
      const settled = this.#unanswered.splice(0).slice(0, outcome.settled);
      this.shares.pending = this.#found.length;
      this.shares.accepted += settled.length;
      this.#answered();
      // A share that was given away brings no ticket.
      await this.options.earned(this.options.donate ? settled.reduce((sum, value) => sum + value, 0) : outcome.value);
      this.#resume();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** @param {Job} job @param {SiteRefused | SiteProtocolError} error */
  #refused(job, error) {
    this.shares.refused++;
    this.#refusals++;
    const cause = error instanceof SiteRefused ? error.cause : "";
    const over = JOB_OVER.has(cause);
    if (this.#refusals >= (over ? TOO_MANY_OVER : TOO_MANY_REFUSALS)) throw error;
    if (over && this.job === job) this.#drop();
    if (over) this.notice = { code: "job-stale" };
  }

  #answered() {
    this.#failures = this.#retryAt = 0;
    if (this.notice?.code === "site-restarted" || this.notice?.code === "no-work") this.notice = null;
    if (this.#held && this.job) this.options.engine.search(this.job);
    this.#held = false;
  }

  /** Wait and try again where that can help, else give up. @param {unknown} error */
  #failed(error) {
    const open = error instanceof SiteRefused && !error.definite;
    if (!open && !(error instanceof SiteUnreachable) && !(error instanceof SiteProtocolError)) throw error;
    this.#failures++;
    if (error instanceof SiteProtocolError && this.#failures >= TOO_MUCH_NONSENSE) throw error;
    const backoff = Math.min(MAX_BACKOFF, 1000 * 2 ** (this.#failures - 1)) * (0.75 + Math.random() / 2);
    const wait = Math.max(backoff, 1000 * (error instanceof SiteRefused ? error.retryAfter ?? 0 : 0));
    this.#retryAt = performance.now() + wait;
    const code = error instanceof SiteRefused && error.cause === "no-work" ? "no-work" : "site-restarted";
    this.notice = { code, values: { seconds: Math.ceil(wait / 1000) } };
    if (this.#failures > 1 || !this.job) {
      // What cannot be sent may expire: do not heat the room for it.
      this.#held = this.job !== null;
      this.options.engine.search(null);
    }
    this.options.changed();
  }

  /** Upstream has moved on from the job. */
  #moved() {
    this.notice ??= { code: "upstream-moved" };
    this.options.changed();
    this.#wake();
  }

  #drop() {
    this.job = null;
    this.tip.begin(null);
    this.#held = false;
    this.options.engine.search(null);
  }

  /** @param {number} milliseconds */
  #sleep(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds, undefined);
      this.#wake = () => (clearTimeout(timer), resolve(undefined));
    });
  }
}
