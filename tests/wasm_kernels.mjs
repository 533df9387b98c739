// Runs one WebAssembly module of the kernels on requests, one JSON object a line:
//
//   node wasm_kernels.mjs MODULE.wasm < requests > answers
//
//   {"op": "hash", "data": HEX}                          {"digest": HEX}, or {"error": …}
//   {"op": "scan", "blob": HEX, "limit": HEX, "start": "DECIMAL", "count": N, "nonce_at": N, "nonce_len": N}
//                                                        {"hits": [["DECIMAL", HEX], …], "hashes": N}, or {"error": …}
//   {"op": "parameters", "n": N, "r": N, "personalisation": HEX}
//                                                        {} or {"error": …}; of yespower, for the requests that follow
//   {"op": "grow", "pages": N}                           {}: has the memory grow, of which there are 65536 pages
//   {"op": "rate", "blob": HEX, …, "seconds": N}         {"rate": R, "best": R}: hashes a second in slices of some 10 ms, all
//                                                        of them and the best one
//
// The layout of the memory is described in miner/pow/csrc/wasm.c.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const HIT_BYTES = 40;

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (array) => Buffer.from(array).toString("hex");

class Kernel {
  constructor(file) {
    const module = new WebAssembly.Module(readFileSync(file));
    if (WebAssembly.Module.imports(module).length) throw new Error("a module must need nothing from its page");
    this.exports = new WebAssembly.Instance(module).exports;
    this.look();
  }

  look() {
    this.io = this.view(this.exports.io_at(), 336);
    this.hits = this.view(this.exports.hits_at(), 64 * HIT_BYTES);
  }

  view(at, size) {
    return Object.assign(new DataView(this.exports.memory.buffer, at, size), {
      take: (from, to) => new Uint8Array(this.exports.memory.buffer, at + from, to - from),
    });
  }

  parameters({ n, r, personalisation }) {
    const string = bytes(personalisation);
    if (string.length <= 256) this.io.take(0, 256).set(string);
    const taken = this.exports.parameters(n, r, string.length);
    this.look(); // growing detaches what looked at memory
    return taken ? {} : { error: "no such parameters" };
  }

  grow({ pages }) {
    this.exports.memory.grow(pages);
    this.look();
    return {};
  }

  hash({ data }) {
    const message = bytes(data);
    if (message.length <= 256) this.io.take(0, 256).set(message);
    if (!this.exports.hash(message.length)) return { error: `no message of ${message.length} bytes` };
    return { digest: hex(this.io.take(288, 320)) };
  }

  set({ blob, limit, nonce_at, nonce_len }) {
    const message = bytes(blob);
    if (message.length <= 256) this.io.take(0, 256).set(message);
    this.io.take(256, 288).set(bytes(limit));
    return this.exports.set(message.length, nonce_at, nonce_len);
  }

  slice(start, count) {
    this.io.setBigUint64(320, start, true);
    const found = this.exports.scan(count);
    return { found, done: this.io.getBigUint64(328, true) };
  }

  scan(job) {
    if (!this.set(job)) return { error: "no such job" };
    const hits = [];
    let hashes = 0n;
    while (hashes < BigInt(job.count)) {
      const start = BigInt(job.start) + hashes;
      if (start > 0xffffffffffffffffn) break;
      const { found, done } = this.slice(start, job.count - Number(hashes));
      if (!done) break; // no nonce is left
      for (let at = 0; at < found * HIT_BYTES; at += HIT_BYTES)
        hits.push([String(this.hits.getBigUint64(at, true)), hex(this.hits.take(at + 8, at + HIT_BYTES))]);
      hashes += done;
    }
    return { hits, hashes: Number(hashes) };
  }

  rate(job) {
    if (!this.set(job)) return { error: "no such job" };
    const began = performance.now();
    let count = 1;
    let start = 0n;
    let best = 0;
    for (let now = began; now - began < 1000 * job.seconds; ) {
      const { done } = this.slice(start, count);
      const elapsed = performance.now() - now;
      now += elapsed;
      start += done;
      if (elapsed > 5) best = Math.max(best, Number(done) / elapsed);
      count = Math.max(1, Math.min(2 * count, Math.round((10 * count) / Math.max(elapsed, 0.1))));
    }
    return { rate: (1000 * Number(start)) / (performance.now() - began), best: 1000 * best };
  }
}

const kernel = new Kernel(process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  console.log(JSON.stringify(kernel[request.op](request)));
}
