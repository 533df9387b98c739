// The page's tokens, seeds, words, gifts and choices of tickets, driven by tests/nodes.py: one JSON array
// `[operation, …arguments]` a line, answered by `{result}` or by `{problem, tree}`. Byte strings are hex, large numbers
// are strings. With the argument "insecure" there is no crypto.subtle, as on a page of plain http.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

if (process.argv[2] === "insecure") {
  const { getRandomValues } = crypto;
  Object.defineProperty(globalThis, "crypto", { value: { getRandomValues } });
}

const browser = new URL("../../miner/browser/", import.meta.url);
const load = (path) => import(new URL(path, browser));
const [bytes, errors, hashes, structures, rsabssa, seeds, words, gifts, selection] = await Promise.all([
  load("bytes.js"), load("errors.js"), load("tokens/hashes.js"), load("tokens/structures.js"),
  load("tokens/rsabssa.js"), load("wallet/seed.js"), load("wallet/words.js"), load("wallet/gift.js"), load("wallet/selection.js"),
]);

const raw = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (data) => Buffer.from(data).toString("hex");
/** A key is an SPKI, or its numbers where the vectors have none. */
const key = (given) => {
  if (typeof given === "string") return rsabssa.publicKey(raw(given));
  const n = BigInt(`0x${given.n}`);
  const bits = n.toString(2).length;
  return { n, e: BigInt(`0x${given.e}`), bits, bytes: Math.ceil(bits / 8) };
};
/** @type {string[]} */
let list = [];

const operations = {
  secure: () => Boolean(globalThis.crypto.subtle),
  hash: async (name, data) => hex(await hashes[name](raw(data))),
  hmac: async (secret, data) => hex(await hashes.hmacSha512(raw(secret), raw(data))),
  fromHex: (text, size) => hex(bytes.fromHex(text, size ?? undefined)),
  toHex: (data) => bytes.toHex(raw(data)),
  fromBase64url: (text, size) => hex(bytes.fromBase64url(text, size ?? undefined)),
  toBase64url: (data) => bytes.toBase64url(raw(data)),
  number: (data, size) => hex(bytes.fromBigInt(bytes.toBigInt(raw(data)), size)),
  equal: (a, b) => bytes.equal(raw(a), raw(b)),
  keyId: async (spki) => hex(await structures.tokenKeyId(raw(spki))),
  publicKey: (spki) => rsabssa.publicKey(raw(spki)).n.toString(16),
  challengeDigest: async (name) => hex(await structures.challengeDigest(name)),
  tokenInput: (...parts) => hex(structures.tokenInput(...parts.map(raw))),
  tokenRequest: (keyId, blinded) => hex(structures.tokenRequest(raw(keyId), raw(blinded))),
  encodeToken: (input, authenticator) => hex(structures.encodeToken(raw(input), raw(authenticator))),
  decodeToken: (token) =>
    Object.fromEntries(Object.entries(structures.decodeToken(raw(token))).map(([name, part]) => [name, hex(part)])),
  blind: async (spki, message, salt, r) => {
    const made = await rsabssa.blind(key(spki), raw(message), { salt: raw(salt), r: BigInt(r) });
    return [hex(made.blindedMessage), made.inverse.toString()];
  },
  finalize: async (spki, message, signature, inverse) =>
    hex(await rsabssa.finalize(key(spki), raw(message), raw(signature), BigInt(inverse))),
  verify: (spki, message, signature) => rsabssa.verify(key(spki), raw(message), raw(signature)),
  ticketSecrets: async (seed, keyId, spki, counter) => {
    const made = await seeds.ticketSecrets(raw(seed), { keyId, spki: raw(spki) }, BigInt(counter));
    return [hex(made.nonce), hex(made.salt), made.r.toString()];
  },
  seedId: (seed) => seeds.seedId(raw(seed)),
  wordList: (path) => (list = readFileSync(path, "utf8").trim().split("\n")).length,
  toWords: (entropy) => words.toWords(raw(entropy), list),
  fromWords: async (text) => hex(await words.fromWords(text, list)),
  encodeTickets: (origin, tokens) => gifts.encodeTickets(origin, tokens.map(raw)),
  decodeTickets: (text) => {
    const { origin, tokens } = gifts.decodeTickets(text);
    return [origin, tokens.map(hex)];
  },
  choose: (purse, amount, limits) => {
    const tickets = purse.map(([value, redeemUntil], id) => ({ value, redeemUntil, id }));
    const { inputs, change } = selection.choose(tickets, amount, limits);
    return [inputs.map(({ id }) => id), change];
  },
  make: (value, denominations) => selection.make(value, denominations),
  definite: (status, cause, retryAfter) => new errors.SiteRefused(status, cause, "Wait.", { retryAfter }).definite,
  /** Every class by the name of its parent. */
  tree: () =>
    Object.fromEntries(
      Object.entries(errors)
        .filter(([, made]) => made.prototype instanceof Error)
        .map(([name, made]) => [name, Object.getPrototypeOf(made).name]),
    ),
  code: (name) => new errors[name]("Message.").code,
  refuse: (...args) => {
    throw new errors.SiteRefused(...args);
  },
  raise: (thrown) => {
    throw thrown === "TypeError" ? new TypeError("Not ours.") : thrown;
  },
  /** Median milliseconds of an operation over `rounds`. */
  time: async (rounds, operation, ...args) => {
    const taken = [];
    for (let i = 0; i < rounds; i++) {
      const before = performance.now();
      await operations[operation](...args);
      taken.push(performance.now() - before);
    }
    return taken.sort((a, b) => a - b)[rounds >> 1];
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [operation, ...args] = JSON.parse(line);
  let answer;
  try {
    answer = { result: await operations[operation](...args) };
  } catch (error) {
    const tree = [];
    for (let made = error?.constructor; made?.name; made = Object.getPrototypeOf(made)) tree.push(made.name);
    answer = { problem: errors.toProblem(error), tree };
  }
  console.log(JSON.stringify(answer));
}
