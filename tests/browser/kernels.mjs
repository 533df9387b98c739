// Runs a kernel of the page on requests, one JSON object a line:
//
//   node kernels.mjs KIND ALGORITHM < requests > answers        KIND is simd, scalar, javascript or forbidden
//
//   {"op": "scan", "blob": HEX, "target": HEX, "start": "DECIMAL", "count": N, "nonce_at": N, "nonce_len": N,
//    "seed": HEX, "epoch": N}         {"hits": ["DECIMAL", …], "checked": [HEX | null | false, …], "hashes": N}
//   {"op": "check", … as above}       {"checked": HEX | null | false}: the mix, null without one, false for no share
//   {"op": "hash", "data": HEX}       {"digest": HEX}: in JavaScript only
//
// or {"error": code}. The first answer is {"kind", "problem", "lanes", "support"}.

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

const [kind, algorithm] = process.argv.slice(2);
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (array) => Buffer.from(array).toString("hex");

if (kind === "javascript") delete globalThis.WebAssembly;
if (kind === "scalar") WebAssembly.validate = () => false;
if (kind === "forbidden")
  WebAssembly.Module = class {
    constructor() {
      throw new WebAssembly.CompileError("a policy forbids it");
    }
  };
const engine = new URL("../../miner/browser/engine/", import.meta.url);
const { openKernel, support } = await import(new URL("kernel.js", engine));
const wasm = new URL("../../pow/wasm/", engine);

const work = ({ blob, target, nonce_at, nonce_len, seed, epoch }) => ({
  algorithm, blob: bytes(blob), target: BigInt(`0x${target}`), nonceOffset: nonce_at, nonceSize: nonce_len,
  seed: seed ? bytes(seed) : null, epoch: epoch ?? null,
});
const mixOf = (mix) => (mix === undefined ? false : mix && hex(mix));

const answers = {
  scan(kernel, request) {
    kernel.begin(work(request));
    const hits = [];
    let hashes = 0;
    while (hashes < request.count) {
      const { done, hits: more } = kernel.scan(BigInt(request.start) + BigInt(hashes), request.count - hashes);
      hits.push(...more);
      hashes += done;
    }
    return { hits: hits.map(String), checked: hits.map((nonce) => mixOf(kernel.check(nonce))), hashes };
  },

  check(kernel, request) {
    kernel.begin(work(request));
    return { checked: mixOf(kernel.check(BigInt(request.start))) };
  },

  async hash(_, { data }) {
    const { open } = await import(new URL(`js/${algorithm}.js`, engine));
    return { digest: hex(open()(bytes(data))) };
  },
};

const say = (answer) => console.log(JSON.stringify(answer));
try {
  const kernel = await openKernel(algorithm, wasm, readFile);
  say({ kind: kernel.kind, problem: kernel.problem, lanes: kernel.lanes, support: support() });
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    try {
      say(await answers[request.op](kernel, request));
    } catch (error) {
      say({ error: error.code ?? String(error) });
    }
  }
} catch (error) {
  say({ error: error.code });
}
