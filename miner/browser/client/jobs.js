// Jobs: the work a site offers. Contracts: ./types.d.ts.

import { equal, toBigInt, toHex, utf8 } from "../bytes.js";
import { sha256 } from "../tokens/hashes.js";
import { DENOMINATIONS } from "../wallet/selection.js";
import { fields, nonsense } from "./answers.js";

/** @import { Jobs } from "./types" */

/** A job's nonces outnumber its expected hashes by 2^3, so that they hardly ever run out. */
const SPARE_BITS = 3;

/** @type {Jobs["readJob"]} */
export function readJob(members, algorithms, donate) {
  const { text, integer, hex, optional } = fields(members, "job");
  const [algorithm, blob, target] = [text("algorithm"), hex("blob"), hex("target", 32)];
  const [expectedHashes, value] = [integer("expected_hashes", 1), integer("value")];
  const [nonceSize, nonceOffset] = [integer("nonce_size", 1, 8), integer("nonce_offset")];
  const fits =
    algorithms.includes(algorithm) &&
    DENOMINATIONS.includes(value) &&
    toBigInt(target) === (1n << 256n) / BigInt(expectedHashes) - 1n &&
    expectedHashes <= 2 ** (8 * nonceSize - SPARE_BITS) &&
    blob.length <= 1024 &&
    nonceOffset + nonceSize <= blob.length &&
    (!donate || members.key_id == null);
  if (!fits) throw nonsense("the job is not what was asked for, or contradicts itself.");
  return {
    token: text("job", 16_384),
    algorithm,
    blob,
    nonceOffset,
    nonceSize,
    target: toBigInt(target),
    expectedHashes,
    value,
    keyId: donate ? null : toHex(hex("key_id", 32)),
    expiresIn: integer("expires_in", 1, 86_400),
    receivedAt: performance.now(),
    tip: optional("tip", (key) => text(key, 255)),
    poll: optional("poll", (key) => integer(key, 1, 3600)),
    seed: optional("seed", (key) => hex(key, 32)),
    epoch: optional("epoch", integer),
    epochLength: optional("epoch_length", integer),
  };
}

/** @type {Jobs["checkOffer"]} */
export async function checkOffer(job, { algorithms, denominations, limits, siteName }, keys) {
  const { blob, value } = job;
  const { expectedHashes = 0, work } = algorithms.find(({ name }) => name === job.algorithm) ?? {};
  if (!denominations.includes(value) || value > limits.jobValue || job.expectedHashes > expectedHashes * value) {
    throw nonsense("the job asks for more work than the site announces for its value.");
  }
  if (work !== "local") return;
  const names = [siteName, ...keys.map((key) => key.issuerName)];
  const sites = await Promise.all(names.map((name) => sha256(utf8(name))));
  const shaped = blob.length === 84 && job.nonceOffset === 76 && job.nonceSize === 8;
  const prefixed = equal(blob.subarray(0, 20), utf8("ticketminer local v1"));
  if (!shaped || !prefixed || !sites.some((site) => equal(site, blob.subarray(36, 68)))) {
    throw nonsense("the job is called local, but its blob is not this site's own.");
  }
}
