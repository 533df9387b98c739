// Swapping tickets with the site that made them: split, join, renew, reissue, give away, and take over a gift.
// Contracts: ./types.d.ts.

import { toHex } from "../bytes.js";
import { ForeignRequest, SiteRefused, TicketsTaken, WalletError } from "../errors.js";
import { publicKey, verify } from "../tokens/rsabssa.js";
import { challengeDigest, decodeToken, tokenInput } from "../tokens/structures.js";
import { decodeTickets, encodeTickets } from "../wallet/gift.js";
import { seedId } from "../wallet/seed.js";
import { choose, make } from "../wallet/selection.js";
import { isOk, nonsense, read, refusal } from "./answers.js";
import { settleChange } from "./booking.js";
import { encode } from "./conversation.js";
import { payload } from "./payment.js";
import { reconcile } from "./recovery.js";

/** @import { HeldTicket, TicketKey } from "../types" */
/** @import { Exchanges, Talk } from "./types" */

/** Seconds before its end from which on a ticket is exchanged for a new one. */
const RENEW_WITHIN = 7 * 86_400;
/** Tickets of one exchange; their value never needs more outputs than that. */
const CHUNK = 32;
/** Times tickets are chosen when others are faster: another tab, or a copy of this wallet. */
const CHOICES = 3;

/** @type {Exchanges["exchange"]} */
export async function exchange(talk, tickets, values, { label = "exchanged", adopt = false } = {}) {
  if (total(tickets) !== values.reduce((sum, value) => sum + value, 0))
    throw new RangeError("An exchange keeps the value.");
  const { limits, links } = await talk.service();
  if (tickets.length > limits.inputs || values.length > Math.min(limits.outputs, Math.max(16, tickets.length))) {
    throw new WalletError("That is too much for one exchange; swap fewer tickets at a time.");
  }
  for (let attempt = 1; ; attempt++) {
    const keys = await issuing(
      talk,
      [...values].sort((a, b) => a - b),
    );
    const request = await talk.wallet.begin(
      { kind: "exchange", path: links.redeem, amount: 0, resource: null, label },
      () => ({ inputs: tickets, keys }),
      (inputs, outputs) => encode({ payload: payload(inputs, outputs) }),
      { adopt, now: talk.now() },
    );
    const reply = await talk.post(request.path, request.body);
    if (isOk(reply)) return settleChange(talk, request, read(reply, "The answer to an exchange"));
    const refused = refusal(reply);
    if (!refused.definite) throw refused;
    const filed = await reconcile(talk, request, refused);
    if (filed) return filed;
    if (refused.cause === "ticket-spent" && !adopt) {
      const message =
        "Another copy of this wallet has spent some of these tickets; they are marked so. Look at the balance first.";
      throw new TicketsTaken(message, { cause: refused });
    }
    if (attempt === 3 || !["output-already-signed", "key-not-signing"].includes(refused.cause)) throw refused;
    await talk.keys({ refresh: true });
  }
}

/** Let `step` choose again when its tickets are not free any more. @template T @param {() => Promise<T>} step */
async function chosenAgain(step) {
  for (let choice = 1; ; choice++) {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof TicketsTaken) || choice === CHOICES) throw error;
    }
  }
}

/** @type {Exchanges["send"]} */
export async function send(talk, amount) {
  const { denominations, limits } = await talk.service();
  const fewest = make(amount, denominations);
  await chosenAgain(async () => {
    const { inputs, change } = choose(await free(talk), amount);
    // Few large tickets are a short text, which fits into a QR code.
    if (change.length || (inputs.length > fewest.length && inputs.length <= limits.inputs))
      await exchange(talk, inputs, [...fewest, ...make(total(inputs) - amount, denominations)]);
  });
  return encodeTickets(talk.origin, await talk.wallet.give(amount));
}

/** @type {Exchanges["join"]} */
export async function join(talk) {
  const { denominations } = await talk.service();
  const before = (await free(talk)).length;
  const joined = () =>
    chosenAgain(async () => {
      const tickets = await free(talk);
      for (let start = 0; start < tickets.length; start += CHUNK) {
        const chunk = tickets.slice(start, start + CHUNK);
        const values = make(total(chunk), denominations);
        if (values.length >= chunk.length) continue;
        await exchange(talk, chunk, values);
        return true;
      }
      return false;
    });
  while (await joined());
  return before - (await free(talk)).length;
}

/** @type {Exchanges["renew"]} */
export async function renew(talk) {
  await talk.service();
  return swap(talk, "renewed", async () => {
    const current = await talk.current();
    const horizon = talk.now() + RENEW_WITHIN;
    return ({ keyId, value, redeemUntil }) => redeemUntil <= horizon && current.get(value)?.keyId !== keyId;
  });
}

/** @type {Exchanges["reissue"]} */
export async function reissue(talk) {
  const mine = await seedId(await talk.wallet.seed());
  return swap(talk, "exchanged", async () => (ticket) => ticket.seedId !== mine);
}

/**
 * Swap the free tickets that are `chosen`; returns their value.
 * @param {Talk} talk @param {string} label @param {() => Promise<(ticket: HeldTicket) => boolean>} chosen
 */
async function swap(talk, label, chosen) {
  const { denominations } = await talk.service();
  const old = async () => (await free(talk)).filter(await chosen());
  // No ticket twice: what a site hands out could be chosen at once.
  const all = (await old()).map((ticket) => ticket.nonce);
  let swapped = 0;
  for (let start = 0; start < all.length; start += CHUNK) {
    const nonces = all.slice(start, start + CHUNK);
    swapped += await chosenAgain(async () => {
      const tickets = (await old()).filter((ticket) => nonces.includes(ticket.nonce));
      if (tickets.length) await exchange(talk, tickets, make(total(tickets), denominations), { label });
      return total(tickets);
    });
  }
  return swapped;
}

/** @type {Exchanges["receive"]} */
export async function receive(talk, text) {
  const { origin, tokens } = decodeTickets(text);
  if (origin !== talk.origin) {
    throw new ForeignRequest(
      `These are tickets of ${origin}, not of ${talk.origin}. Receive them at the site that they belong to.`,
    );
  }
  const { denominations } = await talk.service();
  // Asking the directory first also shows that the site can be reached, before anything is written down.
  const keys = new Map((await talk.keys({ refresh: true })).map((key) => [key.keyId, key]));
  const held = [];
  for (const token of tokens) held.push(await genuine(talk, token, keys));
  const known = new Set((await talk.wallet.tickets()).filter(taken).map(({ nonce }) => nonce));
  const fresh = held.filter(({ nonce }) => !known.has(nonce));
  if (!fresh.length)
    throw new WalletError("These tickets came into this wallet before; there is nothing more to take.", {
      code: "gift-known",
    });
  fresh.sort((a, b) => a.value - b.value || (a.nonce < b.nonce ? -1 : 1));
  for (let start = 0; start < fresh.length; start += CHUNK) {
    const chunk = fresh.slice(start, start + CHUNK);
    try {
      await exchange(talk, chunk, make(total(chunk), denominations), { label: "received", adopt: true });
    } catch (error) {
      if (!(error instanceof SiteRefused) || error.cause !== "ticket-spent") throw error;
      const message = "The giver has already spent some of these tickets, so they were not taken. Ask for others.";
      throw new WalletError(message, { code: "gift-spent", cause: error });
    }
  }
  return total(fresh);
}

/** The key of new tickets for each of `values`. @param {Talk} talk @param {number[]} values */
async function issuing(talk, values) {
  let current = await talk.current();
  if (!values.every((value) => current.has(value))) {
    await talk.keys({ refresh: true });
    current = await talk.current();
  }
  return values.map((value) => {
    const key = current.get(value);
    if (key) return key;
    throw nonsense(`it has no current key for tickets of value ${value}. Compare this device's clock.`);
  });
}

/** @param {Talk} talk @param {Uint8Array} token @param {Map<string, TicketKey>} keys @returns {Promise<HeldTicket>} */
async function genuine(talk, token, keys) {
  const parts = decodeToken(token);
  const key = keys.get(toHex(parts.keyId));
  if (!key)
    throw new WalletError("A ticket's key is not in the site's directory: it has expired or is of another site.", {
      code: "gift-expired",
    });
  if (key.redeemUntil <= talk.now())
    throw new WalletError("A ticket has expired; it was not taken.", { code: "gift-expired" });
  const message = tokenInput(parts.nonce, await challengeDigest(key.issuerName), parts.keyId);
  if (toHex(message) !== toHex(parts.input) || !(await verify(publicKey(key.spki), message, parts.authenticator))) {
    throw new WalletError("A ticket is not genuine: the site has not signed it. None was taken.", {
      code: "gift-forged",
    });
  }
  const { keyId, value, redeemUntil } = key;
  return {
    keyId,
    nonce: toHex(parts.nonce),
    value,
    redeemUntil,
    state: "available",
    token,
    request: null,
    seedId: null,
  };
}

/** @param {Talk} talk */
async function free(talk) {
  const now = talk.now();
  return (await talk.wallet.tickets()).filter(
    ({ state, redeemUntil }) => (state === "available" || state === "expired") && redeemUntil > now,
  );
}

/** What the wallet has exchanged already, or is about to. @param {HeldTicket} ticket */
const taken = ({ state }) => state === "spent" || state === "pending";

/** @param {{value: number}[]} tickets */
const total = (tickets) => tickets.reduce((sum, ticket) => sum + ticket.value, 0);
