// <ticket-miner>: what a page writes and what it hears. Types and documentation only: no browser ever downloads this.
//
//     <script type="module" src="/ticketminer/assets/<hash>/element/element.js"></script>
//     <ticket-miner service="/ticketminer/" goal="pay" price="3" resource="/report"
//                   consent="<version>" consent-text="…" algorithm="yespower" effort="4096">
//       What is shown without JavaScript, and to those who say no: the other ways to pay.
//     </ticket-miner>
//
// All attributes may be left out. Without one of consent, consent-text, algorithm and effort the element reads the
// service document before it can ask (about 1.5 kB); the server's template writes them, and then nothing but the
// question is loaded.
//
//   service        path of the service document; default /ticketminer/
//   assets         address of the tree of files; default: where element.js came from
//   lang           BCP 47; default: the nearest lang attribute around, else the browser's language. English where there
//                  are no messages for it
//   dir            direction; default: that of the language
//   goal           "pay": open `resource`. "donate": give to `fund`. "tickets": save up. Default: pay with a resource,
//                  donate with a fund, else tickets
//   price          tickets: what `resource` costs, how many to give (0: until stopped), or how many to have. Where it
//                  is missing the site is asked what `resource` costs; else it is 1
//   resource       path and query of what is paid for; default: this page
//   fund           name of the fund; fund-title what to call it
//   consent        version of the site's text; consent-text the text
//   algorithm      what is computed; effort: expected hashes of one ticket
//   wallet, about  addresses of the wallet page and of "what this means"; default: wallet and about below the service;
//                  empty: no link
//
// Events, on the element; they bubble and cross shadow roots:
//
//   ticketminer-state    the phase or a reason for a pause has changed
//   ticketminer-ticket   tickets came in, or were given
//   ticketminer-paid     the price is paid, or a gift from the balance is given. preventDefault() keeps the page where
//                        it is
//
// Looks: custom properties, listed in style.css.

import type { Core, Goal, Phase, PauseReason, Problem, Snapshot } from "../types.d.ts";
import type { formats } from "./format.js";
import type { Messages } from "./messages.js";

export interface StateDetail {
  /** "asking", "declined" and "trouble" are the element's own: nothing of the miner is loaded then. */
  phase: Phase | "asking" | "declined" | "trouble";
  reasons: PauseReason[];
  balance: number;
  missing: number;
}

export interface TicketDetail {
  amount: number;
  balance: number;
}

export interface PaidDetail {
  amount: number;
  /** What the payment opened; null for a gift. */
  location: string | null;
  fund: string | null;
}

export interface TicketMinerEvents {
  "ticketminer-state": StateDetail;
  "ticketminer-ticket": TicketDetail;
  "ticketminer-paid": PaidDetail;
}

/** The attributes, read. */
export interface Settings {
  service: string;
  assets: URL;
  kind: Goal["kind"];
  /** null: to be asked of the site. */
  price: number | null;
  resource: string;
  fund: string | null;
  fundTitle: string;
  wallet: string;
  about: string;
}

/** What the panel may do with the element around it. */
export interface Host {
  settings(): Settings;
  messages(): Messages;
  /** Version that the visitor has agreed to; null: has not, and only pays with tickets at hand. */
  agreed(): string | null;
  /** Ask for consent; `changed`: the site has another text now, which is fetched. */
  ask(changed?: boolean): void;
  /** Take back the consent, and be as if it had been refused. */
  withdraw(): void;
  /** Close the panel and say why nothing can run: a code of trouble.js, or "stopped". */
  trouble(code: string): void;
  /** For screen readers; a text once. */
  say(text: string): void;
  /** Whether the event was not prevented. */
  emit<Name extends keyof TicketMinerEvents>(name: Name, detail: TicketMinerEvents[Name]): boolean;
  link(key: "about" | "wallet"): HTMLAnchorElement | null;
  /** Show, below, what the page says without the miner: the other ways to pay. */
  others(shown: boolean): void;
  /** What the ticket's stub shows; nothing: no stub. */
  stub(...nodes: (Node | string)[]): void;
  /** Load a stylesheet of element/ into the shadow root. */
  sheet(name: string): Promise<unknown>;
}

/** The core of one service, as the page sees it. */
export interface Remote {
  /** The latest; null before the first. */
  snapshot: Snapshot | null;
  /** Why there is no core: code as trouble.js has it, or "stopped" for one that died. */
  failure: Problem | null;
  /** The view for which the core last began something. */
  owner: object | null;
  /** Calls are answered, or rejected with a `Problem`. */
  readonly core: Core;
  /** Ask the browser, as the visitor wishes, to keep the wallet when space runs short; the core learns the answer. */
  persist(): Promise<void>;
  /** Call `listener` at every snapshot and failure, and now where there is a core already; else start it. Returns what
   * ends that: the core stops and ends a second after its last listener has left. */
  subscribe(listener: (remote: Remote) => void): () => void;
}

/** Buttons, in the order in which they stand. */
export type Action = "open" | "pay" | "give" | "agree" | "start" | "pause" | "battery" | "retry" | "stop";

/** The element's own part in what is shown. */
export interface Self {
  kind: Goal["kind"];
  /** null while unknown. */
  price: number | null;
  /** The balance, or the gift, that ends the mining. */
  target: number;
  fund: string;
  agreed: boolean;
  /** The core works, or last worked, for this element. */
  own: boolean;
  /** The resource asks for nothing. */
  free: boolean;
  /** Tickets given from the balance. */
  gave: number;
  refused: Problem | null;
}

export interface Scene {
  is: Phase | "enough" | "open" | "busy" | "thanks";
  title: string;
  lines: string[];
  meter: { value: number; text: string } | null;
  figures: [string, string][];
  notices: string[];
  actions: Map<Action, string>;
  stub: { number: string; unit: string; done: boolean; got: number; all: number };
}

export type Name = (snapshot: Snapshot, self: Self) => Scene["is"];
export type Describe = (
  snapshot: Snapshot, self: Self, messages: Messages, format: ReturnType<typeof formats>,
) => Scene;

/** The view after consent. */
export interface Panel {
  readonly node: HTMLElement;
  /** Settings or consent have changed. */
  update(): void;
  /** Mine for the goal. */
  start(): void;
  /** Mine no more, whoever else looks on. */
  stop(): void;
  focus(): void;
  close(): void;
}

declare global {
  interface HTMLElementEventMap {
    "ticketminer-state": CustomEvent<StateDetail>;
    "ticketminer-ticket": CustomEvent<TicketDetail>;
    "ticketminer-paid": CustomEvent<PaidDetail>;
  }
}
