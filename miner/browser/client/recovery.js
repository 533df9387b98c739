// After an interruption: what was sent without an answer is sent again, and what the site says is booked.
// Contracts: ./types.d.ts.

import { toHex } from "../bytes.js";
import { KeyMismatch, SiteError } from "../errors.js";
import { isObject, isOk, nonsense, read, refusal } from "./answers.js";
import { settleChange, settleShare } from "./booking.js";
import { scanKey, spentFile, storedSignatures } from "./restore.js";

/** @import { HeldTicket, Output, PendingRequest, TicketKey } from "../types" */
/** @import { Recovered, Recovery, Talk } from "./types" */

/** @type {Recovery["recover"]} */
export async function recover(talk, { olderThan = 0 } = {}) {
  /** @type {Recovered} */
  const outcome = { settled: 0, released: 0, pending: 0, value: 0, problems: [], paid: [] };
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
 * Send `request` again and book the outcome: the tickets it brought, null when it was refused, and whether the
 * site's own answer said so. Throws SiteError when the outcome is still unknown; the request stays open.
 * @param {Talk} talk @param {PendingRequest} request
 */
async function repeat(talk, request) {
  const reply = await talk.post(request.path, request.body);
  if (isOk(reply)) {
    const members = read(reply, "The answer");
    const filed = await (request.kind === "submit" ? settleShare : settleChange)(talk, request, members);
    return { filed: members.accepted === false ? null : filed, answered: true };
  }
  const refused = refusal(reply);
  if (refused.cause === "already-delivered" && isObject(refused.body.receipt)) {
    return { filed: await settleChange(talk, request, refused.body.receipt), answered: false };
  }
  if (!refused.definite) throw refused;
  return { filed: await reconcile(talk, request, refused), answered: false };
}

/** @type {Recovery["reconcile"]} */
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
  await talk.wallet.release(request, refused.cause, {
    spent,
    signed: ahead.map((output) => toHex(output.blindedMessage)),
  });
  for (const [key, group] of byKey(ahead, (output) => output.key)) {
    await scanKey(talk, key, { start: Math.min(...group.map((output) => output.counter)) });
  }
  return null;
}

/**
 * Book `request` as gone through; those of its tickets that another copy of this wallet has spent are marked so.
 * @param {Talk} talk @param {PendingRequest} request @param {Uint8Array[]} signatures
 */
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

/** The stored signature of each of `outputs`, null where there is none. @param {Talk} talk @param {Output[]} outputs */
async function signed(talk, outputs) {
  const most = (await talk.service()).limits.restore;
  /** @type {Map<Output, Uint8Array | null>} */
  const found = new Map();
  for (const [key, group] of byKey(outputs, (output) => output.key)) {
    for (let start = 0; start < group.length; start += most) {
      const batch = group.slice(start, start + most);
      const signatures = await storedSignatures(
        talk,
        key,
        batch.map((output) => output.blindedMessage),
      );
      batch.forEach((output, i) => found.set(output, signatures[i]));
    }
  }
  return outputs.map((output) => found.get(output) ?? null);
}

/** The nonces of those of `tickets` that the site lists as spent. @param {Talk} talk @param {HeldTicket[]} tickets */
async function spentInputs(talk, tickets) {
  /** @type {Set<string>} */
  const spent = new Set();
  for (const keyId of new Set(tickets.map((ticket) => ticket.keyId))) {
    const key = await talk.key(keyId);
    if (!key) throw nonsense("it no longer knows the key of tickets that are to be checked.");
    const nonces = tickets.filter((ticket) => ticket.keyId === keyId).map((ticket) => ticket.nonce);
    for (const nonce of await (await spentFile(talk, key))(nonces)) spent.add(nonce);
  }
  return spent;
}

/**
 * `items` by the key of each.
 * @template T @param {T[]} items @param {(item: T) => TicketKey} keyOf @returns {Iterable<[TicketKey, T[]]>}
 */
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
