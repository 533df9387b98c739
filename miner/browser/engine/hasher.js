// A hashing worker: searches a part of a job's nonces in slices of about 10 ms, rests in proportion to them, and listens in between.
//
// It is sent {wasm, duty, run, part}, each when it changes; `part` is null or {id, work, start, count}. It answers `part` with {left}, what
// was left of the one before, and run = false with {halted}. Unasked it sends {ready, problem}, {id, hashes}, {id, nonce, mix}, {id, done}
// and, when it gives up, {failed: Problem}.

import { EngineError, toProblem } from "../errors.js";
import { openKernel } from "./kernel.js";

/** @typedef {{ id: number, work: import("./kernel.js").Work, start: bigint, count: bigint }} Part */

const SLICE = 10, TELL = 250, STRETCH = 1000, LEAST_REST = 4; // milliseconds
const CREDIT = 250; // milliseconds rested in advance that count; some clocks go by steps of 100
const { port1, port2 } = new MessageChannel();

const told = { wasm: "", duty: 1, run: false, part: /** @type {Part | null} */ (null) };
/** The kernel and the part that are in use. @type {import("./kernel.js").Kernel | null} */
let kernel = null;
let algorithm = "", part = told.part, next = 0n, left = 0n;
let busy = false, wake = () => {};
let clock = 0, toldAt = 0, owed = 0;
/** Hashes that the engine has not been told of; those of the last second or two, and the milliseconds they took; nonces of a slice. */
let fresh = 0, hashes = 0, milliseconds = 0, count = 1;

/** Milliseconds since the last call. Readings adjoin, so that what a coarse clock takes from one it gives to the next. */
function passed() {
  const before = clock;
  clock = performance.now();
  return clock - before;
}

function tell() {
  if (fresh && part) postMessage({ id: part.id, hashes: fresh });
  fresh = 0;
  toldAt = clock;
}

async function begin() {
  const asked = /** @type {Part} */ (told.part), { work } = asked;
  if (!kernel || algorithm !== work.algorithm) {
    kernel = null;
    kernel = await openKernel((algorithm = work.algorithm), told.wasm);
    count = kernel.lanes;
    hashes = milliseconds = 0;
  }
  if (asked !== told.part) return;
  kernel.begin(work);
  part = asked;
  ({ start: next, count: left } = part);
  postMessage({ ready: kernel.kind, problem: kernel.problem });
  passed();
}

/** @param {import("./kernel.js").Kernel} kernel @param {Part} part */
function slice(kernel, { id, work }) {
  const space = 1n << BigInt(8 * work.nonceSize);
  const most = [left, space - next].reduce((a, b) => (a < b ? a : b), BigInt(count));
  const { done, hits } = kernel.scan(next, Number(most));
  next = (next + BigInt(done)) % space;
  left -= BigInt(done);
  fresh += done;
  for (const nonce of hits) {
    const mix = kernel.check(nonce);
    if (mix === undefined) throw new EngineError("This device computes wrongly: restart it.", { code: "engine-failed" });
    tell();
    postMessage({ id, nonce, mix });
  }
  const worked = Math.min(passed(), 1000); // longer ones were asleep with the device
  owed += worked * (1 / told.duty - 1);
  hashes += done;
  milliseconds += worked;
  const right = Math.min(2 * count, milliseconds ? (SLICE * hashes) / milliseconds : Infinity);
  count = Math.max(1, Math.floor(right / kernel.lanes)) * kernel.lanes;
  if (milliseconds > STRETCH) (hashes /= 2), (milliseconds /= 2);
  if (clock - toldAt >= TELL || !left) tell();
  if (left) return;
  part = told.part = null;
  postMessage({ id, done: true });
}

/** Sleep off what is owed; where that is too little for a timer, only let messages in. */
async function rest() {
  const sleeps = owed >= LEAST_REST;
  await new Promise((resolve) => {
    wake = () => resolve(0);
    if (sleeps) setTimeout(resolve, owed);
    else port2.postMessage(0);
  });
  if (sleeps) owed = Math.max(owed - passed(), -CREDIT);
}

async function run() {
  busy = true;
  passed();
  try {
    while (told.run && told.part)
      if (kernel && part && part === told.part) slice(kernel, part), await rest();
      else await begin();
  } catch (error) {
    told.part = null;
    postMessage({ failed: toProblem(error) });
  }
  busy = false;
}

port1.onmessage = () => wake();

addEventListener("message", ({ data }) => {
  if ("part" in data) {
    tell();
    postMessage({ left: part ? { id: part.id, start: next, count: left } : told.part });
    part = null;
  }
  Object.assign(told, data);
  if ("duty" in data) owed = 0;
  if (data.run === false) {
    tell();
    postMessage({ halted: true });
  }
  wake();
  if (!busy) run();
});
