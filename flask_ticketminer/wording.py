"""Numbers and names in sentences, and words of commands."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Return ``1 ticket``, ``1,024 tickets``.

    :param nouns: the plural, when it is not `noun` with an s.
    """
    return f"{count:,} " + (noun if count == 1 else nouns or f"{noun}s")


def did_you_mean(unknown: Iterable[str], known: Collection[str]) -> str:
    """Return `` Did you mean this, that?`` with the nearest of the `known` names to each `unknown` one, else nothing."""
    near = dict.fromkeys(name for each in unknown for name in get_close_matches(each, known, 1))
    return f" Did you mean {', '.join(near)}?" if near else ""


def shell_word(url: str) -> str:
    """Return `url` quoted for a shell, so that what is in it stays inside when a visitor copies the command."""
    return "'" + url.replace("'", "%27") + "'"
