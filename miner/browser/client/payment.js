// Paying for what the site asks tickets for. Contracts: ./types.d.ts.

import { toBase64url } from "../bytes.js";
import { ForeignRequest, NotEnoughTickets, PaymentFailed } from "../errors.js";
import { choose } from "../wallet/selection.js";
import { isOk, loaded, nonsense, printable, read, refusal } from "./answers.js";
import { receiptIn, settleChange } from "./booking.js";
import { findChallenge } from "./challenge.js";
import { encode } from "./conversation.js";

/** @import { Draft, PendingRequest } from "../types" */
/** @import { Challenge, Payments, Talk } from "./types" */

const MAX_TRIES = 3;
const NO_BODY = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
const mending = () => loaded(import("./mending.js"));

/** Path and query of a link on this site, empty for any other. @param {Talk} talk @param {unknown} link */
function pathOf({ origin }, link) {
  const url = /^\/(?![/\\])[^\s\p{Cc}]*$/u.test(`${link}`) && new URL(`${link}`, origin);
  return url && url.pathname[1] !== "/" ? url.pathname + url.search : ""; // "/.//x" is the path "//x", and that a host
}

/** The same of what is to be paid. @param {Talk} talk @param {string} resource */
function pageOf(talk, resource) {
  const path = pathOf(talk, resource);
  if (path) return path;
  throw new ForeignRequest("That is no page of this site, and tickets never leave the site that they belong to.");
}

/** @type {Payments["findPrice"]} */
export async function findPrice(talk, resource) {
  const [last] = await talk.wallet.history(1);
  const reply = await talk.call(pageOf(talk, resource), { method: "HEAD" });
  if (reply.status < 400) return null;
  const challenge = reply.status === 402 ? findChallenge(reply.headers.get("www-authenticate") ?? "") : null;
  if (challenge) return { ...challenge, after: last?.id ?? 0 };
  throw refusal(reply);
}

/** @type {Payments["pay"]} */
export async function pay(talk, challenge, resource, most, label = "paid") {
  const location = pageOf(talk, resource);
  const named = `GET ${location}`;
  /** @type {Set<number>} those that the site has refused */
  const refused = new Set();
  let request = await openFor(talk, named, refused);
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    if (!request) {
      if (challenge?.expires && challenge.expires <= talk.now()) challenge = await findPrice(talk, location);
      if (!challenge) return { location, amount: 0, change: 0, reference: "" };
      const { amount, redeem: path } = challenge;
      if (amount > most) {
        const message = `This costs ${amount} tickets now, not ${most}. Nothing was paid; agree to the new price.`;
        throw new PaymentFailed(message, { code: "price-changed", values: { amount, most } });
      }
      const draft = { kind: "payment", path, amount, resource: named, label };
      const begun = await begin(talk, challenge, /** @type {Draft} */ (draft), refused);
      if (!("inputs" in begun)) return { location, amount: begun.amount, change: 0, reference: `${begun.reference}` };
      request = begun;
    }
    const members = await redeem(talk, request);
    if (members) {
      const change = request.outputs.reduce((sum, { key }) => sum + key.value, 0);
      const reference = printable(receiptIn(members).reference);
      return { location: pathOf(talk, members.location) || location, amount: request.amount, change, reference };
    }
    refused.add(request.id);
    request = undefined;
    challenge = await findPrice(talk, location);
  }
  throw new PaymentFailed("The site asked for payment again and again. Look at the balance, and try again later.");
}

/**
 * The first payment for `named` without an answer.
 * @param {Talk} talk @param {string | null} named @param {Set<number>} but
 */
const openFor = async ({ wallet }, named, but) =>
  (await wallet.unanswered()).find((open) => open.kind === "payment" && open.resource === named && !but.has(open.id));

/**
 * A payment that is written down, or the entry of one that another tab made since the price was asked.
 * @param {Talk} talk @param {Challenge} challenge @param {Draft} draft @param {Set<number>} refused
 */
async function begin(talk, challenge, draft, refused) {
  const { resource } = draft;
  const { after = Infinity } = challenge;
  const paidSince = async () =>
    (await talk.wallet.history()).find(({ id, kind, detail }) => id > after && kind === "paid" && detail === resource);
  let paid;
  try {
    const request = await prepare(talk, challenge, draft);
    const first = (await openFor(talk, resource, refused)) ?? request;
    paid = await paidSince();
    if (!paid && first.id === request.id) return request;
    await talk.wallet.release(request, "unsent");
    if (!paid) return first;
  } catch (error) {
    paid = error instanceof NotEnoughTickets && (await paidSince());
    if (!paid) throw error;
  }
  return paid;
}

/** Write the payment down. @param {Talk} talk @param {Challenge} challenge @param {Draft} draft */
async function prepare(talk, challenge, draft) {
  const { inputs: maxInputs } = (await talk.service()).limits;
  for (const mended = new Set(); ;) {
    try {
      await check(talk, challenge);
      const keys = await talk.current();
      if (!keys.size) throw nonsense("it has no keys for the change. Compare this device's clock.");
      return await talk.wallet.begin(
        draft,
        (available) => {
          const { inputs, change } = choose(available, draft.amount, { maxInputs, denominations: [...keys.keys()] });
          return { inputs, keys: change.flatMap((value) => keys.get(value) ?? []) };
        },
        (inputs, outputs) => encode({ challenge: challenge.echo, payload: payload(inputs, outputs) }),
        { now: talk.now() },
      );
    } catch (error) {
      await (await mending()).cure(talk, error, mended);
    }
  }
}

/** Let `challenge` pass when it is this service's own, and fresh. @param {Talk} talk @param {Challenge} challenge */
async function check(talk, { redeem, service, recipient, expires, digest }) {
  const { links } = await talk.service();
  const known = (await talk.keys()).some(({ issuerName }) => issuerName === recipient);
  if (!known || redeem !== links.redeem || (service ?? talk.servicePath) !== talk.servicePath) {
    throw new ForeignRequest(
      "The site asks for tickets of another site, or wants them elsewhere. Nothing was paid; tell its operator.",
    );
  }
  if ((expires && expires <= talk.now()) || (digest ?? NO_BODY) !== NO_BODY) {
    throw nonsense("the request for payment has expired, or is for something else. Compare this device's clock.");
  }
}

/** The answer to `request`, null: not taken, and another may be. @param {Talk} talk @param {PendingRequest} request */
async function redeem(talk, request) {
  for (let waits = 0; ; waits++) {
    const reply = await talk.post(request.path, request.body);
    if (isOk(reply)) {
      const members = read(reply, "The answer to a payment");
      await settleChange(talk, request, members);
      return members;
    }
    if (await (await mending()).mend(talk, request, refusal(reply), waits)) return null;
  }
}

/** @type {Payments["payload"]} */
export const payload = (inputs, outputs) => ({
  tickets: inputs.map(({ token }) => toBase64url(token)),
  outputs: outputs.map(({ key, blindedMessage }) => ({
    key_id: key.keyId,
    blinded_message: toBase64url(blindedMessage),
  })),
});
