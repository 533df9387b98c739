// Runs the page's hashing worker in a world where time is what this script says, and tells what it did:
//
//   node hasher.mjs '{"rate": H, "duty": D, "seconds": S, "step": MS, "late": MS, "messages": [[MS, MESSAGE], …]}'
//
// A hash takes 1/rate s; `step` is that of performance.now(), 0 for none; timers come up to `late` ms late, and yields
// take 0.02 ms. A message may also be {"rate": H}, from then on, or {"nap": MS}, for which the device sleeps. Answer:
// {"work": ms, "slices": [ms, …], "told": [[ms, message], …], "seconds": S}.

const usual = { rate: 1000, duty: 1, seconds: 10, step: 0, late: 1, messages: [] };
const asked = { ...usual, algorithm: "scrypt", nonceSize: 8, count: "1000000000000", ...JSON.parse(process.argv[2]) };

let now = 12345.6, worked = 0, rate = asked.rate;
const slices = [], told = [], tasks = [];
let chance = 1;
const random = () => (chance = (chance * 48271) % 2147483647) / 2147483647;
const later = (at, run) => tasks.push({ at, run });

class Port {
  postMessage() {
    later(now + 0.02, () => this.other.onmessage?.({ data: 0 }));
  }
}
globalThis.MessageChannel = class {
  port1 = new Port();
  port2 = new Port();
  constructor() {
    [this.port1.other, this.port2.other] = [this.port2, this.port1];
  }
};
Object.defineProperty(globalThis, "performance", {
  value: { now: () => (asked.step ? Math.floor(now / asked.step) * asked.step : now) },
});
globalThis.setTimeout = (run, delay) => later(now + Math.max(1, delay) + random() * asked.late, run);
globalThis.postMessage = (message) => told.push([now, message]);
let hear = () => {};
globalThis.addEventListener = (_, listener) => (hear = listener);

const memory = { buffer: new ArrayBuffer(65536) };
const numbers = new DataView(memory.buffer);
globalThis.WebAssembly = {
  Module: class {},
  Instance: class {
    exports = {
      memory, io_at: () => 0, hits_at: () => 1024, set: () => 1, hash: () => 1,
      scan(count) {
        const took = (1000 * count) / rate;
        now += took, worked += took, slices.push(took);
        numbers.setBigUint64(328, BigInt(count), true);
        return 0;
      },
    };
  },
  validate: () => true,
  compile: async () => ({}),
};
globalThis.fetch = async () => ({ ok: true, arrayBuffer: async () => new ArrayBuffer(8) });

await import("../../miner/browser/engine/hasher.js");

const { algorithm, nonceSize } = asked;
const work = { algorithm, blob: new Uint8Array(84), nonceOffset: 76, nonceSize, target: 0n, seed: null, epoch: null };
const part = { id: 1, start: 5n, count: BigInt(asked.count), work };
const began = now, end = now + 1000 * asked.seconds;
later(now, () => hear({ data: { wasm: "http://site/", duty: asked.duty, run: true, part } }));
for (const [at, message] of asked.messages)
  later(began + at, () => {
    if (message.rate) rate = message.rate;
    else if (message.nap) now += message.nap;
    else hear({ data: message });
  });
const breathe = () => new Promise(setImmediate);
while (now < end) {
  await breathe();
  await breathe();
  tasks.sort((a, b) => a.at - b.at);
  const next = tasks.shift();
  if (!next) break;
  now = Math.max(now, next.at);
  next.run();
}
const plain = (_, value) => (typeof value === "bigint" ? String(value) : value);
const said = told.map(([at, message]) => [at - began, message]);
console.log(JSON.stringify({ work: worked, slices, told: said, seconds: (now - began) / 1000 }, plain));
