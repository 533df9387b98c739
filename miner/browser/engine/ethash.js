// Light ethash: the cache of an epoch, which takes seconds to build, and 16 MiB or more.
//
// Source: the Ethash page of the Ethereum wiki, revision 23.

import { EngineError } from "../errors.js";

const ROW = 64, PAGE = 128, MEMORY_PAGE = 65536, EPOCHS = 2048;

/** The largest prime number of units of `unit` bytes below `bytes`. @param {number} bytes @param {number} unit */
function largest(bytes, unit) {
  const prime = (/** @type {number} */ n) => {
    for (let divisor = 3; divisor * divisor <= n; divisor += 2) if (n % divisor === 0) return false;
    return true;
  };
  let count = bytes / unit - 1;
  while (!prime(count)) count -= 2;
  return count;
}

/** Rows of 64 bytes of the cache of an epoch, and pages of 128 of its dataset. @param {number} epoch */
export const sizes = (epoch) => [largest(2 ** 24 + 2 ** 17 * epoch, ROW), largest(2 ** 30 + 2 ** 23 * epoch, PAGE)];

/** @type {WeakMap<object, string>} */
const built = new WeakMap();

/**
 * Have `module` hash in the epoch of `work`: its cache grows from the seed. Throws RangeError without memory.
 * @param {Record<string, any>} module @param {{ seed: Uint8Array | null, epoch: number | null }} work
 */
export function useEpoch(module, { seed, epoch }) {
  if (seed?.length !== 32 || epoch === null || !(epoch >= 0 && epoch < EPOCHS))
    throw new EngineError("The site hands out ethash without its epoch: try again later.", { code: "bad-job" });
  const name = `${epoch} ${seed}`;
  if (built.get(module) === name) return;
  built.delete(module);
  const [rows, pages] = sizes(epoch);
  const more = module.cache_at() + rows * ROW - module.memory.buffer.byteLength;
  if (more > 0) module.memory.grow(Math.ceil(more / MEMORY_PAGE));
  new Uint8Array(module.memory.buffer, module.io_at(), seed.length).set(seed);
  if (!module.build(rows) || !module.table(rows, pages)) throw new RangeError("The cache does not fit into memory.");
  built.set(module, name);
}
