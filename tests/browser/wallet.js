// What tests/test_browser_wallet.py does in a page: modules by name, and values that JSON can carry.

const load = (name) => import(`./assets/x/${name}`);
const [{ Wallet }, { fromHex, toHex }, { toProblem }, { derive }] = await Promise.all(
  ["wallet/wallet.js", "bytes.js", "errors.js", "wallet/requests.js"].map(load),
);
const clock = { now: 0 };

const plain = (value) => {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === "bigint") return value.toString(16).padStart(512, "0");
  if (Array.isArray(value)) return value.map(plain);
  if (value === undefined || value === null || typeof value !== "object") return value ?? null;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
};

const Body = (async () => {}).constructor;

/**
 * What an expression is, or how it failed: `{value}` or `{error}`. It runs here, since Firefox's own scripts live in
 * another realm.
 */
const attempt = async (expression, args) => {
  try {
    return { value: plain(await new Body("args", `return (${expression});`)(args)) };
  } catch (error) {
    return { error: { ...toProblem(error), name: error.constructor.name } };
  }
};

const key = ({ spki, ...entry }) => ({ ...entry, spki: fromHex(spki) });

const open = async (seed, name = "/ticketminer/") => {
  globalThis.wallet = await Wallet.open(name, {
    now: () => clock.now,
    ...(seed && { random: () => fromHex(seed) }),
  });
};

/** Ask for tickets of the keys with these ids, for the tickets with these nonces. */
const ask = async (keyIds, nonces = [], about = {}, options = {}) => {
  const known = new Map((await wallet.keys()).map((key) => [key.keyId, key]));
  const held = new Map((await wallet.tickets()).map((ticket) => [ticket.nonce, ticket]));
  return wallet.begin(
    { kind: "exchange", path: "/ticketminer/redeem", amount: 0, resource: null, label: "exchanged", ...about },
    () => ({ inputs: nonces.map((nonce) => held.get(nonce)), keys: keyIds.map((id) => known.get(id)) }),
    (inputs, outputs) => new TextEncoder().encode(`${inputs.length} for ${outputs.length}`),
    options,
  );
};

const request = async (id) => (await wallet.unanswered()).find((request) => request.id === id);

/** A request that was made plain. */
const revive = ({ outputs, ...rest }) => ({
  ...rest,
  outputs: outputs.map(({ blindedMessage, nonce, inverse, ...output }) => ({
    ...output,
    key: key(output.key),
    blindedMessage: fromHex(blindedMessage),
    nonce: fromHex(nonce),
    inverse: BigInt(`0x${inverse}`),
  })),
});

/** Rows of a table, past the wallet. */
const rows = async (table, name = "/ticketminer/") => {
  const done = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const database = await done(indexedDB.open(`ticketminer:${name}`));
  try {
    return await done(database.transaction(table).objectStore(table).getAll());
  } finally {
    database.close();
  }
};

const refuse = async (keyId, times) => {
  const counters = [];
  for (let i = 0; i < times; i++) {
    const asked = await ask([keyId]);
    counters.push(asked.outputs[0].counter);
    await wallet.release(asked, "stale-job");
  }
  return counters;
};

const failures = async (begun) =>
  (await Promise.allSettled(begun))
    .filter(({ status }) => status === "rejected")
    .map(({ reason }) => reason.code ?? String(reason));

/** Write down `times` requests of so many free tickets and outputs each, all at once; how those failed that did. */
const race = async (keyId, times, tickets, outputs) => {
  const keys = Array(outputs).fill(await wallet.key(keyId));
  const draft = { kind: "payment", path: "/redeem", amount: 1, resource: "GET /", label: "" };
  const plan = (free) => {
    if (free.length < tickets) throw new Error("none left");
    return { inputs: free.slice(0, tickets), keys };
  };
  const one = () => wallet.begin(draft, plan, () => Uint8Array.of(1));
  return failures(Array.from({ length: times }, one));
};

/** Write down a request of each of the tickets with these nonces. */
const contest = (nonces) => failures(nonces.map((nonce) => ask([], [nonce])));

/** The seeds of two tabs that found no wallet: one has written its seed down before the other names its own. */
const firstSeeds = async () => {
  const fresh = (byte) => Wallet.open("fresh", { random: () => new Uint8Array(32).fill(byte) });
  const { digest } = SubtleCrypto.prototype;
  const [named, proceed] = [Promise.withResolvers(), Promise.withResolvers()];
  SubtleCrypto.prototype.digest = async function (...args) {
    SubtleCrypto.prototype.digest = digest;
    named.resolve();
    await proceed.promise;
    return digest.apply(this, args);
  };
  const late = fresh(2);
  await named.promise;
  const early = await fresh(1);
  const seeds = [await early.seeds()];
  proceed.resolve();
  return [...seeds, await (await late).seeds(), await early.seeds()];
};

Object.assign(globalThis, {
  Wallet, attempt, ask, clock, contest, derive, firstSeeds, fromHex, key, load, open, race, refuse, request, revive,
  rows, toHex,
});
