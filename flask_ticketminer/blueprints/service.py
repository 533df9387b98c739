"""``GET /ticketminer/``: what this site offers."""

from __future__ import annotations

import typing as t

from flask import Blueprint, Response

from flask_ticketminer.credential import MAX_HEADER, MAX_HEADER_OUTPUTS
from flask_ticketminer.mint.restore import MAX_HASHES
from flask_ticketminer.openapi import openapi_document
from flask_ticketminer.pages import SERVICE_HEADER
from flask_ticketminer.site import Site, current_site
from flask_ticketminer.wire import json_response


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("service", __name__)
    blueprint.add_url_rule("/", "service", service)
    blueprint.add_url_rule("/openapi.json", "openapi", openapi)
    return blueprint


def service() -> Response:
    """Return the service document."""
    site = current_site()
    response = json_response(service_document(site))
    response.headers["Cache-Control"] = "public, max-age=60"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers[SERVICE_HEADER] = site.url()
    return response


def openapi() -> Response:
    """Return the OpenAPI description of these endpoints."""
    response = json_response(openapi_document(current_site()))
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


def service_document(site: Site) -> dict[str, t.Any]:
    """Return the members of the service document (``docs/protocol.md``)."""
    settings = site.settings
    return {
        "service": "ticketminer",
        "version": 1,
        "site_name": settings.site_name,
        "denominations": list(settings.denominations),
        "algorithms": [
            {
                "algorithm": offer.algorithm,
                "expected_hashes": settings.expected(offer.effort, 1),
                "work": settings.work_kind,
            }
            for offer in site.source.offers()
        ],
        "limits": {
            "inputs": settings.max_inputs,
            "outputs": settings.max_outputs,
            "body": settings.max_body,
            "header_credential": MAX_HEADER,
            "header_outputs": MAX_HEADER_OUTPUTS,
            "restore": MAX_HASHES,
            "job_value": settings.largest,
        },
        "consent": {"version": settings.consent_version, "text": settings.consent_text},
        "funds": [
            {"fund": name, "title": fund.title, "minimum": fund.minimum, "default": fund.default}
            for name, fund in settings.funds.items()
        ],
        "origins": list(settings.origins),
        "links": {
            "job": site.url("/job"),
            "submit": site.url("/submit"),
            "redeem": site.url("/redeem"),
            "keys": site.url("/keys"),
            "restore": site.url("/restore"),
            "donate": site.url("/donate"),
            "spent": site.url("/keys/{key_id}/spent"),
            "openapi": site.url("/openapi.json"),
            "wallet": site.url("/wallet"),
            **_tip_links(site),
        },
    }


def _tip_links(site: Site) -> dict[str, str]:
    """Return where miners hear that work is void; local work never is."""
    settings = site.settings
    if not settings.offered_coins:
        return {}
    links = {"tip": site.url("/tip/{algorithm}")}
    return links if settings.tip_events is None else {**links, "tip_events": settings.tip_events}
