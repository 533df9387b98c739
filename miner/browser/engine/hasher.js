// A hashing worker: searches a part of a job's nonces in slices of some 10 ms, rests in proportion, listens in between.
//
// It is sent {wasm, duty, run, part}, each when it changes; `part` is null or {id, work, start, count}. What was left
// of the part before comes back as {left: {id, start, count}}. A message with {ask} is answered by {answer: ask} once
// all that was to be said before has been. Unasked it sends {ready, problem}, {id, hashes}, {id, nonce, mix}, {id,
// done} and, when it gives up, {failed: Problem}.

import { EngineError, toProblem } from "../errors.js";
import { openKernel } from "./kernel.js";

/** @typedef {{ id: number, work: import("./kernel.js").Work, start: bigint, count: bigint }} Part */

const SLICE = 10, TELL = 250, LEAST_REST = 4, CREDIT = 250; // milliseconds; CREDIT: of rest in advance that counts
const FINE = 3; // milliseconds; a clock with longer steps tells nothing of a slice
const STALE = 2000, SMOOTH = 300; // milliseconds of hashing
const { port1, port2 } = new MessageChannel();

const told = { wasm: "", duty: 1, run: false, part: /** @type {Part | null} */ (null) };
/** The kernel and the part that are in use. @type {import("./kernel.js").Kernel | null} */
let kernel = null;
let algorithm = "", part = told.part, next = 0n, left = 0n;
let busy = false, wake = () => {};
let clock = 0, grain = Infinity, toldAt = 0, fresh = 0, count = 1;
let owed = 0; // milliseconds that the work done is worth at this duty, less those that went by
let pace = 0, unpaid = 0; // milliseconds of a hash, 0 while not known; hashes done till then
/**
 * The stretch of hashing without a rest by which the pace is taken, from a step of the clock on: whether it has begun,
 * its hashes and its milliseconds; and the milliseconds of hashing since the last one.
 */
let edge = false, tried = 0, took = 0, stale = 0;

/** Milliseconds since the last call, by a clock that may go by steps of 100. */
function passed() {
  const before = clock;
  clock = performance.now();
  const time = clock - before;
  if (time) grain = Math.min(grain, time);
  owed = Math.max(owed - time, -CREDIT);
  return time;
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
    pace = 0;
  }
  if (asked !== told.part) return;
  kernel.begin(work);
  part = asked;
  ({ start: next, count: left } = part);
  postMessage({ ready: kernel.kind, problem: kernel.problem });
  passed();
}

/** A slice of `done` hashes has lasted `time`. @param {number} done @param {number} time */
function measure(done, time) {
  stale += done * pace;
  if (!edge) edge = time > 0;
  else {
    tried += done;
    took += time;
    if (!took || took < 3 * grain) return;
    pace += (took / tried - pace) * (pace ? Math.min(1, took / SMOOTH) : 1);
    tried = took = stale = 0;
  }
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
    if (mix === undefined)
      throw new EngineError("This device computes wrongly: restart it.", { code: "engine-failed" });
    tell();
    postMessage({ id, nonce, mix });
  }
  measure(done, Math.min(passed(), 1000)); // longer ones were asleep with the device
  unpaid += done;
  owed += (unpaid * pace) / told.duty;
  if (pace) unpaid = 0;
  const right = pace ? Math.min(1.5 * count + kernel.lanes, SLICE / pace) : edge ? count : 1.5 * count + kernel.lanes;
  count = Math.max(1, Math.floor(right / kernel.lanes)) * kernel.lanes;
  if (clock - toldAt >= TELL || !left) tell();
  if (left) return;
  part = told.part = null;
  postMessage({ id, done: true });
}

/** Sleep off what is owed; where that is too little for a timer, or the pace has to be taken, only let messages in. */
async function rest() {
  const sleeps = told.duty < 1 && owed >= LEAST_REST && (grain <= FINE || stale < STALE);
  await new Promise((resolve) => {
    wake = () => resolve(0);
    if (sleeps) setTimeout(resolve, owed);
    else port2.postMessage(0);
  });
  passed();
  if (sleeps) (edge = grain <= FINE), (tried = took = 0);
}

async function run() {
  busy = true;
  passed();
  owed = tried = took = 0;
  edge = false;
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
  tell();
  if ("part" in data) {
    if (told.part) postMessage({ left: part ? { id: part.id, start: next, count: left } : told.part });
    part = null;
  }
  Object.assign(told, data);
  if ("duty" in data) owed = 0;
  if (data.ask) postMessage({ answer: data.ask });
  wake();
  if (!busy) run();
});
