// The wallet's methods and rows. Types only: no browser ever downloads this file.

import type {
  Draft, HeldTicket, HistoryEntry, MiningRun, Output, PendingRequest, TicketKey, TicketState,
} from "../types";

/**
 * Chooses, from the tickets that are free, what a request hands over and which keys it wants tickets of. Sync; called
 * again when another tab was faster.
 */
export type Plan = (available: HeldTicket[]) => { inputs: HeldTicket[]; keys: TicketKey[] };
/** Writes the body. Sync; perhaps called again. */
export type Compose = (inputs: HeldTicket[], outputs: Output[]) => Uint8Array;
/** Unix seconds by which tickets are valid, perhaps the site's. */
export type Now = number;
/** Whether the site lists the ticket with this nonce (hex) as spent. */
export type Spent = (nonce: string) => boolean;

/** Every method throws StorageFull or StorageRefused when the browser fails it, and then nothing has changed. */
export interface WalletApi {
  /** This machine's time in Unix seconds. */
  now(): Now;
  /** Seconds to add to `now()` for the time at the site, which decides what has expired; its client knows them. */
  offset: number;

  /**
   * Pin directory entries, apart from those whose tickets have all expired. Throws KeyMismatch: an entry differs from
   * the pinned one, is a second key for its value and time, or there are too many.
   */
  pin(keys: TicketKey[], now?: Now): Promise<void>;
  /** Pinned keys, by start and value. */
  keys(): Promise<TicketKey[]>;
  key(keyId: string): Promise<TicketKey | null>;

  /** The 32 bytes that new tickets come from; 24 words. */
  seed(): Promise<Uint8Array>;
  /** Every seed that tickets here may come from, the one in use first. */
  seeds(): Promise<Uint8Array[]>;
  /**
   * Make new tickets from another seed. Tickets of the former one stay, and it stays among `seeds()` when it was
   * used. Throws WrongWords (master-words): not 32 bytes.
   */
  useSeed(seed: Uint8Array): Promise<void>;
  /** The next counter of `key` under `seed`. */
  counter(seed: Uint8Array, key: TicketKey): Promise<number>;

  /** All tickets that are known, spent and given ones included, by value and expiry. */
  tickets(): Promise<HeldTicket[]>;
  /** Tickets that can be spent now. */
  balance(): Promise<number>;
  /** Tokens worth exactly `amount`, marked given. Throws NotEnoughTickets: too few, or none fit exactly. */
  give(amount: number): Promise<Uint8Array[]>;
  /**
   * File the verified tokens that a restore has found, by counter, and go on with counter `following` or above;
   * returns the numbers of new and of spent tickets.
   */
  fileRestored(
    seed: Uint8Array, key: TicketKey, found: Map<number, Uint8Array>, following: number, spent: Spent,
  ): Promise<{ added: number; gone: number }>;
  /** Mark free tickets of `key` as spent; returns how many. */
  markSpent(key: TicketKey, spent: Spent): Promise<number>;

  /**
   * Write a request down; send its body only after this returns. `adopt`: the tickets come from somebody else, or
   * were given away and return. Throws TicketsTaken: a ticket is not free; and whatever `plan` and `compose` throw.
   */
  begin(draft: Draft, plan: Plan, compose: Compose, options?: { adopt?: boolean; now?: Now }): Promise<PendingRequest>;
  /**
   * Verify the blind `signatures` (256 bytes each) of the request's outputs, file the tickets, close the request;
   * returns the tickets that it brought, also when another tab was first. Throws CodecError: a signature does not
   * verify; the request stays open. `reference`: the site's number of a payment.
   */
  settle(
    request: PendingRequest, signatures: Uint8Array[], options?: { reference?: string | null },
  ): Promise<HeldTicket[]>;
  /**
   * Close a refused request and free its tickets but those whose nonce (hex) is in `spent`; `signed`: blinded
   * messages (hex) that the site has signed for something else, which are never asked for again.
   */
  release(
    request: PendingRequest, cause: string, known?: { spent?: Iterable<string>; signed?: Iterable<string> },
  ): Promise<void>;
  /** Requests without an answer, oldest first. */
  unanswered(): Promise<PendingRequest[]>;

  /** Undefined when there is none. */
  setting(name: string): Promise<any>;
  /** `value` is what can be cloned; null and undefined remove it. */
  setSetting(name: string, value: unknown): Promise<void>;
  /** The newest first, at most 500 are kept. */
  history(limit?: number): Promise<HistoryEntry[]>;
  /** `at` is now where it is not given. */
  note(entry: Note): Promise<void>;
  /** Returns its number. The newest 50 are kept. */
  startRun(run: Omit<MiningRun, "id">): Promise<number>;
  /** One that was deleted stays so. */
  updateRun(id: number, changes: Partial<MiningRun>): Promise<void>;
  deleteRun(id: number): Promise<void>;
  /** The newest first. */
  runs(limit?: number): Promise<MiningRun[]>;
  /** Forget settings, history and runs; tickets, keys and seeds stay. */
  reset(): Promise<void>;
  /** Delete everything. Wallets that have it open, here and in other tabs, are closed then. */
  wipe(): Promise<void>;
  close(): void;
}

/** store.js. What fails throws StorageFull or StorageRefused, and has changed nothing. */
export interface Store {
  /** One consistent view. */
  read<T>(work: Work<T>): Promise<T>;
  /** All of `work` or nothing; on disk when this returns, unless "relaxed". */
  write<T>(work: Work<T>, durability?: IDBTransactionDurability): Promise<T>;
  /** Later calls throw. */
  close(): void;
  /** Delete the database; whoever has it open, here or in other tabs, lets go of it. */
  wipe(): Promise<void>;
}

export type Note = Partial<HistoryEntry> & { kind: string; amount: number };

export type TableName =
  | "secrets" | "settings" | "keys" | "counters" | "requests" | "outputs" | "tickets" | "history" | "runs";
/** The tables in a transaction. While it runs nothing but their requests may be awaited. */
export type Tables = Record<TableName, IDBObjectStore>;
export type Work<T> = (tables: Tables) => Promise<T>;

/** In `secrets`, under "seeds": an array, the one in use first. */
export interface SeedRow {
  id: string;
  seed: Uint8Array;
}
export interface CounterRow {
  seedId: string;
  keyId: string;
  next: number;
  /** One above the highest counter that the site has signed, as far as is known. */
  signed: number;
}
/** `request` is null for an output that was refused; `inverse` is big-endian, 256 bytes. */
export interface OutputRow {
  seedId: string;
  keyId: string;
  counter: number;
  request: number | null;
  position: number;
  nonce: Uint8Array;
  blindedMessage: Uint8Array;
  inverse: Uint8Array;
}
/** `source`: number of the request that brought it. */
export interface TicketRow extends HeldTicket {
  source: number | null;
}
/** A counter to use; with a row, that of an output that was refused. */
export interface Slot {
  seed: SeedRow;
  key: TicketKey;
  counter: number;
  row?: OutputRow;
}
export interface RequestRow extends Draft {
  id: number;
  created: number;
  body: Uint8Array;
}
export interface Filing {
  key: TicketKey;
  nonce: string;
  token: Uint8Array;
  state: TicketState;
  seedId: string;
  source: number | null;
}

/** requests.js. What takes `tables` runs within a transaction. */
export interface Requests {
  /** Output number `counter` of `key`: always the same. Throws RangeError with a chance of 2^-1000. */
  derive(seed: Uint8Array, key: TicketKey, counter: number): Promise<Output>;
  /** The ticket (354 bytes) that a blind signature (256 bytes) makes of an output, verified. Throws CodecError. */
  complete(output: Output, signed: Uint8Array): Promise<Uint8Array>;

  seedsOf(tables: Tables): Promise<SeedRow[]>;
  /** Tickets by value and expiry. */
  held(tables: Tables, index?: "state" | "request" | "source", value?: IDBValidKey): Promise<TicketRow[]>;
  /** Tickets that can be spent at `now`. */
  free(tables: Tables, now: Now): Promise<TicketRow[]>;
  /** Let the counter go on at `following` or later; `above` is one above the highest signed number. */
  advance(tables: Tables, seedId: string, keyId: string, following: number, above?: number): Promise<void>;
  /** Add to the history; at most 500 entries are kept. */
  jot(tables: Tables, note: Note & { at: Now }): Promise<void>;
  /** Delete the oldest rows above `most`. */
  trim(table: IDBObjectStore, most: number): Promise<void>;
  /** File a ticket; whether it is new. One that is here already keeps its state. */
  add(tables: Tables, ticket: Filing): Promise<boolean>;

  /**
   * As WalletApi; `created` is this machine's time, so that no site's clock decides when the request is taken up
   * again.
   */
  begin(
    store: Pick<Store, "read" | "write">, draft: Draft, plan: Plan, compose: Compose,
    options: { adopt: boolean; now: Now; created: Now },
  ): Promise<PendingRequest>;
  unanswered(tables: Tables): Promise<PendingRequest[]>;
  /** File the tickets that the outputs have become; what was handed over is spent. False: another tab was first. */
  settle(tables: Tables, request: PendingRequest, tokens: Uint8Array[]): Promise<boolean>;
  /** Forget a request, whose number is never given again; whether it was open. */
  finish(tables: Tables, id: number): Promise<boolean>;
  outputsOf(tables: Tables, request: number): Promise<OutputRow[]>;
}
