// After an interruption: what was sent without an answer is sent again, and what the site says is booked.

import { toHex } from "../bytes.js";
import { KeyMismatch, SiteError, SiteProtocolError } from "../errors.js";
import { isObject, isOk, refusal } from "./answers.js";
import { book, settlePayment } from "./booking.js";
import { scanKey, spentFile, storedSignatures } from "./restore.js";

/** @import { HeldTicket, Output, PendingRequest, TicketKey } from "../types" */
/** @import { SiteRefused } from "../errors.js" */
/** @import { Conversation } from "./conversation.js" */

/**
 * Send every unanswered request again, exactly as it was written down, apart from those of the last `olderThan` seconds.
 *
 * Returns the numbers of requests that went through, were refused, are still open; the value of the tickets that came in; sentences
 * about the open ones; and for which resources ("GET /path?query") a payment was answered just now, so that their passes are here.
 * Throws KeyMismatch and WalletError.
 * @param {Conversation} talk
 */
export async function recover(talk, { olderThan = 0 } = {}) {
  const outcome = { settled: 0, released: 0, pending: 0, value: 0, problems: /** @type {string[]} */ ([]), paid: /** @type {string[]} */ ([]) };
  const latest = talk.wallet.now() - olderThan;
  for (const request of await talk.wallet.unanswered()) {
    if (request.created > latest) continue;
    try {
      const { filed, answered } = await repeat(talk, request);
      if (filed) {
        outcome.settled++;
        outcome.value += filed.reduce((sum, ticket) => sum + ticket.value, 0);
        if (answered && request.kind === "payment" && request.resource) outcome.paid.push(request.resource);
      } else outcome.released++;
    } catch (error) {
      if (!(error instanceof SiteError) || error instanceof KeyMismatch) throw error;
      outcome.pending++;
      outcome.problems.push(error.message);
    }
  }
  return outcome;
}

/**
 * Send `request` again and book the outcome: the tickets it brought, null when it was refused, and whether the site's own answer
 * said so. Throws SiteError when the outcome is still unknown; the request stays open.
 * @param {Conversation} talk @param {PendingRequest} request
 */
async function repeat(talk, request) {
  const reply = await talk.post(request.path, request.body);
  if (isOk(reply)) return { filed: await book(talk, request, reply), answered: true };
  const refused = refusal(reply);
  if (refused.cause === "already-delivered" && isObject(refused.body.receipt)) {
    return { filed: await settlePayment(talk, request, refused.body.receipt), answered: false };
  }
  if (!refused.definite) throw refused;
  return { filed: await reconcile(talk, request, refused), answered: false };
}

/**
 * Find out what became of `request`, which the site has `refused`, and book that; the tickets of one that went through, else null.
 *
 * A site forgets its answers after a day, so a refusal alone does not say that nothing happened: `request` went through when all it
 * handed over is on the lists of spent tickets, and all it asked for is signed. Otherwise what is spent or signed is so by another
 * copy of this wallet: the spent tickets are written off, the signed ones taken in, and all else stays as it was.
 *
 * Throws SiteError where that cannot be found out now, and `refused` itself where the site calls tickets spent which it does not
 * list; the request stays open.
 * @param {Conversation} talk @param {PendingRequest} request @param {SiteRefused} refused @returns {Promise<HeldTicket[] | null>}
 */
export async function reconcile(talk, request, refused) {
  const { inputs, outputs } = request;
  // The lists first: a site spends and signs in one step, so what is spent there was signed before we ask for it.
  const spent = await spentInputs(talk, inputs);
  if (refused.cause === "ticket-spent" && inputs.length && !spent.size) throw refused;
  const signatures = await signed(talk, outputs);
  const made = signatures.flatMap((signature) => signature ?? []);
  if (inputs.length + outputs.length && spent.size === inputs.length && made.length === outputs.length) {
    return settle(talk, request, made);
  }
  const ahead = outputs.filter((_, i) => signatures[i]);
  await talk.wallet.release(request, refused.cause, { spent, signed: ahead.map((output) => toHex(output.blindedMessage)) });
  for (const [key, group] of byKey(ahead, (output) => output.key)) {
    await scanKey(talk, key, { start: Math.min(...group.map((output) => output.counter)) });
  }
  return null;
}

/** Book `request` as gone through; of its tickets, those that another copy of this wallet has spent are so marked. @param {Conversation} talk @param {PendingRequest} request @param {Uint8Array[]} signatures */
async function settle(talk, request, signatures) {
  const nonces = request.outputs.map((output) => toHex(output.nonce));
  const lists = [];
  for (const [key, group] of byKey(request.outputs, (output) => output.key)) {
    const listed = await (await spentFile(talk, key))(group.map((output) => toHex(output.nonce)));
    lists.push({ key, listed });
  }
  await talk.wallet.settle(request, signatures);
  for (const { key, listed } of lists) await talk.wallet.markSpent(key, (nonce) => listed.has(nonce));
  return (await talk.wallet.tickets()).filter(({ nonce, state }) => state === "available" && nonces.includes(nonce));
}

/** The stored signature of each of `outputs`, null where the site has not signed it. @param {Conversation} talk @param {Output[]} outputs */
async function signed(talk, outputs) {
  const most = (await talk.service()).limits.restore;
  /** @type {Map<Output, Uint8Array | null>} */
  const found = new Map();
  for (const [key, group] of byKey(outputs, (output) => output.key)) {
    for (let start = 0; start < group.length; start += most) {
      const batch = group.slice(start, start + most);
      const signatures = await storedSignatures(talk, key, batch.map((output) => output.blindedMessage));
      batch.forEach((output, i) => found.set(output, signatures[i]));
    }
  }
  return outputs.map((output) => found.get(output) ?? null);
}

/** The nonces of those of `tickets` that the site lists as spent. @param {Conversation} talk @param {HeldTicket[]} tickets */
async function spentInputs(talk, tickets) {
  /** @type {Set<string>} */
  const spent = new Set();
  for (const keyId of new Set(tickets.map((ticket) => ticket.keyId))) {
    const key = await talk.key(keyId);
    if (!key) throw new SiteProtocolError("The site no longer knows the key of tickets that are to be checked. Try again later.");
    const nonces = tickets.filter((ticket) => ticket.keyId === keyId).map((ticket) => ticket.nonce);
    for (const nonce of await (await spentFile(talk, key))(nonces)) spent.add(nonce);
  }
  return spent;
}

/** `items` by the key of each. @template T @param {T[]} items @param {(item: T) => TicketKey} keyOf @returns {Iterable<[TicketKey, T[]]>} */
function byKey(items, keyOf) {
  /** @type {Map<string, [TicketKey, T[]]>} */
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key.keyId) ?? [key, []];
    group[1].push(item);
    groups.set(key.keyId, group);
  }
  return groups.values();
}
