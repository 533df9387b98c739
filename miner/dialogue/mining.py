"""Jobs and shares: work is asked for, a share is written down, sent, and its ticket filed."""

from __future__ import annotations

import typing as t

from miner import answers
from miner.answers import nonsense
from miner.dialogue.booking import settle_share
from miner.dialogue.conversation import Conversation, encode
from miner.dialogue.restore import scan_key
from miner.errors import NoCommonAlgorithm, SiteError, SiteRefused
from miner.job import Job, Submission, check_key, check_local, check_offer, read_job
from miner.pow import ALGORITHMS
from miner.pow.errors import REMEDY
from miner.service import TicketKey
from miner.tokens import TokenRequest, b64url
from miner.transport import Reply, Steps
from miner.wallet import Draft, Output, PendingRequest

MAX_SKIPS = 4
"""Times a share is sent again because the output was used before (another copy of the wallet)."""


def job_steps(
    talk: Conversation,
    algorithms: t.Sequence[str],
    *,
    value: int,
    donate: bool,
    fund: str | None,
    consent: str | None,
) -> Steps[Job]:
    """Ask for a job worth about `value` in one of `algorithms`, in order of preference.

    :param consent: version of the text that the visitor agreed to; the site's present one if None.
    :raises NoCommonAlgorithm: the site's work is in none of them.
    """
    service = yield from talk.service()
    most = min(value, service.limits.job_value)
    fitting = [step for step in service.denominations if step <= most]
    members: dict[str, t.Any] = {
        "consent": consent or service.consent_version,
        "algorithms": list(algorithms),
        "value": fitting[-1] if fitting else service.denominations[0],
    }
    if donate:
        members |= {"donate": True} if fund is None else {"donate": True, "fund": fund}
    reply = yield from talk.post(talk.url(service.links.job), encode(members))
    try:
        found = answers.read(reply, name="The job")
    except SiteRefused as refused:
        raise _with_remedy(refused) from None
    job = read_job(found, algorithms=algorithms, donate=donate, now=talk.wallet.now())
    return (yield from _checked(talk, job))


def _with_remedy(refused: SiteRefused) -> SiteError:
    """Return what to raise for a refused job: where no algorithm is common, an error that says how to get one."""
    if refused.cause != "unknown-algorithm":
        return refused
    offered = refused.body.get("algorithms")
    known = [name for name in ALGORITHMS if isinstance(offered, list) and name in offered]
    if known:
        return NoCommonAlgorithm(f"{refused.detail} Allow it: --algo {known[0]}.")
    return NoCommonAlgorithm(
        f"{refused.detail} This installation has {', '.join(ALGORITHMS)}; for more, {REMEDY}."
    )


def submit_steps(talk: Conversation, job: Job, nonce: int, mix: bytes | None) -> Steps[Submission]:
    """Send a share; it is written down first, and stays so until the site has decided."""
    service = yield from talk.service()
    key = None if job.key_id is None else check_key(job, (yield from talk.key(job.key_id)))
    for attempt in range(MAX_SKIPS):
        request = talk.wallet.begin(
            Draft(
                "submit",
                talk.purse,
                talk.url(service.links.submit),
                amount=job.value if job.donation else 0,
                label="donated" if job.donation else "mined",
            ),
            lambda _: ((), () if key is None else (key,)),
            lambda _, outputs: _share(job, nonce, mix, outputs),
            now=talk.now(),
        )
        reply = yield from talk.post(request.url, request.body)
        if 200 <= reply.status < 300:
            return (yield from _accepted(talk, job, request, reply))
        refused = answers.refusal(reply)
        if not refused.definite:
            raise refused
        skip = refused.cause == "output-already-signed" and key is not None
        signed = [output.blinded_message for output in request.outputs] if skip else []
        talk.wallet.release(request, refused.cause, signed=signed)
        if not skip or attempt + 1 == MAX_SKIPS:
            raise refused
        # Another copy of this wallet is ahead of this one: catch up with it, and take what it has earned.
        yield from scan_key(talk, t.cast(TicketKey, key), start=request.outputs[0].counter)
    raise AssertionError("The loop returns or raises.")


def _accepted(talk: Conversation, job: Job, request: PendingRequest, reply: Reply) -> Steps[Submission]:
    members = answers.read(reply, name="The answer to a share")
    filed = settle_share(talk, request, members)
    if not members["accepted"]:
        return Submission(False, 0, False)
    value = answers.integer(members, "value", name="submit")
    if value != job.value:
        raise nonsense(
            f"the share was worth {job.value}, and the site says {value}. Its ticket is in the wallet."
        )
    following = members.get("next")
    next_job = None
    if following is not None:
        offered = read_job(
            answers.nested(members, "next", name="submit"),
            algorithms=(job.algorithm,),
            donate=job.donation,
            now=talk.wallet.now(),
        )
        next_job = yield from _checked(talk, offered)
    upstream = members.get("upstream")
    said = answers.printable(upstream) if isinstance(upstream, str) else None
    return Submission(True, value, bool(filed), next_job, said)


def _checked(talk: Conversation, job: Job) -> Steps[Job]:
    service = yield from talk.service()
    if not check_offer(job, service):
        # The site may have changed its terms since they were read.
        service = yield from talk.service(refresh=True)
        if not check_offer(job, service):
            raise nonsense("the job asks for more work than the site announces for its value.")
    if job.key_id is not None:
        check_key(job, (yield from talk.key(job.key_id)))
    announced = service.algorithm(job.algorithm)
    if announced is not None and announced.work == "local":
        check_local(job, {service.site_name, *talk.issuer_names()})
    return job


def _share(job: Job, nonce: int, mix: bytes | None, outputs: t.Sequence[Output]) -> bytes:
    members: dict[str, t.Any] = {"job": job.token, "nonce": job.nonce_hex(nonce), "value": job.value}
    for output in outputs:
        request = TokenRequest(output.key.key_id[-1], output.blinded_message)
        members["token_request"] = b64url(request.to_bytes())
    if mix is not None:
        members["mix"] = mix.hex()
    return encode(members)
