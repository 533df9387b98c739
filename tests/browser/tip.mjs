// Runs the page's work in a world where time is what this script says, and tells what its miners did:
//
//   node tip.mjs '{"seconds": S, "miners": N, "poll": S, "spread": S, "tips": [[S, TIP], …], …}'
//
// From each second on the site is at that tip; TIP may also be {"tip", "poll", "spread", "algorithm", "body", "status",
// "cause"}, which change what it says, or null, when it cannot be reached. `events`: [[from, to], …], when it streams
// tips; `acts`: [[S, {"run": false | true, "share": UPSTREAM}], …], what every miner does. Answers take 20 ms. Answer:
// {"told": [[S, miner, what, …], …]} with "poll" and its path and limit, "stream" and its address, "closed", "job" and its tip and algorithm,
// "share" and that of its job, "notice" and its code.

const usual = { seconds: 60, miners: 1, poll: 10, spread: 0.5, tips: [[0, "a"]], events: null, acts: [], local: false };
const asked = { ...usual, ...JSON.parse(process.argv[2]) };

let now = 5000, ids = 0, chance = 1;
const began = now, told = [], sources = new Set();
/** @type {Map<number, { at: number, run: () => void }>} */
const tasks = new Map();
const seconds = () => (now - began) / 1000;
Math.random = () => (chance = (chance * 48271) % 2147483647) / 2147483647;
Object.defineProperty(globalThis, "performance", { value: { now: () => now } });
globalThis.setTimeout = (run, delay = 0, ...args) => {
  tasks.set(++ids, { at: now + Math.max(1, delay), run: () => run(...args) });
  return ids;
};
globalThis.clearTimeout = (id) => tasks.delete(id);
globalThis.self = globalThis;
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What the site is at; null when it cannot be reached. */
function site(at = seconds()) {
  let state = { tip: "a", poll: asked.poll, spread: asked.spread, algorithm: "scrypt" };
  for (const [from, news] of asked.tips)
    if (from <= at) state = news && { ...state, status: 200, cause: null, body: null, ...(typeof news === "string" ? { tip: news } : news) };
  return state;
}
const said = ({ tip, poll, spread, body }) => body ?? JSON.stringify({ tip, poll, spread });
const streams = (at) => site(at) && asked.events?.some(([from, to]) => from <= at && at < to);

let opening = 0; // whose page is being run is not known to a stream, but there is one miner where there are streams
globalThis.EventSource = class EventSource {
  static OPEN = 1;
  readyState = 0;
  constructor(url) {
    told.push([seconds(), opening, "stream", url]);
    setTimeout(() => {
      if (this.readyState === 2) return;
      if (!streams(seconds())) return this.onerror?.();
      this.readyState = 1;
      sources.add(this);
      this.onmessage?.({ data: said(site()) });
    }, 20);
  }

  close() {
    if (this.readyState === 1) told.push([seconds(), opening, "closed"]);
    this.readyState = 2;
    sources.delete(this);
  }
};

const { SiteWork } = await import("../../miner/browser/work.js");
const { SiteUnreachable } = await import("../../miner/browser/errors.js");
const links = {
  tip: "/ticketminer/tip/{algorithm}",
  tipEvents: asked.events && "/ticketminer/events/{algorithm}",
};

function miner(number) {
  const tell = (...what) => told.push([seconds(), number, ...what]);
  let jobs = 0, upstream = null;
  const engine = {
    rate: 50, algorithm: null, running: true,
    search(job) {
      if (job) this.algorithm = job.algorithm;
    },
  };
  const answer = async (make) => {
    await wait(20);
    if (!site()) throw new SiteUnreachable("No answer.");
    return make(site());
  };
  const client = {
    origin: "https://shop.example",
    service: async () => ({ links }),
    call(path, { limit }) {
      tell("poll", path, limit);
      return answer((state) => ({
        status: state.status, body: new TextEncoder().encode(state.cause ? `{"cause":"${state.cause}"}` : said(state)),
        headers: new Headers({ "content-type": state.cause ? "application/problem+json" : "application/json" }),
      }));
    },
    job: () => answer(({ tip, algorithm, poll }) => {
      tell("job", tip, algorithm);
      const own = asked.local ? { tip: null, poll: null } : { tip, poll };
      return { token: `${++jobs}`, algorithm, value: 1, expectedHashes: 250, expiresIn: 3600, ...own };
    }),
    submit: (job) => answer(() => {
      tell("share", job.token);
      return { accepted: true, ticket: true, value: 1, nextJob: null, upstream };
    }),
  };
  let code;
  const work = new SiteWork({
    client, engine, algorithms: ["scrypt", "sha256d"], effort: 250, consent: "1", donate: false, fund: null,
    wanted: () => Infinity, earned: async () => {},
    changed() {
      if (code !== work?.notice?.code) tell("notice", (code = work.notice?.code) ?? null);
    },
  });
  for (const [at, { run, share }] of asked.acts)
    setTimeout(() => {
      if (run !== undefined) engine.running = run;
      if (share === undefined) return;
      upstream = share;
      work.found(work.job, 1n, null);
    }, 1000 * at);
  work.run().catch((error) => tell("ended", error.message));
}

for (const [at] of asked.tips) setTimeout(() => sources.forEach((one) => one.onmessage?.({ data: said(site()) })), 1000 * at);
for (const [, to] of asked.events ?? [])
  setTimeout(() => [...sources].forEach((one) => ((one.readyState = 0), one.onerror?.())), 1000 * to);
for (let number = 0; number < asked.miners; number++) miner(number);
while (seconds() < asked.seconds && tasks.size) {
  let next = null;
  for (const [id, task] of tasks) if (!next || task.at < next[1].at) next = [id, task];
  tasks.delete(next[0]);
  now = Math.max(now, next[1].at);
  next[1].run();
  await new Promise((resolve) => setImmediate(resolve));
}
process.stdout.write(JSON.stringify({ told }), () => process.exit(0));
