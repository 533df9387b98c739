"""Tickets and outputs made by hand, so that the same ticket can stand in many credentials."""

from __future__ import annotations

import os
import random
import typing as t
from dataclasses import dataclass, field

from miner.tokens import CodecError, Token, b64url, blind, finalize, unb64url


@dataclass(frozen=True)
class Coin:
    """A ticket: `token` is what pays."""

    key_id: bytes
    nonce: bytes
    value: int
    token: str = field(repr=False)

    @property
    def name(self) -> tuple[bytes, bytes]:
        return self.key_id, self.nonce


@dataclass(frozen=True)
class Blank:
    """An output: a ticket asked for, with what it takes to finish it."""

    key: t.Any
    nonce: bytes
    blinded: bytes
    inverse: int = field(repr=False)

    @property
    def value(self) -> int:
        return t.cast(int, self.key.value)

    def member(self) -> dict[str, str]:
        return {"key_id": self.key.key_id.hex(), "blinded_message": b64url(self.blinded)}

    def finish(self, signature: str) -> Coin | None:
        """Return the ticket that a blind `signature` (base64url) makes of it; None when it makes none."""
        message = Token.input(self.nonce, self.key.challenge_digest, self.key.key_id)
        try:
            finished = finalize(self.key.public_key, message, unb64url(signature, size=256), self.inverse)
        except CodecError:
            return None
        return Coin(self.key.key_id, self.nonce, self.value, b64url(message + finished))


class Till:
    """Issues tickets through the ledger of `site`, in process, each for a share that nobody found; the books count them."""

    def __init__(self, site: t.Any, chance: random.Random) -> None:
        self._site = site
        self._chance = chance

    def blank(self, value: int) -> Blank:
        key = self._site.keys.current(value)
        nonce = self._chance.randbytes(32)
        message = Token.input(nonce, key.challenge_digest, key.key_id)
        r = int.from_bytes(self._chance.randbytes(255), "big") | 1
        blinded, inverse = blind(key.public_key, message, salt=self._chance.randbytes(48), r=r)
        return Blank(key, nonce, blinded, inverse)

    def coin(self, value: int) -> Coin:
        blank = self.blank(value)
        result = self._site.ledger.accept_share(
            os.urandom(32), os.urandom(32), value=value, key=blank.key, blinded=blank.blinded
        )
        coin = blank.finish(b64url(result.signature))
        assert coin is not None
        return coin
