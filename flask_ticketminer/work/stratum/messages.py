"""One line of Stratum: a JSON object that is a request, a notification or a response. Whatever a pool sends is untrusted."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from flask_ticketminer.work.stratum.errors import Misbehaved, Refused

MAX_LINE = 256 * 1024
"""Bytes of the longest line; the largest jobs known have some 10 KiB."""

_MAX_TEXT = 200
_MAX_DIGITS = 100


@dataclass(frozen=True, slots=True)
class Call:
    """A request (with an `id`) or a notification (without) of the pool."""

    id: int | str | None
    method: str
    params: list[t.Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request of ours, or work that an ethash pool pushes with the id 0.

    :ivar error: what the pool objects to; `result` means nothing then.
    """

    id: int | None
    result: t.Any
    error: Refused | None


def encode(method: str, params: list[t.Any], *, id: int, **members: t.Any) -> bytes:
    """Return a request as a line."""
    return line({"id": id, "method": method, "params": params, **members})


def line(document: dict[str, t.Any]) -> bytes:
    """Return `document` as a line."""
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def decode(text: bytes) -> Call | Reply:
    """Return what a line says; numbers with a point are Decimal.

    :raises Misbehaved: it is no message of the protocol.
    """
    if len(text) > MAX_LINE:
        raise Misbehaved(f"The pool sent a line of {len(text)} bytes; at most {MAX_LINE} are read.")
    try:
        found = read_json(text)
    except (ValueError, RecursionError) as error:
        raise Misbehaved(f"The pool sent what is no JSON: {printable(text.decode('latin-1'))}") from error
    if not isinstance(found, dict):
        raise Misbehaved("The pool sent JSON that is no object.")
    if found.get("method") is not None:
        return _call(found)
    return _reply(found)


def read_json(text: bytes) -> t.Any:
    """Return what JSON says, in which numbers with a point or an exponent are Decimal.

    :raises ValueError: it is no JSON, or a number has more than 100 characters or an exponent beyond what Decimal counts.
    :raises RecursionError: it is nested too deeply.
    """
    return json.loads(text, parse_float=_decimal, parse_constant=_no_constant)


def printable(text: object) -> str:
    """Return a pool's text for logs and people: one line, no control characters, not long."""
    shown = "".join(
        mark if mark.isprintable() else "\N{REPLACEMENT CHARACTER}" for mark in str(text)[:_MAX_TEXT]
    )
    return shown + ("…" if len(str(text)) > _MAX_TEXT else "")


def _call(found: dict[str, t.Any]) -> Call:
    method, params, call_id = found["method"], found.get("params"), found.get("id")
    if not isinstance(method, str):
        raise Misbehaved("The pool's method is no text.")
    if params is None:
        params = []
    if not isinstance(params, list):
        raise Misbehaved(f"The parameters of {printable(method)} are no list.")
    if isinstance(call_id, bool) or not isinstance(call_id, int | str | None):
        raise Misbehaved(f"The id of {printable(method)} is neither a number nor a text.")
    return Call(call_id, method, params)


def _reply(found: dict[str, t.Any]) -> Reply:
    if "result" not in found and "error" not in found:
        raise Misbehaved("The pool sent neither a method nor a result.")
    reply_id = found.get("id")
    if isinstance(reply_id, bool) or not isinstance(reply_id, int | None):
        raise Misbehaved("The id of the pool's answer is not one of ours.")
    error = found.get("error")
    return Reply(reply_id, found.get("result"), None if error in (None, False) else _refusal(error))


def _refusal(error: object) -> Refused:
    """Read ``[code, message, traceback]``, or ``{"code": …, "message": …}`` as JSON-RPC has it."""
    code, message = 20, error
    if isinstance(error, list) and error:
        code, message = error[0], error[1] if len(error) > 1 else ""
    elif isinstance(error, dict):
        code, message = error.get("code", 20), error.get("message", "")
    if isinstance(code, bool) or not isinstance(code, int) or not -(1 << 31) <= code < 1 << 31:
        code = 20
    return Refused(printable(message) or "The pool gives no reason.", code)


def _decimal(text: str) -> Decimal:
    if len(text) > _MAX_DIGITS:  # arithmetic with as many digits as fit a line takes seconds
        raise ValueError("a number is too long")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError("an exponent is too large") from error


def _no_constant(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is no JSON")
