// Booking what the site answered: signatures become tickets, receipts close payments. Contracts: ./types.d.ts.

import { fromBase64url } from "../bytes.js";
import { fields, nonsense, printable } from "./answers.js";

/** @import { Booking, Members } from "./types" */

/** @type {Booking["settleShare"]} */
export async function settleShare({ wallet }, request, { accepted, token_response: response }) {
  if (accepted === true && (request.outputs.length || response == null)) {
    return wallet.settle(
      request,
      request.outputs.map(() => fromBase64url(response, 256, "token_response")),
    );
  }
  if (accepted !== false)
    throw nonsense("a share was answered with neither yes nor no, or with a ticket that nobody asked for.");
  await wallet.release(request, "not-accepted");
  return [];
}

/** @type {Booking["settleChange"]} */
export function settleChange({ wallet }, request, members) {
  const { status, method, amount, reference } = receiptIn(members);
  const paid = status === "success" && method === "ticket" && parseAmount(amount) === request.amount;
  if (request.kind === "payment" && !paid) throw nonsense("the receipt is not for this payment.");
  const change = fields(members, "answer").items("change", request.outputs.length);
  const signatures = change.map((item) => fromBase64url(item, 256, "change"));
  return wallet.settle(request, signatures, { reference: printable(reference) });
}

/** @type {Booking["parseAmount"]} */
export function parseAmount(text) {
  if (typeof text === "string" && /^(?:0|[1-9]\d{0,9})$/.test(text) && Number(text) < 2 ** 31) return Number(text);
  throw nonsense("an amount is not a whole number of tickets.");
}

/** @type {Booking["receiptIn"]} */
export const receiptIn = (members) =>
  fields(members, "answer").optional("receipt", fields(members, "answer").nested)?.members ?? members;
