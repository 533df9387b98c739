"""Numbers in sentences, and words of commands."""

from __future__ import annotations


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Return ``1 ticket``, ``1,024 tickets``.

    :param nouns: the plural, when it is not `noun` with an s.
    """
    return f"{count:,} " + (noun if count == 1 else nouns or f"{noun}s")


def shell_word(url: str) -> str:
    """Return `url` quoted for a shell, so that what is in it stays inside when a visitor copies the command."""
    return "'" + url.replace("'", "%27") + "'"
