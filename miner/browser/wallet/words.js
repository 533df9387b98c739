// Backup words: BIP 39, English. 24 words are one site's seed; the 12 of a whole wallet have no business in a page.

import { fromBigInt, toBigInt } from "../bytes.js";
import { WrongWords } from "../errors.js";
import { sha256 } from "../tokens/hashes.js";

/** 24 words for 32 bytes, one space between. @param {Uint8Array} entropy @param {readonly string[]} list of 2048 */
export async function toWords(entropy, list) {
  const bits = entropy.length / 4;
  const [checksum] = await sha256(entropy);
  let rest = (toBigInt(entropy) << BigInt(bits)) | BigInt(checksum >> (8 - bits));
  const words = [];
  for (let i = 0; i < 3 * bits; i++, rest >>= 11n) words.unshift(list[Number(rest & 2047n)]);
  return words.join(" ");
}

/**
 * The 32-byte seed that 24 words spell; case and spacing do not matter.
 * Throws WrongWords: master-words, unknown-word, word-count, words-checksum.
 * @param {string} text @param {readonly string[]} list the 2048 words
 */
export async function fromWords(text, list) {
  const spelt = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (spelt.length === 12) {
    const message =
      "These are the words of a whole wallet. Never type them into a page: it could take all your tickets, of every " +
      "site. A page needs the 24 words of its own site; ticketminer wallet words --site shows them.";
    throw new WrongWords(message, { code: "master-words" });
  }
  const index = new Map(list.map((word, i) => [word, i]));
  const unknown = spelt.findIndex((word) => !index.has(word));
  if (unknown >= 0) {
    const [position, word, close] = [unknown + 1, spelt[unknown], closest(spelt[unknown], list)];
    const hint = close && ` Did you mean '${close}'?`;
    const message = `Word ${position}, '${word}', is not a backup word.${hint}`;
    throw new WrongWords(message, { code: "unknown-word", values: { position, word, close } });
  }
  if (spelt.length !== 24) {
    const message = `These are ${spelt.length} words. One site is 24 words; write down all of them in order.`;
    throw new WrongWords(message, { code: "word-count", values: { n: spelt.length } });
  }
  const all = spelt.reduce((bits, word) => (bits << 11n) | BigInt(/** @type {number} */ (index.get(word))), 0n);
  const entropy = fromBigInt(all >> 8n, 32);
  if ((await sha256(entropy))[0] !== Number(all & 255n)) {
    const message =
      "The words do not belong together: one of them is wrong or two are swapped. Compare them with your note.";
    throw new WrongWords(message, { code: "words-checksum" });
  }
  return entropy;
}

/**
 * The most similar word by Ratcliff and Obershelp's measure, as Python's difflib has it; "" below 0.6.
 * @param {string} word @param {readonly string[]} list
 */
function closest(word, list) {
  const letters = [...word];
  let [best, found] = [0.6, ""];
  for (const candidate of list) {
    const total = candidate.length + letters.length;
    if (2 * Math.min(candidate.length, letters.length) < best * total) continue;
    const score = (2 * common([...candidate], letters)) / total;
    if (score > best || (score === best && candidate > found)) [best, found] = [score, candidate];
  }
  return found;
}

/**
 * Letters in common: the longest run, and what is in common on either side of it.
 * @param {string[]} a @param {string[]} b @returns {number}
 */
function common(a, b) {
  let [longest, inA, inB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < b.length; j++) {
      let run = 0;
      while (i + run < a.length && j + run < b.length && a[i + run] === b[j + run]) run++;
      if (run > longest) [longest, inA, inB] = [run, i, j];
    }
  }
  if (!longest) return 0;
  const after = common(a.slice(inA + longest), b.slice(inB + longest));
  return longest + common(a.slice(0, inA), b.slice(0, inB)) + after;
}
