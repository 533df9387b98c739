// What a site's seed becomes: docs/protocol.md, "Secrets of a wallet".

import { concat, fromBigInt, fromHex, toBigInt, toHex, utf8 } from "../bytes.js";
import { hmacSha512, sha256 } from "../tokens/hashes.js";
import { publicKey } from "../tokens/rsabssa.js";

/** @import { TicketKey } from "../types" */

/** Bytes of a site's seed: 24 words. */
export const SEED_SIZE = 32;

/**
 * The secrets of ticket number `counter`: nonce (32 bytes), PSS salt (48 bytes), blinding factor.
 * @param {Uint8Array} seed @param {Pick<TicketKey, "keyId" | "spki">} key @param {number | bigint} counter below 2^64
 */
export async function ticketSecrets(seed, { keyId, spki }, counter) {
  const context = concat(utf8("ticketminer secret v1"), fromHex(keyId, 32), fromBigInt(BigInt(counter), 8));
  const blocks = [[1, 0], [2, 0], [3, 0], [3, 1], [3, 2], [3, 3], [3, 4]];
  const made = blocks.map((block) => hmacSha512(seed, concat(context, Uint8Array.from(block))));
  const [nonce, salt, ...wide] = await Promise.all(made);
  return { nonce: nonce.slice(0, 32), salt: salt.slice(0, 48), r: toBigInt(concat(...wide)) % publicKey(spki).n };
}

/** 16 hex digits that name a seed without giving it away. @param {Uint8Array} seed */
export const seedId = async (seed) =>
  toHex(await sha256(concat(utf8("ticketminer seed id v1"), seed))).slice(0, 16);
