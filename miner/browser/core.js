// The entry of the core: a worker with a realm of its own, where wallet, client and engine are out of the page's reach.
//
// A view sends {id, call, args}; the answer is {id, result} or {id, problem}. Snapshots come unasked, as {snapshot}.

import { toProblem } from "./errors.js";
import { Session } from "./session.js";

/** @type {Set<keyof import("./types.d.ts").Core>} */
const CALLS = new Set([
  "open", "surroundings", "start", "pause", "resume", "stop", "retry", "limits", "price", "pay", "donate", "view",
  "send", "taken", "receive", "words", "wordsSeen", "restore", "deleteRun", "reset", "wipe",
]);

const session = new Session({
  assets: new URL("./", import.meta.url),
  publish: (snapshot) => postMessage({ snapshot }),
});

addEventListener("message", async ({ data: { id, call, args } }) => {
  try {
    if (!CALLS.has(call)) throw new TypeError(`The core has no call ${call}.`);
    postMessage({ id, result: await /** @type {any} */ (session)[call](...args) });
  } catch (error) {
    postMessage({ id, problem: toProblem(error) });
  }
});
