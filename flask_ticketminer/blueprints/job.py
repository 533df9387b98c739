"""``POST /ticketminer/job`` hands out work; ``GET /ticketminer/tip/<algorithm>`` says when it is void."""

from __future__ import annotations

import hmac
import typing as t

from flask import Blueprint, Response

from flask_ticketminer.errors import (
    BadAmount,
    ConsentRequired,
    MalformedRequest,
    NoTip,
    UnknownAlgorithm,
    UnknownFund,
)
from flask_ticketminer.site import Site, current_site
from flask_ticketminer.wire import json_response, read_json
from flask_ticketminer.work.job import job_document, job_token, new_job
from miner.tokens import CodecError, amount

_MAX_ALGORITHMS = 16


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("job", __name__)
    blueprint.add_url_rule("/job", "job", job, methods=["POST"])
    blueprint.add_url_rule("/tip/<algorithm>", "tip", tip)
    return blueprint


def job() -> Response:
    """Return a job, once the visitor has agreed to this site's consent text."""
    site = current_site()
    members = read_json(required=("consent", "algorithms"), optional=("value", "donate", "fund"))
    _check_consent(site, members["consent"])
    _check_algorithms(site, members["algorithms"])
    donate, fund = _donation(site, members)
    value = max(_value(site, members.get("value", 1)), site.floor.value())
    key_id = None if donate else site.keys.current(value).key_id
    return json_response(make_job(site, value=value, key_id=key_id, fund=fund))


def tip(algorithm: str) -> Response:
    """Answer 404: `local` work is never voided, so it has no tip."""
    settings = current_site().settings
    if algorithm != settings.algorithm:
        raise UnknownAlgorithm(f"This site's work is {settings.algorithm}.")
    raise NoTip("This work is local: its jobs last until they expire, and nothing needs to be polled.")


def make_job(site: Site, *, value: int, key_id: bytes | None, fund: str | None) -> dict[str, t.Any]:
    """Return the document of a new job."""
    now = site.clock.now()
    made = new_job(site.settings, value=value, key_id=key_id, fund=fund, now=now)
    return job_document(made, job_token(made, site.jobs), site.settings, now)


def _check_consent(site: Site, consent: object) -> None:
    version = site.settings.consent_version
    if not isinstance(consent, str) or not hmac.compare_digest(
        consent.encode("utf-8", "replace"), version.encode()
    ):
        raise ConsentRequired(
            "Work is handed out only to visitors who agreed to the current text: show it, ask, and send its version.",
            consent={"version": version, "text": site.settings.consent_text},
        )


def _check_algorithms(site: Site, algorithms: object) -> None:
    if (
        not isinstance(algorithms, list)
        or not 1 <= len(algorithms) <= _MAX_ALGORITHMS
        or not all(isinstance(name, str) for name in algorithms)
    ):
        raise MalformedRequest(f"algorithms is a list of 1 to {_MAX_ALGORITHMS} names.", cause="wrong-type")
    if site.settings.algorithm not in algorithms:
        raise UnknownAlgorithm(
            f"This site's work is {site.settings.algorithm}; none of the algorithms offered is.",
            algorithms=[site.settings.algorithm],
        )


def _value(site: Site, value: object) -> int:
    try:
        wanted = amount(value, name="value")
    except CodecError as error:
        raise BadAmount(str(error)) from error
    if wanted not in site.settings.denominations:
        raise BadAmount(f"The value of a job is a power of two from 1 to {site.settings.largest}.")
    return wanted


def _donation(site: Site, members: dict[str, t.Any]) -> tuple[bool, str | None]:
    donate, fund = members.get("donate", False), members.get("fund")
    if not isinstance(donate, bool):
        raise MalformedRequest("donate is true or false.", cause="wrong-type")
    if fund is not None and (not isinstance(fund, str) or fund not in site.settings.funds):
        raise UnknownFund("There is no such fund; the service document lists them.")
    if fund is not None and not donate:
        raise MalformedRequest("A fund goes with donate: true.", cause="malformed-request")
    return donate, fund
