// Which tickets pay an amount, by the same rules as miner/wallet/selection.py.

import { NotEnoughTickets } from "../errors.js";

/** Tickets in one request. */
export const MAX_INPUTS = 64;
/** Every value a ticket can have. */
export const DENOMINATIONS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** @typedef {{value: number, redeemUntil: number}} Coin */

/**
 * Tickets that pay `amount` and the values of the change, both ascending: exactly if any choice does, else with change;
 * then as few as possible; of equal ones those that end first. `sum(inputs) = amount + sum(change)`.
 * @template {Coin} T @param {Iterable<T>} tickets @param {number} amount
 * @param {{maxInputs?: number, denominations?: readonly number[]}} [limits]
 * @returns {{inputs: T[], change: number[]}}
 */
export function choose(tickets, amount, { maxInputs = MAX_INPUTS, denominations = DENOMINATIONS } = {}) {
  if (!Number.isSafeInteger(amount) || amount < 0) throw new RangeError("An amount is a whole number, not negative.");
  const ordered = [...tickets].sort((a, b) => b.value - a.value || a.redeemUntil - b.redeemUntil);
  const available = sum(ordered);
  if (available < amount) {
    const more = amount - available;
    const message = `This takes ${amount} of the site's tickets and the wallet holds ${available}; mine ${more} more.`;
    throw new NotEnoughTickets(message, amount, available);
  }
  let inputs = exact(ordered, amount);
  if (!inputs || inputs.length > maxInputs) inputs = covering(ordered, amount);
  if (inputs.length > maxInputs) {
    const message =
      `${amount} would take ${inputs.length} small tickets, and a request carries at most ${maxInputs}; ` +
      "join them into larger ones first.";
    throw new NotEnoughTickets(message, amount, sum(ordered.slice(0, maxInputs)), "too-many-tickets");
  }
  return { inputs: inputs.sort(smaller), change: make(sum(inputs) - amount, denominations) };
}

/**
 * The fewest `denominations` (powers of two, any number of each), ascending, that add up to `value`.
 * @param {number} value @param {readonly number[]} [denominations]
 */
export function make(value, denominations = DENOMINATIONS) {
  const parts = [];
  let rest = value;
  for (const denomination of [...denominations].sort((a, b) => b - a)) {
    for (; rest >= denomination; rest -= denomination) parts.push(denomination);
  }
  if (rest) {
    const message = `The site issues no ticket that is worth ${rest}, so this amount cannot be made; choose another amount.`;
    throw new NotEnoughTickets(message, value, value - rest, "no-small-tickets");
  }
  return parts.reverse();
}

/** @param {Coin[]} coins */
const sum = (coins) => coins.reduce((total, coin) => total + coin.value, 0);

/** @param {Coin} a @param {Coin} b */
const smaller = (a, b) => a.value - b.value || a.redeemUntil - b.redeemUntil;

/** Values are powers of two, so taking the largest that fits is exact when anything is. @template {Coin} T @param {T[]} ordered @param {number} amount */
function exact(ordered, amount) {
  const taken = [];
  for (const coin of ordered) {
    if (coin.value > amount) continue;
    taken.push(coin);
    amount -= coin.value;
  }
  return amount ? null : taken;
}

/** The fewest that reach `amount`, then each, smallest first, replaced by the smallest that still does. @template {Coin} T @param {T[]} ordered @param {number} amount */
function covering(ordered, amount) {
  let count = 0;
  let total = 0;
  while (total < amount) total += ordered[count++].value;
  const taken = ordered.slice(0, count);
  const unused = ordered.slice(count);
  for (let i = count - 1; i >= 0; i--) {
    const needed = amount - (total - taken[i].value);
    const [best] = unused.filter((coin) => coin.value >= needed && coin.value < taken[i].value).sort(smaller);
    if (!best) continue;
    total += best.value - taken[i].value;
    unused.splice(unused.indexOf(best), 1);
    unused.push(taken[i]);
    taken[i] = best;
  }
  return taken;
}
