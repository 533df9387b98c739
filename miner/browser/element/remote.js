// The core from the page's side: one worker for each service, shared by everything in the document that asks for it.

import { watch } from "./surroundings.js";
import { diagnose } from "./trouble.js";

/** @import { Remote } from "./host" */

const LINGER = 1000; // milliseconds for which a core outlives its last view, which may only be moving

/** @type {Map<string, Remote>} */
const remotes = new Map();

/** @param {URL} assets @param {string} service path @returns {Remote} */
export function connect(assets, service) {
  const remote = remotes.get(service) ?? make(assets, service);
  remotes.set(service, remote);
  return remote;
}

/** @param {URL} assets @param {string} service @returns {Remote} */
function make(assets, service) {
  const url = new URL("core.js", assets);
  /** @type {Set<Parameters<Remote["subscribe"]>[0]>} */
  const listeners = new Set();
  /** @type {Map<number, [(result: any) => void, (problem: unknown) => void]>} */
  const waiting = new Map();
  /** @type {Worker | null} */
  let worker = null;
  let around = { persist: async (/** @type {boolean} */ _ = false) => {}, stop() {} };
  let last = 0;

  const ask = (/** @type {string} */ call, /** @type {unknown[]} */ args) => new Promise((resolve, reject) => {
    if (!worker) return reject({ code: "stopped", detail: "The miner is not running." });
    waiting.set(++last, [resolve, reject]);
    worker.postMessage({ id: last, call, args });
  });

  const start = () => {
    remote.snapshot = remote.failure = null;
    try {
      worker = new Worker(trusted(url.href), { type: "module", name: "ticketminer" });
    } catch (error) {
      return void fail(String(error));
    }
    worker.onmessage = ({ data: { id, result, problem, snapshot } }) => {
      if (snapshot) {
        remote.snapshot = snapshot;
        if (snapshot.earned) void around.persist();
        tell();
      }
      const [resolve, reject] = waiting.get(id) ?? [];
      waiting.delete(id);
      if (problem) reject?.(problem);
      else resolve?.(result);
    };
    worker.onerror = (event) => (event.preventDefault(), void fail(event.message));
    around = watch((now) => void ask("surroundings", [now]).catch(() => {}));
    ask("open", [{ service, cores: navigator.hardwareConcurrency || 2 }]).catch(() => {}); // the snapshot tells why
  };

  const end = () => {
    worker?.terminate();
    worker = null;
    around.stop();
    for (const [, reject] of waiting.values()) reject({ code: "stopped", detail: "The miner was stopped." });
    waiting.clear();
  };

  const fail = async (/** @type {string} */ detail) => {
    const code = remote.snapshot ? "stopped" : await diagnose(url.href, service);
    end();
    remote.failure = { code, detail };
    tell();
  };

  const tell = () => {
    for (const listener of listeners) listener(remote);
  };

  /** @type {Remote} */
  const remote = {
    snapshot: null,
    failure: null,
    owner: null,
    core: new Proxy(/** @type {any} */ ({}), {
      get: (_, call) => (call === "then" ? undefined : (/** @type {unknown[]} */ ...args) => ask(String(call), args)),
    }),
    persist: () => around.persist(true),
    subscribe(listener) {
      listeners.add(listener);
      if (worker) listener(remote);
      else start();
      return () => {
        listeners.delete(listener);
        setTimeout(async () => {
          if (!listeners.size) await ask("stop", []).catch(() => {});
          if (!listeners.size) end();
        }, LINGER);
      };
    },
  };
  return remote;
}

/** @type {any} */
let policy;

/** The address as a page under `require-trusted-types-for` wants it. @param {string} href @returns {string} */
function trusted(href) {
  try {
    policy ??= /** @type {any} */ (globalThis).trustedTypes?.createPolicy("ticketminer", { createScriptURL: String });
  } catch {
    // Such a policy is not allowed here; the browser says what follows.
  }
  return policy?.createScriptURL(href) ?? href;
}
