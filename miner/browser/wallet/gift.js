// Tickets as text, to give away: `ticketminer-tickets-1.<base64url JSON>`, the same as miner/wallet/transfer.py.

import { fromBase64url, fromUtf8, toBase64url, toHex, utf8 } from "../bytes.js";
import { CodecError, WalletError } from "../errors.js";
import { decodeToken } from "../tokens/structures.js";

export const PREFIX = "ticketminer-tickets-1.";
const MAX_TICKETS = 1000;

/** @param {string} origin of the site @param {Uint8Array[]} tokens 354 bytes each */
export const encodeTickets = (origin, tokens) =>
  PREFIX + toBase64url(utf8(JSON.stringify({ origin, tickets: tokens.map(toBase64url) })));

/**
 * The origin and the tokens (354 bytes each, all different) in `text`; white space from copying does not matter.
 * Throws WalletError: not-a-gift, damaged-gift, repeated-ticket. Nothing here tells whether the tickets are genuine.
 * @param {string} text @returns {{origin: string, tokens: Uint8Array[]}}
 */
export function decodeTickets(text) {
  const compact = text.replace(/\s+/g, "");
  if (!compact.startsWith(PREFIX)) {
    const message = `This is not a gift of tickets: one begins with ${PREFIX} and has to be copied whole.`;
    throw new WalletError(message, { code: "not-a-gift" });
  }
  let gift;
  try {
    gift = read(compact.slice(PREFIX.length));
  } catch (error) {
    const why = error instanceof CodecError ? error.message : "It is not what a wallet wrote.";
    const message = `The tickets in this text cannot be read (${why}) Ask for it again, and copy all of it.`;
    throw new WalletError(message, { code: "damaged-gift", cause: error });
  }
  const names = gift.tokens.map(decodeToken).map(({ keyId, nonce }) => toHex(keyId) + toHex(nonce));
  if (new Set(names).size !== names.length) {
    const message = "The text holds one ticket twice, so it is worth less than it says. It was not taken.";
    throw new WalletError(message, { code: "repeated-ticket" });
  }
  return gift;
}

/** @param {string} encoded */
function read(encoded) {
  const { origin, tickets } = JSON.parse(fromUtf8(fromBase64url(encoded, undefined, "The text")));
  if (typeof origin !== "string" || !Array.isArray(tickets) || !tickets.length || tickets.length > MAX_TICKETS) {
    throw new CodecError("missing-member", "It names no site or no tickets.");
  }
  // Browsers would also read an address whose slashes are missing.
  if (!/^https?:\/\//i.test(origin)) throw new CodecError("bad-origin", "It names no web address.");
  const tokens = tickets.map((ticket) => fromBase64url(ticket, undefined, "A ticket"));
  tokens.forEach(decodeToken);
  return { origin: new URL(origin).origin, tokens };
}
