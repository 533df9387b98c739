// One hash function on this thread: as WebAssembly with SIMD, without, or in JavaScript.

import { EngineError, NoKernel, OutOfMemory, blocked } from "../errors.js";

/** @import { Job } from "../types" */
/** @typedef {"simd" | "scalar" | "javascript"} Kind */
/** @typedef {Pick<Job, "algorithm" | "blob" | "nonceOffset" | "nonceSize" | "target" | "seed" | "epoch">} Work */

/**
 * `problem`: notice code of why there is nothing faster. Slices are multiples of `lanes`. `begin` chooses what is
 * searched; `scan` tries `count` nonces from `start` on, none beyond the last, and tells which hold and how many were
 * tried: fewer where many hold. `check` hashes one alone: undefined when it does not hold, else the mix, null but for
 * ethash. They throw EngineError and OutOfMemory.
 * @typedef {{
 *   kind: Kind, problem: string | null, lanes: number, begin(work: Work): void,
 *   scan(start: bigint, count: number): { done: number, hits: bigint[] },
 *   check(nonce: bigint): Uint8Array | null | undefined,
 * }} Kernel
 */

const IN_JAVASCRIPT = ["yespower", "scrypt", "sha256d"];
/** Nonces that a module with SIMD tries at once, asked to or not. @type {Record<string, number>} */
const LANES = { yespower: 2, scrypt: 3, neoscrypt: 4, sha256d: 4, ethash: 16 };
const LONGEST = 128;
const EMPTY = [0, 97, 115, 109, 1, 0, 0, 0];
/** A module with one function, () => i32x4.splat(0). */
const SIMD = [...EMPTY, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 17, 11];
// The memory of modules: see miner/pow/csrc/wasm.c and wasm_ethash.c.
const LIMIT = 256, DIGEST = 288, START = 320, DONE = 328, MIX = 336, END = 368, HIT = 40, HITS = 64;

/** What this thread can run, and why nothing better. A policy that forbids WebAssembly refuses the smallest module. */
export function support() {
  /** @type {(kind: Kind, problem: string | null) => { kind: Kind, problem: string | null }} */
  const found = (kind, problem) => ({ kind, problem });
  if (typeof WebAssembly !== "object") return found("javascript", "javascript-kernel");
  try {
    new WebAssembly.Module(Uint8Array.from(EMPTY));
  } catch {
    return found("javascript", "wasm-forbidden");
  }
  return WebAssembly.validate(Uint8Array.from(SIMD)) ? found("simd", null) : found("scalar", "no-simd");
}

/**
 * Open the kernel of `algorithm`; `wasm` is the folder of modules. Throws NoKernel, OutOfMemory and EngineError.
 * @param {string} algorithm @param {string | URL} wasm @param {(url: URL) => Promise<BufferSource>} [load]
 * @returns {Promise<Kernel>}
 */
export async function openKernel(algorithm, wasm, load = download) {
  const { kind, problem } = support();
  const script = kind === "javascript";
  if (!(script ? IN_JAVASCRIPT.includes(algorithm) : Object.hasOwn(LANES, algorithm)))
    throw new NoKernel(`This browser cannot compute ${algorithm}: use another one, or the ticketminer command line.`, {
      values: { algorithm },
    });
  try {
    if (script) return await (await import("./js/kernel.js")).open(algorithm, problem);
    const module = await WebAssembly.compile(await load(new URL(`${algorithm}.${kind}.wasm`, wasm)));
    const { exports } = new WebAssembly.Instance(module);
    const ethash = algorithm === "ethash" ? await import("./ethash.js") : null;
    const lanes = kind === "simd" || ethash ? LANES[algorithm] : 1;
    return moduleKernel(exports, ethash?.useEpoch, { kind, problem, lanes });
  } catch (cause) {
    throw explained(cause) ?? blocked(cause);
  }
}

/** @param {URL} url */
async function download(url) {
  const answer = await fetch(url, { credentials: "same-origin" });
  if (!answer.ok) throw new TypeError(`${url.pathname} is not there (${answer.status}).`);
  return answer.arrayBuffer();
}

/** OutOfMemory for what browsers throw without memory; else null. @param {unknown} cause */
function explained(cause) {
  if (!(cause instanceof RangeError || (cause instanceof Error && cause.name === "InternalError"))) return null;
  return new OutOfMemory("There is not enough memory to mine: close other tabs, or use fewer threads.", { cause });
}

/** @param {boolean | number} taken */
export function must(taken) {
  if (taken) return;
  throw new EngineError("The site hands out work that cannot be computed: try again later.", { code: "bad-job" });
}

/**
 * Write `number` little-endian into `size` bytes of `to` from `at` on.
 * @param {Uint8Array} to @param {number} at @param {number} size @param {bigint} number
 */
export function write(to, at, size, number) {
  for (const end = at + size; at < end; number >>= 8n) to[at++] = Number(number & 255n);
}

/** Whether 32 bytes, little-endian, are at most `limit`. @param {Uint8Array} digest @param {Uint8Array} limit */
export function meets(digest, limit) {
  let at = 31;
  while (at && digest[at] === limit[at]) at--;
  return digest[at] <= limit[at];
}

/**
 * @param {Record<string, any>} module its exports
 * @param {((module: Record<string, any>, work: Work) => void) | undefined} useEpoch of ethash
 * @param {Pick<Kernel, "kind" | "problem" | "lanes">} about @returns {Kernel}
 */
function moduleKernel(module, useEpoch, about) {
  /** @type {Work} */
  let work;
  /** @param {number} from @param {number} to */
  const at = (from, to) => new Uint8Array(module.memory.buffer, module.io_at() + from, to - from);
  let numbers = new DataView(new ArrayBuffer(END)), found = numbers;
  return {
    ...about,
    begin(next) {
      work = next;
      try {
        useEpoch?.(module, work);
      } catch (cause) {
        throw explained(cause) ?? cause;
      }
      numbers = new DataView(module.memory.buffer, module.io_at(), END);
      found = new DataView(module.memory.buffer, module.hits_at(), HIT * HITS);
      must(work.blob.length <= LONGEST);
      at(0, LIMIT).set(work.blob);
      write(at(LIMIT, DIGEST), 0, 32, work.target);
      must(module.set(work.blob.length, work.nonceOffset, work.nonceSize));
    },
    scan(start, count) {
      numbers.setBigUint64(START, start, true);
      const hits = Array.from({ length: module.scan(count) }, (_, i) => found.getBigUint64(HIT * i, true));
      return { done: Number(numbers.getBigUint64(DONE, true)), hits };
    },
    check(nonce) {
      at(0, LIMIT).set(work.blob);
      write(at(work.nonceOffset, LIMIT), 0, work.nonceSize, nonce);
      must(module.hash(work.blob.length));
      const digest = at(DIGEST, START).slice();
      if (!meets(useEpoch ? digest.reverse() : digest, at(LIMIT, DIGEST))) return undefined;
      return useEpoch ? at(MIX, END).slice() : null;
    },
  };
}
