// Runs the WebAssembly module of ethash on requests, one JSON object a line:
//
//   node test_ethash_wasm.mjs ethash.simd.wasm < requests > answers
//
//   {"op": "cache", "file": PATH, "offset": N, "rows": N, "pages": N}    {"ok": 0 or 1}: copies a cache
//   {"op": "build", "seed": HEX, "rows": N, "pages": N}                  {"rows": HEX, "ok": 0 or 1}: computes one
//   {"op": "table", "rows": N, "pages": N}                               {"ok": 0 or 1}: of the memory there is
//   {"op": "hash", "data": HEX}                                          {"ok": 0 or 1, "mix": HEX, "digest": HEX}
//   {"op": "scan", "blob": HEX, "limit": HEX, "start": "DECIMAL", "count": N, "nonce_at": N, "nonce_len": N}
//                                                       {"ok": 0 or 1, "hits": [["DECIMAL", HEX], …], "hashes": N}
//
// The layout of the memory is described in miner/pow/csrc/wasm_ethash.c.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const HIT_BYTES = 40, ROW_BYTES = 64, PAGE_BYTES = 65536;

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (array) => Buffer.from(array).toString("hex");

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
if (WebAssembly.Module.imports(module).length) throw new Error("a module must need nothing from its page");
const { memory, io_at, hits_at, cache_at, build, table, hash, set, scan } = new WebAssembly.Instance(module).exports;

const at = (from, to) => new Uint8Array(memory.buffer, io_at() + from, to - from);
const number = (from) => new DataView(memory.buffer, io_at() + from, 8);
const rowsOf = (rows) => new Uint8Array(memory.buffer, cache_at(), rows * ROW_BYTES);

function grow(rows) {
  const more = cache_at() + rows * ROW_BYTES - memory.buffer.byteLength;
  if (more > 0) memory.grow(Math.ceil(more / PAGE_BYTES));
}

function write(blob) {
  at(0, 256).set(bytes(blob).subarray(0, 256));
  return blob.length / 2;
}

const answers = {
  cache({ file, offset, rows, pages }) {
    grow(rows);
    rowsOf(rows).set(readFileSync(file).subarray(offset));
    return { ok: table(rows, pages) };
  },

  build({ seed, rows, pages }) {
    grow(rows);
    write(seed);
    const ok = build(rows);
    return { ok: ok && table(rows, pages), rows: hex(rowsOf(rows)) };
  },

  table({ rows, pages }) {
    return { ok: table(rows, pages) };
  },

  hash({ data }) {
    const ok = hash(write(data));
    return { ok, mix: hex(at(336, 368)), digest: hex(at(288, 320)) };
  },

  scan({ blob, limit, start, count, nonce_at, nonce_len }) {
    at(256, 288).set(bytes(limit));
    const ok = set(write(blob), nonce_at, nonce_len);
    const hits = [];
    let hashes = 0n;
    while (ok && hashes < BigInt(count)) {
      number(320).setBigUint64(0, BigInt(start) + hashes, true);
      const found = scan(count - Number(hashes)), done = number(328).getBigUint64(0, true);
      if (!done) break; // no nonce is left
      for (let hit = hits_at(); found && hit < hits_at() + found * HIT_BYTES; hit += HIT_BYTES)
        hits.push([
          String(new DataView(memory.buffer).getBigUint64(hit, true)),
          hex(new Uint8Array(memory.buffer, hit + 8, HIT_BYTES - 8)),
        ]);
      hashes += done;
    }
    return { ok, hits, hashes: Number(hashes) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  console.log(JSON.stringify(answers[request.op](request)));
}
