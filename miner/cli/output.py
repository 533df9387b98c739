"""What a command prints: results on stdout, everything else on stderr, or JSON for programs."""

from __future__ import annotations

import json
import sys
import typing as t

import click
from rich.console import Console

from miner.cli.text import escaped, safe


class Output:
    """Where a command's words go.

    :param as_json: one JSON object a line instead of sentences.
    :param quiet: results only.
    :param color: ``False`` for plain text; otherwise the terminal and ``NO_COLOR`` decide.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False, color: bool = True) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.color = color

    @property
    def interactive(self) -> bool:
        """Whether a person sits at both ends and wants to be told what goes on."""
        return sys.stdin.isatty() and sys.stderr.isatty() and not self.as_json and not self.quiet

    @property
    def live(self) -> bool:
        """Whether a display may be redrawn in place."""
        return sys.stderr.isatty() and not self.as_json and not self.quiet

    def console(self) -> Console:
        """Return a rich console on stderr for live displays."""
        return Console(
            stderr=True, no_color=None if self.color else True, markup=False, highlight=False, emoji=False
        )

    def result(self, text: str, members: t.Mapping[str, t.Any]) -> None:
        """Print what was asked for: `text` for people, `members` with ``--json``."""
        if self.as_json:
            self.object(members)
        elif text:
            click.echo(safe(text))

    def note(self, text: str) -> None:
        """Tell something by the way; not with ``-q`` or ``--json``."""
        if not self.quiet and not self.as_json:
            click.echo(safe(text), err=True)

    def object(self, members: t.Mapping[str, t.Any]) -> None:
        """Print one JSON object on a line of its own."""
        click.echo(escaped(json.dumps(members, ensure_ascii=False)))


def print_error(error: Exception | str, *, status: int, as_json: bool) -> None:
    """Print one sentence, or one JSON object, on stderr."""
    if as_json:
        kind = "UsageError" if isinstance(error, str) else type(error).__name__
        members: dict[str, t.Any] = {"error": kind, "message": safe(str(error)), "exit": status}
        for name in ("cause", "needed", "available", "price", "left"):
            if hasattr(error, name):
                members[name] = getattr(error, name)
        click.echo(escaped(json.dumps(members, ensure_ascii=False)), err=True)
    else:
        click.echo(f"ticketminer: {safe(str(error))}", err=True)
