// What can go wrong for a visitor. Messages say what to do. `code`, which chooses the translation, is the name in
// kebab-case without "Error", or one of those in brackets; `values` fill it.
//
// TicketMinerError
//   SiteError
//     SiteUnreachable       no answer; what was sent is kept and repeated
//     SiteRefused           a problem document; `cause` is the site's name for it
//     SiteProtocolError     an answer that makes no sense
//       CodecError          [site-protocol] `cause` is one of miner.tokens.CodecError
//     KeyMismatch           keys that changed, or look like a tag on visitors
//     ForeignRequest        a payment would leave the site
//   WalletError             [not-a-gift, damaged-gift, repeated-ticket]
//     NotEnoughTickets      [too-many-tickets, no-small-tickets]
//     TicketsTaken          not free any more
//     WrongWords            [unknown-word, word-count, words-checksum, master-words]
//     StorageRefused, StorageFull
//   PaymentFailed           `cause` is the site's name for it
//     AlreadyDelivered      paid and delivered once before; the change is in the wallet
//   EngineError
//     NoKernel, OutOfMemory

/** @import { Problem } from "./types" */

export class TicketMinerError extends Error {
  /** @param {string} message @param {{code?: string, values?: Problem["values"], cause?: unknown}} [about] */
  constructor(message, { code, values = {}, cause } = {}) {
    super(message, { cause });
    this.name = new.target.name;
    this.code = code ?? this.name.replace(/Error$/, "").replace(/\B[A-Z]/g, "-$&").toLowerCase();
    this.values = values;
  }
}

export class SiteError extends TicketMinerError {}
export class SiteUnreachable extends SiteError {}
export class SiteProtocolError extends SiteError {}
export class KeyMismatch extends SiteError {}
export class ForeignRequest extends SiteError {}

export class CodecError extends SiteProtocolError {
  /** @param {string} cause @param {string} message */
  constructor(cause, message) {
    super(message, { code: "site-protocol", cause });
  }
}

/** Causes with which a site cannot tell yet what becomes of a request: repeat it. */
const UNDECIDED = /^(in-progress|ticket-in-use|outcome-unknown|(database-)?busy|(mint-)?unavailable)$/;

/** `detail` is the site's sentence; `retryAfter` in seconds; `body` the problem document. */
export class SiteRefused extends SiteError {
  /**
   * @param {number} status @param {string} cause @param {string} detail
   * @param {{retryAfter?: number | null, body?: Record<string, unknown>}} [more]
   */
  constructor(status, cause, detail, { retryAfter = null, body = {} } = {}) {
    super(`The site refused (${cause}): ${detail}`, { values: { detail } });
    this.cause = cause;
    this.status = status;
    this.detail = detail;
    this.retryAfter = retryAfter;
    this.body = body;
  }

  /** Whether the same request again will not be answered otherwise. */
  get definite() {
    const open = this.retryAfter !== null || UNDECIDED.test(this.cause) || [408, 425, 429].includes(this.status);
    return !open && this.status >= 400 && this.status < 500;
  }
}

export class WalletError extends TicketMinerError {}
export class TicketsTaken extends WalletError {}
export class WrongWords extends WalletError {}
export class StorageRefused extends WalletError {}
export class StorageFull extends WalletError {}

/** `needed` and `available` in tickets. */
export class NotEnoughTickets extends WalletError {
  /** @param {string} message @param {number} needed @param {number} available @param {string} [code] */
  constructor(message, needed, available, code) {
    super(message, { code, values: { needed, available, missing: Math.max(0, needed - available) } });
    this.needed = needed;
    this.available = available;
  }
}

export class PaymentFailed extends TicketMinerError {}
export class AlreadyDelivered extends PaymentFailed {}

export class EngineError extends TicketMinerError {}
export class NoKernel extends EngineError {}
export class OutOfMemory extends EngineError {}

/** For a file of the miner that is kept away. @param {unknown} [cause] */
export const blocked = (cause) =>
  new EngineError("The miner was not loaded: check the connection and your blockers, and try again.", {
    code: "engine-blocked", cause,
  });

/** For another thread; what is not ours has code "unexpected". @param {unknown} error @returns {Problem} */
export function toProblem(error) {
  const detail = error instanceof Error ? error.message : String(error);
  if (!(error instanceof TicketMinerError)) return { code: "unexpected", detail };
  const { code, cause, values } = error;
  return typeof cause === "string" ? { code, cause, detail, values } : { code, detail, values };
}
