"""Numbers in sentences."""

from __future__ import annotations


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Return ``1 ticket``, ``1,024 tickets``.

    :param nouns: the plural, when it is not `noun` with an s.
    """
    return f"{count:,} " + (noun if count == 1 else nouns or f"{noun}s")
