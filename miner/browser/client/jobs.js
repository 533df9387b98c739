// Jobs: the work a site offers, consistent in itself and with what was announced.

import { equal, fromHex, toBigInt, toHex, utf8 } from "../bytes.js";
import { sha256 } from "../tokens/hashes.js";
import { DENOMINATIONS } from "../wallet/selection.js";
import { integer, nonsense, text } from "./answers.js";

/** @import { Job, Service, TicketKey } from "../types" */
/** @import { Members } from "./answers.js" */

const LOCAL_PREFIX = "ticketminer local v1";
/** A job's nonces outnumber its expected hashes by 2^3, so that they hardly ever run out. */
const SPARE_BITS = 3;

/**
 * The job in `members`, in one of `algorithms`; throws SiteProtocolError where it cannot be worked on as it stands.
 * @param {Members} members @param {readonly string[]} algorithms @param {boolean} donate @returns {Job}
 */
export function readJob(members, algorithms, donate) {
  const name = "job";
  const algorithm = text(members, "algorithm", name, 64);
  if (!algorithms.includes(algorithm)) throw nonsense("the job is for an algorithm that was not asked for.");
  if (donate && members.key_id != null) throw nonsense("a donation's job names a ticket key.");
  const blob = fromHex(members.blob, undefined, "job.blob");
  const target = toBigInt(fromHex(members.target, 32, "job.target"));
  const expectedHashes = integer(members, "expected_hashes", name, 1);
  const nonceSize = integer(members, "nonce_size", name, 1, 8);
  const nonceOffset = integer(members, "nonce_offset", name, 0, blob.length);
  const value = integer(members, "value", name, 1, 512);
  /** @param {string} key @param {number} [low] @param {number} [high] */
  const optional = (key, low, high) => (members[key] == null ? null : integer(members, key, name, low, high));
  if (target !== (1n << 256n) / BigInt(expectedHashes) - 1n) throw nonsense("the job's target is not the one of its expected hashes.");
  if (blob.length > 1024 || nonceOffset + nonceSize > blob.length) throw nonsense("the job's nonce lies outside its blob.");
  if (expectedHashes > 2 ** (8 * nonceSize - SPARE_BITS)) throw nonsense("the job needs more hashes than it has nonces.");
  if (!DENOMINATIONS.includes(value)) throw nonsense("the job's value is not that of a ticket.");
  return {
    token: text(members, "job", name, 16_384),
    algorithm,
    blob,
    nonceOffset,
    nonceSize,
    target,
    expectedHashes,
    value,
    keyId: donate ? null : toHex(fromHex(members.key_id, 32, "job.key_id")),
    expiresIn: integer(members, "expires_in", name, 1, 86_400),
    receivedAt: performance.now(),
    tip: members.tip == null ? null : text(members, "tip", name, 255),
    poll: optional("poll", 1, 3600),
    seed: members.seed == null ? null : fromHex(members.seed, 32, "job.seed"),
    epoch: optional("epoch"),
    epochLength: optional("epoch_length"),
  };
}

/** Whether `job` asks for no more work than `service` has announced for its value. @param {Job} job @param {Service} service */
export function checkOffer(job, service) {
  const announced = service.algorithms.find(({ name }) => name === job.algorithm);
  return (
    announced !== undefined &&
    service.denominations.includes(job.value) &&
    job.value <= service.limits.jobValue &&
    job.expectedHashes <= announced.expectedHashes * job.value
  );
}

/** Refuse local work that hashes something else than the protocol's own blob for one of the site's `names`. @param {Job} job @param {Iterable<string>} names */
export async function checkLocal(job, names) {
  const { blob, nonceOffset, nonceSize } = job;
  const shaped = blob.length === 84 && nonceOffset === 76 && nonceSize === 8 && equal(blob.slice(0, 20), utf8(LOCAL_PREFIX));
  const sites = await Promise.all([...names].map((name) => sha256(utf8(name))));
  if (!shaped || !sites.some((site) => equal(site, blob.slice(36, 68)))) {
    throw nonsense("the job is called local, but its blob is not this site's own.");
  }
}

/** `key`, if it is one for tickets of the job's value. @param {Job} job @param {TicketKey | null} key */
export function checkKey(job, key) {
  if (key && key.value === job.value) return key;
  throw nonsense("the job's key is not in the site's directory with the job's value.");
}

/** `nonce` as it stands in the blob: little-endian hex. @param {Job} job @param {bigint} nonce */
export const nonceHex = (job, nonce) =>
  toHex(Uint8Array.from({ length: job.nonceSize }, (_, i) => Number((nonce >> BigInt(8 * i)) & 255n)));
