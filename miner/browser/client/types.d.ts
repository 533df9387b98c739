// What the client's modules hand to one another, and their contracts. Types only: no browser ever downloads this
// file.
//
// Whatever is said of an answer holds for all of them: what is not as docs/protocol.md says is refused by name,
// never guessed at (SiteProtocolError). What was sent and has no answer (SiteUnreachable, SiteRefused that is not
// `definite`, SiteProtocolError) stays in the wallet, and is repeated byte for byte by `recover`.

import type { HeldTicket, Job, Output, PendingRequest, Service, Submission, TicketKey } from "../types";
import type { SiteProtocolError, SiteRefused } from "../errors.js";
import type { Wallet } from "../wallet/wallet.js";

export type Members = Record<string, unknown>;

/** One complete answer. A redirect that was not followed has status 302 and nothing else. */
export interface Reply {
  status: number;
  headers: Headers;
  body: Uint8Array;
}

/** Strict readers of an object's members; each throws SiteProtocolError, which names object and member. */
export interface Fields {
  /** At most `limit` characters (4096). */
  text(key: string, limit?: number): string;
  /** From `low` (0) to `high` (2^53 - 1). */
  integer(key: string, low?: number, high?: number): number;
  /** Lower-case hex, of exactly `size` bytes when given. */
  hex(key: string, size?: number): Uint8Array;
  /** A list of at most `most` items. */
  items(key: string, most: number): unknown[];
  /** A list of at most `most` objects, each read by `read`. */
  objects<T>(key: string, most: number, read: (fields: Fields) => T): T[];
  nested(key: string): Fields;
  /** A path on the same origin, never an address elsewhere: at most 512 characters. */
  path(key: string): string;
  /** null where the member is absent or null. */
  optional<T>(key: string, read: (key: string) => T): T | null;
  members: Members;
}

export interface Answers {
  /** The error for an answer that breaks the protocol; `what` is a sentence. */
  nonsense(what: string): SiteProtocolError;
  /** A module that is loaded when it is needed. Throws SiteUnreachable: it could not be. */
  loaded<T>(module: Promise<T>): Promise<T>;
  isObject(value: unknown): value is Members;
  fields(members: Members, name: string): Fields;
  /** The JSON object of a 2xx reply. Throws SiteRefused: it is none; SiteProtocolError. `name` begins a sentence. */
  read(reply: Reply, name: string): Members;
  /** The JSON object in UTF-8 `data`: no fraction or exponent anywhere. A member named twice cannot be seen here. */
  decode(data: Uint8Array, name: string): Members;
  /** What a reply that is not 2xx amounts to; its `detail` can be shown. */
  refusal(reply: Reply): SiteRefused;
  /** `text` without control and direction characters, which could rewrite what stands around it; cut to `limit`
   * (200). Empty for null and undefined. */
  printable(text: unknown, limit?: number): string;
}

export interface Services {
  readService(members: Members): Service;
  /** The keys of a directory, in its order; other token types are passed over. That no two stand for one value and
   * time is seen to when they are pinned. */
  readDirectory(members: Members): Promise<TicketKey[]>;
}

export interface Jobs {
  /** A job, consistent in itself, in one of `algorithms`. */
  readJob(members: Members, algorithms: readonly string[], donate: boolean): Job;
  /** Refuse a job that asks for more work than `service` has announced for its value, and local work that hashes
   * something else than the protocol's own blob for this site, one of whose names is that of the service document
   * or of its pinned `keys`. */
  checkOffer(job: Job, service: Service, keys: TicketKey[]): Promise<void>;
}

export interface Place {
  origin: string;
  /** Path of the service document. */
  servicePath: string;
  fetch?: typeof globalThis.fetch;
  /** Milliseconds until an answer is there, complete: 60,000. */
  timeout?: number;
}

export interface Call {
  method?: string;
  /** JSON. */
  body?: Uint8Array;
  /** Bytes of the answer, uncompressed: 1 MiB. */
  limit?: number;
}

/** A conversation with the site: requests within bounds, its service document, pinned keys and clock. */
export interface Talk {
  readonly wallet: Wallet;
  readonly origin: string;
  readonly servicePath: string;
  /** Seconds that the site's clock is ahead of this machine's; 0 until the first answer. */
  clockOffset: number;
  /** Unix seconds: this machine's, corrected by the site's where they differ by more than five minutes. */
  now(): number;
  /** Throws SiteUnreachable: no complete answer in time; SiteProtocolError: it is too large. */
  call(path: string, call?: Call): Promise<Reply>;
  post(path: string, body: Uint8Array): Promise<Reply>;
  /** What the site offers, asked for once unless `refresh`. */
  service(options?: { refresh?: boolean }): Promise<Service>;
  /** The pinned keys, by start and value, after a look at the directory if there was none yet or `refresh`. Throws
   * KeyMismatch. */
  keys(options?: { refresh?: boolean }): Promise<TicketKey[]>;
  /** The pinned key; the directory is asked once when it is unknown. */
  key(keyId: string): Promise<TicketKey | null>;
  /** By value, the keys with which the site makes new tickets now, as pinned. */
  current(): Promise<Map<number, TicketKey>>;
}

/** What a job is wished to be: worth about `value` tickets (1); given to a fund, or the site itself; `consent` is
 * the version of the text that the visitor agreed to, the site's present one if null. */
export interface Wish {
  value?: number;
  donate?: boolean;
  fund?: string | null;
  consent?: string | null;
}

export interface Mining {
  requestJob(talk: Talk, algorithms: string[], wish: Wish): Promise<Job>;
  /** Send a share; it is written down first. Throws SiteRefused: `stale-job`, `expired-job`, `duplicate-share`, …:
   * go on with a new job; SiteUnreachable, or SiteRefused that is not definite: it stays open. */
  submitShare(talk: Talk, job: Job, nonce: bigint, mix: Uint8Array | null): Promise<Submission>;
}

export interface Booking {
  /** File the ticket that the 2xx answer `members` brings for a share; returns it. Throws SiteProtocolError: it is
   * no answer, and the request stays open. */
  settleShare(talk: Talk, request: PendingRequest, members: Members): Promise<HeldTicket[]>;
  /** File the change that the 2xx answer or receipt `members` brings, and close `request`, a payment (whose receipt
   * is checked) or an exchange; returns the change. Throws as settleShare. */
  settleChange(talk: Talk, request: PendingRequest, members: Members): Promise<HeldTicket[]>;
  /** An amount of tickets, 0 to 2^31-1, as a string. */
  parseAmount(text: unknown): number;
  /** The receipt in an answer of `redeem`; in a header it is the whole object. */
  receiptIn(members: Members): Members;
}

/** A request for payment: `amount` in tickets, `recipient` the issuer name of the site, `redeem` and `service`
 * paths on it, `expires` in Unix seconds, `digest` of the body of the request that was made; `echo` is what the
 * credential repeats. */
export interface Challenge {
  /** The newest entry of the history before the price was asked. */
  after?: number;
  amount: number;
  recipient: string;
  redeem: string;
  service: string | null;
  expires: number | null;
  digest: string | null;
  echo: Record<string, string>;
}

export interface Challenges {
  /** The first request for tickets in a WWW-Authenticate field, null when there is none. Throws SiteProtocolError:
   * it is nonsense. */
  findChallenge(field: string): Challenge | null;
  /** Lower-case scheme and parameters (lower-case names) of each challenge in the field, any mixture of them (RFC
   * 9110 section 11). One that repeats a parameter is left out. */
  parseChallenges(field: string): [string, Record<string, string>][];
}

export interface Paid {
  /** Path and query of what was paid, on this site. */
  location: string;
  amount: number;
  /** Value of the change. */
  change: number;
  /** The site's number of the payment; empty when nothing had to be paid. */
  reference: string;
}

export interface Payments {
  /** What `resource` (path and query) asks for, null when it asks for nothing. Asked by HEAD, which runs no view
   * and uses up no pass for one use. Throws ForeignRequest: it is not on this site; SiteRefused. */
  findPrice(talk: Talk, resource: string): Promise<Challenge | null>;
  /**
   * Pay `challenge`, the answer to a GET of `resource`. `label` goes to the history ("paid").
   *
   * A payment for it that is still open is sent again instead, so two tabs that pay for the same at once pay once.
   * While the site is busy it waits; a refusal that fresh keys, a fresh challenge or other tickets mend is mended, at
   * most twice; small tickets are joined where too many would be needed; an expired challenge is asked for again.
   *
   * Throws PaymentFailed: `price-changed` when it costs more than `most`, `already-delivered`, else with the site's
   * cause; NotEnoughTickets; ForeignRequest: the payment would leave this service; SiteError: the outcome is unknown,
   * and stays open.
   */
  pay(talk: Talk, challenge: Challenge | null, resource: string, most: number, label?: string): Promise<Paid>;
  /** The payload of a credential. */
  payload(inputs: HeldTicket[], outputs: Output[]): Members;
}

export interface Recovered {
  /** Numbers of requests that went through, were refused, are still open. */
  settled: number;
  released: number;
  pending: number;
  /** Tickets that came in. */
  value: number;
  /** Sentences about the open ones. */
  problems: string[];
  /** "GET /path?query" of each payment that the site has answered just now, so that its pass is here. */
  paid: string[];
}

export interface Restored {
  /** New tickets, their value, and how many of the found ones had been spent. */
  tickets: number;
  value: number;
  spent: number;
}

/** Told each key before it is searched, its number from 0, and how many there are. */
export type Progress = (key: TicketKey, index: number, count: number) => void;

export interface Recovery {
  /** Send every unanswered request again, as it was written down, apart from those of the last `olderThan` seconds
   * (0). Throws KeyMismatch, WalletError. */
  recover(talk: Talk, options?: { olderThan?: number }): Promise<Recovered>;
  /**
   * Find out what became of `request`, which the site has `refused`, and book that; returns the tickets of one that
   * went through, else null.
   *
   * A site forgets its answers after a day, so a refusal alone does not say that nothing happened: `request` went
   * through when all it handed over is on the lists of spent tickets, and all it asked for is signed. Otherwise what
   * is spent or signed is so by another copy of this wallet: the spent tickets are written off, the signed ones taken
   * in, and all else stays as it was.
   *
   * Throws SiteError: that cannot be found out now; `refused` itself: the site calls tickets spent which it does not
   * list. The request then stays open.
   */
  reconcile(talk: Talk, request: PendingRequest, refused: SiteRefused): Promise<HeldTicket[] | null>;
}

export interface Mending {
  /** Do something about the `error` that has kept a payment from being written down: ask for the keys, join small
   * tickets, see to open payments. Returns when choosing again may succeed; throws `error` where nothing helps, or
   * what does is in `tried`, to which it is added. */
  cure(talk: Talk, error: unknown, tried: Set<string>): Promise<void>;
  /** Book the refusal of a payment that was sent `waits` times before. Returns false after a wait, to send it
   * again; true when it was not taken and paying again may succeed. Throws PaymentFailed where it would not, or
   * would be paying twice; SiteError: the outcome is unknown, and the payment stays open. */
  mend(talk: Talk, request: PendingRequest, refused: SiteRefused, waits: number): Promise<boolean>;
}

export interface Restoring {
  /** Look for this wallet's tickets under every key of the site, and mark held ones that have been spent. An
   * aborted `signal` ends the search between two outputs, with its reason; what was found under the keys before is
   * filed. */
  restore(talk: Talk, progress?: Progress, signal?: AbortSignal): Promise<Restored>;
  /** Look for tickets of `key` from counter `start` (0) on; the numbers of new and of spent ones. */
  scanKey(
    talk: Talk, key: TicketKey, options?: { start?: number; signal?: AbortSignal },
  ): Promise<{ added: number; gone: number }>;
  /** Download the whole list of spent tickets of `key`; what is returned tells which of some nonces (hex) are in
   * it. No single nonce is ever asked for, since that would join a ticket's making to its spending. */
  spentFile(talk: Talk, key: TicketKey): Promise<(nonces: string[]) => Promise<Set<string>>>;
  /** The signatures that the site has made on `blinded` messages under `key`, null where it has not. */
  storedSignatures(talk: Talk, key: TicketKey, blinded: Uint8Array[]): Promise<(Uint8Array | null)[]>;
}

export interface Exchanges {
  /** Swap `tickets` for new ones of `values`, which add up to the same. Throws SiteRefused: the tickets are free
   * again unless the site has no decision yet; TicketsTaken: some were not free, or had been spent by another copy
   * of this wallet. `adopt`: they come from somebody else. */
  exchange(
    talk: Talk, tickets: HeldTicket[], values: number[], options?: { label?: string; adopt?: boolean },
  ): Promise<HeldTicket[]>;
  /** Text that carries tickets worth exactly `amount`, as few as can be: some are split or joined before. */
  send(talk: Talk, amount: number): Promise<string>;
  /** Swap many small tickets for few large ones; by how many they became fewer. */
  join(talk: Talk): Promise<number>;
  /** Swap the tickets that end within a week for new ones; their value. */
  renew(talk: Talk): Promise<number>;
  /** Swap the tickets that the wallet's words do not bring back, of a gift or of other words, for ones that they do;
   * their value. */
  reissue(talk: Talk): Promise<number>;
  /** Take over the tickets in `text` by swapping them at once; their value. Those that came before are
   * left out. Throws ForeignRequest: they belong to another site; WalletError: they are not genuine, have expired, all
   * came before, or the giver has spent them. */
  receive(talk: Talk, text: string): Promise<number>;
}

/** Everything a visitor does with the site, its tickets kept in a wallet. */
export interface SiteClientApi extends Talk {
  /** Work in one of `algorithms`, the preferred first. */
  job(algorithms: string[], wish?: Wish): Promise<Job>;
  /** As of Mining.submitShare. */
  submit(job: Job, nonce: bigint, mix?: Uint8Array | null): Promise<Submission>;
  /** As of Payments.findPrice. */
  challenge(resource: string): Promise<Challenge | null>;
  /** As of Payments.pay. */
  pay(challenge: Challenge | null, resource: string, most: number): Promise<Paid>;
  /** Give `amount` tickets from the balance, to the site itself when `fund` is null. */
  donate(amount: number, fund: string | null): Promise<Paid>;
  /** As of Recovery, Exchanges and Restoring. */
  recover(options?: { olderThan?: number }): Promise<Recovered>;
  send(amount: number): Promise<string>;
  receive(text: string): Promise<number>;
  renew(): Promise<number>;
  reissue(): Promise<number>;
  restore(progress?: Progress, signal?: AbortSignal): Promise<Restored>;
}
