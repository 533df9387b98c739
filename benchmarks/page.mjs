// Runs one WebAssembly module as a page's worker does, in slices of some 10 ms, and tells how fast it is:
//
//   node page.mjs MODULE.wasm BATCH BLOB_BYTES NONCE_OFFSET NONCE_BYTES [ROWS PAGES] < seconds > answers
//
// Each line of input is for how many seconds to hash, each line of output {"hashes": N, "seconds": S}. A module computes BATCH nonces
// at once, whether asked for or not. ROWS and PAGES are for ethash, whose cache of epoch 0 is computed here first. The memory's layout
// is described in miner/pow/csrc/wasm.c and wasm_ethash.c.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const SLICE_MS = 10, ROW_BYTES = 64, PAGE_BYTES = 65536, START_AT = 320, DONE_AT = 328;

const file = process.argv[2];
const [batch, blobBytes, nonceOffset, nonceBytes, rows, pages] = process.argv.slice(3).map(Number);
const { memory, io_at, set, scan, cache_at, build, table } = new WebAssembly.Instance(
  new WebAssembly.Module(readFileSync(file)),
).exports;

if (rows) {
  const more = cache_at() + rows * ROW_BYTES - memory.buffer.byteLength;
  if (more > 0) memory.grow(Math.ceil(more / PAGE_BYTES));
  if (!build(rows) || !table(rows, pages)) throw new Error("the cache does not fit");
}
// The blob is zeros, and so is the limit, which no digest meets.
if (!set(blobBytes, nonceOffset, nonceBytes)) throw new Error("the module takes no such blob");

const io = new DataView(memory.buffer, io_at());
let count = batch;

function hash(seconds) {
  const began = performance.now();
  let hashes = 0, now = began;
  while (now - began < 1000 * seconds) {
    io.setBigUint64(START_AT, BigInt(hashes), true);
    scan(count);
    hashes += Number(io.getBigUint64(DONE_AT, true));
    const elapsed = performance.now() - now;
    now += elapsed;
    const right = Math.min(2 * count, (SLICE_MS * count) / Math.max(elapsed, 0.01));
    count = Math.max(1, Math.floor(right / batch)) * batch;
  }
  return { hashes, seconds: (now - began) / 1000 };
}

for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(hash(Number(line))));
