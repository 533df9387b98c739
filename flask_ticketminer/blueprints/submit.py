"""``POST /ticketminer/submit``: a share becomes a ticket, exactly once.

Order of work: sizes, the job's MAC, the proof of work, and only then the database. A repeat is answered whatever has ended since.
"""

from __future__ import annotations

import contextlib
import hashlib
import typing as t

from flask import Blueprint, Response

from flask_ticketminer.blueprints.job import make_job
from flask_ticketminer.errors import (
    BadAmount,
    ExpiredJob,
    KeyNotSigning,
    MalformedRequest,
    MintUnavailable,
    NoWork,
    Problem,
    RetiredKey,
    StaleJob,
    UnknownAlgorithm,
    UnknownKey,
    ValueMismatch,
    WrongKey,
)
from flask_ticketminer.mint.shares import Origin, ShareResult
from flask_ticketminer.signals import donation_received, share_accepted, share_refused, tell, ticket_issued
from flask_ticketminer.site import Site, current_site
from flask_ticketminer.wire import json_response, read_json
from flask_ticketminer.work.job import Job, read_job
from flask_ticketminer.work.judgement import MIX_SIZE, Found, check_work, origin_of
from flask_ticketminer.work.outbox import STALE
from miner.tokens import CodecError, TokenRequest, amount, b64url, hex_bytes, unb64url

_SHARE = b"ticketminer share v1\n"
_REQUEST = b"ticketminer submit v1\n"
_RENEW_BEFORE = 30
"""Seconds before a job's end from which an answer brings the next one."""


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("submit", __name__)
    blueprint.add_url_rule("/submit", "submit", submit, methods=["POST"])
    return blueprint


def submit() -> Response:
    """Check a share and sign the ticket that it pays."""
    site = current_site()
    try:
        return _submit(site)
    except Problem as problem:
        if problem.status < 500:
            tell(share_refused, site.app, cause=problem.cause)
        raise


def _submit(site: Site) -> Response:
    members = read_json(required=("job", "nonce"), optional=("token_request", "value", "mix"))
    job = read_job(members["job"], site.jobs)
    piece = job.piece(site.settings.site_name)
    nonce = _decode(hex_bytes, members["nonce"], size=piece.nonce_size, name="nonce")
    blinded = _blinded_message(job, members.get("token_request"))
    _check_value(job, members)
    found = Found(job, piece.with_nonce(nonce), _mix(job, members.get("mix")))
    standing = site.source.standing(job, site.clock.now())
    # Else it is stale, unless this is a repeat.
    digest = check_work(site, found, standing.template) if standing.checkable else None
    origin = None if digest is None else origin_of(found, digest, standing)
    share_id = hashlib.sha256(_SHARE + job.algorithm.encode() + b"\n" + found.share).digest()
    request_digest = hashlib.sha256(_REQUEST + share_id + (job.key_id or b"") + (blinded or b"")).digest()
    result = _pay(site, job, standing.over, share_id, request_digest, blinded, origin)
    if not result.replayed:
        _announce(site, job)
    if job.upstream is None:
        upstream = None
    elif result.replayed:
        upstream = site.ledger.upstream_state(share_id)
    elif standing.outdated:
        upstream = STALE
    else:
        upstream = origin.forward.state if origin and origin.forward else None
    return json_response(_answer(site, job, result, upstream))


def _pay(
    site: Site,
    job: Job,
    over: Problem | None,
    share_id: bytes,
    request_digest: bytes,
    blinded: bytes | None,
    origin: Origin | None,
) -> ShareResult:
    """Pay a share, or answer a repeat from what is stored: a unique constraint finds it, without a look before each share."""
    try:
        try:
            if over is not None:
                raise over
            key = None if job.key_id is None else site.keys.find(job.key_id)
            return site.ledger.accept_share(
                share_id,
                request_digest,
                value=job.value,
                key=key,
                blinded=blinded,
                fund=job.fund,
                origin=origin,
            )
        except (ExpiredJob, StaleJob, UnknownKey, RetiredKey, KeyNotSigning, MintUnavailable):
            paid = site.ledger.find_share(share_id, request_digest)
            if paid is None:
                raise
            return paid
    except (UnknownKey, RetiredKey, KeyNotSigning) as error:
        raise ExpiredJob(
            "The key that would sign this job's tickets has retired: fetch a new job."
        ) from error


def _answer(site: Site, job: Job, result: ShareResult, upstream: str | None) -> dict[str, t.Any]:
    left = job.expires - site.clock.now()
    life = site.settings.job_life if job.upstream is None else site.settings.upstream_job_life
    renew = 0 <= left < min(_RENEW_BEFORE, life // 3)
    following = None
    # After a change of coins the visitor is to ask, and to say what else it computes.
    if renew and site.source.offers()[0].algorithm == job.algorithm:
        with contextlib.suppress(NoWork, UnknownAlgorithm):
            following = make_job(site, [job.algorithm], value=job.value, donate=job.donated, fund=job.fund)
    return {
        "accepted": True,
        "value": job.value,
        "token_response": None if result.signature is None else b64url(result.signature),
        "upstream": upstream,
        "next": following,
    }


def _blinded_message(job: Job, text: object) -> bytes | None:
    if job.key_id is None:
        if text is not None:
            raise MalformedRequest(
                "A donation has no token_request: its work earns no ticket.", cause="unknown-member"
            )
        return None
    if text is None:
        raise MalformedRequest("A share is paid in a token_request; send one.", cause="missing-member")
    wanted: TokenRequest = _decode(_token_request, text)
    if wanted.truncated_key_id != job.key_id[-1]:
        raise WrongKey("The token request names another key than the job's key_id.")
    return wanted.blinded_message


def _token_request(text: object) -> TokenRequest:
    return TokenRequest.from_bytes(unb64url(text, size=TokenRequest.SIZE, name="token_request"))


def _check_value(job: Job, members: dict[str, t.Any]) -> None:
    if "value" in members:
        try:
            value = amount(members["value"], name="value")
        except CodecError as error:
            raise BadAmount(str(error)) from error
        if value != job.value:
            raise ValueMismatch(f"This job pays {job.value}, not {value}: leave value out or send the job's.")


def _mix(job: Job, mix: object) -> bytes:
    if job.algorithm != "ethash":
        if mix is not None:
            raise MalformedRequest("Only ethash shares have a mix; leave it out.", cause="unknown-member")
        return b""
    if mix is None:
        raise MalformedRequest("An ethash share comes with its mix; send it.", cause="missing-member")
    return t.cast(bytes, _decode(hex_bytes, mix, size=MIX_SIZE, name="mix"))


def _announce(site: Site, job: Job) -> None:
    site.floor.count_share()
    site.budgets.share_checked(job.algorithm)
    app = site.app
    tell(share_accepted, app, algorithm=job.algorithm, value=job.value, donated=job.donated, fund=job.fund)
    if job.donated:
        site.funds.forget(job.fund)
        tell(donation_received, app, amount=job.value, fund=job.fund)
    else:
        tell(ticket_issued, app, value=job.value)


def _decode(codec: t.Callable[..., t.Any], value: object, **options: t.Any) -> t.Any:
    try:
        return codec(value, **options)
    except CodecError as error:
        raise MalformedRequest(str(error), cause=error.cause) from error
