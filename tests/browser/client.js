// What tests/buyers.py does in a page: `visit` opens wallet and client, `line` is the way to the site.

const load = (name) => import(`${assets}${name}`);
const { Wallet } = await load("wallet/wallet.js");
const { SiteClient } = await load("client/client.js");
const { toProblem } = await load("errors.js");
const { toHex } = await load("bytes.js");

/** `faults`: [path, "before" (nothing arrives), "after" (the answer is lost) or the problem to answer instead]. */
const line = { faults: [], sent: [] };

const faulty = async (url, options) => {
  const { pathname } = new URL(url);
  line.sent.push([`${options.method} ${pathname}`, options.body ? new TextDecoder().decode(options.body) : ""]);
  const index = line.faults.findIndex((fault) => fault[0] === pathname);
  const [fault] = index < 0 ? [[]] : line.faults.splice(index, 1);
  if (fault[1] === "before") throw new TypeError("the network is gone");
  if (fault[1] && fault[1] !== "after") {
    const { status = 400, cause, headers = {} } = fault[1];
    const type = { "Content-Type": "application/problem+json", ...headers };
    return new Response(JSON.stringify({ cause, detail: "Because." }), { status, headers: type });
  }
  const response = await fetch(url, options);
  if (fault[1] === "after") throw new TypeError("the answer is lost");
  return response;
};

let skew = 0;
const visit = async (name = "wallet", timeout = 60000) => {
  globalThis.wallet?.close();
  globalThis.wallet = await Wallet.open(name, { now: () => Date.now() / 1000 + skew });
  const place = { origin: location.origin, servicePath: "/ticketminer/", fetch: faulty, timeout };
  globalThis.client = new SiteClient(wallet, place);
};

const sha256 = async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", data));
const holds = async (job, nonce) => {
  const data = job.blob.slice();
  for (let i = 0; i < job.nonceSize; i++) data[job.nonceOffset + i] = Number((nonce >> BigInt(8 * i)) & 255n);
  return BigInt(`0x${toHex((await sha256(await sha256(data))).reverse())}`) <= job.target;
};
const solve = async (job) => {
  let nonce = BigInt(Math.floor(Math.random() * 2 ** 40));
  while (!(await holds(job, nonce))) nonce++;
  return nonce;
};
const mine = async (wish) => {
  globalThis.job = await client.job(["sha256d"], wish);
  return client.submit(job, await solve(job));
};
const values = async (state = "available") =>
  (await wallet.tickets()).filter((ticket) => ticket.state === state).map((ticket) => ticket.value);
const adopt = async (words) => {
  const { fromWords } = await load("wallet/words.js");
  const list = (await (await fetch(`${assets}english.txt`)).text()).trim().split("\n");
  await wallet.useSeed(await fromWords(words, list));
};
const attempt = async (work) => {
  try {
    return { value: (await work()) ?? null };
  } catch (error) {
    return { error: { ...toProblem(error), name: error.name } };
  }
};
const setSkew = (seconds) => (skew = seconds);
Object.assign(globalThis, { load, line, visit, solve, mine, values, adopt, attempt, toHex, setSkew });
await visit();
