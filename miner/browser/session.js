// What the views steer: one wallet, one site, one miner, and the snapshot that tells how they are.

import { SiteClient } from "./client/client.js";
import { Turn } from "./engine/turn.js";
import { EngineError, PaymentFailed, toProblem } from "./errors.js";
import { Mining } from "./mining.js";
import { Wallet } from "./wallet/wallet.js";

/** @typedef {import("./types.d.ts").Snapshot} Snapshot */
/** @typedef {import("./types.d.ts").Goal} Goal */

const MOST_THREADS = 8;
const BACKUP_PROMPT = 8;
const CLOCK_TOLERANCE = 300;
const ABANDONED = 30; // seconds after which a run that is called running was interrupted
const FRESH = 3000; // milliseconds for which another tab's snapshot counts

export class Session {
  /** @type {Snapshot} */
  snapshot = {
    phase: "loading", reasons: [], notices: [], problem: null, goal: null, siteName: "", consentVersion: "",
    balance: 0, missing: 0, earned: 0, given: 0, algorithm: null, effort: null, rate: null, kernel: null,
    threads: 1, maxThreads: 1, duty: 0.5, job: null, shares: { accepted: 0, refused: 0, pending: 0 },
    secondsPerTicket: null, secondsLeft: null, location: null, battery: "unknown", saveData: null, persisted: null,
  };
  /** @type {import("./types.d.ts").Limits} */
  settings = { threads: 1, duty: 0.5, pauseOnBattery: true, pauseOnHidden: true, notifications: false };
  /** @type {import("./types.d.ts").Surroundings} */
  #around = { hidden: false, online: true, battery: "unknown", saveData: null, persisted: null, cores: 2 };
  #service = "";
  // Set by #open, which everything waits for.
  wallet = /** @type {Wallet} */ (/** @type {unknown} */ (null));
  client = /** @type {SiteClient} */ (/** @type {unknown} */ (null));
  /** @type {Promise<Snapshot> | null} */
  #opening = null;
  /** @type {Mining | null} */
  #mining = null;
  /** @type {Turn | null} */
  #turn = null;
  /** Whether the turn has been asked for and could be here. */
  #asked = false;
  #userPause = false;
  /** @type {Map<string, import("./types.d.ts").Notice>} */
  #notices = new Map();
  /** @type {Set<string | null>} */
  #paid = new Set();
  /** @type {BroadcastChannel | null} */
  #channel = null;
  /** @type {{ at: number, snapshot: Snapshot } | null} */
  #other = null;
  #told = false;

  /** @param {{ assets: URL, publish: (snapshot: Snapshot) => void }} options `assets`: where core.js came from */
  constructor({ assets, publish }) {
    this.assets = assets;
    this.publish = publish;
  }

  // Opening

  /** @param {{ service: string, cores: number }} options */
  open({ service, cores }) {
    this.#around.cores = cores;
    return (this.#opening ??= this.#open(service).catch((error) => {
      this.#opening = null;
      throw this.#fail(error);
    }));
  }

  /** @param {string} service */
  async #open(service) {
    this.#service = service;
    const { cores } = this.#around;
    Object.assign(this.snapshot, { phase: "loading", problem: null, maxThreads: Math.max(1, cores) });
    this.settings.threads = Math.min(MOST_THREADS, Math.max(1, Math.floor(cores / 2)));
    this.#changed();
    this.wallet = await Wallet.open(service);
    Object.assign(this.settings, await this.wallet.setting("limits"));
    this.client = new SiteClient(this.wallet, { origin: self.location.origin, servicePath: service });
    const offered = await this.client.service();
    const algorithm = offered.algorithms[0] ?? null;
    Object.assign(this.snapshot, {
      siteName: offered.siteName,
      consentVersion: offered.consent.version,
      algorithm: algorithm && algorithm.name,
      effort: algorithm && algorithm.expectedHashes,
    });
    this.#listen();
    await this.#recover();
    const offset = Math.abs(this.client.clockOffset);
    if (offset > CLOCK_TOLERANCE) this.#notice("clock-wrong", { seconds: offset });
    const perThread = await this.wallet.setting(`rate:${this.snapshot.algorithm}`);
    const { threads, duty } = this.settings;
    if (perThread && algorithm) this.snapshot.secondsPerTicket = algorithm.expectedHashes / (perThread * threads * duty);
    await this.#count();
    this.snapshot.phase = "idle";
    this.#changed();
    return this.snapshot;
  }

  /** Send again what an earlier page left without an answer, before anything else. */
  async #recover() {
    for (const run of await this.wallet.runs(1))
      if (run.state === "running" && run.updated < this.wallet.now() - ABANDONED)
        await this.wallet.updateRun(run.id, { state: "interrupted" });
    const open = await this.wallet.unanswered();
    if (!open.length) return;
    const outcome = await this.client.recover({ olderThan: 0 });
    if (outcome.value) this.#notice("recovered", { amount: outcome.value });
    const left = new Set((await this.wallet.unanswered()).map((request) => request.id));
    for (const { id, kind, resource } of open) if (kind === "payment" && !left.has(id)) this.#paid.add(resource);
  }

  #listen() {
    if (this.#channel) return;
    this.#channel = new BroadcastChannel(`ticketminer:${this.#service}`);
    this.#channel.onmessage = async ({ data }) => {
      if (data.snapshot) {
        this.#other = { at: performance.now(), snapshot: data.snapshot };
        setTimeout(() => this.#changed(), FRESH + 100);
      } else await this.#count();
      this.#changed();
    };
  }

  // Mining

  /** @param {Goal} goal @param {string} version */
  async start(goal, version) {
    await this.#ready();
    await this.stop();
    if (version !== this.snapshot.consentVersion)
      throw this.#fail(new EngineError("The site has changed what it asks for. Load the page again.", { code: "consent-changed" }));
    Object.assign(this.snapshot, { goal, earned: 0, given: 0, problem: null, location: null, phase: "starting" });
    this.snapshot.shares = { accepted: 0, refused: 0, pending: 0 };
    this.#userPause = false;
    this.#changed();
    try {
      if (goal.kind === "pay" && !(await this.#costs(goal))) return;
      await this.#count();
      if (this.#wanted() <= 0) await this.#reached();
      else await this.#mine(goal);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Whether what `goal` is for still asks for tickets; takes over today's price where it fell. @param {Goal} goal */
  async #costs(goal) {
    const resource = /** @type {string} */ (goal.resource);
    const price = await this.price(resource);
    if (price === null) this.#arrived(resource);
    else if (price > goal.amount) {
      const message = `This costs ${price} tickets by now. Load the page again and decide anew.`;
      throw new PaymentFailed(message, { code: "price-changed", values: { amount: price } });
    } else goal.amount = price;
    return price !== null;
  }

  /** @param {Goal} goal */
  async #mine(goal) {
    const { algorithm, effort, consentVersion } = this.snapshot;
    /** @param {unknown} error */
    const stopped = async (error) => {
      if (this.#mining !== mining) return; // it has ended, and what could not be sent is in the wallet
      await this.#close(mining, "stopped");
      this.#fail(error);
    };
    const mining = new Mining({
      wallet: this.wallet, client: this.client, assets: this.assets, goal, algorithm: algorithm ?? "", effort: effort ?? 1,
      consent: consentVersion, threads: this.settings.threads, duty: this.settings.duty,
      wanted: () => this.#wanted(),
      earned: (value) => this.#earned(value),
      changed: () => this.#changed(),
      notice: (code, values) => this.#notice(code, values),
      failed: stopped,
    });
    this.#mining = mining;
    this.#turn ??= new Turn(`ticketminer:${this.#service}`, { visible: !this.#around.hidden });
    this.#turn.onchange = () => this.#settle();
    this.#asked = false;
    void this.#turn.take().then(() => {
      this.#asked = true;
      this.#settle();
    });
    this.#settle();
    mining.begin().catch(stopped);
  }

  /** Tickets that the goal still lacks. */
  #wanted() {
    const { goal, balance, given } = this.snapshot;
    if (!goal) return 0;
    if (goal.kind !== "donate") return Math.max(0, goal.amount - balance);
    return goal.amount ? Math.max(0, goal.amount - given) : Infinity;
  }

  /** @param {number} value */
  async #earned(value) {
    this.snapshot[this.snapshot.goal?.kind === "donate" ? "given" : "earned"] += value;
    await this.#balanceChanged();
    if (this.#wanted() <= 0) await this.#reached();
  }

  async #reached() {
    const { goal } = this.snapshot;
    if (this.#mining) await this.#close(this.#mining, "finished");
    else this.snapshot.phase = "idle";
    if (goal?.kind === "pay") await this.pay(/** @type {string} */ (goal.resource), goal.amount);
    this.#changed();
  }

  /** @param {Mining} mining @param {"stopped" | "finished"} state */
  async #close(mining, state) {
    if (this.#mining !== mining) return;
    this.#mining = null;
    this.#turn?.release();
    await mining.end(state);
    Object.assign(this.snapshot, { job: null, rate: null, phase: "idle", reasons: [] });
    this.#changed();
  }

  async pause() {
    this.#userPause = true;
    this.#settle();
  }

  async resume() {
    this.#userPause = false;
    this.#settle();
  }

  async stop() {
    if (this.#mining) await this.#close(this.#mining, "stopped");
  }

  async retry() {
    this.#mining?.work.retry();
    if (!this.#opening) await this.open({ service: this.#service, cores: this.#around.cores });
    else if (this.snapshot.phase === "failed") Object.assign(this.snapshot, { phase: "idle", problem: null });
    this.#changed();
  }

  /** @param {import("./types.d.ts").Surroundings} now */
  async surroundings(now) {
    Object.assign(this.#around, now);
    Object.assign(this.snapshot, { battery: now.battery, saveData: now.saveData, persisted: now.persisted });
    if (now.persisted) this.#notices.delete("storage-temporary");
    if (now.online) this.#mining?.work.retry();
    this.#settle();
  }

  /** @param {Partial<import("./types.d.ts").Limits>} limits */
  async limits(limits) {
    Object.assign(this.settings, limits);
    const { threads, duty } = this.settings;
    if (this.#mining) Object.assign(this.#mining.engine, { threads, duty });
    this.#settle();
    await this.#ready();
    await this.wallet.setSetting("limits", this.settings);
  }

  /** Let the engine run exactly while nothing speaks against it. */
  #settle() {
    const { battery, saveData, hidden, online } = this.#around;
    const away = hidden && this.settings.pauseOnHidden;
    this.#turn?.show(!away);
    /** @type {[import("./types.d.ts").PauseReason, boolean][]} */
    const reasons = [
      ["user", this.#userPause],
      ["offline", !online],
      ["hidden", away],
      ["battery", battery === "discharging" && this.settings.pauseOnBattery],
      ["save-data", saveData === true],
      ["elsewhere", !away && this.#asked && !this.#turn?.held],
    ];
    if (this.#mining) {
      this.snapshot.reasons = reasons.filter(([, holds]) => holds).map(([reason]) => reason);
      if (this.#turn?.held && !this.snapshot.reasons.length) this.#mining.engine.go();
      else void this.#mining.engine.halt();
    }
    this.#changed();
  }

  // The snapshot

  async #count() {
    this.snapshot.balance = await this.wallet.balance();
    if (this.snapshot.balance >= BACKUP_PROMPT && !(await this.wallet.setting("backup-seen"))) this.#notice("words-unseen");
    if (this.snapshot.balance > 0 && this.#around.persisted === false) this.#notice("storage-temporary");
    else this.#notices.delete("storage-temporary");
  }

  async #balanceChanged() {
    await this.#count();
    this.#channel?.postMessage({ changed: true });
    this.#changed();
  }

  /** @param {import("./types.d.ts").NoticeCode} code @param {Record<string, string | number>} [values] */
  #notice(code, values) {
    this.#notices.set(code, { code, values });
    this.#changed();
  }

  /** Show `error`, and return it. @param {unknown} error */
  #fail(error) {
    Object.assign(this.snapshot, { phase: "failed", problem: toProblem(error) });
    this.#changed();
    return error;
  }

  /** @param {string} location */
  #arrived(location) {
    Object.assign(this.snapshot, { phase: "paid", location });
    this.#changed();
  }

  /** Publish, once after all that changes now. */
  #changed() {
    if (this.#told) return;
    this.#told = true;
    setTimeout(() => {
      this.#told = false;
      this.#draw();
      this.publish(this.snapshot);
      if (this.#mining) this.#channel?.postMessage({ snapshot: this.snapshot });
    });
  }

  #draw() {
    const shot = this.snapshot;
    const mining = this.#mining;
    const wanted = this.#wanted();
    Object.assign(shot, { threads: this.settings.threads, duty: this.settings.duty, missing: wanted === Infinity ? 0 : wanted });
    shot.notices = [...this.#notices.values()];
    if (mining) {
      const { job, shares, searched, notice } = mining.work;
      if (notice) shot.notices.push(notice);
      shot.kernel = mining.kernel;
      shot.rate = mining.engine.rate || null;
      shot.job = job && { value: job.value, expectedHashes: job.expectedHashes, searched };
      shot.shares = { ...shares };
      if (shot.rate && shot.effort) shot.secondsPerTicket = shot.effort / shot.rate;
      if (shot.reasons.includes("elsewhere")) shot.phase = "observing";
      else shot.phase = shot.reasons.length ? "paused" : shot.rate ? "mining" : "starting";
    }
    if (shot.phase === "idle" || shot.phase === "observing") {
      const other = this.#other && performance.now() - this.#other.at < FRESH ? this.#other.snapshot : null;
      if (!mining) shot.phase = other ? "observing" : "idle";
      shot.rate = other && other.rate;
    }
    shot.secondsLeft = shot.secondsPerTicket && wanted !== Infinity ? shot.secondsPerTicket * wanted : null;
  }

  // Paying, and the wallet

  /** @param {string} resource */
  async price(resource) {
    await this.#ready();
    if (this.#paid.has(`GET ${resource}`)) return null;
    return (await this.client.challenge(resource))?.amount ?? null;
  }

  /** @param {string} resource @param {number} most */
  async pay(resource, most) {
    await this.#ready();
    Object.assign(this.snapshot, { phase: "paying", problem: null });
    this.#changed();
    try {
      const challenge = this.#paid.has(`GET ${resource}`) ? null : await this.client.challenge(resource);
      const nothing = { location: resource, amount: 0, change: 0, reference: "" };
      const paid = challenge ? await this.client.pay(challenge, resource, most) : nothing;
      this.#arrived(paid.location);
      return paid;
    } catch (error) {
      throw this.#fail(error);
    } finally {
      await this.#balanceChanged();
    }
  }

  /** @param {number} amount @param {string | null} fund */
  donate(amount, fund) {
    return this.#altering(() => this.client.donate(amount, fund));
  }

  /** @param {number} amount */
  send(amount) {
    return this.#altering(() => this.client.send(amount));
  }

  /** @param {string} text */
  receive(text) {
    return this.#altering(() => this.client.receive(text));
  }

  async view() {
    await this.#ready();
    return (await import("./desk.js")).view(this);
  }

  async words() {
    await this.#ready();
    return (await import("./desk.js")).words(this);
  }

  async wordsSeen() {
    await this.#ready();
    await this.wallet.setSetting("backup-seen", this.wallet.now());
    this.#notices.delete("words-unseen");
    this.#changed();
  }

  /** @param {string} words */
  async restore(words) {
    const desk = await import("./desk.js");
    return this.#altering(() => desk.restore(this, words));
  }

  /** @param {number} id */
  async deleteRun(id) {
    await this.#ready();
    await this.wallet.deleteRun(id);
  }

  async reset() {
    await this.#ready();
    await this.stop();
    await this.wallet.reset();
  }

  async wipe() {
    await this.#ready();
    await this.stop();
    await this.wallet.wipe();
    this.#opening = null;
    this.#notices.clear();
    await this.open({ service: this.#service, cores: this.#around.cores });
  }

  /** Do what changes the balance, and tell everyone. @template T @param {() => Promise<T>} act */
  async #altering(act) {
    await this.#ready();
    try {
      return await act();
    } finally {
      await this.#balanceChanged();
    }
  }

  async #ready() {
    if (!this.#opening) throw new EngineError("The wallet is not open. Load the page again.", { code: "not-open" });
    await this.#opening;
  }
}
