"""Schemas of the strings on the wire: one accepted spelling each (``docs/protocol.md``, "Conventions")."""

from __future__ import annotations

import typing as t

from miner.tokens import KEY_ID_SIZE, MODULUS_SIZE, Token, TokenRequest

Schema = dict[str, t.Any]

ALPHABET = "A-Za-z0-9_-"
_LAST = {0: "", 1: "[AQgw]", 2: "[AEIMQUYcgkosw048]"}
"""The last character of canonical base64url, by the number of bytes modulo 3: its stray bits are zero."""


def base64url(size: int, description: str, *, start: str = "", started: int = 0) -> Schema:
    """Return the schema of `size` bytes in canonical base64url without padding.

    :param start: pattern of the first `started` characters.
    """
    length = -(-size * 8 // 6)
    last = _LAST[size % 3]
    middle = length - started - (1 if last else 0)
    return {
        "type": "string",
        "description": f"{description}, {size} bytes in base64url without padding.",
        "minLength": length,
        "maxLength": length,
        "pattern": f"^{start}[{ALPHABET}]{{{middle}}}{last}$",
    }


def hexadecimal(size: int, description: str) -> Schema:
    """Return the schema of `size` bytes in lower-case hexadecimal."""
    length = 2 * size
    return {
        "type": "string",
        "description": f"{description}, {size} bytes in lower-case hexadecimal.",
        "minLength": length,
        "maxLength": length,
        "pattern": f"^[0-9a-f]{{{length}}}$",
    }


# The first two bytes are 0x0002, so the first 16 bits of base64url are fixed.
TICKET = base64url(Token.SIZE, "A ticket (RFC 9577 Token of type 2)", start="AA[I-L]", started=3)
TOKEN_REQUEST = base64url(
    TokenRequest.SIZE, "A token request (RFC 9578 section 6.1)", start="AA[I-L]", started=3
)
BLIND_SIGNATURE = base64url(MODULUS_SIZE, "A blind signature")
BLINDED_MESSAGE = base64url(MODULUS_SIZE, "A blinded message, below the modulus of its key")
KEY_ID = hexadecimal(KEY_ID_SIZE, "The full id of a ticket key")
HASH = hexadecimal(32, "A SHA-256")
AMOUNT_TEXT: Schema = {
    "type": "string",
    "description": "An amount of tickets, 0 to 2147483647.",
    "pattern": "^(0|[1-9][0-9]{0,9})$",
}
UNIX_TIME: Schema = {"type": "integer", "minimum": 0, "description": "Unix seconds."}
COUNT: Schema = {"type": "integer", "minimum": 0}
PATH: Schema = {"type": "string", "pattern": "^/", "description": "A path-absolute URL."}
