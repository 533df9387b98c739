// Which tickets pay an amount, by the rules of miner/wallet/selection.py.

import { NotEnoughTickets } from "../errors.js";

/** Tickets in one request. */
const MAX_INPUTS = 64;
/** Every value a ticket can have. */
export const DENOMINATIONS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** @typedef {{value: number, redeemUntil: number}} Coin */

/**
 * Exactly if any choice does, else with change; then as few as possible; of equal ones those that end first.
 * sum(inputs) = amount + sum(change), both ascending. Throws NotEnoughTickets.
 * @template {Coin} T @param {Iterable<T>} tickets @param {number} amount
 * @param {{maxInputs?: number, denominations?: readonly number[]}} [limits]
 */
export function choose(tickets, amount, { maxInputs = MAX_INPUTS, denominations = DENOMINATIONS } = {}) {
  if (!(Number.isSafeInteger(amount) && amount >= 0)) throw new RangeError("An amount is a whole number from 0.");
  const ordered = [...tickets].sort((a, b) => b.value - a.value || a.redeemUntil - b.redeemUntil);
  const available = sum(ordered);
  if (available < amount) {
    const message = `This takes ${amount} of the site's tickets and the wallet holds ${available}`;
    throw new NotEnoughTickets(`${message}; mine ${amount - available} more.`, amount, available);
  }
  let inputs = exact(ordered, amount);
  if (!inputs || inputs.length > maxInputs) inputs = covering(ordered, amount);
  if (inputs.length > maxInputs) {
    const message = `${amount} takes ${inputs.length} small tickets, a request carries ${maxInputs}; join them first.`;
    throw new NotEnoughTickets(message, amount, sum(ordered.slice(0, maxInputs)), "too-many-tickets");
  }
  return { inputs: inputs.sort(ascending), change: make(sum(inputs) - amount, denominations) };
}

/**
 * The fewest `denominations` (powers of two), ascending, that add up to `value`. Throws NotEnoughTickets.
 * @param {number} value @param {readonly number[]} [denominations]
 */
export function make(value, denominations = DENOMINATIONS) {
  const parts = [];
  for (const part of [...denominations].sort((a, b) => b - a)) for (; value >= part; value -= part) parts.push(part);
  if (!value) return parts.reverse();
  const message = `The site issues no ticket that is worth ${value}; choose another amount.`;
  throw new NotEnoughTickets(message, 0, 0, "no-small-tickets");
}

/** @param {Coin[]} coins */
const sum = (coins) => coins.reduce((total, coin) => total + coin.value, 0);

/** @param {Coin} a @param {Coin} b */
const ascending = (a, b) => a.value - b.value || a.redeemUntil - b.redeemUntil;

/**
 * Of powers of two, taking the largest that fits is exact when anything is.
 * @template {Coin} T @param {T[]} ordered @param {number} amount
 */
function exact(ordered, amount) {
  const taken = ordered.filter((coin) => coin.value <= amount && ((amount -= coin.value), true));
  return amount ? null : taken;
}

/**
 * The fewest, then each, smallest first, replaced by the smallest that still does.
 * @template {Coin} T @param {T[]} ordered @param {number} amount
 */
function covering(ordered, amount) {
  let [count, total] = [0, 0];
  while (total < amount) total += ordered[count++].value;
  const [taken, unused] = [ordered.slice(0, count), ordered.slice(count)];
  for (let i = count - 1; i >= 0; i--) {
    const { value } = taken[i];
    const [best] = unused.filter((coin) => coin.value < value && coin.value >= amount - total + value).sort(ascending);
    if (!best) continue;
    unused.splice(unused.indexOf(best), 1);
    taken[i] = best;
    total += best.value - value;
  }
  return taken;
}
