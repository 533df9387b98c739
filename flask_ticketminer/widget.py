"""``{{ ticketminer_widget(…) }}``: the page miner, and what stands in its place where it cannot run."""

from __future__ import annotations

import typing as t

from flask import request
from markupsafe import Markup

from flask_ticketminer.assets import ELEMENT
from flask_ticketminer.messages import consent_text, messages
from flask_ticketminer.pages import part
from flask_ticketminer.site import Site, current_site
from flask_ticketminer.wording import shell_word
from miner.tokens import MAX_AMOUNT

MODES = ("pay", "donate", "tickets")


def widget(
    price: int | None = None,
    *,
    resource: str | None = None,
    fund: str | None = None,
    mode: str | None = None,
    lang: str | None = None,
    nonce: str | None = None,
    below: bool = False,
) -> Markup:
    """Return the element that mines and pays: ``{{ ticketminer_widget(price=3, resource=url_for("report")) }}``.

    :param price: tickets: what `resource` costs, how many to give (0: until the visitor stops), or how many to have.
        A donation may leave it to the fund.
    :param resource: path and query of the gated page that the tickets open.
    :param fund: what a donation goes to; None is the site itself.
    :param mode: ``pay``, ``donate`` or ``tickets``. By default it pays where there is a `resource`, donates where there is
        a `fund`, and else saves up.
    :param lang: the element's language, if it is not the visitor's.
    :param nonce: the page's nonce, where its policy admits scripts by nonce.
    :param below: the page says by itself, below, how to pay without the element.
    """
    site = current_site()
    mode = mode or ("pay" if resource else "donate" if fund else "tickets")
    if mode not in MODES:
        raise ValueError(f"{mode!r} is no mode of the widget; there are {', '.join(MODES)}.")
    if (mode == "pay") != bool(resource) or (fund and mode != "donate"):
        raise ValueError(
            "The widget pays for a resource, donates to a fund, or earns tickets: give it what goes with its mode."
        )
    if resource and (not resource.startswith("/") or resource.startswith("//")):
        raise ValueError(
            f"resource is {resource!r}, but it must be a path of this site, as url_for() returns it."
        )
    name, entry = site.fund(fund)
    amount = entry.default if price is None and mode == "donate" else price
    least = 0 if mode == "donate" else 1
    if type(amount) is not int or not least <= amount <= MAX_AMOUNT:
        raise ValueError(
            f"price is {price!r}, but it must be a whole number of tickets from {least} to {MAX_AMOUNT}."
        )
    offered = site.settings.widget
    return part(
        "ticketminer/widget.html",
        lang=lang,
        attributes=attributes(site, mode, amount, resource, name, lang) if offered else None,
        script=site.asset_url(ELEMENT) if offered else None,
        nonce=nonce,
        mode=mode,
        amount=amount,
        resource=resource,
        fund_title=entry.title,
        command=_command(site, mode, amount, resource, name),
        wallet_url=site.url("/wallet"),
        below=below,
    )


def attributes(
    site: Site, mode: str, amount: int, resource: str | None, fund: str | None, lang: str | None
) -> dict[str, t.Any]:
    """Return the attributes of the element (``docs/browser.md``), of which None is left out."""
    said, settings, offer = messages(lang), site.settings, site.source.offers()[0]
    return {
        "service": site.url(),
        "assets": site.asset_url(),
        "goal": mode,
        "price": amount,
        "resource": resource,
        "fund": fund,
        "fund-title": site.fund(fund)[1].title if mode == "donate" else None,
        "consent": settings.consent_version,
        "consent-text": consent_text(said),
        "algorithm": offer.algorithm,
        "effort": settings.expected(offer.effort, 1),
        "wallet": site.url("/wallet"),
        "about": site.url("/about"),
    }


def _command(site: Site, mode: str, amount: int, resource: str | None, fund: str | None) -> str:
    """Return what does the same in a terminal."""
    origin = request.host_url.rstrip("/")
    service = shell_word(origin + site.url())
    to_fund = f" --fund {fund}" if fund else ""
    if resource:
        return f"ticketminer pay {shell_word(origin + resource)}"
    if mode == "tickets":
        return f"ticketminer mine {service} --tickets {amount}"
    return (
        f"ticketminer donate {service} {amount}{to_fund}"
        if amount
        else f"ticketminer mine {service} --donate{to_fund}"
    )
