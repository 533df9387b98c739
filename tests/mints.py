"""A mint with its ledger and a wallet's half of the cryptography, for tests below HTTP."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
import typing as t

from flask import Flask
from sqlalchemy import URL

from flask_ticketminer.clock import ManualClock
from flask_ticketminer.config import Settings, read_settings
from flask_ticketminer.database import Database
from flask_ticketminer.mint.key_pool import pooled_keys
from flask_ticketminer.mint.keys import KeyRing, MintKey
from flask_ticketminer.mint.ledger import Ledger, PaymentOrder, Reservation
from flask_ticketminer.mint.retirement import prune
from miner.tokens import Token, blind, finalize, split

EPOCH = 7 * 86400
START = 2943 * EPOCH + 2 * 86400
"""The third day of an epoch, in the year 2026."""

_serial = itertools.count()


class Wrapping:
    """Wrapping keys made from one letter each, newest first."""

    def __init__(self, letters: str = "a") -> None:
        self.letters = letters

    @property
    def wrapping_keys(self) -> list[bytes]:
        return [letter.encode() * 32 for letter in self.letters]


def make_settings(**changes: t.Any) -> Settings:
    """Return the defaults with `changes`."""
    return dataclasses.replace(read_settings(Flask(__name__)), **{"site_name": "shop.example", **changes})


class Mint:
    """Database, keys and ledger of one site."""

    audited = True
    """Whether the books must balance when the test ends."""

    def __init__(
        self,
        url: str | URL,
        clock: ManualClock,
        *,
        wrapping: Wrapping | None = None,
        keys: dict[str, t.Any] | None = None,
        **changes: t.Any,
    ) -> None:
        self.clock = clock
        self.settings = make_settings(**changes)
        self.database = Database(url)
        self.wrapping = wrapping or Wrapping()
        options: dict[str, t.Any] = {"generate": pooled_keys(), "reload_every": 0.0} | (keys or {})
        self.keys = KeyRing(self.database, self.settings, clock, self.wrapping, **options)
        self.ledger = Ledger(self.database, self.settings, clock, self.keys)

    def output(self, value: int) -> tuple[MintKey, bytes]:
        """Return a key and a blinded message that nobody asked for yet."""
        return self.blinded(value)[:2]

    def outputs(self, value: int) -> list[tuple[MintKey, bytes]]:
        return [self.output(part) for part in split(value)]

    def blinded(self, value: int) -> tuple[MintKey, bytes, bytes, int]:
        """Return key, blinded message, nonce and the inverse that unblinds it."""
        key = self.keys.current(value)
        nonce = hashlib.sha256(b"nonce %d" % next(_serial)).digest()
        message = Token.input(nonce, key.challenge_digest, key.key_id)
        r = int.from_bytes(os.urandom(255), "big") | 1
        blinded, inverse = blind(key.public_key, message, salt=os.urandom(48), r=r)
        return key, blinded, nonce, inverse

    def ticket(self, value: int = 1) -> Token:
        """Return a ticket that a share paid for."""
        key, blinded, nonce, inverse = self.blinded(value)
        result = self.ledger.accept_share(
            os.urandom(32), os.urandom(32), value=value, key=key, blinded=blinded
        )
        message = Token.input(nonce, key.challenge_digest, key.key_id)
        assert result.signature is not None
        signature = finalize(key.public_key, message, result.signature, inverse)
        return Token(nonce, key.challenge_digest, key.key_id, signature)

    def order(self, tokens: t.Sequence[Token], price: int | None = None, **changes: t.Any) -> PaymentOrder:
        """Return an order that spends `tokens` at `price` (all of their value by default)."""
        worth = sum(self.keys.find(token.key_id).value for token in tokens)
        price = worth if price is None else price
        fields = {"payment_id": os.urandom(32), "outputs": self.outputs(worth - price), **changes}
        return PaymentOrder(tokens=list(tokens), price=price, **fields)

    def give_up(self, order: PaymentOrder) -> Reservation:
        """Reserve `order` and let its lease end, as after a crash; somebody tidies up. Return what was reserved."""
        reserved = self.ledger.reserve(order)
        assert isinstance(reserved, Reservation)
        self.clock.advance(self.settings.lease)
        assert prune(self.database, self.settings, self.clock, force=True).released == 1
        return reserved
