// The kernels in JavaScript, for browsers without WebAssembly and policies that forbid it.

import { meets, must, write } from "../kernel.js";

/** @param {string} algorithm @param {string | null} problem @returns {Promise<import("../kernel.js").Kernel>} */
export async function open(algorithm, problem) {
  /** The first `same` bytes are those of the last call. @type {(message: Uint8Array, same?: number) => Uint8Array} */
  const hash = (await import(`./${algorithm}.js`)).open();
  const limit = new Uint8Array(32);
  let blob = limit, offset = 0, size = 0;
  return {
    kind: "javascript", problem, lanes: 1,
    begin(work) {
      ({ nonceOffset: offset, nonceSize: size } = work);
      must(work.blob.length <= 128 && size >= 1 && size <= 8 && offset >= 0 && offset + size <= work.blob.length);
      blob = work.blob.slice();
      write(limit, 0, 32, work.target);
      hash(blob);
    },
    scan(start, count) {
      const hits = [];
      let low = Number(start & 0xffffffffn), high = Number(start >> 32n);
      for (let done = 0; done < count; done++) {
        for (let i = 0; i < size; i++) blob[offset + i] = i < 4 ? low >>> (8 * i) : high >>> (8 * i - 32);
        if (meets(hash(blob, offset), limit)) hits.push(start + BigInt(done));
        if (++low === 2 ** 32) (low = 0), high++;
      }
      return { done: count, hits };
    },
    check(nonce) {
      write(blob, offset, size, nonce);
      return meets(hash(blob), limit) ? null : undefined;
    },
  };
}
