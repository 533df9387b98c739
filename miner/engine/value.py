"""What a job is to be worth: about five seconds of this machine's work, and no more than is wanted."""

from __future__ import annotations

from miner.tokens import DENOMINATIONS

SOLVE_SECONDS = 5.0
"""How long a job is to take; its value is chosen accordingly."""


def solvable(rate: float, effort: float) -> int:
    """Return the largest denomination that `rate` hashes a second solve in about 5 s, when one ticket takes `effort` hashes."""
    return max((d for d in DENOMINATIONS if d <= rate * SOLVE_SECONDS / effort), default=1)


def at_most(value: int, ceiling: int | None) -> int:
    """Return `value`, or the largest denomination up to `ceiling` tickets if that is less; None is no limit."""
    return (
        value if ceiling is None else min(value, max((d for d in DENOMINATIONS if d <= ceiling), default=1))
    )


def far_apart(asked: int, wanted: int, ceiling: int | None, age: float) -> bool:
    """Return whether a job of value `wanted` is worth a request: not at every wobble of the rate.

    :param asked: the value that the present job was asked with, `age` seconds ago.
    :param ceiling: tickets that are still wanted; None for no limit.
    """
    if age < SOLVE_SECONDS / 2:
        return False
    too_much = ceiling is not None and asked > max(1, ceiling)
    return wanted >= 4 * asked or asked >= 4 * wanted or too_much
