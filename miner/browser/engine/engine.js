// The pool of hashing workers: shares the nonces of a job out among them, replaces the lost, and tells what they did.

import { EngineError, blocked, toProblem } from "../errors.js";

/** @import { EngineOptions, Job, Problem } from "../types" */
/** @typedef {{ start: bigint, count: bigint }} Range */

/**
 * The nonces of a job: where the next of the `unused` parts of `size` begins, and what was left of parts.
 * @typedef {{ job: Job, space: bigint, size: bigint, next: bigint, unused: number, left: Range[] }} Book
 */

/**
 * A worker. `books`: of each part that it holds; `part`: what it searches, 0 for nothing; `ready`: whether it has begun
 * with it; `silent`: ticks since it said anything; `asked`: called when it answers, or ends.
 * @typedef {{
 *   worker: Worker, books: Map<number, Book>, part: number, silent: number, ready: boolean,
 *   asked: Map<number, () => void>,
 * }} Slot
 */

const TICK = 250, HALT = 50, PATIENCE = 5000; // milliseconds
const WINDOW = 10, ENOUGH = 1; // seconds over which the rate is taken, and the least of them
const SILENCE = 120; // ticks, after which a worker counts as lost
const LOSSES = 3;
const BOOKS = 8;
const BROKEN = new EngineError("The miner ends again and again: close other tabs, or restart the browser.", {
  code: "engine-failed",
});

export class Engine {
  /** Hashes a second over the last 10 s of hashing, rests included; null while not measured. @type {number | null} */
  rate = null;
  /** What the rate is of. @type {string | null} */
  algorithm = null;
  #threads = 1;
  #duty = 1;
  #most = Infinity; // threads for which there is memory
  #running = false;
  #losses = 0;
  #ids = 0;
  /** @type {Set<Slot>} */
  #slots = new Set();
  /** @type {Set<Slot>} */
  #leaving = new Set();
  /** @type {Map<string, Book>} */
  #books = new Map();
  /** @type {Book | null} */
  #book = null;
  #kind = "";
  #fresh = 0; // hashes that were not reported yet
  #at = 0; // when they were last; 0 while nothing hashes
  /** @type {{ hashes: number, seconds: number }[]} */
  #recent = [];
  #timer = 0;

  /** @param {EngineOptions} options */
  constructor(options) {
    this.on = options;
    Object.assign(this, { threads: options.threads, duty: options.duty });
  }

  get threads() {
    return this.#threads;
  }

  set threads(count) {
    this.#threads = Math.max(1, count);
    this.#most = Infinity;
    this.#recent = [];
    this.#fill();
  }

  /** The share of the time in which each thread hashes. */
  get duty() {
    return this.#duty;
  }

  set duty(share) {
    this.#duty = Math.min(1, Math.max(0.01, share));
    this.#recent = [];
    this.#tell({ duty: this.#duty });
  }

  /** Search `job` from now on, or nothing. What a slice under way finds is still told. @param {Job | null} job */
  search(job) {
    if (job?.token === this.#book?.job.token) return;
    this.#report();
    if (!job || job.algorithm !== this.algorithm) this.#at = 0;
    if (job && job.algorithm !== this.algorithm) {
      this.algorithm = job.algorithm;
      this.#recent = [];
      this.rate = null;
    }
    this.#book = job && (this.#books.get(job.token) ?? this.#open(job));
    for (const slot of this.#slots) this.#assign(slot);
    this.#fill();
  }

  go() {
    if (this.#running) return;
    this.#running = true;
    this.#losses = 0;
    this.#timer = setInterval(() => this.#watch(), TICK);
    this.#tell({ run: true });
    if (this.#book && this.#ready) this.#at = performance.now();
    this.#fill();
  }

  /** Stop hashing within 50 ms; resolves when everything found has been told. */
  async halt() {
    if (!this.#running) return;
    this.#stop();
    // Who is late with a kernel in place gets no processor, and so does not hash. Others may be building a cache.
    const halted = [...this.#slots].map((slot) => this.#ask(slot, { run: false }, slot.ready ? PATIENCE : HALT));
    await Promise.all(halted);
    this.#report();
    if (!this.#running) this.#at = 0;
    this.#fill();
  }

  /** End all workers at once. */
  close() {
    this.#stop();
    this.#at = 0;
    for (const slot of [...this.#slots, ...this.#leaving]) this.#drop(slot);
  }

  /** Whether it hashes, or would if there were a job. */
  get running() {
    return this.#running;
  }

  get #ready() {
    return [...this.#slots].some(({ ready }) => ready);
  }

  #stop() {
    this.#running = false;
    clearInterval(this.#timer);
  }

  /** @param {object} message */
  #tell(message) {
    for (const { worker } of this.#slots) worker.postMessage(message);
  }

  /**
   * Tell `slot` what it answers, and end it when that takes longer than `patience`.
   * @param {Slot} slot @param {object} message @param {number} patience
   */
  #ask(slot, message, patience) {
    const ask = ++this.#ids;
    slot.worker.postMessage({ ...message, ask });
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#drop(slot), patience);
      slot.asked.set(ask, () => {
        clearTimeout(timer);
        slot.asked.delete(ask);
        resolve(0);
      });
    });
  }

  /** @param {Slot} slot */
  #drop(slot) {
    this.#slots.delete(slot);
    this.#leaving.delete(slot);
    slot.worker.onmessage = slot.worker.onerror = null;
    slot.worker.terminate();
    for (const answered of slot.asked.values()) answered();
    this.#check();
  }

  /** @param {Job} job @returns {Book} */
  #open(job) {
    // More parts than threads: who ends early takes another one.
    const space = 1n << BigInt(8 * job.nonceSize), unused = job.nonceSize > 4 ? 2 ** 16 : 64;
    const [random] = crypto.getRandomValues(new BigUint64Array(1));
    const book = { job, space, size: space / BigInt(unused), next: random % space, unused, left: [] };
    this.#books.set(job.token, book);
    if (this.#books.size > BOOKS) this.#books.delete([...this.#books.keys()][0]);
    return book;
  }

  /** Give `slot` a part of the job, where there is one. @param {Slot} slot */
  #assign(slot) {
    const book = this.#book;
    /** @type {Range | null} */
    let range = book?.left.pop() ?? null;
    if (book && !range && book.unused) {
      range = { start: book.next, count: book.size };
      book.next = (book.next + book.size) % book.space;
      book.unused--;
    }
    slot.part = range ? ++this.#ids : 0;
    slot.ready = false;
    if (book && range) slot.books.set(slot.part, book);
    slot.worker.postMessage({ part: book && range && { id: slot.part, work: book.job, ...range } });
    this.#check();
  }

  /** Tell when nothing of the job is left, not even in the hands of a worker. */
  #check() {
    const book = this.#book;
    if (!book || book.unused || book.left.length || !this.#running) return;
    if ([...this.#slots, ...this.#leaving].some(({ books }) => [...books.values()].includes(book))) return;
    this.search(null);
    this.on.onexhausted?.(book.job);
  }

  /** Have as many workers as can hash now. */
  #fill() {
    const job = this.#book?.job;
    if (!job || !this.#running) return;
    const count = Math.min(this.#threads, this.#most, job.algorithm === "ethash" ? 1 : Infinity);
    for (const slot of [...this.#slots].slice(count)) {
      this.#slots.delete(slot);
      this.#leaving.add(slot);
      this.#ask(slot, { part: null }, PATIENCE).then(() => this.#drop(slot));
    }
    while (this.#slots.size < count) this.#spawn();
  }

  #spawn() {
    const worker = new Worker(this.on.hasher, { type: "module" });
    /** @type {Slot} */
    const slot = { worker, books: new Map(), part: 0, silent: 0, ready: false, asked: new Map() };
    this.#slots.add(slot);
    worker.onmessage = ({ data }) => this.#heard(slot, data);
    worker.onerror = (event) => {
      event.preventDefault();
      // Of a script that did not load, nothing is said.
      this.#lost(slot, toProblem(event.message === undefined ? blocked() : BROKEN));
    };
    worker.postMessage({ wasm: String(this.on.wasm), duty: this.#duty, run: true });
    this.#assign(slot);
  }

  /** @param {Slot} slot @param {any} data what hasher.js says */
  #heard(slot, data) {
    const { id, left, answer } = data;
    slot.silent = 0;
    if (data.ready) {
      slot.ready = true;
      if (this.#running && this.#book) this.#at ||= performance.now();
      if (this.#kind !== data.ready) this.on.onkernel((this.#kind = data.ready), data.problem);
    }
    // What is still said of another algorithm is not of this rate.
    if (data.hashes && slot.books.get(id)?.job.algorithm === this.algorithm) this.#fresh += data.hashes;
    if (data.nonce !== undefined) {
      this.#report();
      this.on.onfound(/** @type {Book} */ (slot.books.get(id)).job, data.nonce, data.mix);
    }
    if (left) slot.books.get(left.id)?.left.push({ start: left.start, count: left.count });
    if (left || data.done) slot.books.delete(left ? left.id : id);
    if (data.done && id === slot.part) this.#assign(slot);
    const idle = left && [...this.#slots].find(({ part }) => !part);
    if (idle) this.#assign(idle);
    slot.asked.get(answer)?.();
    if (data.failed) this.#lost(slot, data.failed);
  }

  /** A worker has ended: make another one, or make do without it. @param {Slot} slot @param {Problem} problem */
  #lost(slot, problem) {
    this.#drop(slot);
    const others = this.#slots.size;
    if (problem.code === "out-of-memory" && others) {
      this.#most = others;
      this.on.onproblem({ ...problem, code: "fewer-threads", values: { threads: others } });
    } else if ((problem.code === BROKEN.code || this.#ready) && ++this.#losses <= LOSSES) this.#fill();
    else {
      this.close();
      this.on.onproblem(problem);
    }
  }

  #watch() {
    this.#report();
    for (const slot of this.#slots) if (slot.part && ++slot.silent > SILENCE) this.#lost(slot, toProblem(BROKEN));
  }

  #report() {
    const now = performance.now(), hashes = this.#fresh, recent = this.#recent, last = recent.at(-1);
    const seconds = this.#at && Math.min(2, (now - this.#at) / 1000); // what is longer was slept by the device
    if (this.#at) this.#at = now;
    if (!seconds && !hashes) return;
    this.#fresh = 0;
    if (last && last.seconds < TICK / 2000) {
      last.hashes += hashes;
      last.seconds += seconds;
    } else recent.push({ hashes, seconds });
    const sum = (/** @type {"hashes" | "seconds"} */ what) => recent.reduce((all, one) => all + one[what], 0);
    while (sum("seconds") > WINDOW) recent.shift();
    if (sum("seconds") >= ENOUGH) this.rate = sum("hashes") / sum("seconds");
    this.on.onstats({ hashes, seconds, rate: this.rate });
  }
}
