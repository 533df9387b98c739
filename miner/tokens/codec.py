"""Strict text codecs: one accepted spelling for every value, so that equal requests have equal digests."""

from __future__ import annotations

import base64
import binascii
import json
import re
import typing as t

import rfc8785

# The alphabet of base64url as that of base64; what only base64 has becomes what neither has.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")
_LAST = ("", "", "AQgw", "AEIMQUYcgkosw048")
"""By the number of characters beyond whole groups of four: which the last one may be, lest it have stray bits."""
_HEX = re.compile(r"(?:[0-9a-f]{2})*")


class CodecError(ValueError):
    """A value is not in the one spelling the protocol accepts.

    :attr cause: stable name of the fault, e.g. ``malformed-base64``, as problem documents carry it.
    """

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


def b64url(data: bytes) -> str:
    """Return `data` as base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64url(text: object, *, size: int | None = None, name: str = "value") -> bytes:
    """Return the bytes of canonical, unpadded base64url `text`.

    :param size: required number of bytes, when the field has a fixed size.
    :raises CodecError: ``malformed-base64``, ``wrong-type`` or ``wrong-size``.
    """
    if not isinstance(text, str):
        raise CodecError("wrong-type", f"{name} must be a string of base64url.")
    over = len(text) % 4
    try:
        data = binascii.a2b_base64(
            text.encode("ascii").translate(_FROM_URL) + b"=" * (-over % 4), strict_mode=True
        )
    except ValueError as error:
        raise CodecError(
            "malformed-base64", f"{name} must be base64url (RFC 4648 section 5) without padding."
        ) from error
    if over and text[-1] not in _LAST[over]:
        raise CodecError(
            "malformed-base64", f"{name} is not canonical base64url: its last character has stray bits."
        )
    if size is not None and len(data) != size:
        raise CodecError("wrong-size", f"{name} must be {size} bytes, not {len(data)}.")
    return data


def hex_bytes(text: object, *, size: int | None = None, name: str = "value") -> bytes:
    """Return the bytes of lower-case hexadecimal `text`.

    :raises CodecError: ``malformed-hex``, ``wrong-type`` or ``wrong-size``.
    """
    if not isinstance(text, str):
        raise CodecError("wrong-type", f"{name} must be a string of hexadecimal digits.")
    if not _HEX.fullmatch(text):
        raise CodecError("malformed-hex", f"{name} must be lower-case hexadecimal, two digits a byte.")
    data = bytes.fromhex(text)
    if size is not None and len(data) != size:
        raise CodecError("wrong-size", f"{name} must be {size} bytes, not {len(data)}.")
    return data


def jcs(value: t.Any) -> bytes:
    """Return the canonical JSON of `value` (RFC 8785)."""
    return rfc8785.dumps(value)


def decode_json(data: bytes, *, name: str = "The body", fractions: bool = False) -> dict[str, t.Any]:
    """Return the JSON object in `data`, or refuse it: no floats, no duplicate members, no lone surrogates.

    :param name: what it is, at the beginning of a sentence.
    :param fractions: whether floats are right in it; infinity and NaN never are.
    :raises CodecError: ``malformed-json``.
    """
    try:
        text = data.decode("utf-8")
        value = (_fractional if fractions else _decoder).decode(text)
        if "\\u" in text:  # only an escape can bring half of a surrogate pair in
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except CodecError:
        raise
    except (ValueError, RecursionError) as error:
        raise CodecError("malformed-json", f"{name} must be one JSON object in UTF-8.") from error
    if not isinstance(value, dict):
        raise CodecError("malformed-json", f"{name} must be a JSON object.")
    return value


def _distinct(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise CodecError("malformed-json", "A JSON object names a member twice; send each member once.")
    return members


def _refuse_float(text: str) -> t.NoReturn:
    raise CodecError("malformed-json", f"Numbers must be integers, not {text[:20]}.")


_decoder = json.JSONDecoder(
    object_pairs_hook=_distinct, parse_float=_refuse_float, parse_constant=_refuse_float
)
_fractional = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_refuse_float)
