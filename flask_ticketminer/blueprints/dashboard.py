"""``GET /ticketminer/dashboard``: public counters, for people, and as JSON at ``/ticketminer/stats``."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, Response

from flask_ticketminer.pages import cacheable, page
from flask_ticketminer.site import current_site
from flask_ticketminer.wire import json_response


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("dashboard", __name__)
    blueprint.add_url_rule("/dashboard", "dashboard", dashboard)
    blueprint.add_url_rule("/stats", "stats", stats)
    return blueprint


def dashboard() -> Response:
    """Return the page of counters."""
    site = current_site()
    response = page(
        "ticketminer/dashboard.html",
        statistics=site.statistics.current(),
        settings=site.settings,
        offers=site.source.offers(),
        day=_day,
    )
    return cacheable(response, 60)


def stats() -> Response:
    """Return the same counters as JSON."""
    site = current_site()
    response = json_response(site.statistics.current())
    response.headers["Cache-Control"] = "public, max-age=60"
    return response


def _day(moment: int) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).date().isoformat()
