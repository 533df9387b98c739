// What a snapshot means for one element: pure, so that every state can be tried without a miner.

/**
 * The probability of having finished by now: each hash has the same chance, however many were tried.
 * @param {number} x tried / expected
 */
export const chance = (x) => 1 - Math.exp(-x);

/** @type {import("./host.d.ts").Name} */
const name = ({ phase, balance, given }, { kind, price, target, own, free, gave }) => {
  if (!own && /starting|mining|paused|paying/.test(phase)) return "busy";
  if (phase !== "idle" && (own || /loading|observing/.test(phase))) return phase;
  if (gave || (kind === "donate" && own && given >= (price || 1))) return "thanks";
  if (free) return "open";
  return kind !== "donate" && price !== null && balance >= target ? "enough" : "idle";
};

/** @type {import("./host.d.ts").Describe} */
export const describe = (s, self, messages, { duration, compact }) => {
  const { kind, price, target, fund, agreed } = self;
  const { balance, job, reasons, secondsPerTicket: each } = s;
  /** @type {typeof messages.text} */
  const say = (key, values) => messages.text(key, values);
  const is = name(s, self);
  const gift = kind === "donate";
  const running = /starting|mining|paused|observing/.test(is);
  const missing = Math.max(0, target - balance);
  const got = gift ? s.given : Math.min(balance, target);
  const problem = is === "failed" ? s.problem : self.refused;

  /** @type {string[]} */
  const lines = [];
  if (is === "idle" && !agreed) lines.push(say("have-only", { n: balance }));
  else if (is === "idle" && gift) lines.push(say(fund ? "gift.to" : "gift", { fund }));
  else if (is === "idle" && price !== null)
    lines.push(say("needed", { n: missing }), each ? say("takes", { time: duration(each * missing) }) : "");
  else if (is === "enough") lines.push(say(`enough.${kind}`, { n: balance }));
  else if (is === "thanks") lines.push(say("thanks.text", { n: self.gave || s.given }));
  else if (is === "paused" || (is === "observing" && reasons.length))
    for (const reason of reasons) lines.push(say(`reason.${reason}`));
  else if (messages.has(`${is}.text`)) lines.push(say(`${is}.text`));
  if (problem) {
    const { code, cause, detail, values = {} } = problem;
    const key = messages.has(`error.${cause}`) ? `error.${cause}` : `error.${code}`;
    lines.push(messages.has(key) ? say(key, { ...values, n: values.amount ?? 0 }) : detail);
  }

  let meter = null;
  if (job && /mining|paused/.test(is)) {
    const x = job.searched / job.expectedHashes;
    const pace = x > 3 ? "pace.unlucky" : each ? "pace" : "pace.unknown";
    meter = { value: chance(x), text: say(pace, { n: job.value, time: duration((each ?? 0) * job.value) }) };
  }

  /** @type {[string, string][]} */
  const figures = [];
  if (running && target && s.secondsLeft !== null)
    figures.push([say("left"), say("about-time", { time: duration(s.secondsLeft) })]);
  if (running && s.rate !== null) figures.push([say("speed"), say("per-second", { rate: compact(s.rate) })]);
  if (running) figures.push([say("balance"), say("tickets", { n: balance })]);

  /** @type {string[]} */
  const notices = [];
  for (const { code, values: { amount: n = 0, seconds = 0 } = {} } of s.notices)
    if (messages.has(`notice.${code}`)) notices.push(say(`notice.${code}`, { n, time: duration(Number(seconds)) }));

  /** @type {Map<import("./host.d.ts").Action, string>} */
  const actions = new Map();
  const n = price ?? 0;
  /** @param {import("./host.d.ts").Action} action @param {unknown} when @param {string} [key] */
  const offer = (action, when, key = action) => when && actions.set(action, say(`act.${key}`, { n }));
  const changed = problem?.code === "consent-changed" || problem?.cause === "consent-required";
  const wanting = /idle|observing/.test(is) && price !== null && !reasons.length;
  const start = wanting || is === "thanks" || (is === "enough" && kind !== "pay");
  offer("open", is === "paid" || is === "open");
  offer("pay", kind === "pay" && (is === "enough" || (is === "observing" && price !== null && balance >= n)));
  offer("give", gift && n && balance >= n && /idle|thanks/.test(is));
  offer("agree", (start && !agreed) || (is === "failed" && changed));
  offer("start", (start && agreed && !(is === "observing" && actions.size)) || is === "busy",
    is === "busy" ? "instead" : gift ? "gift" : "start");
  offer("pause", is === "starting" || is === "mining" || (is === "paused" && reasons.indexOf("user") >= 0),
    is === "paused" ? "resume" : "pause");
  offer("battery", is === "paused" && reasons.indexOf("battery") >= 0);
  offer("retry", is === "failed" && !changed && !/key-mismatch|foreign-request/.test(problem?.code ?? ""),
    problem?.code === "price-changed" ? "again" : "retry");
  offer("stop", running && (is !== "observing" || reasons.length));

  const done = /paid|thanks|open/.test(is);
  const counting = running && target > 0;
  const number = done || price === null ? "" : say("n", { n: counting || !target ? got : n });
  const unit = done ? say(`stub.${is}`) : counting ? say("stub.of", { n: target })
    : target ? say("unit", { n }) : say("stub.given");
  const title = is === "idle" && missing && !agreed ? say("needed", { n: missing }).replace(/\.$/, "") : say(is);
  const stub = { number, unit, done, got, all: counting ? target : 0 };
  return { is, title, lines, meter, figures, notices, actions, stub };
};
