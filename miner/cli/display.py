"""The live picture of a running engine, drawn in place."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from miner.cli import text
from miner.engine import SiteSnapshot, Snapshot, State

_STATE_STYLE = {
    State.STARTING: "cyan",
    State.MINING: "green",
    State.PAUSED: "yellow",
    State.WAITING: "yellow",
    State.FINISHING: "cyan",
    State.STOPPED: "cyan",
}
_POWER = {True: "battery", False: "mains", None: "unknown"}
NARROW = 60
"""Columns under which the picture leaves out what is not essential."""


@dataclass(frozen=True, slots=True)
class View:
    """What is drawn: an engine's snapshot and what the wallet holds for its sites, in tickets."""

    picture: Snapshot
    balance: int | None = None
    keys: bool = True


def draw(view: View, *, width: int) -> RenderableType:
    """Return the picture as at most a dozen lines, each of which reads without its colour."""
    picture = view.picture
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    table.add_row("State", _state(picture))
    several = len(picture.sites) > 1
    for site in picture.sites:
        for label, line in _site(site, picture.state, several=several, width=width):
            table.add_row(label, line)
    table.add_row("Rate", _rates(picture, width=width))
    table.add_row("Shares", _shares(picture))
    table.add_row("Tickets", _tickets(view))
    table.add_row("Power", f"{_POWER[picture.on_battery]}, {_effort(picture)}")
    parts: list[RenderableType] = [Text(""), table]
    if view.keys:
        other = "r resume" if picture.state is State.PAUSED else "p pause"
        parts += [Text(""), Text(f"Keys: {other}, q quit", style="dim")]
    return Group(*parts)


def state_sentence(picture: Snapshot) -> str:
    """Return what the engine does and why, in a few words."""
    if picture.state is State.PAUSED:
        return "paused: " + " and ".join(reason.sentence for reason in picture.reasons)
    if picture.state is State.WAITING:
        return "waiting for the site" if len(picture.sites) == 1 else "waiting for the sites"
    if picture.state is State.FINISHING:
        return "finishing: sending what was found"
    return picture.state.value


def upstream_words(picture: Snapshot) -> str:
    """Return how often upstream has moved on, and what became of the shares that came later; empty where it has not."""
    if not picture.moves and not picture.late:
        return ""
    words = f"; upstream moved on {_times(max(1, picture.moves))}"
    return f"{words}, {text.plural(picture.late, 'late share')} paid all the same" if picture.late else words


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _state(picture: Snapshot) -> Text:
    line = Text(text.safe(state_sentence(picture)), style=f"bold {_STATE_STYLE[picture.state]}")
    line.append(f"  {text.duration(picture.elapsed)}", style="not bold dim")
    if picture.time_limit is not None:
        line.append(f" of {text.duration(picture.time_limit)}", style="not bold dim")
    return line


def _site(
    site: SiteSnapshot, state: State, *, several: bool, width: int
) -> t.Iterator[tuple[str, RenderableType]]:
    name = urlsplit(site.origin).netloc
    yield "Site", Text(f"{name}, {site.won:,} so far" if several else name)
    if state in (State.STOPPED, State.FINISHING) and not site.failed:
        return
    if site.failed:
        yield "", Text(f"given up: {text.safe(site.waiting or '')}", style="red")
    elif site.waiting is not None:
        retry = f" Next try in {text.duration(site.retry_in)}." if site.retry_in >= 1 else ""
        yield "", Text(text.safe(site.waiting) + retry, style="yellow")
    elif site.expected_hashes:
        worth = f"worth {site.value}" if site.value > 1 else ""
        bar_width = max(8, min(24, width - 40))
        line = Text()
        line.append_text(_bar(site.progress, bar_width))
        line.append(f"  {worth}" if worth and width >= NARROW else "")
        yield "Next", line
        yield "", Text(_hope(site, paused=state is State.PAUSED), style="dim")


def _bar(progress: float, width: int) -> Text:
    full = min(width - 1, math.floor(progress * width))
    bar = Text("█" * full, style="green")
    return bar.append("░" * (width - full), style="dim")


def _hope(site: SiteSnapshot, *, paused: bool) -> str:
    """How long so far and how long it usually takes. A search has no memory: no countdown is honest."""
    so_far = f"{text.duration(site.elapsed)} so far"
    if paused:
        return f"{so_far}, goes on when resumed"
    usual = site.usual_seconds
    if usual is None:
        return f"{so_far}, measuring the rate"
    if site.elapsed > usual:
        return f"{so_far}, unlucky: usually under {text.usually_under(usual)}"
    return f"{so_far}, usually under {text.usually_under(usual)}"


def _rates(picture: Snapshot, *, width: int) -> str:
    names = sorted({site.algorithm for site in picture.sites if site.algorithm})
    line = f"{text.rate(picture.rate)} now, {text.rate(picture.average)} on average"
    return f"{line} ({', '.join(names)})" if names and width >= NARROW else line


def _shares(picture: Snapshot) -> Text:
    line = Text(f"{picture.accepted:,} accepted, {picture.refused:,} refused")
    if picture.pending:
        line.append(f", {picture.pending} being sent")
    line.append(upstream_words(picture), style="dim")
    if picture.last_refusal:
        line.append(f"\nlast refusal: {text.safe(picture.last_refusal)}", style="yellow")
    return line


def _tickets(view: View) -> str:
    picture = view.picture
    verb = "given" if picture.donate else "received"
    goal = f" of {picture.goal:,}" if picture.goal is not None else ""
    line = f"{picture.won:,}{goal} {verb}"
    return line if view.balance is None else f"{line}, {view.balance:,} in the wallet"


def _effort(picture: Snapshot) -> str:
    return f"{text.plural(picture.threads, 'thread')} at {picture.duty} %"
