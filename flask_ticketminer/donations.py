"""Donations: the route that takes them, and the template functions that ask for them."""

from __future__ import annotations

import typing as t

from flask import Response, request
from markupsafe import Markup

from flask_ticketminer.assets import BANNER
from flask_ticketminer.current import current_payment
from flask_ticketminer.errors import BadAmount
from flask_ticketminer.forsale import Gate
from flask_ticketminer.gate import gated
from flask_ticketminer.pages import page, part
from flask_ticketminer.site import current_site
from flask_ticketminer.widget import attributes
from miner.tokens import CodecError, parse_amount

STYLES = ("large-coffee", "large-lightbulb", "small-blue", "small-coffee")


def donation_amount() -> int:
    """Return the ``amount`` of the current request, checked against its fund's minimum.

    :raises BadAmount, UnknownFund: the query string asks for something that cannot be.
    """
    _, fund = current_site().fund(request.args.get("fund"))
    try:
        wanted = parse_amount(request.args.get("amount", str(fund.default)))
    except CodecError as error:
        raise BadAmount(str(error)) from error
    if wanted < fund.minimum:
        raise BadAmount(
            f"A donation here is at least {fund.minimum}: raise the amount.", minimum=fund.minimum
        )
    return wanted


def _thanks() -> Response:
    """Thank whoever donated."""
    site = current_site()
    name, fund = site.fund(request.args.get("fund"))
    given, before = current_payment.amount, site.funds.total(name)
    if before is not None and not current_payment.by_pass:
        before += given  # this gift is booked once it has been thanked for
    return page("ticketminer/thanks.html", amount=given, fund=fund, total=before)


donate = gated(
    _thanks,
    Gate(donation_amount, donation=True, fund=lambda: current_site().fund(request.args.get("fund"))[0]),
)
"""``GET /ticketminer/donate?amount=&fund=``: costs what the visitor names, and thanks."""


def donate_banner(fund: str | None = None, style: str = "large-coffee", **texts: t.Any) -> Markup:
    """Return a donation banner: ``{{ ticketminer_donate(fund="articles", style="large-coffee") }}``.

    :param style: one of ``large-coffee``, ``large-lightbulb``, ``small-blue``, ``small-coffee``.
    :param texts: ``title`` and ``text`` to show instead of the fund's own; ``lang`` if it is not the visitor's language;
        ``nonce``, where the page's policy admits scripts by nonce.
    """
    if style not in STYLES:
        raise ValueError(f"{style!r} is no banner style; there are {', '.join(STYLES)}.")
    site = current_site()
    name, entry = site.fund(fund)
    lang, offered = texts.get("lang"), site.settings.widget
    return part(
        "ticketminer/donate_banner.html",
        lang=lang,
        miner=attributes(site, "donate", 0, None, name, lang) if offered else None,
        script=site.asset_url(BANNER) if offered else None,
        nonce=texts.get("nonce"),
        style=style,
        fund=name,
        title=texts.get("title", entry.title),
        text=texts.get("text"),
        minimum=entry.minimum,
        default=entry.default,
        total=site.funds.total(name),
        donate_url=site.url("/donate"),
    )


def donated(fund: str | None = None) -> int | str:
    """Return the tickets donated to `fund` so far, by payment and by work; "–" while the database does not answer."""
    site = current_site()
    total = site.funds.total(site.fund(fund)[0])
    return "–" if total is None else total
