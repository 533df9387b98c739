"""What is for sale: the gate a developer wrote, and the sale that one request makes of it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import unquote

from flask import Flask, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RoutingException
from werkzeug.test import EnvironBuilder

from flask_ticketminer.binding import binding_digest, body_fingerprint, digest_of, mounted
from flask_ticketminer.challenge import Challenge
from flask_ticketminer.errors import ConfigurationError, WrongResource
from flask_ticketminer.passes import area_of
from miner.tokens import CodecError, amount

if t.TYPE_CHECKING:
    from flask_ticketminer.site import Site

Price = int | t.Callable[..., int]


@dataclass(frozen=True, slots=True)
class Sale:
    """What is for sale at one request.

    :ivar price: tickets.
    :ivar valid_for: seconds that the pass lasts; None when the resource is delivered once.
    :ivar fund: where a donation goes.
    """

    endpoint: str
    price: int
    valid_for: int | None = None
    scope: str | None = None
    donation: bool = False
    fund: str | None = None

    def area(self, binding: bytes) -> str:
        """Return what a pass for this sale opens."""
        return area_of(binding, self.scope)


@dataclass(frozen=True, slots=True)
class Gate:
    """What a route costs.

    :ivar price: tickets, or a callable of the view's arguments that returns them; it may ``abort(404)`` before anything
        is paid.
    :ivar valid_for: how long a payment opens the route; None delivers once.
    :ivar scope: payments open every route of this scope.
    :ivar required: whether the view runs unpaid (see :data:`~flask_ticketminer.current_payment`).
    """

    price: Price
    valid_for: timedelta | None = None
    scope: str | None = None
    required: bool = True
    donation: bool = False
    fund: t.Callable[[], str | None] | None = None

    def __post_init__(self) -> None:
        if not callable(self.price):
            _check_price(self.price, "the decorator")
        if self.valid_for is not None and self.valid_for < timedelta(seconds=1):
            raise ConfigurationError("valid_for must be at least one second, or None to deliver once.")

    def sale(self) -> Sale:
        """Return what the current request would pay for."""
        endpoint = request.endpoint or ""
        price = self.price(**(request.view_args or {})) if callable(self.price) else self.price
        checked = _check_price(price, f"the price of {endpoint!r}")
        return self._sale(endpoint, checked, None if self.fund is None else self.fund())

    def fixed_sale(self, endpoint: str) -> Sale | None:
        """Return what any request for `endpoint` would pay for; None when it depends on the request."""
        if callable(self.price) or self.fund is not None:
            return None
        return self._sale(endpoint, self.price, None)

    def _sale(self, endpoint: str, price: int, fund: str | None) -> Sale:
        valid_for = None if self.valid_for is None else int(self.valid_for.total_seconds())
        return Sale(endpoint, price, valid_for, self.scope, self.donation, fund)


def sale_of(site: Site, challenge: Challenge) -> Sale:
    """Return what the request that `challenge` is for would cost now, outside that request.

    The price callable runs in a request context of that URL, so it sees its arguments and query string, but not the
    visitor.

    :raises WrongResource: nothing is for sale there any more, or the challenge is for another host or mount point.
    """
    path, _, query = challenge.resource.partition("?")
    mount = mounted()
    if not path.startswith(f"{mount}/"):
        raise _gone()
    path = path.removeprefix(mount)
    fixed = _fixed_sale(site, challenge, path, query)
    if fixed is not None:
        return fixed
    builder = EnvironBuilder(
        path=path,
        base_url=request.url_root,
        query_string=query,
        method=challenge.method,
    )
    try:
        environ = builder.get_environ()
    finally:
        builder.close()
    with site.app.request_context(environ):
        gate = site.gate(request.endpoint or "", request.method)
        if gate is None or not _same_request(challenge):
            raise _gone()
        _preprocess_values(site.app)
        return gate.sale()


def _fixed_sale(site: Site, challenge: Challenge, path: str, query: str) -> Sale | None:
    """Return the sale if the URL alone settles it, which spares the request context; None when it may not."""
    if site.app.subdomain_matching:
        return None
    try:
        endpoint, _ = site.urls.match(unquote(path), method=challenge.method)
    except (HTTPException, RoutingException):
        return None
    gate = site.gate(endpoint, challenge.method)
    sale = None if gate is None else gate.fixed_sale(endpoint)
    announced = challenge.parameters.get("digest")
    if sale is None or (challenge.method != "GET" and announced is None):
        return None
    fingerprint = body_fingerprint(announced) if announced else None
    digest = digest_of(challenge.method, endpoint, path, query, fingerprint)
    return sale if digest == challenge.binding else None


def _same_request(challenge: Challenge) -> bool:
    """Return whether the current request is the one that `challenge` was made for."""
    announced = challenge.parameters.get("digest")
    if challenge.method != "GET" and announced is None:
        return True  # its form was parsed before the gate, and is not known here
    return binding_digest(body_fingerprint(announced) if announced else None) == challenge.binding


def _preprocess_values(app: Flask) -> None:
    """Let URL preprocessors take their values out of the view's arguments, as Flask does before it calls a view."""
    for name in (None, *reversed(request.blueprints)):
        for preprocess in app.url_value_preprocessors.get(name, ()):
            preprocess(request.endpoint, request.view_args)


def _gone() -> WrongResource:
    return WrongResource("What this payment is for is not for sale here. Nothing was spent.")


def _check_price(price: t.Any, where: str) -> int:
    try:
        return amount(price)
    except CodecError as error:
        raise ConfigurationError(
            f"{where} returned {price!r}: a price is a whole number of tickets, 0 for free."
        ) from error
