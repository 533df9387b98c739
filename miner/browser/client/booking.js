// Booking what the site answered: signatures become tickets, receipts close payments.

import { fromBase64url } from "../bytes.js";
import { isObject, items, nested, nonsense, printable, read } from "./answers.js";

/** @import { HeldTicket, PendingRequest } from "../types" */
/** @import { Members, Reply } from "./answers.js" */
/** @import { Conversation } from "./conversation.js" */

const MAX_AMOUNT = 2 ** 31 - 1;

/**
 * Book the 2xx `reply` to `request`, of whatever kind, and return the tickets that it brought. Throws SiteProtocolError where it
 * is no answer; the request then stays open.
 * @param {Conversation} talk @param {PendingRequest} request @param {Reply} reply @returns {Promise<HeldTicket[]>}
 */
export function book(talk, request, reply) {
  const members = read(reply, "The answer");
  if (request.kind === "submit") return settleShare(talk, request, members);
  return request.kind === "payment" ? settlePayment(talk, request, members) : settleChange(talk, request, members);
}

/** @param {Conversation} talk @param {PendingRequest} request @param {Members} members @returns {Promise<HeldTicket[]>} */
export async function settleShare(talk, request, members) {
  if (typeof members.accepted !== "boolean") throw nonsense("submit.accepted is not true or false.");
  if (!members.accepted) {
    await talk.wallet.release(request, "not-accepted");
    return [];
  }
  const response = members.token_response;
  if (!request.outputs.length && response != null) throw nonsense("a donated share was answered with a ticket.");
  return talk.wallet.settle(request, request.outputs.map(() => fromBase64url(response, 256, "token_response")));
}

/** @param {Conversation} talk @param {PendingRequest} request @param {Members} members @param {string} [reference] */
export async function settleChange(talk, request, members, reference) {
  const change = items(members, "change", "answer", 64);
  if (change.length !== request.outputs.length) {
    throw nonsense(`${request.outputs.length} tickets were asked for as change, and ${change.length} came.`);
  }
  return talk.wallet.settle(request, change.map((item) => fromBase64url(item, 256, "change")), { reference });
}

/** File the change of a receipt, in either of its forms, and close `request`. @param {Conversation} talk @param {PendingRequest} request @param {Members} members */
export async function settlePayment(talk, request, members) {
  const receipt = receiptIn(members);
  if (receipt.status !== "success" || receipt.method !== "ticket" || amountOf(receipt) !== request.amount) {
    throw nonsense("the receipt is not for this payment.");
  }
  return settleChange(talk, request, members, referenceIn(members));
}

/** The site's number of a payment. @param {Members} members */
export function referenceIn(members) {
  const { reference } = receiptIn(members);
  return typeof reference === "string" ? printable(reference) : "";
}

/** The amount in `members`, 0 to 2^31-1; throws SiteProtocolError. @param {Members} members */
export function amountOf({ amount }) {
  if (typeof amount === "string" && /^(?:0|[1-9]\d{0,9})$/.test(amount) && +amount <= MAX_AMOUNT) return +amount;
  throw nonsense("an amount is not a whole number of tickets.");
}

/** @param {Members} members */
const receiptIn = (members) => (isObject(members.receipt) ? members.receipt : "receipt" in members ? nested(members, "receipt", "answer") : members);
