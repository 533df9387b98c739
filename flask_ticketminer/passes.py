"""Passes: what a payment leaves behind to open its resource, once or for a time."""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass

from flask import Response, request
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.http import dump_cookie

from miner.tokens import b64url, unb64url

HEADER = "TicketMiner-Pass"
COOKIE_PREFIX = "ticketminer_pass_"

_MAX_TOKEN = 1024
_PLAIN = re.compile(r"[A-Za-z0-9._/-]*")


@dataclass(frozen=True, slots=True)
class AccessPass:
    """Permission to see what was paid for.

    :ivar payment_id: 32 bytes, the payment that it comes from.
    :ivar area: what it opens (:func:`area_of`): one request's binding, or a scope.
    :ivar amount: tickets paid.
    :ivar expires: Unix seconds; None when it opens the resource once, whenever that is.
    """

    payment_id: bytes
    area: str
    amount: int
    expires: int | None

    @property
    def single_use(self) -> bool:
        return self.expires is None

    @property
    def scope(self) -> str | None:
        """The scope that it opens, so that a wallet can use it on other routes; None for a single request."""
        kind, _, name = self.area.partition(":")
        return name if kind == "scope" else None

    def token(self, serializer: URLSafeSerializer) -> str:
        """Return the text that carries the pass in a cookie or in ``TicketMiner-Pass``."""
        return serializer.dumps([b64url(self.payment_id), self.area, self.amount, self.expires])

    def document(self, token: str) -> dict[str, t.Any]:
        """Return the pass, with its `token`, as answers show it."""
        return {
            "token": token,
            "expires": self.expires,
            "single_use": self.single_use,
            "scope": self.scope,
        }


def area_of(binding: bytes, scope: str | None) -> str:
    """Return the name of what a pass opens: all routes of `scope`, else the one request with this `binding`."""
    return f"scope:{scope}" if scope is not None else f"request:{b64url(binding)}"


def read_pass(token: str, serializer: URLSafeSerializer) -> AccessPass | None:
    """Return the pass that `token` carries, or None when this site did not make it."""
    if len(token) > _MAX_TOKEN or not token.isascii():
        return None
    try:
        payment_id, area, amount, expires = serializer.loads(token)
    except (BadSignature, ValueError):
        return None
    return AccessPass(unb64url(payment_id), area, amount, expires)


def presented_pass(area: str, serializer: URLSafeSerializer, now: int) -> AccessPass | None:
    """Return the pass of the current request that opens `area` now, if it brings one."""
    for token in (request.headers.get(HEADER), request.cookies.get(cookie_name(area))):
        if token is None:
            continue
        found = read_pass(token, serializer)
        if found is not None and found.area == area and (found.expires is None or now < found.expires):
            return found
    return None


def cookie_name(area: str) -> str:
    """Return the name of the cookie that holds the pass for `area`, so that passes do not displace one another."""
    return COOKIE_PREFIX + hashlib.sha256(area.encode()).hexdigest()[:16]


def cookie_path(path: str) -> str:
    """Return the path for the cookie of a pass that opens `path` (percent-encoded, with the mount point).

    It ends with the last directory before a character that a client may spell in several ways, since cookies are matched by
    spelling.
    """
    plain = _PLAIN.match(path)
    if plain is None or plain[0] == path:
        return path
    return path[: plain[0].rfind("/") + 1]


def delete_pass_cookie(response: Response, access: AccessPass, *, path: str) -> None:
    """Let the client forget the cookie for `access`. Parameters as for :func:`set_pass_cookie`."""
    response.delete_cookie(
        cookie_name(access.area),
        path=cookie_path(path),
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )


def set_pass_cookie(response: Response, access: AccessPass, token: str, *, path: str, now: int) -> None:
    """Add the cookie for `access` to `response`: not for scripts, same site, secure where the request was.

    :param token: of the pass.
    :param path: what it opens, percent-encoded, with the mount point.
    """
    cookie = dump_cookie(
        cookie_name(access.area),
        token,
        max_age=None if access.expires is None else max(0, access.expires - now),
        path=cookie_path(path),
        secure=request.is_secure,
        httponly=True,
        # Expires would repeat Max-Age by the visitor's clock.
        sync_expires=False,
        samesite="Lax",
    )
    response.headers.add("Set-Cookie", cookie)
