"""Reading ``WWW-Authenticate``: any mixture of challenges (RFC 9110 section 11), and the Payment scheme among them."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
import typing as t
from dataclasses import dataclass, field

from miner import answers
from miner.answers import nonsense
from miner.tokens import CodecError, decode_json, parse_amount, unb64url

METHOD = "ticket"
INTENT = "charge"
CURRENCY = "ticket"
HEADERS = ("Authorization", "Payment-Authorization")

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_SCHEME = re.compile(rf"({_WORD})(?:[ \t]+|(?=,)|$)")
_PARAMETER = re.compile(rf'({_WORD})[ \t]*=[ \t]*(?:({_WORD})|"((?:[^"\\]|\\.)*)")[ \t]*(?=,|$)', re.DOTALL)
_TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*[ \t]*(?=,|$)")
_SPACE = re.compile(r"[ \t,]*")
_ECHO = ("id", "realm", "method", "intent", "request", "expires", "digest", "opaque", "header", "description")


@dataclass(frozen=True, slots=True)
class Challenge:
    """A request for payment in tickets.

    :ivar amount: tickets.
    :ivar recipient: issuer name of the site.
    :ivar redeem, service: paths on the site.
    :ivar expires: Unix seconds.
    :ivar digest: of the request's body, as ``Content-Digest`` writes it.
    :ivar header: the field in which the site wants the credential.
    :ivar echo: what the credential repeats.
    """

    amount: int
    recipient: str
    redeem: str
    service: str | None
    expires: int | None
    digest: str | None
    header: str
    scope: str | None
    echo: t.Mapping[str, str] = field(repr=False)


def parse_challenges(values: t.Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    """Return the challenges in the field `values`, in order: lower-case scheme and parameters (lower-case names).

    A challenge that repeats a parameter or cannot be read is left out; those around it are not.
    """
    challenges: list[tuple[str, dict[str, str]]] = []
    for value in values:
        challenges += _parse(value)
    return challenges


def find_challenge(values: t.Iterable[str]) -> Challenge | None:
    """Return the first request for tickets in the ``WWW-Authenticate`` fields `values`; None when there is none.

    Other intents, and other fields than :data:`HEADERS`, are left alone, as the scheme wants it.

    :raises SiteProtocolError: there is one, and it is nonsense.
    """
    for scheme, parameters in parse_challenges(values):
        if scheme == "payment" and _for_us(parameters):
            return read_challenge(parameters)
    return None


def _for_us(parameters: t.Mapping[str, str]) -> bool:
    kind = parameters.get("method"), parameters.get("intent", INTENT)
    return kind == (METHOD, INTENT) and parameters.get("header", HEADERS[0]) in HEADERS


def read_challenge(parameters: t.Mapping[str, str]) -> Challenge:
    """Return the challenge with `parameters`.

    :raises SiteProtocolError: it is not one for tickets, or not as the protocol says.
    """
    for name in ("id", "realm", "method", "intent", "request"):
        if name not in parameters:
            raise nonsense(f"the request for payment lacks {name}.")
    if parameters["method"] != METHOD or parameters["intent"] != INTENT:
        raise nonsense("the request for payment is not a charge in tickets.")
    try:
        request = decode_json(unb64url(parameters["request"], name="request"))
        amount = parse_amount(request.get("amount"))
    except CodecError as error:
        raise nonsense(f"the request for payment cannot be read: {error}") from error
    if request.get("currency") != CURRENCY or amount == 0:
        raise nonsense("the request for payment names another currency, or nothing to pay.")
    details = answers.nested(request, "methodDetails", name="request")
    header = parameters.get("header", HEADERS[0])
    if header not in HEADERS:
        raise nonsense("the request for payment names an unknown header field.")
    scope = details.get("scope")
    return Challenge(
        amount=amount,
        recipient=answers.text(request, "recipient", name="request", limit=255),
        redeem=answers.text(details, "redeem", name="methodDetails", limit=512),
        service=answers.path(details, "service", name="methodDetails") if "service" in details else None,
        expires=_expires(parameters.get("expires")),
        digest=parameters.get("digest"),
        header=header,
        scope=scope if isinstance(scope, str) else None,
        echo={name: parameters[name] for name in _ECHO if name in parameters},
    )


def body_digest(body: bytes) -> str:
    """Return ``sha-256=:…:`` of `body` (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def _expires(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise nonsense("the request for payment expires at no date.") from error
    if moment.tzinfo is None:
        raise nonsense("the request for payment expires at a date without time zone.")
    return int(moment.timestamp())


def _parse(value: str) -> t.Iterator[tuple[str, dict[str, str]]]:
    position = _SPACE.match(value).end()  # type: ignore[union-attr]
    while position < len(value):
        scheme = _SCHEME.match(value, position)
        if scheme is None:
            # Not a challenge: go on behind the next comma.
            comma = value.find(",", position)
            position = len(value) if comma < 0 else _skip(value, comma)
            continue
        position = scheme.end()
        parameters: dict[str, str] = {}
        distinct = True
        token68 = _TOKEN68.match(value, position)
        if token68 is not None and _PARAMETER.match(value, position) is None:
            position = token68.end()
        while (found := _PARAMETER.match(value, position)) is not None:
            name = found[1].lower()
            distinct = distinct and name not in parameters
            parameters[name] = (
                found[2] if found[3] is None else re.sub(r"\\(.)", r"\1", found[3], flags=re.DOTALL)
            )
            position = _skip(value, found.end())
        position = _skip(value, position)
        if distinct:
            yield scheme[1].lower(), parameters


def _skip(value: str, position: int) -> int:
    return _SPACE.match(value, position).end()  # type: ignore[union-attr]
