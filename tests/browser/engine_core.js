// A worker in the place of the core: an engine whose events are written down, and a turn. Expressions are evaluated.

import { Engine } from "../engine/engine.js";
import { Turn } from "../engine/turn.js";

const assets = new URL("../", import.meta.url);
const parts = [], workers = [], plan = [];
/** Workers that tell the test which parts they were given; `plan` names other scripts for those to come. */
globalThis.Worker = class extends Worker {
  constructor(url, options) {
    super(plan.length ? new URL(plan.shift(), assets) : url, options);
    this.alive = true;
    workers.push(this);
  }

  postMessage(message) {
    const { start, count, work } = message.part ?? {};
    if (work) parts.push({ start, count, token: work.token });
    super.postMessage(message);
  }

  terminate() {
    this.alive = false;
    super.terminate();
  }
};
const alive = () => workers.filter((worker) => worker.alive).length;

const events = { found: [], stats: [], kernels: [], problems: [], exhausted: [] };
const hashes = () => events.stats.reduce((sum, stats) => sum + stats.hashes, 0);
let engine, turn;

const make = (options = {}) => {
  engine?.close();
  engine = new Engine({
    hasher: new URL("engine/hasher.js", assets), wasm: new URL("wasm/", assets), threads: 1, duty: 1,
    onfound: (job, nonce, mix) => events.found.push({ token: job.token, nonce, mix }),
    onstats: (stats) => events.stats.push(stats),
    onkernel: (kind, code) => events.kernels.push([kind, code]),
    onproblem: (problem) => events.problems.push(problem),
    onexhausted: (job) => events.exhausted.push(job.token),
    ...options,
  });
};

const job = ({ blob, target, ...more }) => ({
  token: "job", algorithm: "yespower", nonceOffset: 76, nonceSize: 8, seed: null, epoch: null,
  blob: Uint8Array.from(blob.match(/../g), (pair) => parseInt(pair, 16)), target: BigInt(`0x${target}`), ...more,
});

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const until = async (holds, seconds = 60) => {
  const end = performance.now() + 1000 * seconds;
  while (!holds() && performance.now() < end) await sleep(20);
  return Boolean(holds());
};

const plain = (value) => {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (value === undefined || value === null || typeof value !== "object") return value ?? null;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
};

onmessage = async ({ data: { id, expression, args } }) => {
  try {
    postMessage({ id, value: plain(await eval(`(async () => (${expression}))()`)) });
  } catch (error) {
    postMessage({ id, error: String(error) });
  }
};
