"""The ticket keys and the calendar of the fake site; the same for the whole test run."""

from __future__ import annotations

import functools

from cryptography.hazmat.primitives.asymmetric import rsa

from miner.service import TicketKey
from miner.tokens import (
    spki_from_public_key,
    token_key_id,
)

DAY = 86_400
NOW = 1_795_910_400
"""The fake world's date: within the epoch that begins at EPOCH."""
EPOCH = 1_795_651_200


def private_key(value: int, epoch: int = 0, variant: int = 0) -> rsa.RSAPrivateKey:
    """Return the key of a denomination and epoch; the same for the whole test run."""
    return _drawn(value, epoch, variant)


@functools.cache
def _drawn(*_: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def sign(key: rsa.RSAPrivateKey, blinded: bytes) -> bytes:
    """Return the blind signature, with the plain private operation."""
    numbers = key.private_numbers()
    return pow(int.from_bytes(blinded, "big"), numbers.d, numbers.public_numbers.n).to_bytes(256, "big")


def ticket_key(value: int, *, epoch: int = 0, variant: int = 0, name: str = "shop.example") -> TicketKey:
    """Return the directory entry of a denomination in the current epoch, or `epoch` epochs later."""
    public = private_key(value, epoch, variant).public_key()
    start = EPOCH + epoch * 7 * DAY
    return TicketKey(
        token_key_id(public),
        value,
        start,
        start + 7 * DAY,
        start + 21 * DAY,
        name,
        spki_from_public_key(public),
    )
