// What only the wallet page asks for: all that the wallet holds, its words, and a restore from words.

import { SiteUnreachable } from "./errors.js";
import { encodeTickets } from "./wallet/gift.js";
import { fromWords, toWords } from "./wallet/words.js";

const LATEST_RUNS = 50;
const LATEST_ENTRIES = 200;

/** @import { Session } from "./session.js" */

/** @param {Session} session @returns {Promise<import("./types.d.ts").WalletView>} */
export async function view({ wallet, client, snapshot, settings }) {
  const estimate = await navigator.storage?.estimate?.().catch(() => null);
  const tickets = await wallet.tickets();
  return {
    balance: await wallet.balance(),
    pending: tickets.reduce((sum, ticket) => sum + (ticket.state === "pending" ? ticket.value : 0), 0),
    tickets: tickets.map(({ value, redeemUntil, state, keyId }) => ({ value, redeemUntil, state, keyId })),
    runs: await wallet.runs(LATEST_RUNS),
    history: await wallet.history(LATEST_ENTRIES),
    service: await client.service(),
    storage: { usage: estimate?.usage ?? null, quota: estimate?.quota ?? null, persisted: snapshot.persisted },
    wordsSeen: Boolean(await wallet.setting("backup-seen")),
    gifts: (await gifts(wallet)).map(({ amount, tokens }) => ({ amount, text: encodeTickets(client.origin, tokens) })),
    limits: { ...settings },
  };
}

/** Gifts that were made, and that nobody has said to have. @param {Session["wallet"]} wallet */
const gifts = async (wallet) =>
  /** @type {{ amount: number, tokens: Uint8Array[] }[]} */ ((await wallet.setting("gifts")) ?? []);

/** @param {Session} session @param {string} text */
export async function taken({ wallet, client }, text) {
  const left = (await gifts(wallet)).filter(({ tokens }) => encodeTickets(client.origin, tokens) !== text);
  await wallet.setSetting("gifts", left.length ? left : null);
}

/** @param {Session} session */
export async function words({ wallet, assets }) {
  return toWords(await wallet.seed(), await list(assets));
}

/** @param {Session} session @param {string} text */
export async function restore({ wallet, client, assets }, text) {
  const seed = await fromWords(text, await list(assets));
  await wallet.useSeed(seed);
  await wallet.setSetting("backup-seen", wallet.now());
  const restored = await client.restore();
  await client.reissue(); // so that these words bring back all that is here
  return restored;
}

/** The 2048 words of BIP 39. @param {URL} assets */
async function list(assets) {
  const reply = await fetch(new URL("english.txt", assets)).catch(() => null);
  if (!reply?.ok) throw new SiteUnreachable("The list of backup words cannot be loaded. Go online and repeat.");
  return (await reply.text()).trim().split("\n");
}
