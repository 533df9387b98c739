"""The 402 answer, and the headers of every gated answer."""

from __future__ import annotations

import datetime as dt
import functools
import typing as t

from flask import Response, current_app, request
from werkzeug.exceptions import HTTPException

from flask_ticketminer.binding import Binding
from flask_ticketminer.challenge import Challenge, new_challenge
from flask_ticketminer.errors import PaymentProblem, Problem
from flask_ticketminer.forsale import Sale, sale_of
from flask_ticketminer.messages import consent_text, messages
from flask_ticketminer.pages import SERVICE_HEADER, page
from flask_ticketminer.passes import HEADER
from flask_ticketminer.policy import PAYMENT_PAGE
from flask_ticketminer.site import Site, current_site
from flask_ticketminer.widget import widget
from flask_ticketminer.wire import problem_response
from flask_ticketminer.wording import plural
from miner.tokens import b64url, jcs

RECEIPT_HEADER = "Payment-Receipt"
WWW_AUTHENTICATE = "WWW-Authenticate"
VARY = ("Accept", "Authorization", "Cookie", HEADER)

_GATED = "ticketminer.gated"


def payment_required(site: Site, sale: Sale, binding: Binding, problem: PaymentProblem) -> Response:
    """Return the 402 with a fresh challenge: a page for a browser's navigation, a problem document for programs.

    The answer is returned, never raised: a host's error handler would drop its headers.
    """
    challenge = fresh_challenge(site, sale, binding)
    response = _page(site, sale, challenge, problem) if wants_html() else problem_response(problem)
    response.status_code = 402
    add_challenge(response, challenge)
    return response


def offer_payment(site: Site, sale: Sale, binding: Binding, response: Response) -> Response:
    """Add a challenge to an answer that was given unpaid: paying would change it (RFC 9110 section 11.6.1)."""
    add_challenge(response, fresh_challenge(site, sale, binding))
    return response


def fresh_challenge(site: Site, sale: Sale, binding: Binding) -> Challenge:
    """Return a new challenge of the price of `sale` for the request that `binding` names."""
    details = {"redeem": site.url("/redeem"), "service": site.url()}
    if sale.scope is not None:
        details["scope"] = sale.scope
    return new_challenge(
        site.secrets,
        binding,
        amount=sale.price,
        site_name=site.settings.site_name,
        expires=site.clock.now() + site.settings.challenge_life,
        details=details,
        uses_authorization=site.settings.uses_authorization,
    )


def challenge_again(site: Site, old: Challenge) -> Challenge:
    """Return a fresh challenge for what `old` was for, at today's price where that can be told."""
    binding = Binding(old.method, old.resource, old.parameters.get("digest"), old.binding)
    return fresh_challenge(site, _sale_again(site, old), binding)


def payment_page(site: Site, old: Challenge, problem: Problem, *, same_offer: bool = False) -> Response:
    """Return the 402 page once more, saying why the form was refused.

    :param same_offer: keep the challenge and answer with the problem's own status: the tickets may be in this payment already,
        and only the same form settles it.
    """
    sale = _sale_again(site, old)
    challenge = old if same_offer else challenge_again(site, old)
    response = _page(site, sale, challenge, problem)
    response.status_code = problem.status if same_offer else 402
    if not same_offer:
        add_challenge(response, challenge)
    elif problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    remember_gate()
    return response


def _sale_again(site: Site, old: Challenge) -> Sale:
    try:
        return sale_of(site, old)
    except (Problem, HTTPException):
        return Sale("", old.amount)


def add_challenge(response: Response, challenge: Challenge) -> None:
    """Add `challenge` to an answer, which no cache may then keep."""
    # Accept-Payment is honoured where there is a choice; tickets are all there is, and the draft forbids a 402 without a
    # challenge, so a client that does not accept them is told so by the challenge itself.
    response.headers[WWW_AUTHENTICATE] = challenge.header()
    response.headers["Cache-Control"] = "no-store"


def wants_html() -> bool:
    """Return whether the current request is a browser's navigation; feeds, images and ``fetch`` are not."""
    destination = request.headers.get("Sec-Fetch-Dest", "document")
    if destination not in ("document", "iframe", "frame"):
        return False
    accepted = [kind for kind, quality in request.accept_mimetypes if quality > 0]
    best = request.accept_mimetypes.best_match(["application/problem+json", "application/json", "text/html"])
    return "text/html" in accepted and best == "text/html"


def add_receipt(response: Response, document: dict[str, t.Any]) -> None:
    """Add ``Payment-Receipt`` to a delivered answer; other than on 2xx there is none."""
    if 200 <= response.status_code < 300:
        response.headers[RECEIPT_HEADER] = b64url(jcs(document))


def remember_gate() -> None:
    """Note that the current request met a gate, for :func:`mark_gated`."""
    request.environ[_GATED] = True


def mark_gated(response: Response) -> Response:
    """Keep caches from giving a paid answer away, and say where tickets are to be had.

    Runs after every other ``after_request`` function of the application: one that makes everything public must not make
    this public.
    """
    if not request.environ.get(_GATED):
        return response
    cache = response.cache_control
    if response.status_code >= 400 or WWW_AUTHENTICATE in response.headers:
        response.headers["Cache-Control"] = "no-store"
    elif not cache.no_store:
        cache.public = False
        cache.s_maxage = None
        cache.private = True
    response.vary.update(VARY)
    response.headers[SERVICE_HEADER] = current_site().url()
    return response


def _page(site: Site, sale: Sale, challenge: Challenge, problem: Problem) -> Response:
    handler, said = site.extension.payment_required_callback, messages()
    offer = site.source.offers()[0]
    context: dict[str, t.Any] = {
        "amount": sale.price,
        "resource": challenge.resource,
        "origin": request.host_url.rstrip("/"),
        "challenge": b64url(jcs(challenge.echo())),
        "redeem_url": site.url("/redeem"),
        "service_url": site.url(),
        "expires": dt.datetime.fromtimestamp(challenge.expires, dt.UTC),
        "effort_hashes": site.settings.expected(offer.effort, sale.price),
        "algorithm": offer.algorithm,
        "problem": None if problem.cause == "payment-required" else problem,
        "valid_for": None if sale.valid_for is None else said.duration(sale.valid_for),
        "consent_text": consent_text(said),
        "about_url": site.url("/about"),
        "donation": sale.donation,
        "method": challenge.method,
        "widget": None,
    }
    if site.settings.widget and challenge.method == "GET":  # who reads a page has no body to send again
        aim = {"mode": "donate", "fund": sale.fund} if sale.donation else {"resource": challenge.resource}
        context["widget"] = functools.partial(widget, sale.price, below=True, **aim)
    return page(PAYMENT_PAGE, **context) if handler is None else current_app.make_response(handler(**context))


def describe_duration(seconds: int) -> str:
    """Return `seconds` in the largest unit that divides it, for people."""
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % unit == 0:
            return plural(seconds // unit, name)
    return plural(seconds, "second")
