// Looks whether upstream has moved on from the work of the present job: asks now and then, or hears it from a stream.

import { fromUtf8 } from "./bytes.js";
import { fields, isObject, isOk, mediaType, nonsense, refusal } from "./client/answers.js";
import { SiteRefused } from "./errors.js";

/** @import { Job } from "./types" */
/** `tip`: what upstream builds on; `poll`, `spread`: seconds. @typedef {{ tip: string, poll: number, spread: number }} News */

const LEAST = 1000; // milliseconds between two jobs that are asked for because of tips
const SPREAD = 0.5; // seconds, where the site names none
const MAX_BACKOFF = 60, LASTED = 60_000;
const MOST = 4096; // bytes of a tip document

/** @param {string} source @returns {News} */
export function readTip(source) {
  let members = null;
  try {
    members = JSON.parse(source);
  } catch {}
  if (!isObject(members)) throw nonsense("the tip is not one JSON object.");
  const { text, integer } = fields(members, "tip");
  const spread = Number(members.spread);
  if (spread !== members.spread || !(spread >= 0 && spread <= 60)) throw nonsense("tip.spread is not from 0 to 60.");
  return { tip: text("tip", 255), poll: integer("poll", 1, 3600), spread };
}

/** Milliseconds to wait after so many `failures` in a row. @param {number} failures @param {number} [least] seconds */
const backoff = (failures, least = 0) => 1000 * Math.max(least, failures && Math.min(MAX_BACKOFF, 2 ** failures));

/**
 * Each wait is uniform in 0.8 to 1 times what the site says, the first in 0 to 1 times, so that miners do not come in
 * step. Nothing is asked while it is not `running`; `moved` is called when `due` has come nearer.
 */
export class Tip {
  /** When to fetch another job, by `performance.now()`. */
  due = Infinity;
  /** @type {Job | null} */
  #job = null;
  #began = 0;
  /** @type {News | null} */
  #heard = null;
  /** The algorithm that is looked at. @type {string | null} */
  #algorithm = null;
  #round = 0; // another one with each algorithm
  #poll = 1;
  #timer = 0;
  #failures = 0;
  /** @type {EventSource | null} */
  #source = null;
  #opened = 0; // when it was, or may be again
  #breaks = 0;

  /** @param {{ client: import("./client/client.js").SiteClient, running: () => boolean, moved: () => void }} options */
  constructor(options) {
    this.options = options;
  }

  /** `job` is searched from now on. @param {Job | null} job */
  begin(job) {
    const heard = this.#heard, tip = job?.tip ?? null;
    this.#job = job;
    this.#heard = null;
    this.#began = performance.now();
    // It is newer than what was heard, and the news is on its way, or it came from a server that lags behind.
    this.due = heard && tip !== null && tip !== heard.tip ? this.#began + 2000 * heard.poll : Infinity;
    const algorithm = tip === null ? null : /** @type {Job} */ (job).algorithm;
    if (algorithm === this.#algorithm) return;
    this.#algorithm = algorithm;
    this.#round++;
    this.#close();
    clearTimeout(this.#timer);
    if (algorithm === null) return;
    this.#poll = job?.poll ?? 1;
    this.#failures = 0;
    this.#timer = setTimeout(() => this.#look(), 1000 * this.#poll * Math.random());
  }

  /** The site has said of a share that upstream had moved on from this job. */
  outdated() {
    this.#move(0);
  }

  async #look() {
    const algorithm = /** @type {string} */ (this.#algorithm), round = this.#round, { client, running } = this.options;
    try {
      if (!running()) this.#close();
      else {
        const { links } = await client.service();
        if (links.tipEvents) this.#listen(client.origin + links.tipEvents.replace("{algorithm}", algorithm));
        if (!links.tip) throw nonsense("a job has a tip, and the service document does not say where it is.");
        if (this.#source?.readyState !== EventSource.OPEN) {
          const reply = await client.call(links.tip.replace("{algorithm}", algorithm), { limit: MOST });
          if (!isOk(reply)) throw refusal(reply);
          const news = readTip(mediaType(reply) === "application/json" ? fromUtf8(reply.body) : "");
          if (round === this.#round) this.#hear(news);
        }
        this.#failures = 0;
      }
    } catch (error) {
      this.#failures++;
      // There is no upstream work of this kind any more.
      if (error instanceof SiteRefused && error.cause === "no-tip" && round === this.#round) this.#hear(null);
    }
    if (round !== this.#round) return;
    this.#timer = setTimeout(() => this.#look(), backoff(this.#failures, this.#poll) * (0.8 + 0.2 * Math.random()));
  }

  /** Read the stream at `url`, unless that is under way or has just failed. @param {string} url */
  #listen(url) {
    if (this.#source || performance.now() < this.#opened || !self.EventSource) return;
    const source = (this.#source = new EventSource(url));
    this.#opened = performance.now();
    source.onerror = () => {
      this.#breaks = performance.now() - this.#opened > LASTED ? 1 : this.#breaks + 1;
      this.#close();
      this.#opened = performance.now() + backoff(this.#breaks) * (0.5 + Math.random() / 2);
    };
    source.onmessage = ({ data }) => {
      try {
        this.#hear(readTip(data.length > MOST ? "" : data));
      } catch {
        source.onerror?.(new Event("error"));
      }
    };
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  /** @param {News | null} news */
  #hear(news) {
    this.#heard = news;
    if (news) this.#poll = news.poll;
    if (news && news.tip === this.#job?.tip) this.due = Infinity;
    else if (this.#job) this.#move(1000 * Math.random() * (news?.spread ?? SPREAD));
  }

  /** @param {number} wait milliseconds */
  #move(wait) {
    this.due = Math.min(this.due, Math.max(performance.now() + wait, this.#began + LEAST));
    this.options.moved();
  }
}
