"""``GET /ticketminer/wallet`` and ``/about``: the frame of the wallet in the page, and what mining there means."""

from __future__ import annotations

from flask import Blueprint, Response

from flask_ticketminer.messages import consent_text, messages
from flask_ticketminer.pages import cacheable, page
from flask_ticketminer.site import current_site

MAX_AGE = 60
"""Seconds that caches keep these pages: they name the assets, which a new version of the site replaces."""


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("wallet", __name__)
    blueprint.add_url_rule("/wallet", "wallet", wallet)
    blueprint.add_url_rule("/about", "about", about)
    return blueprint


def wallet() -> Response:
    """Return the page in which a script shows the tickets that this browser holds; nothing in it is about a visitor."""
    return cacheable(
        page("ticketminer/wallet.html", site=current_site(), consent=consent_text(messages())), MAX_AGE
    )


def about() -> Response:
    """Return the page that says what a visitor agrees to, and what it protects against."""
    return cacheable(
        page("ticketminer/about.html", site=current_site(), consent=consent_text(messages())), MAX_AGE
    )
