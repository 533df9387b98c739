"""Donations: the route that takes them, and the template functions that ask for them."""

from __future__ import annotations

import typing as t

from flask import Flask, Response, g, make_response, render_template, request
from markupsafe import Markup

from flask_ticketminer.config import Fund
from flask_ticketminer.current import current_payment
from flask_ticketminer.errors import BadAmount, UnknownFund
from flask_ticketminer.forsale import Gate
from flask_ticketminer.gate import gated
from flask_ticketminer.paywall import SERVICE_HEADER
from flask_ticketminer.site import Site, current_site
from miner.tokens import CodecError, parse_amount

STYLES = ("large-coffee", "large-lightbulb", "small-blue", "small-coffee")


def donation_amount() -> int:
    """Return the ``amount`` of the current request, checked against its fund's minimum.

    :raises BadAmount, UnknownFund: the query string asks for something that cannot be.
    """
    _, fund = _fund(current_site(), request.args.get("fund"))
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
    name, fund = _fund(site, request.args.get("fund"))
    given, before = current_payment.amount, site.funds.total(name)
    if before is not None and not current_payment.by_pass:
        before += given  # this gift is booked once it has been thanked for
    page = render_template("ticketminer/thanks.html", amount=given, fund=fund, total=before)
    return make_response(page)


donate = gated(
    _thanks,
    Gate(donation_amount, donation=True, fund=lambda: _fund(current_site(), request.args.get("fund"))[0]),
)
"""``GET /ticketminer/donate?amount=&fund=``: costs what the visitor names, and thanks."""


def donate_banner(fund: str | None = None, style: str = "large-coffee", **texts: t.Any) -> Markup:
    """Return a donation banner: ``{{ ticketminer_donate(fund="articles", style="large-coffee") }}``.

    :param style: one of ``large-coffee``, ``large-lightbulb``, ``small-blue``, ``small-coffee``.
    :param texts: ``title`` and ``text`` to show instead of the fund's own.
    """
    if style not in STYLES:
        raise ValueError(f"{style!r} is no banner style; there are {', '.join(STYLES)}.")
    site = current_site()
    name, entry = _fund(site, fund)
    g._ticketminer_embedded = True
    return Markup(  # noqa: S704 - our own template, autoescaped
        render_template(
            "ticketminer/donate_banner.html",
            style=style,
            fund=name,
            title=texts.get("title", entry.title),
            text=texts.get("text"),
            minimum=entry.minimum,
            default=entry.default,
            total=site.funds.total(name),
            donate_url=site.url("/donate"),
        )
    )


def donated(fund: str | None = None) -> int | str:
    """Return the tickets donated to `fund` so far, by payment and by work; "–" while the database does not answer."""
    site = current_site()
    total = site.funds.total(_fund(site, fund)[0])
    return "–" if total is None else total


def register_donations(app: Flask) -> None:
    """Make the template functions known to `app`, and point embedding pages at the service document."""
    # Not as globals of app.jinja_env: touching that would freeze the host's Jinja options.
    app.context_processor(lambda: {"ticketminer_donate": donate_banner, "ticketminer_donated": donated})
    app.after_request(_mark_embedding)


def _mark_embedding(response: Response) -> Response:
    if g.get("_ticketminer_embedded"):
        response.headers[SERVICE_HEADER] = current_site().url()
    return response


def _fund(site: Site, name: str | None) -> tuple[str | None, Fund]:
    """Return the fund called `name`; without a name, the site itself."""
    if not name:
        return None, Fund(site.settings.site_name)
    fund = site.settings.funds.get(name)
    if fund is None:
        raise UnknownFund(f"There is no fund called {name[:64]!r} here; the service document lists them.")
    return name, fund
