// Work is asked for; a share is written down, sent, and its ticket filed. Contracts: ./types.d.ts.

import { fromHex, toBase64url, toHex } from "../bytes.js";
import { tokenRequest } from "../tokens/structures.js";
import { fields, isOk, loaded, nonsense, printable, read, refusal } from "./answers.js";
import { settleShare } from "./booking.js";
import { encode } from "./conversation.js";
import { checkOffer, readJob } from "./jobs.js";

/** @import { Job } from "../types" */
/** @import { Mining, Talk } from "./types" */

/** Times a share is sent again because its output was used before, by another copy of the wallet. */
const MAX_SKIPS = 4;

/** @type {Mining["requestJob"]} */
export async function requestJob(talk, algorithms, { value = 1, donate = false, fund, consent }) {
  const {
    denominations,
    limits,
    links,
    consent: { version },
  } = await talk.service();
  const fitting = denominations.filter((step) => step <= Math.min(value, limits.jobValue));
  const wish = { consent: consent ?? version, algorithms, value: fitting.pop() ?? denominations[0] };
  const body = encode({ ...wish, ...(donate && { donate, ...(fund && { fund }) }) });
  return checked(talk, readJob(read(await talk.post(links.job, body), "The job"), algorithms, donate));
}

/** @type {Mining["submitShare"]} */
export async function submitShare(talk, job, nonce, mix) {
  const path = (await talk.service()).links.submit;
  const key = await keyOf(talk, job);
  const hex = toHex(new Uint8Array(BigUint64Array.of(nonce).buffer).subarray(0, job.nonceSize));
  const share = { job: job.token, nonce: hex, value: job.value, ...(mix && { mix: toHex(mix) }) };
  for (let attempt = 1; ; attempt++) {
    const request = await talk.wallet.begin(
      { kind: "submit", path, amount: key ? 0 : job.value, resource: null, label: key ? "mined" : "donated" },
      () => ({ inputs: [], keys: key ? [key] : [] }),
      (_, [output]) => {
        const asked = output && tokenRequest(fromHex(output.key.keyId), output.blindedMessage);
        return encode({ ...share, ...(asked && { token_request: toBase64url(asked) }) });
      },
      { now: talk.now() },
    );
    const reply = await talk.post(path, request.body);
    if (isOk(reply)) {
      const members = read(reply, "The answer to a share");
      const ticket = (await settleShare(talk, request, members)).length > 0;
      if (!members.accepted) return { accepted: false, ticket, value: 0, nextJob: null, upstream: null };
      if (members.value !== job.value)
        throw nonsense("the share was worth something else. Its ticket is in the wallet.");
      const { optional, nested } = fields(members, "answer");
      const next = optional("next", nested)?.members;
      const nextJob = next ? await checked(talk, readJob(next, [job.algorithm], !key)) : null;
      return { accepted: true, ticket, value: job.value, nextJob, upstream: printable(members.upstream) || null };
    }
    const refused = refusal(reply);
    if (!refused.definite) throw refused;
    const used = refused.cause === "output-already-signed" ? request.outputs : [];
    await talk.wallet.release(request, refused.cause, {
      signed: used.map(({ blindedMessage }) => toHex(blindedMessage)),
    });
    if (!key || !used.length || attempt === MAX_SKIPS) throw refused;
    // Another copy of this wallet is ahead of this one: catch up with it, and take what it has earned.
    await (await loaded(import("./restore.js"))).scanKey(talk, key, { start: used[0].counter });
  }
}

/** The pinned key of the tickets of `job`, null of a donation. @param {Talk} talk @param {Job} job */
async function keyOf(talk, { keyId, value }) {
  const key = keyId === null ? null : await talk.key(keyId);
  if (keyId !== null && key?.value !== value)
    throw nonsense("the job's key is not in the site's directory with its value.");
  return key;
}

/** @param {Talk} talk @param {Job} job */
async function checked(talk, job) {
  await keyOf(talk, job);
  const keys = await talk.wallet.keys();
  // The site may have changed its terms since they were read.
  await checkOffer(job, await talk.service(), keys).catch(async () =>
    checkOffer(job, await talk.service({ refresh: true }), keys),
  );
  return job;
}
