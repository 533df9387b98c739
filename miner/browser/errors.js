// What can go wrong for a visitor. Every message says what to do; the codes below choose its translation.
//
//   TicketMinerError
//   ├── SiteError
//   │   ├── SiteUnreachable     site-unreachable: no answer; what was sent is kept and repeated
//   │   ├── SiteRefused         site-refused: a problem document; `cause` is the site's name for it
//   │   ├── SiteProtocolError   site-protocol: an answer that makes no sense
//   │   │   └── CodecError      the same; `cause` as Python's CodecError has it: malformed-base64, wrong-size, …
//   │   ├── KeyMismatch         key-mismatch: keys that changed, or that look like a tag on visitors
//   │   └── ForeignRequest      foreign-request: a payment would leave the site
//   ├── WalletError             wallet, not-a-gift, damaged-gift, repeated-ticket
//   │   ├── NotEnoughTickets    not-enough-tickets, too-many-tickets, no-small-tickets
//   │   ├── TicketsTaken        tickets-taken: not free any more
//   │   ├── WrongWords          unknown-word, word-count, words-checksum, master-words
//   │   ├── StorageRefused      storage-refused
//   │   └── StorageFull         storage-full
//   ├── PaymentFailed           payment-failed: `cause` is the site's name for it
//   │   └── AlreadyDelivered    already-delivered: paid and delivered once before; the change is in the wallet
//   └── EngineError             engine
//       ├── NoKernel            no-kernel
//       └── OutOfMemory         out-of-memory

/** @import { Problem } from "./types" */
/** @typedef {Record<string, string | number>} Values what a translated message names */

export class TicketMinerError extends Error {
  static code = "unexpected";

  /** @param {string} message @param {{code?: string, values?: Values, cause?: unknown}} [about] */
  constructor(message, { code, values = {}, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code ?? new.target.code;
    this.values = values;
  }
}

export class SiteError extends TicketMinerError {}

export class SiteUnreachable extends SiteError {
  static code = "site-unreachable";
}

/** Causes with which a site says that it is busy with a request, or cannot tell what became of it: repeat it. */
const UNDECIDED = ["in-progress", "ticket-in-use", "outcome-unknown", "busy", "database-busy", "mint-unavailable",
  "unavailable"];

/** `detail` is the site's sentence; `retryAfter` in seconds; `body` the whole problem document. */
export class SiteRefused extends SiteError {
  static code = "site-refused";

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

  /** Whether the site has decided: the same request again will not be answered otherwise. */
  get definite() {
    const undecided = this.retryAfter !== null || UNDECIDED.includes(this.cause) || [408, 425, 429].includes(this.status);
    return !undecided && this.status >= 400 && this.status < 500;
  }
}

export class SiteProtocolError extends SiteError {
  static code = "site-protocol";
}

export class CodecError extends SiteProtocolError {
  /** @param {string} cause @param {string} message */
  constructor(cause, message) {
    super(message, { cause });
  }
}

export class KeyMismatch extends SiteError {
  static code = "key-mismatch";
}

export class ForeignRequest extends SiteError {
  static code = "foreign-request";
}

export class WalletError extends TicketMinerError {
  static code = "wallet";
}

/** `needed` and `available` in tickets. */
export class NotEnoughTickets extends WalletError {
  static code = "not-enough-tickets";

  /** @param {string} message @param {number} needed @param {number} available @param {string} [code] */
  constructor(message, needed, available, code) {
    super(message, { code, values: { needed, available, missing: Math.max(0, needed - available) } });
    this.needed = needed;
    this.available = available;
  }
}

export class TicketsTaken extends WalletError {
  static code = "tickets-taken";
}

export class WrongWords extends WalletError {
  static code = "wrong-words";
}

export class StorageRefused extends WalletError {
  static code = "storage-refused";
}

export class StorageFull extends WalletError {
  static code = "storage-full";
}

export class PaymentFailed extends TicketMinerError {
  static code = "payment-failed";
}

export class AlreadyDelivered extends PaymentFailed {
  static code = "already-delivered";
}

export class EngineError extends TicketMinerError {
  static code = "engine";
}

export class NoKernel extends EngineError {
  static code = "no-kernel";
}

export class OutOfMemory extends EngineError {
  static code = "out-of-memory";
}

/** @param {unknown} error @returns {Problem} what can be posted to another thread; anything unknown is "unexpected" */
export function toProblem(error) {
  const detail = error instanceof Error ? error.message : String(error);
  if (!(error instanceof TicketMinerError)) return { code: "unexpected", detail };
  const { code, cause, values } = error;
  return { code, detail, values, ...(typeof cause === "string" && { cause }) };
}
