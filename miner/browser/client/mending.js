// What stands in the way of a payment, and what can be done about it. Contracts: ./types.d.ts.

import { AlreadyDelivered, ForeignRequest, NotEnoughTickets, PaymentFailed, SiteProtocolError } from "../errors.js";
import { isObject, loaded } from "./answers.js";
import { settleChange } from "./booking.js";
import { reconcile, recover } from "./recovery.js";

/** @import { Mending } from "./types" */

/** Times a payment is repeated while the site is busy with it, and the longest wait between two, in seconds. */
const MAX_WAITS = 5;
const LONGEST_WAIT = 30;
/** Seconds after which an open payment is taken up again when its tickets are needed: the site's lease. */
const STALE = 120;
/** Refusals that a fresh challenge, fresh keys or other tickets mend. Nothing was spent. */
const MENDED = [
  "challenge-expired",
  "challenge-altered",
  "price-changed",
  "key-not-signing",
  "output-already-signed",
  "payment-released",
  "ticket-spent",
  "unknown-key",
];

/** @type {Mending["cure"]} */
export async function cure(talk, error, tried) {
  const short = error instanceof NotEnoughTickets;
  const name = short ? error.code : "keys";
  if (!(short || error instanceof ForeignRequest || error instanceof SiteProtocolError) || tried.has(name)) throw error;
  tried.add(name);
  if (!short) await talk.keys({ refresh: true });
  else if (name === "too-many-tickets") await (await loaded(import("./exchange.js"))).join(talk);
  else if ((await talk.wallet.unanswered()).some(({ kind }) => kind === "payment"))
    await recover(talk, { olderThan: STALE });
  else throw error;
}

/** @type {Mending["mend"]} */
export async function mend(talk, request, refused, waits) {
  const { cause, detail } = refused;
  if (cause === "already-delivered" && isObject(refused.body.receipt)) {
    await settleChange(talk, request, refused.body.receipt);
    throw delivered(cause);
  }
  if (!refused.definite) {
    if (waits === MAX_WAITS || refused.status < 400) throw refused;
    await new Promise((resolve) => setTimeout(resolve, 1000 * Math.min(refused.retryAfter || 1, LONGEST_WAIT)));
    return false;
  }
  const kept = await reconcile(talk, request, refused).catch((error) => {
    if (error !== refused) throw error;
    return null; // it calls tickets spent that it does not list: they stay in this request, others may do
  });
  // Whatever the site says, this payment has been taken.
  if (kept) throw delivered(cause);
  if (cause === "key-not-signing" || cause === "unknown-key") await talk.keys({ refresh: true });
  if (MENDED.includes(cause)) return true;
  const offered = new Set(request.inputs.map((ticket) => ticket.nonce));
  const values = { spent: 0, pending: 0, detail };
  for (const { nonce, state, value } of await talk.wallet.tickets()) {
    if (offered.has(nonce) && (state === "spent" || state === "pending")) values[state] += value;
  }
  const { spent, pending } = values;
  const kinds = `Of the tickets offered, ${spent} are spent, and ${pending} kept back until the site decides.`;
  const left = spent || pending ? kinds : "The tickets are still yours.";
  throw new PaymentFailed(`The site did not take the payment (${cause}): ${detail} ${left}`, { cause, values });
}

/** What is thrown where paying again would be paying twice. @param {string} cause */
const delivered = (cause) =>
  new AlreadyDelivered(
    "This was paid, here or with a copy of this wallet, and the change is here. To get it once more, pay again.",
    { cause },
  );
