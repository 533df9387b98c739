// Paying for what the site asks tickets for: send what was written down, wait, mend, and pay again.

import { toBase64url } from "../bytes.js";
import { AlreadyDelivered, ForeignRequest, NotEnoughTickets, PaymentFailed, SiteProtocolError } from "../errors.js";
import { choose } from "../wallet/selection.js";
import { isObject, isOk, nonsense, read, refusal } from "./answers.js";
import { referenceIn, settlePayment } from "./booking.js";
import { findChallenge } from "./challenge.js";
import { encode } from "./conversation.js";

/** @import { HeldTicket, Output, PendingRequest } from "../types" */
/** @import { SiteRefused } from "../errors.js" */
/** @import { Challenge } from "./challenge.js" */
/** @import { Conversation } from "./conversation.js" */

/** Times a payment is repeated while the site is busy with it, and the longest wait between two, in seconds. */
const MAX_WAITS = 5;
const LONGEST_WAIT = 30;
/** Seconds after which an unanswered payment is taken up again when its tickets are needed: the site's lease. */
const STALE = 120;
const NO_BODY = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
// Refusals that a fresh challenge, fresh keys or other tickets mend. Nothing was spent.
const MENDED = ["challenge-expired", "challenge-altered", "price-changed", "key-not-signing", "output-already-signed",
  "payment-released", "ticket-spent", "unknown-key"];
const DELIVERED = "This was paid, here or with another copy of this wallet, and has been delivered once; the change is in the " +
  "wallet. To get it again, pay again.";

/** Path and query of `resource`, a link on this site; throws ForeignRequest. @param {Conversation} talk @param {string} resource */
export function pathOf(talk, resource) {
  const url = URL.canParse(resource, talk.origin) && new URL(resource, talk.origin);
  if (url && url.origin === talk.origin && resource.startsWith("/")) return url.pathname + url.search;
  throw new ForeignRequest("That is not a page of this site; tickets never leave the site they belong to.");
}

/**
 * What `resource` (path and query) asks for; null when it asks for nothing. Asked by HEAD, which uses up no pass for one use.
 * @param {Conversation} talk @param {string} resource
 */
export async function findPrice(talk, resource) {
  const reply = await talk.send(pathOf(talk, resource), { method: "HEAD", accept: "application/json" });
  if (reply.status < 400) return null;
  const challenge = reply.status === 402 ? findChallenge(reply.headers.get("www-authenticate") ?? "") : null;
  if (challenge) return challenge;
  throw refusal(reply);
}

/**
 * Pay `challenge`, which `resource` has asked for, with at most `most` tickets. A payment for it that has no answer yet is repeated
 * instead. Throws PaymentFailed (`price-changed` when it costs more), NotEnoughTickets, SiteError: an unknown outcome stays open.
 * @param {Conversation} talk @param {Challenge | null} challenge @param {string} resource @param {number} most @param {string} [label]
 * @returns {Promise<{location: string, amount: number, change: number, reference: string}>}
 */
export async function pay(talk, challenge, resource, most, label = "paid") {
  resource = pathOf(talk, resource);
  const name = `GET ${resource}`;
  /** @type {PendingRequest | undefined} */
  let request = (await talk.wallet.unanswered()).find((open) => open.kind === "payment" && open.resource === name);
  for (let attempt = 0; attempt < 3; attempt++) {
    if (!request) {
      if (challenge?.expires && challenge.expires <= talk.now()) challenge = await findPrice(talk, resource);
      if (!challenge) return { location: resource, amount: 0, change: 0, reference: "" };
      const { amount } = challenge;
      if (amount > most) {
        const message = `This costs ${amount} tickets now, more than the ${most} that were agreed. Nothing was paid; agree to the new price.`;
        throw new PaymentFailed(message, { code: "price-changed", values: { amount, most } });
      }
      request = await prepare(talk, challenge, name, label);
    }
    const paid = await redeem(talk, request);
    if (paid) return { ...paid, location: locationIn(talk, paid.location) ?? resource };
    request = undefined;
    challenge = await findPrice(talk, resource);
  }
  throw new PaymentFailed("The site asked for payment again and again. Your tickets are still yours; try again later.");
}

/** Choose tickets for `challenge` and write the payment down. @param {Conversation} talk @param {Challenge} challenge @param {string} resource @param {string} label */
async function prepare(talk, challenge, resource, label) {
  const { wallet } = talk;
  const { amount } = challenge;
  const { limits } = await talk.service();
  await talk.keys();
  for (const mended = new Set(); ; ) {
    try {
      await check(talk, challenge);
      const keys = await talk.current();
      if (!keys.size) throw new SiteProtocolError("The site has no current keys for the change. Compare this device's clock, and try again later.");
      /** @param {HeldTicket[]} available */
      const plan = (available) => {
        const { inputs, change } = choose(available, amount, { maxInputs: limits.inputs, denominations: [...keys.keys()] });
        return { inputs, keys: change.flatMap((value) => keys.get(value) ?? []) };
      };
      /** @param {HeldTicket[]} inputs @param {Output[]} outputs */
      const compose = (inputs, outputs) => encode({ challenge: challenge.echo, payload: payload(inputs, outputs) });
      const draft = { kind: /** @type {const} */ ("payment"), path: challenge.redeem, amount, resource, label };
      return await wallet.begin(draft, plan, compose, { now: talk.now() });
    } catch (error) {
      const small = error instanceof NotEnoughTickets && error.code === "too-many-tickets";
      const cure = small ? "join" : error instanceof NotEnoughTickets ? "recover" : "keys";
      const curable = error instanceof NotEnoughTickets || error instanceof ForeignRequest || error instanceof SiteProtocolError;
      if (!curable || mended.has(cure)) throw error;
      mended.add(cure);
      if (cure === "join") await (await import("./exchange.js")).join(talk);
      else if (cure === "keys") await talk.keys({ refresh: true });
      else if (!(await wallet.unanswered()).some(({ kind }) => kind === "payment")) throw error;
      else await (await import("./recovery.js")).recover(talk, { olderThan: STALE });
    }
  }
}

/** Let `challenge` pass when it is this very site's, and fresh. @param {Conversation} talk @param {Challenge} challenge */
async function check(talk, challenge) {
  const { links } = await talk.service();
  const names = (await talk.wallet.keys()).map((key) => key.issuerName);
  if (challenge.redeem !== links.redeem || (challenge.service ?? talk.servicePath) !== talk.servicePath) {
    throw new ForeignRequest("The site wants its tickets sent to another place. Nothing was paid; tell the site's operator.");
  }
  if (!names.includes(challenge.recipient)) {
    throw new ForeignRequest("The site asks for tickets of another name than its own. Nothing was paid; tell the site's operator.");
  }
  if (challenge.expires !== null && challenge.expires <= talk.now()) {
    throw new SiteProtocolError("The request for payment has already expired. Check this device's clock, and load the page again.");
  }
  if (challenge.digest !== null && challenge.digest !== NO_BODY) throw nonsense("the request for payment is for another request than was made.");
}

/** Send `request` until it is decided; null when it is settled that it was not taken, and another may be tried. @param {Conversation} talk @param {PendingRequest} request */
async function redeem(talk, request) {
  for (let waits = 0; ; waits++) {
    const reply = await talk.post(request.path, request.body);
    if (isOk(reply)) {
      const members = read(reply, "The answer to a payment");
      await settlePayment(talk, request, members);
      const change = request.outputs.reduce((sum, output) => sum + output.key.value, 0);
      return { location: members.location, amount: request.amount, change, reference: referenceIn(members) };
    }
    const refused = refusal(reply);
    if (refused.cause === "already-delivered" && isObject(refused.body.receipt)) {
      await settlePayment(talk, request, refused.body.receipt);
      throw new AlreadyDelivered(DELIVERED, { cause: refused.cause });
    }
    if (refused.definite) return mend(talk, request, refused);
    if (waits === MAX_WAITS || refused.status < 400) throw refused;
    const seconds = Math.min(refused.retryAfter || 1, LONGEST_WAIT);
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
}

/** Book the refusal of `request`; returns null where paying again may succeed. @param {Conversation} talk @param {PendingRequest} request @param {SiteRefused} refused */
async function mend(talk, request, refused) {
  const { reconcile } = await import("./recovery.js");
  const kept = await reconcile(talk, request, refused).catch((error) => {
    if (error !== refused) throw error;
    return null; // it calls tickets spent that it does not list: they stay in this request, others may do
  });
  // Whatever the site says, this payment has been taken.
  if (kept) throw new AlreadyDelivered(DELIVERED, { cause: refused.cause });
  if (refused.cause === "key-not-signing" || refused.cause === "unknown-key") await talk.keys({ refresh: true });
  if (MENDED.includes(refused.cause)) return null;
  const offered = new Set(request.inputs.map((ticket) => ticket.nonce));
  const values = { spent: 0, pending: 0, detail: refused.detail };
  for (const { nonce, state, value } of await talk.wallet.tickets()) {
    if (offered.has(nonce) && (state === "spent" || state === "pending")) values[state] += value;
  }
  const left = values.spent || values.pending
    ? `Of the tickets offered, those worth ${values.spent} are spent, and ${values.pending} are kept back until the site tells what became of them.`
    : "The tickets are still yours.";
  throw new PaymentFailed(`The site did not take the payment (${refused.cause}): ${refused.detail} ${left}`, { cause: refused.cause, values });
}

/** The payload of a credential. @param {HeldTicket[]} inputs @param {Output[]} outputs */
export const payload = (inputs, outputs) => ({
  tickets: inputs.map((ticket) => toBase64url(ticket.token)),
  outputs: outputs.map((output) => ({ key_id: output.key.keyId, blinded_message: toBase64url(output.blindedMessage) })),
});

/** @param {Conversation} talk @param {unknown} location */
function locationIn(talk, location) {
  try {
    return typeof location === "string" ? pathOf(talk, location) : null;
  } catch {
    return null;
  }
}
