// Jobs and shares: work is asked for; a share is written down, sent, and its ticket filed.

import { toBase64url, toHex, fromHex } from "../bytes.js";
import { tokenRequest } from "../tokens/structures.js";
import { integer, isOk, nested, nonsense, printable, read, refusal } from "./answers.js";
import { settleShare } from "./booking.js";
import { encode } from "./conversation.js";
import { checkKey, checkLocal, checkOffer, nonceHex, readJob } from "./jobs.js";

/** @import { Job, Output, Submission } from "../types" */
/** @import { Conversation } from "./conversation.js" */

/** Times a share is sent again because its output was used before, by another copy of the wallet. */
const MAX_SKIPS = 4;

/** @typedef {{value?: number, donate?: boolean, fund?: string | null, consent?: string | null}} Wish */

/**
 * A job worth about `value` in one of `algorithms`, the preferred first. `consent` is the version that the visitor agreed to.
 * @param {Conversation} talk @param {string[]} algorithms @param {Wish} wish
 */
export async function requestJob(talk, algorithms, { value = 1, donate = false, fund = null, consent = null }) {
  const { denominations, limits, ...service } = await talk.service();
  const most = Math.min(value, limits.jobValue);
  const body = encode({
    consent: consent ?? service.consent.version,
    algorithms,
    value: denominations.findLast((step) => step <= most) ?? denominations[0],
    ...(donate && { donate }),
    ...(donate && fund !== null && { fund }),
  });
  const members = read(await talk.post(service.links.job, body), "The job");
  return checked(talk, readJob(members, algorithms, donate));
}

/**
 * Send a share; it is written down first, and stays so until the site has decided.
 * @param {Conversation} talk @param {Job} job @param {bigint} nonce @param {Uint8Array | null} mix @returns {Promise<Submission>}
 */
export async function submitShare(talk, job, nonce, mix) {
  const { links } = await talk.service();
  const key = job.keyId === null ? null : checkKey(job, await talk.key(job.keyId));
  for (let attempt = 1; ; attempt++) {
    const request = await talk.wallet.begin(
      { kind: "submit", path: links.submit, amount: key ? 0 : job.value, resource: null, label: key ? "mined" : "donated" },
      () => ({ inputs: [], keys: key ? [key] : [] }),
      (_, outputs) => share(job, nonce, mix, outputs),
      { now: talk.now() },
    );
    const reply = await talk.post(request.path, request.body);
    if (isOk(reply)) {
      const members = read(reply, "The answer to a share");
      const filed = await settleShare(talk, request, members);
      return members.accepted ? accepted(talk, job, members, filed.length > 0) : { accepted: false, value: 0, ticket: false, nextJob: null, upstream: null };
    }
    const refused = refusal(reply);
    if (!refused.definite) throw refused;
    const skip = key && refused.cause === "output-already-signed";
    await talk.wallet.release(request, refused.cause, { signed: skip ? request.outputs.map((output) => toHex(output.blindedMessage)) : [] });
    if (!skip || attempt === MAX_SKIPS) throw refused;
    // Another copy of this wallet is ahead of this one: catch up with it, and take what it has earned.
    const { scanKey } = await import("./restore.js");
    await scanKey(talk, key, { start: request.outputs[0].counter });
  }
}

/** @param {Conversation} talk @param {Job} job @param {import("./answers.js").Members} members @param {boolean} ticket @returns {Promise<Submission>} */
async function accepted(talk, job, members, ticket) {
  const value = integer(members, "value", "submit");
  if (value !== job.value) throw nonsense(`the share was worth ${job.value}, and the site says ${value}. Its ticket is in the wallet.`);
  const { next, upstream } = members;
  return {
    accepted: true,
    value,
    ticket,
    nextJob: next == null ? null : await checked(talk, readJob(nested(members, "next", "submit"), [job.algorithm], !job.keyId)),
    upstream: typeof upstream === "string" ? printable(upstream) : null,
  };
}

/** @param {Conversation} talk @param {Job} job */
async function checked(talk, job) {
  let service = await talk.service();
  // The site may have changed its terms since they were read.
  if (!checkOffer(job, service)) service = await talk.service({ refresh: true });
  if (!checkOffer(job, service)) throw nonsense("the job asks for more work than the site announces for its value.");
  if (job.keyId) checkKey(job, await talk.key(job.keyId));
  if (service.algorithms.find(({ name }) => name === job.algorithm)?.work === "local") {
    await checkLocal(job, new Set([service.siteName, ...(await talk.wallet.keys()).map((key) => key.issuerName)]));
  }
  return job;
}

/** @param {Job} job @param {bigint} nonce @param {Uint8Array | null} mix @param {Output[]} outputs */
function share(job, nonce, mix, [output]) {
  return encode({
    job: job.token,
    nonce: nonceHex(job, nonce),
    value: job.value,
    ...(output && { token_request: toBase64url(tokenRequest(fromHex(output.key.keyId), output.blindedMessage)) }),
    ...(mix && { mix: toHex(mix) }),
  });
}
