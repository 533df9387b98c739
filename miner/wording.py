"""Numbers in sentences."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """Return ``1 share``, ``1,024 shares``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def tickets(count: int) -> str:
    """Return ``1 ticket``, ``1,024 tickets``."""
    return plural(count, "ticket")
