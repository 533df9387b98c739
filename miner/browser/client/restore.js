// Tickets from words: asking the site which numbered outputs it has signed, and the file of spent nonces.
// Contracts: ./types.d.ts.

import { fromBase64url, fromHex, toHex } from "../bytes.js";
import { sha256 } from "../tokens/hashes.js";
import { SCAN_GAP, complete, derive } from "../wallet/requests.js";
import { fields, mediaType, nonsense, isOk, read, refusal } from "./answers.js";
import { encode } from "./conversation.js";

/** @import { Output, TicketKey } from "../types" */
/** @import { Restoring, Talk } from "./types" */

/** Counters left free above the last one found: more would leave a gap at which the next restore stops. */
const RESUME_GAP = SCAN_GAP / 2;
const ENTRY = 8;
const MAX_SPENT_FILE = 64 * 1024 * 1024;
/** Milliseconds of work after which messages, such as one to stop, are let in. */
const SLICE = 16;

/** @type {Restoring["restore"]} */
export async function restore(talk, progress, signal) {
  const total = { value: 0, tickets: 0, spent: 0 };
  const keys = (await talk.keys({ refresh: true })).filter((key) => key.redeemUntil > talk.now());
  for (const [index, key] of keys.entries()) {
    progress?.(key, index, keys.length);
    const { added, gone } = await scanKey(talk, key, { signal });
    total.value += added * key.value;
    total.tickets += added;
    total.spent += gone;
  }
  return total;
}

/** @type {Restoring["scanKey"]} */
export async function scanKey(talk, key, { start = 0, signal } = {}) {
  const { wallet } = talk;
  const total = { added: 0, gone: 0 };
  for (const seed of await wallet.seeds()) {
    const { found, last } = await scan(talk, key, seed, start, signal);
    const held = (await wallet.tickets()).filter(
      (ticket) => ticket.keyId === key.keyId && ticket.state === "available",
    );
    const nonces = [
      ...held.map((ticket) => ticket.nonce),
      ...[...found.values()].map((token) => toHex(token.slice(2, 34))),
    ];
    const spent = nonces.length ? await (await spentFile(talk, key))(nonces) : new Set();
    /** @param {string} nonce */
    const isSpent = (nonce) => spent.has(nonce);
    if (spent.size) await wallet.markSpent(key, isSpent);
    const { added, gone } = await wallet.fileRestored(seed, key, found, last + 1 + RESUME_GAP, isSpent);
    total.added += added;
    total.gone += gone;
  }
  return total;
}

/** @type {Restoring["spentFile"]} */
export async function spentFile(talk, key) {
  const { links } = await talk.service();
  const reply = await talk.call(links.spent.replace("{key_id}", key.keyId), { limit: MAX_SPENT_FILE });
  if (!isOk(reply)) throw refusal(reply);
  const { body } = reply;
  if (mediaType(reply) !== "application/octet-stream" || body.length % ENTRY) {
    throw nonsense("the file of spent tickets is not a list of 8-byte entries.");
  }
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  /** Sorted, so halved until found. @param {bigint} wanted */
  const has = (wanted) => {
    let [low, high] = [0, body.length / ENTRY];
    while (low < high) {
      const middle = (low + high) >> 1;
      const entry = view.getBigUint64(middle * ENTRY);
      if (entry === wanted) return true;
      if (entry < wanted) low = middle + 1;
      else high = middle;
    }
    return false;
  };
  return async (nonces) => {
    const hashes = await Promise.all(nonces.map((nonce) => sha256(fromHex(nonce))));
    return new Set(nonces.filter((_, i) => has(new DataView(hashes[i].buffer, hashes[i].byteOffset).getBigUint64(0))));
  };
}

/** @type {Restoring["storedSignatures"]} */
export async function storedSignatures(talk, key, blinded) {
  const { links } = await talk.service();
  const hashes = await Promise.all(blinded.map(async (message) => toHex(await sha256(message))));
  const reply = await talk.post(links.restore, encode({ key_id: key.keyId, hashes }));
  const signatures = fields(read(reply, "The answer to a restore"), "restore").items("signatures", blinded.length);
  if (signatures.length !== blinded.length)
    throw nonsense(`${blinded.length} outputs were asked for and ${signatures.length} answered.`);
  return signatures.map((item) => (item === null ? null : fromBase64url(item, 256, "signatures")));
}

/**
 * The tickets found, by counter, and the highest counter found (`start` - 1 if none).
 * @param {Talk} talk @param {TicketKey} key @param {Uint8Array} seed @param {number} start
 * @param {AbortSignal} [signal]
 */
async function scan(talk, key, seed, start, signal) {
  const batch = Math.min(SCAN_GAP, (await talk.service()).limits.restore);
  /** @type {Map<number, Uint8Array>} */
  const found = new Map();
  let last = start - 1;
  let since = performance.now();
  const breathe = async () => {
    if (performance.now() - since >= SLICE) {
      await new Promise((resolve) => setTimeout(resolve));
      since = performance.now();
    }
    signal?.throwIfAborted();
  };
  for (let position = start; position <= last + SCAN_GAP;) {
    // Never more than the misses that are left, so that nothing is probed that need not be.
    const end = Math.min(position + batch, last + SCAN_GAP + 1);
    /** @type {Output[]} */
    const outputs = [];
    for (; position < end; position++) {
      await breathe();
      outputs.push(await derive(seed, key, position));
    }
    const signatures = await storedSignatures(
      talk,
      key,
      outputs.map((output) => output.blindedMessage),
    );
    for (const [i, output] of outputs.entries()) {
      const signature = signatures[i];
      if (!signature) continue;
      await breathe();
      found.set(output.counter, await complete(output, signature));
      last = output.counter;
    }
  }
  return { found, last };
}
