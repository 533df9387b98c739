"""What visitors can donate to, as the application's settings name it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from miner.tokens import MAX_AMOUNT

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_KEYS = {"title", "minimum", "default"}


@dataclass(frozen=True, slots=True)
class Fund:
    """Something a visitor can donate to: what it is called, the least and the proposed number of tickets."""

    title: str
    minimum: int = 1
    default: int = 5


def read_funds(given: t.Any) -> dict[str, Fund]:
    """Return the funds of a setting: by name a title alone, or a dictionary with `title`, `minimum` and `default`.

    :raises ValueError: what the setting must be, as the end of a sentence.
    """
    if not isinstance(given, dict):
        raise ValueError("a dictionary, for example {'articles': {'title': 'Our articles'}}")
    return {name: _read(name, entry) for name, entry in given.items()}


def _read(name: t.Any, entry: t.Any) -> Fund:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("keyed by names of lower-case letters, digits, '-' and '_'")
    if isinstance(entry, str):
        entry = {"title": entry}
    if not isinstance(entry, dict) or set(entry) - _KEYS:
        raise ValueError("made of entries with the keys title, minimum and default")
    fund = Fund(entry.get("title", name), entry.get("minimum", 1), entry.get("default", 5))
    whole = all(type(number) is int for number in (fund.minimum, fund.default))
    if not whole or not 1 <= fund.minimum <= fund.default <= MAX_AMOUNT:
        raise ValueError(f"such that 1 <= minimum <= default <= {MAX_AMOUNT} (fund {name!r})")
    if not isinstance(fund.title, str) or not fund.title:
        raise ValueError(f"titled (fund {name!r})")
    return fund
