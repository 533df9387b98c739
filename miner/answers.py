"""Reading a site's answers strictly: what is not as the protocol says is refused by name, never guessed at."""

from __future__ import annotations

import re
import typing as t

from miner.errors import SiteProtocolError, SiteRefused
from miner.tokens import CodecError, decode_json
from miner.transport import Reply

Members = t.Mapping[str, t.Any]

_JSON_TYPES = ("application/json", "application/problem+json", "application/private-token-issuer-directory")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@%{}-]+(?:/[A-Za-z0-9._~!$&'()*+,;=:@%{}-]*)*)?")
_CAUSE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def nonsense(what: str) -> SiteProtocolError:
    """Return the error for an answer that breaks the protocol."""
    return SiteProtocolError(
        f"The site answered nonsense: {what} Nothing was lost. Check the address; if it is right, tell the site's operator."
    )


def read(reply: Reply, *, name: str, fractions: bool = False) -> dict[str, t.Any]:
    """Return the JSON object of a 2xx `reply`.

    :raises SiteRefused: the status is not 2xx.
    :raises SiteProtocolError: the body is not what it must be.
    """
    if not 200 <= reply.status < 300:
        raise refusal(reply)
    if reply.media_type not in _JSON_TYPES:
        raise nonsense(f"{name} has the media type {printable(reply.media_type, 40)!r}, not JSON.")
    try:
        return decode_json(reply.body, fractions=fractions)
    except CodecError as error:
        raise nonsense(f"{name}: {error}") from error


def refusal(
    reply: Reply, *, not_found: str = "There is no ticket service at this address. Check it."
) -> SiteRefused:
    """Return the error that `reply`, which is not 2xx, amounts to; a bare 404 is explained by `not_found`."""
    body: dict[str, t.Any] = {}
    if reply.media_type in _JSON_TYPES:
        try:
            body = decode_json(reply.body)
        except CodecError:
            body = {}
    cause, detail = body.get("cause"), body.get("detail")
    if not isinstance(cause, str) or not _CAUSE.fullmatch(cause):
        cause = f"http-{reply.status}"
    if isinstance(detail, str) and detail.strip():
        sentence = printable(detail, 500)
    elif 300 <= reply.status < 400:
        sentence = "It redirects elsewhere, and tickets are never taken along. Use the address that it names, if you trust it."
    elif reply.status == 404:
        sentence = not_found
    else:
        sentence = f"HTTP status {reply.status} without an explanation. Try again later."
    return SiteRefused(reply.status, cause, sentence, reply.retry_after, body)


def printable(text: str, limit: int = 200) -> str:
    """Return `text` without control and direction characters, which could rewrite a terminal, cut to `limit`."""
    clean = _CONTROL.sub(" ", text).strip()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def text(members: Members, key: str, *, name: str, limit: int = 4096) -> str:
    value = members.get(key)
    if not isinstance(value, str) or len(value) > limit:
        raise nonsense(f"{name}.{key} is not a string of at most {limit} characters.")
    return value


def integer(members: Members, key: str, *, name: str, low: int = 0, high: int = 2**53 - 1) -> int:
    value = members.get(key)
    if type(value) is not int or not low <= value <= high:
        raise nonsense(f"{name}.{key} is not an integer from {low} to {high}.")
    return value


def boolean(members: Members, key: str, *, name: str) -> bool:
    value = members.get(key)
    if not isinstance(value, bool):
        raise nonsense(f"{name}.{key} is not true or false.")
    return value


def items(members: Members, key: str, *, name: str, most: int) -> list[t.Any]:
    value = members.get(key)
    if not isinstance(value, list) or len(value) > most:
        raise nonsense(f"{name}.{key} is not a list of at most {most} items.")
    return value


def objects(members: Members, key: str, *, name: str, most: int) -> list[dict[str, t.Any]]:
    value = items(members, key, name=name, most=most)
    if not all(isinstance(item, dict) for item in value):
        raise nonsense(f"{name}.{key} is not a list of objects.")
    return value


def nested(members: Members, key: str, *, name: str) -> dict[str, t.Any]:
    value = members.get(key)
    if not isinstance(value, dict):
        raise nonsense(f"{name}.{key} is not an object.")
    return value


def path(members: Members, key: str, *, name: str) -> str:
    """Return a link: a path on the same origin, never an address elsewhere."""
    value = text(members, key, name=name, limit=512)
    if not is_path(value):
        raise nonsense(f"{name}.{key} is not a path on the site.")
    return value


def is_path(value: str) -> bool:
    """Return whether `value` is path-absolute: it begins with one slash and can name no other host."""
    return _PATH.fullmatch(value) is not None and "/../" not in value
