// One stretch of mining as the wallet remembers it: engine, work, and the notes for the list of jobs.

import { Engine } from "./engine/engine.js";
import { EngineError } from "./errors.js";
import { SiteWork } from "./work.js";

const ALGORITHMS = ["yespower", "scrypt", "sha256d", "neoscrypt", "ethash"];
const TICK = 1000;
const NOTE_EVERY = 5; // ticks
const SAMPLES = 60;

export class Mining {
  /** @type {"simd" | "scalar" | "javascript" | null} */
  kernel = null;
  tickets = 0;
  ended = false;

  #ticks = 0;
  #hashes = 0;
  #seconds = 0;
  /** @type {number[]} */
  #rates = [];
  /** What was computed, in order; the site may change it. @type {Set<string>} */
  #algorithms = new Set();
  #run = 0;
  #timer = 0;

  /**
   * @param {{
   *   wallet: import("./wallet/wallet.js").Wallet, client: import("./client/client.js").SiteClient, assets: URL,
   *   goal: import("./types.d.ts").Goal, algorithm: string, effort: number, consent: string,
   *   threads: number, duty: number,
   *   wanted: () => number, earned: (value: number) => Promise<void>, changed: () => void,
   *   notice: (code: import("./types.d.ts").NoticeCode, values?: Record<string, string | number>) => void,
   *   failed: (error: unknown) => void,
   * }} options
   */
  constructor(options) {
    const { client, assets, goal, effort, consent, threads, duty, wanted, changed, notice, failed } = options;
    this.options = options;
    this.engine = new Engine({
      hasher: new URL("engine/hasher.js", assets),
      wasm: new URL("wasm/", assets),
      threads,
      duty,
      onexhausted: () => this.work.exhausted(),
      onfound: (job, nonce, mix) => this.work.found(job, nonce, mix),
      onstats: ({ hashes, seconds }) => {
        this.work.hashed(hashes);
        if (hashes && this.engine.algorithm) this.#algorithms.add(this.engine.algorithm);
        this.#hashes += hashes;
        this.#seconds += seconds;
      },
      onkernel: (kind, code) => {
        this.kernel = kind;
        if (code) notice(code);
        changed();
      },
      onproblem: ({ code, detail, values }) => {
        if (code === "fewer-threads") notice(code, values);
        else failed(new EngineError(detail, { code, values }));
      },
    });
    this.work = new SiteWork({
      client, engine: this.engine, algorithms: ALGORITHMS, effort, consent, wanted, changed,
      donate: goal.kind === "donate", fund: goal.fund,
      earned: async (value) => {
        this.tickets += value;
        await options.earned(value);
      },
    });
  }

  /** Hashes a second of one thread that does not rest; 0 while not measured. */
  get perThread() {
    return (this.engine.rate ?? 0) / (this.engine.threads * this.engine.duty);
  }

  /** Mine until end() is called; rejects when nothing more is to be had here. */
  async begin() {
    const { wallet, goal, algorithm, threads, duty } = this.options;
    const now = wallet.now();
    this.#run = await wallet.startRun({
      algorithm, threads, duty, donation: goal.kind === "donate", fund: goal.fund,
      state: "running", started: now, updated: now, hashes: 0, seconds: 0, accepted: 0, refused: 0, tickets: 0,
      rates: [],
    });
    this.#timer = setInterval(() => this.#tick(), TICK);
    await this.work.run();
  }

  /** @param {"stopped" | "finished"} state */
  async end(state) {
    if (this.ended) return;
    this.ended = true;
    clearInterval(this.#timer);
    this.work.stop();
    const { perThread, engine: { algorithm } } = this;
    if (perThread) await this.options.wallet.setSetting(`rate:${algorithm}`, perThread);
    this.engine.close();
    await this.#note(state);
  }

  #tick() {
    if (this.engine.rate) this.#rates.push(Math.round(this.engine.rate));
    if (this.#rates.length > SAMPLES) this.#rates = this.#rates.filter((_, i) => i % 2);
    if (++this.#ticks % NOTE_EVERY === 0) void this.#note("running").catch(() => {});
    this.options.changed();
  }

  /** @param {import("./types.d.ts").MiningRun["state"]} state */
  async #note(state) {
    const { accepted, refused } = this.work.shares;
    const algorithm = [...this.#algorithms].join(", ") || this.options.algorithm;
    await this.options.wallet.updateRun(this.#run, {
      state, algorithm, updated: this.options.wallet.now(), accepted, refused, tickets: this.tickets,
      hashes: this.#hashes, seconds: Math.round(this.#seconds), rates: [...this.#rates],
    });
  }
}
