"""Three ways to follow an engine: a live picture, log lines, JSON lines."""

from __future__ import annotations

import dataclasses
import threading
import time
import typing as t
from urllib.parse import urlsplit

import click
from rich.live import Live

from miner.cli import text
from miner.cli.display import View, draw, state_sentence, upstream_words
from miner.cli.output import Output
from miner.engine import Event, EventKind, Snapshot

LOG_SECONDS = 5.0
"""At most one log line in this time."""
STATUS_SECONDS = 60.0
"""A line about the state at least this often."""

_LAST_WORDS = (EventKind.REFUSED, EventKind.FINISHED)


class Reporter(t.Protocol):
    """Told what an engine does: events from any thread, pictures from one."""

    def event(self, event: Event) -> None: ...
    def tick(self, picture: Snapshot) -> None: ...
    def close(self) -> None: ...


class Silent:
    """Says nothing (``-q``)."""

    def event(self, event: Event) -> None:
        pass

    def tick(self, picture: Snapshot) -> None:
        pass

    def close(self) -> None:
        pass


class LivePicture:
    """Redraws the picture in place, twice a second; the summary takes its place at the end."""

    def __init__(self, output: Output, *, balance: t.Callable[[], int | None], keys: bool) -> None:
        self._console = output.console()
        self._balance = balance
        self._keys = keys
        self._known: int | None = None
        self._stale = True
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()
        self._drawn = 0.0

    def event(self, event: Event) -> None:
        if event.kind is EventKind.ACCEPTED:
            self._stale = True

    def tick(self, picture: Snapshot) -> None:
        now = time.monotonic()
        if now - self._drawn < 0.45:
            return
        self._drawn = now
        self._update(picture, keys=self._keys)

    def finish(self, picture: Snapshot) -> None:
        """Draw a picture at once, without the keys."""
        self._stale = True
        self._update(picture, keys=False)

    def close(self) -> None:
        self._live.stop()

    def _update(self, picture: Snapshot, *, keys: bool) -> None:
        if self._stale:
            self._stale = False
            self._known = self._balance()
        view = View(picture, self._known, keys=keys)
        self._live.update(draw(view, width=self._console.width), refresh=True)


class LogLines:
    """One plain line on stderr every few seconds at most: what happened, else now and then the state."""

    def __init__(self, *, several: bool, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._several = several
        self._clock = clock
        self._lock = threading.Lock()
        self._news: dict[tuple[str | None, EventKind], str] = {}
        self._accepted = 0
        self._last = float("-inf")

    def event(self, event: Event) -> None:
        with self._lock:
            if event.kind in (EventKind.ACCEPTED, EventKind.JOB):
                self._accepted += event.kind is EventKind.ACCEPTED
                self._news.pop((event.site, EventKind.WAITING), None)  # over before it was worth a line
            elif event.kind not in (EventKind.SHARE, EventKind.MOVED):
                site = f"{urlsplit(event.site).netloc}: " if event.site and self._several else ""
                self._news[event.site, event.kind] = site + event.text

    def tick(self, picture: Snapshot) -> None:
        now = self._clock()
        with self._lock:
            if now - self._last < LOG_SECONDS:
                return
            line = self._line(picture)
            if line is None and now - self._last < STATUS_SECONDS:
                return
            self._last = now
        self._print(line or self._status(picture))

    def close(self) -> None:
        with self._lock:
            news = [text for (_, kind), text in self._news.items() if kind in _LAST_WORDS]
        for line in news:
            self._print(line)

    def _line(self, picture: Snapshot) -> str | None:
        if self._news:
            return self._news.pop(next(iter(self._news)))
        if self._accepted:
            self._accepted = 0
            return self._status(picture)
        return None

    def _status(self, picture: Snapshot) -> str:
        verb = "given" if picture.donate else "received"
        goal = f" of {picture.goal:,}" if picture.goal is not None else ""
        return (
            f"{state_sentence(picture)}; {picture.won:,}{goal} {verb}, {text.plural(picture.accepted, 'share')} "
            f"accepted, {picture.refused:,} refused, {text.rate(picture.rate)}{upstream_words(picture)}"
        )

    def _print(self, line: str) -> None:
        click.echo(f"{text.local_time()} {text.safe(line)}", err=True)


class JsonLines:
    """Every event as it comes, and the state every ten seconds, as one JSON object a line on stdout."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._last = time.monotonic()

    def event(self, event: Event) -> None:
        members = {"event": event.kind.value, "site": event.site, "text": text.safe(event.text), **event.data}
        self._print(members)

    def tick(self, picture: Snapshot) -> None:
        if time.monotonic() - self._last >= 10:
            self._last = time.monotonic()
            self._print({"event": "status", **picture_members(picture)})

    def close(self) -> None:
        pass

    def _print(self, members: dict[str, t.Any]) -> None:
        with self._lock:
            self._output.object({"at": int(time.time()), **members})


def picture_members(picture: Snapshot) -> dict[str, t.Any]:
    """Return a snapshot as JSON members; rates in H/s and times in seconds, rounded."""

    def rounded(value: t.Any) -> t.Any:
        if isinstance(value, float):
            return round(value, 3)
        if isinstance(value, dict):
            return {name: rounded(item) for name, item in value.items()}
        return [rounded(item) for item in value] if isinstance(value, list | tuple) else value

    return t.cast(dict[str, t.Any], rounded(dataclasses.asdict(picture)))
