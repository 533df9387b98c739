// What the views steer: one wallet, one site, one miner.

import { Board } from "./board.js";
import { SiteClient } from "./client/client.js";
import { Turn } from "./engine/turn.js";
import { EngineError, PaymentFailed } from "./errors.js";
import { Mining } from "./mining.js";
import { Wallet } from "./wallet/wallet.js";

/** @import { Core, Goal, Snapshot } from "./types" */

const MOST_THREADS = 8;
const BACKUP_PROMPT = 8;
const CLOCK_TOLERANCE = 300;
const RENEW_WITHIN = 7 * 86_400;
const ABANDONED = 30; // seconds after which a run that is called running was interrupted

/** @implements {Core} */
export class Session {
  /** @type {import("./types.d.ts").Limits} */
  settings = { threads: 1, duty: 0.5, pauseOnBattery: true, pauseOnHidden: true, notifications: false };
  // Set by #open, which everything waits for.
  wallet = /** @type {Wallet} */ (/** @type {unknown} */ (null));
  client = /** @type {SiteClient} */ (/** @type {unknown} */ (null));
  /** @type {import("./types.d.ts").Surroundings} */
  #around = { hidden: false, online: true, battery: "unknown", saveData: null, persisted: null, cores: 2 };
  #service = "";
  /** @type {Promise<Snapshot> | null} */
  #opening = null;
  /** @type {Mining | null} */
  #mining = null;
  /** @type {Turn | null} */
  #turn = null;
  /** Whether the turn has been asked for and could be here. */
  #asked = false;
  #userPause = false;
  #stops = 0;
  /** What earlier pages have paid for, as this one found out. @type {Set<string>} */
  #paid = new Set();

  /** @param {{ assets: URL, publish: (snapshot: Snapshot) => void }} options `assets`: where core.js came from */
  constructor({ assets, publish }) {
    this.assets = assets;
    /** @type {Board} */
    this.board = new Board(publish, () => ({ mining: this.#mining, wanted: this.#wanted(), limits: this.#shown() }));
  }

  /** @returns {Snapshot} */
  get snapshot() {
    return this.board.snapshot;
  }

  #shown() {
    const { threads, duty, pauseOnBattery } = this.settings;
    return { threads, duty, pauseOnBattery };
  }

  // Opening

  /** @param {{ service: string, cores: number }} options */
  open({ service, cores }) {
    this.#around.cores = cores;
    return (this.#opening ??= this.#open(service).catch((error) => {
      this.#opening = null;
      throw this.board.fail(error);
    }));
  }

  /** @param {string} service */
  async #open(service) {
    this.#service = service;
    const { cores } = this.#around;
    this.settings.threads = Math.min(MOST_THREADS, Math.max(1, Math.floor(cores / 2)));
    this.board.show({ phase: "loading", problem: null, maxThreads: Math.max(1, cores) });
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
    this.board.listen(service, () => this.#count());
    await this.#recover();
    const offset = Math.abs(this.client.clockOffset);
    if (offset > CLOCK_TOLERANCE) this.board.notice("clock-wrong", { seconds: offset });
    const perThread = await this.wallet.setting(`rate:${this.snapshot.algorithm}`);
    const { threads, duty } = this.settings;
    const rate = perThread * threads * duty;
    if (rate && algorithm) this.snapshot.secondsPerTicket = algorithm.expectedHashes / rate;
    await this.#count();
    this.board.show({ phase: "idle" });
    return this.snapshot;
  }

  /** Send again what an earlier page left without an answer, before anything else; swap tickets that near their end. */
  async #recover() {
    for (const run of await this.wallet.runs(1))
      if (run.state === "running" && run.updated < this.wallet.now() - ABANDONED)
        await this.wallet.updateRun(run.id, { state: "interrupted" });
    if ((await this.wallet.unanswered()).length) {
      const { value, paid } = await this.client.recover({ olderThan: 0 });
      if (value) this.board.notice("recovered", { amount: value });
      for (const what of paid) this.#paid.add(what);
    }
    const soon = this.wallet.now() + RENEW_WITHIN;
    const tickets = await this.wallet.tickets();
    if (tickets.some(({ state, redeemUntil }) => state === "available" && redeemUntil < soon))
      await this.client.renew().catch(() => {}); // they are still good, and the next page tries again
  }

  // Mining

  /** @param {Goal} goal @param {string} version */
  async start(goal, version) {
    await this.#ready();
    await this.stop();
    const stops = this.#stops;
    if (version !== this.snapshot.consentVersion) {
      const message = "The site has changed what it asks for. Load the page again.";
      throw this.board.fail(new EngineError(message, { code: "consent-changed" }));
    }
    this.#userPause = false;
    const shares = { accepted: 0, refused: 0, pending: 0 };
    this.board.show({ goal, earned: 0, given: 0, shares, problem: null, location: null, phase: "starting" });
    try {
      if (goal.kind === "pay" && !(await this.#costs(goal))) return;
      await this.#count();
      if (stops !== this.#stops) this.board.show({ phase: "idle" });
      else if (this.#wanted() <= 0) await this.#reached();
      else await this.#mine(goal);
    } catch (error) {
      throw this.board.fail(error);
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
      this.board.fail(error);
    };
    const mining = new Mining({
      wallet: this.wallet, client: this.client, assets: this.assets, goal, consent: consentVersion,
      algorithm: algorithm ?? "", effort: effort ?? 1, threads: this.settings.threads, duty: this.settings.duty,
      wanted: () => this.#wanted(),
      earned: (value) => this.#earned(value),
      changed: () => this.board.changed(),
      notice: (code, values) => this.board.notice(code, values),
      failed: stopped,
    });
    this.#mining = mining;
    this.#turn ??= new Turn("ticketminer", { visible: !this.#around.hidden });
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
    await this.#recount();
    if (this.#mining && this.#wanted() <= 0) await this.#reached(); // once: shares that were left come in later
  }

  async #reached() {
    const { goal } = this.snapshot;
    if (this.#mining) await this.#close(this.#mining, "finished");
    else this.board.show({ phase: "idle" });
    if (goal?.kind === "pay") await this.pay(/** @type {string} */ (goal.resource), goal.amount);
  }

  /** @param {Mining} mining @param {"stopped" | "finished"} state */
  async #close(mining, state) {
    if (this.#mining !== mining) return;
    this.#mining = null;
    this.#turn?.release();
    await mining.end(state);
    this.board.show({ job: null, rate: null, phase: "idle", reasons: [] });
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
    this.#stops++;
    if (this.#mining) await this.#close(this.#mining, "stopped");
  }

  async retry() {
    this.#mining?.work.retry();
    if (!this.#opening) await this.open({ service: this.#service, cores: this.#around.cores });
    else if (this.snapshot.phase === "failed") {
      await this.#recover(); // it may be paid for
      await this.#count();
      this.board.show({ phase: "idle", problem: null });
    }
  }

  /** @param {import("./types.d.ts").Surroundings} now */
  async surroundings(now) {
    Object.assign(this.#around, now);
    this.board.show({ battery: now.battery, saveData: now.saveData, persisted: now.persisted });
    if (now.persisted) this.board.dismiss("storage-temporary");
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
    this.board.changed();
  }

  async #count() {
    const { wallet, board } = this;
    const balance = await wallet.balance();
    board.show({ balance });
    if (balance >= BACKUP_PROMPT && !(await wallet.setting("backup-seen"))) board.notice("words-unseen");
    if (balance > 0 && this.#around.persisted === false) board.notice("storage-temporary");
    else board.dismiss("storage-temporary");
  }

  async #recount() {
    await this.#count();
    this.board.spread();
  }

  /** @param {string} location */
  #arrived(location) {
    this.#paid.delete(`GET ${location}`); // what was paid for once opens once
    this.board.show({ phase: "paid", location });
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
    this.board.show({ phase: "paying", problem: null });
    try {
      const challenge = this.#paid.has(`GET ${resource}`) ? null : await this.client.challenge(resource);
      const paid = await this.client.pay(challenge, resource, most);
      this.#arrived(paid.location);
      return paid;
    } catch (error) {
      throw this.board.fail(error);
    } finally {
      await this.#recount();
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
  async taken(text) {
    await this.#ready();
    await (await import("./desk.js")).taken(this, text);
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
    this.board.dismiss("words-unseen");
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
    await this.open({ service: this.#service, cores: this.#around.cores });
  }

  /** Do what changes the balance, and tell everyone. @template T @param {() => Promise<T>} act */
  async #altering(act) {
    await this.#ready();
    try {
      return await act();
    } finally {
      await this.#recount();
    }
  }

  async #ready() {
    if (!this.#opening) throw new EngineError("The wallet is not open. Load the page again.", { code: "not-open" });
    await this.#opening;
  }
}
