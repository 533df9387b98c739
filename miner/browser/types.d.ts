// What the modules hand to one another. Types only: no browser ever downloads this file.
//
// Times are Unix seconds, amounts are integers of tickets, byte strings are Uint8Array. Names follow the Python wallet
// (miner/wallet/records.py, miner/service.py, miner/job.py), in camelCase.

/** An entry of a site's directory. `spki` is DER in RSASSA-PSS form, `keyId` its SHA-256 in lower-case hex. */
export interface TicketKey {
  keyId: string;
  value: number;
  notBefore: number;
  issueUntil: number;
  redeemUntil: number;
  issuerName: string;
  spki: Uint8Array;
}

export interface Algorithm {
  name: string;
  /** Expected hashes of one ticket. */
  expectedHashes: number;
  work: string;
}

export interface Fund {
  name: string;
  title: string;
  minimum: number;
  default: number;
}

/** `GET /ticketminer/`, read strictly; limits are never above what this program handles. */
export interface Service {
  siteName: string;
  denominations: number[];
  algorithms: Algorithm[];
  limits: { inputs: number; outputs: number; body: number; restore: number; jobValue: number };
  consent: { version: string; text: string };
  funds: Fund[];
  /** Paths. `spent` contains {key_id}; `tip` and `tipEvents`, which not every site has, {algorithm}. */
  links: {
    job: string; submit: string; redeem: string; keys: string; restore: string; donate: string; spent: string;
    tip: string | null; tipEvents: string | null;
  };
}

/** Work: nonces whose hash of `blob` is at most `target` (2^256 / expectedHashes - 1). */
export interface Job {
  token: string;
  algorithm: string;
  blob: Uint8Array;
  /** The nonce is little-endian, `nonceSize` bytes at `nonceOffset`. */
  nonceOffset: number;
  nonceSize: number;
  target: bigint;
  expectedHashes: number;
  value: number;
  /** null for a donation. */
  keyId: string | null;
  /** Seconds from `receivedAt`, which is a reading of `performance.now()` in milliseconds. */
  expiresIn: number;
  receivedAt: number;
  /** What upstream built on when the job was made, and seconds between two looks at it; null for local work. */
  tip: string | null;
  poll: number | null;
  seed: Uint8Array | null;
  epoch: number | null;
  epochLength: number | null;
}

export interface Submission {
  accepted: boolean;
  /** Tickets that the share paid, or gave to a fund. */
  value: number;
  /** Whether a ticket was filed. */
  ticket: boolean;
  nextJob: Job | null;
  /** "pending": on its way to the pool or node; "stale": paid, and too late for it; null: of no use for it. */
  upstream: string | null;
}

export type TicketState = "available" | "pending" | "spent" | "given" | "expired";

/** A ticket in the wallet. `token` is what pays: 354 bytes. `seedId` tells which words bring it back. */
export interface HeldTicket {
  keyId: string;
  nonce: string;
  value: number;
  redeemUntil: number;
  state: TicketState;
  token: Uint8Array;
  /** Number of the unanswered request that holds it. */
  request: number | null;
  /** null for a ticket that came from somebody else. */
  seedId: string | null;
}

/** A ticket asked for: key, counter, and the 256-byte message to be signed. */
export interface Output {
  key: TicketKey;
  seedId: string;
  counter: number;
  blindedMessage: Uint8Array;
  nonce: Uint8Array;
  inverse: bigint;
}

export type RequestKind = "submit" | "payment" | "exchange";

export interface Draft {
  kind: RequestKind;
  /** Path on the site that it goes to. */
  path: string;
  /** Tickets it pays; 0 for an exchange or a share. */
  amount: number;
  /** What a payment is for: "GET /pictures/1/original". */
  resource: string | null;
  /** "mined", "donated", "exchanged", "renewed", "received", … */
  label: string;
}

/** A request as it was written down before it was sent; `body` is exactly the bytes that travel. */
export interface PendingRequest extends Draft {
  id: number;
  created: number;
  body: Uint8Array;
  inputs: HeldTicket[];
  outputs: Output[];
}

export interface HistoryEntry {
  id: number;
  at: number;
  /** "mined", "donated", "paid", "exchanged", "renewed", "sent", "received", "restored" */
  kind: string;
  amount: number;
  detail: string;
  /** The site's number of a payment, from its receipt. */
  reference: string | null;
}

/** One stretch of mining. `rates` are hashes a second, the oldest first, for the sparkline: at most 60. */
export interface MiningRun {
  id: number;
  algorithm: string;
  donation: boolean;
  fund: string | null;
  state: "running" | "finished" | "stopped" | "interrupted";
  started: number;
  updated: number;
  threads: number;
  duty: number;
  hashes: number;
  /** Seconds spent hashing. */
  seconds: number;
  accepted: number;
  refused: number;
  tickets: number;
  rates: number[];
}

// ---- between the core (a worker: wallet, client, engine) and the views (the page)

export type PauseReason = "user" | "hidden" | "battery" | "save-data" | "offline" | "elsewhere";

export type NoticeCode =
  | "javascript-kernel" // no WebAssembly in this browser: slower JavaScript is used
  | "wasm-forbidden" // a policy of the site forbids WebAssembly: slower JavaScript is used
  | "no-simd" // old browser: slower module
  | "fewer-threads" // not enough memory for all threads
  | "clock-wrong" // this device's clock differs from the site's by more than five minutes
  | "storage-temporary" // the browser may delete the wallet when it is short of space
  | "site-restarted" // the site did not answer; trying again (values.seconds)
  | "no-work" // the site's pool or node gives none at the moment; asking again (values.seconds)
  | "job-stale" // the site has called the last job stale and a new one was fetched
  | "upstream-moved" // the job, or a share that was paid all the same, was of what upstream had asked for before
  | "words-unseen" // there is something to lose and the words were never shown
  | "recovered"; // values.amount tickets came in from requests that an earlier page left open

export interface Notice {
  code: NoticeCode;
  values?: Record<string, string | number>;
}

/** Why something did not work. Views show the message "error.<code>", or `detail` where there is none. */
export interface Problem {
  code: string;
  /** Of a refusal by the site. */
  cause?: string;
  /** A sentence by the site or by us, in English. */
  detail: string;
  values?: Record<string, string | number>;
}

/**
 * What mining is for. `amount` is the balance to reach ("tickets", "pay") or the tickets to give ("donate"; 0: until
 * stopped).
 */
export interface Goal {
  kind: "tickets" | "pay" | "donate";
  amount: number;
  /** Path and query of what "pay" opens. */
  resource: string | null;
  fund: string | null;
}

export type Phase =
  | "loading" // wallet and site are being opened; unanswered requests are sent again
  | "idle"
  | "starting" // a job is being fetched, the kernel compiled
  | "mining"
  | "paused" // see reasons
  | "observing" // another tab mines: its figures are shown
  | "paying"
  | "paid" // location is where it leads
  | "failed"; // see problem; retry() may help

export interface Snapshot {
  phase: Phase;
  reasons: PauseReason[];
  notices: Notice[];
  problem: Problem | null;
  goal: Goal | null;
  siteName: string;
  consentVersion: string;
  balance: number;
  /** Tickets that are still to be mined to reach the goal. */
  missing: number;
  /** Tickets that came in, and were given, since start() was called. */
  earned: number;
  given: number;
  algorithm: string | null;
  /** Expected hashes of one ticket. */
  effort: number | null;
  /** Hashes a second over the last seconds, pauses of the duty cycle included; null while not measured. */
  rate: number | null;
  kernel: "simd" | "scalar" | "javascript" | null;
  threads: number;
  maxThreads: number;
  /** Share of the time in which threads hash: 0.1 to 1. */
  duty: number;
  /** As in `Limits`, for the toggle; true where it is left out. */
  pauseOnBattery?: boolean;
  /** The job under way: its value, its expected hashes, and how many have been tried since the last share. */
  job: { value: number; expectedHashes: number; searched: number } | null;
  shares: { accepted: number; refused: number; pending: number };
  /** On average; luck decides. null while not measured. */
  secondsPerTicket: number | null;
  secondsLeft: number | null;
  location: string | null;
  battery: "unknown" | "charging" | "discharging";
  saveData: boolean | null;
  /** Whether the browser has promised to keep the wallet; null: not asked yet or not known. */
  persisted: boolean | null;
}

export interface Limits {
  threads: number;
  duty: number;
  pauseOnBattery: boolean;
  pauseOnHidden: boolean;
  notifications: boolean;
}

/** What hashes, and what it tells. `hasher` is the script of its workers, `wasm` the folder of modules. */
export interface EngineOptions {
  hasher: URL;
  wasm: URL;
  threads: number;
  /** Share of the time in which each thread hashes: 0.01 to 1. */
  duty: number;
  /**
   * A nonce that holds, for the job that it was searched for, which may not be the one of now. `mix` is null but for
   * ethash.
   */
  onfound(job: Job, nonce: bigint, mix: Uint8Array | null): void;
  /**
   * Hashes, and seconds in which they were wanted, since the last call: four times a second, and before each onfound.
   */
  onstats(stats: { hashes: number; seconds: number; rate: number | null }): void;
  /** What the workers run, and the notice that says why nothing better. */
  onkernel(kind: "simd" | "scalar" | "javascript", code: NoticeCode | null): void;
  /**
   * "fewer-threads" (values.threads) is a notice. After any other nothing runs until `go`: engine-blocked,
   * engine-failed, no-kernel, out-of-memory, bad-job.
   */
  onproblem(problem: Problem): void;
  /** Every nonce of this job was tried: nothing is searched until there is another. */
  onexhausted?(job: Job): void;
}

/** What only the page can see, told to the core at once and whenever it changes. */
export interface Surroundings {
  hidden: boolean;
  online: boolean;
  battery: "unknown" | "charging" | "discharging";
  saveData: boolean | null;
  persisted: boolean | null;
  cores: number;
}

export interface WalletView {
  balance: number;
  pending: number;
  tickets: { value: number; redeemUntil: number; state: TicketState; keyId: string }[];
  runs: MiningRun[];
  history: HistoryEntry[];
  service: Service;
  storage: { usage: number | null; quota: number | null; persisted: boolean | null };
  wordsSeen: boolean;
  /** Gifts whose text the visitor has not said to have: a tab that ends shows them to nobody. */
  gifts?: { amount: number; text: string }[];
  limits: Limits;
}

/**
 * What the core does when a view asks: `{id, call, args}` is answered by `{id, result}` or `{id, problem}`;
 * `{snapshot}` comes unasked.
 */
export interface Core {
  /** Open wallet and site, send unanswered requests again. Idempotent. */
  open(options: { service: string; cores: number }): Promise<Snapshot>;
  surroundings(now: Surroundings): Promise<void>;
  /** Agree to consent `version` and mine until the goal; a "pay" goal then pays by itself. */
  start(goal: Goal, version: string): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
  retry(): Promise<void>;
  limits(limits: Partial<Limits>): Promise<void>;
  /** What `resource` costs now; null when it asks for nothing (a pass opens it). */
  price(resource: string): Promise<number | null>;
  /** Pay for `resource` from the balance, at most `most` tickets; the snapshot then has phase "paid" and a location. */
  pay(resource: string, most: number): Promise<{ location: string; amount: number; change: number; reference: string }>;
  /** Give `amount` tickets from the balance. */
  donate(amount: number, fund: string | null): Promise<{ amount: number; reference: string }>;
  view(): Promise<WalletView>;
  /** Text that carries tickets worth exactly `amount`: ticketminer-tickets-1.… */
  send(amount: number): Promise<string>;
  /** The visitor has the text of a gift. */
  taken(text: string): Promise<void>;
  receive(text: string): Promise<number>;
  words(): Promise<string>;
  wordsSeen(): Promise<void>;
  restore(words: string): Promise<{ value: number; tickets: number; spent: number }>;
  deleteRun(id: number): Promise<void>;
  /** Forget settings and notes; the tickets stay. */
  reset(): Promise<void>;
  /** Delete the wallet, tickets and all. */
  wipe(): Promise<void>;
}
