"""Money: integers of tickets and the powers of two they are made of."""

from __future__ import annotations

import re

from miner.tokens.codec import CodecError

MAX_AMOUNT = 2**31 - 1
"""The largest amount, in tickets."""

DENOMINATIONS = tuple(2**power for power in range(10))
"""Every value a ticket can have: 1, 2, 4, … 512."""

_AMOUNT = re.compile(r"0|[1-9][0-9]{0,9}")


def amount(value: object, *, name: str = "amount") -> int:
    """Return `value` when it is an integer from 0 to :data:`MAX_AMOUNT`; ``True`` and ``1.0`` are not.

    :raises CodecError: ``bad-amount``.
    """
    if type(value) is not int or not 0 <= value <= MAX_AMOUNT:
        raise CodecError("bad-amount", f"{name} must be a whole number of tickets from 0 to {MAX_AMOUNT}.")
    return value


def parse_amount(text: object, *, name: str = "amount") -> int:
    """Return the amount that the string `text` spells: ``0|[1-9][0-9]{0,9}``, at most :data:`MAX_AMOUNT`.

    :raises CodecError: ``bad-amount``.
    """
    if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
        raise CodecError(
            "bad-amount", f"{name} must be a whole number of tickets, written in decimal digits."
        )
    return amount(int(text), name=name)


def split(value: int, largest: int = DENOMINATIONS[-1]) -> list[int]:
    """Return the fewest denominations, ascending and none above `largest`, that add up to `value`."""
    count, rest = divmod(amount(value), largest)
    parts = [power for power in DENOMINATIONS if rest & power]
    return parts + [largest] * count
