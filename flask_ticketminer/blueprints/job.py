"""``POST /ticketminer/job`` hands out work; ``GET /ticketminer/tip/<algorithm>`` says when it is void."""

from __future__ import annotations

import hmac
import typing as t
from collections.abc import Sequence

from flask import Blueprint, Response, request

from flask_ticketminer.errors import BadAmount, ConsentRequired, MalformedRequest, UnknownFund
from flask_ticketminer.site import Site, current_site
from flask_ticketminer.wire import json_response, read_json
from flask_ticketminer.work.job import job_document, job_token
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
    algorithms = _algorithms(members["algorithms"])
    donate, fund = _donation(site, members)
    value = max(_value(site, members.get("value", 1)), site.floor.value())
    return json_response(make_job(site, algorithms, value=value, donate=donate, fund=fund))


def tip(algorithm: str) -> Response:
    """Return what names the work that upstream has not voided; `local` work is never voided, so it has none (404)."""
    response = json_response(current_site().source.tip(algorithm))
    response.headers["Cache-Control"] = "public, max-age=1"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.add_etag()
    response.make_conditional(request)
    return response


def make_job(
    site: Site, algorithms: Sequence[str], *, value: int, donate: bool, fund: str | None
) -> dict[str, t.Any]:
    """Return the document of a new job in one of `algorithms`.

    :raises UnknownAlgorithm, NoWork: there is none.
    """
    now = site.clock.now()
    work = site.source.cut(algorithms)
    value = work.value(value, site.settings.denominations)
    key_id = None if donate else site.keys.current(value).key_id
    made = work.job(value, key_id, fund, now)
    return job_document(made, job_token(made, site.jobs), site.settings, now, work.members)


def _check_consent(site: Site, consent: object) -> None:
    version = site.settings.consent_version
    if not isinstance(consent, str) or not hmac.compare_digest(
        consent.encode("utf-8", "replace"), version.encode()
    ):
        raise ConsentRequired(
            "Work is handed out only to visitors who agreed to the current text: show it, ask, and send its version.",
            consent={"version": version, "text": site.settings.consent_text},
        )


def _algorithms(algorithms: object) -> list[str]:
    if (
        not isinstance(algorithms, list)
        or not 1 <= len(algorithms) <= _MAX_ALGORITHMS
        or not all(isinstance(name, str) for name in algorithms)
    ):
        raise MalformedRequest(f"algorithms is a list of 1 to {_MAX_ALGORITHMS} names.", cause="wrong-type")
    return algorithms


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
