"""Tickets as text, to give away: ``ticketminer-tickets-1.<base64url JSON>``."""

from __future__ import annotations

import json
import typing as t

from miner.errors import SiteProtocolError, WalletError
from miner.tokens import CodecError, Token, b64url, decode_json, unb64url
from miner.transport import origin_of

PREFIX = "ticketminer-tickets-1."
MAX_TICKETS = 1000


def encode_tickets(origin: str, tokens: t.Sequence[bytes]) -> str:
    """Return text that carries `tokens` (354 bytes each) of the site at `origin`."""
    document = {"origin": origin, "tickets": [b64url(token) for token in tokens]}
    return PREFIX + b64url(json.dumps(document, separators=(",", ":")).encode())


def decode_tickets(text: str) -> tuple[str, list[Token]]:
    """Return the origin and the tickets in `text`; white space from copying does not matter.

    :raises WalletError: it is something else, was cut, or names a ticket twice.
    """
    compact = "".join(text.split())
    if not compact.startswith(PREFIX):
        raise WalletError(
            f"This is not a gift of tickets: one begins with {PREFIX} and has to be copied whole."
        )
    try:
        document = decode_json(unb64url(compact.removeprefix(PREFIX), name="The text"))
        origin, items = document.get("origin"), document.get("tickets")
        if not isinstance(origin, str) or not isinstance(items, list) or not 1 <= len(items) <= MAX_TICKETS:
            raise CodecError("missing-member", "It names no site or no tickets.")
        origin = origin_of(origin)
        tokens = [Token.from_bytes(unb64url(item, name="A ticket")) for item in items]
    except (CodecError, SiteProtocolError) as error:
        raise WalletError(
            f"The tickets in this text cannot be read ({error}) Ask for it again, and copy all of it."
        ) from error
    if len({(token.key_id, token.nonce) for token in tokens}) != len(tokens):
        raise WalletError(
            "The text holds one ticket twice, so it is worth less than it says. It was not taken."
        )
    return origin, tokens
