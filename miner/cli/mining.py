"""Running an engine for a command: follow it, obey the keys, note the run, and say what came of it."""

from __future__ import annotations

import contextlib
import signal
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass

from miner.cli import text
from miner.cli.benchmark import measurable, measure
from miner.cli.keys import pressed_keys
from miner.cli.output import Output
from miner.cli.reporters import JsonLines, LivePicture, LogLines, Reporter, Silent, picture_members
from miner.cli.session import Session
from miner.client import SiteClient
from miner.engine import MINEABLE, Engine, Event, EventKind, Snapshot, default_threads, solvable

MEASURE_SECONDS = 0.2
"""How long this machine's rate is measured before the first job is asked for."""
SEND_SECONDS = 30.0
"""How long the end of a run waits for the answers to its last shares."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How to mine; ``None`` leaves it to the engine."""

    algorithms: tuple[str, ...] = ()
    threads: int | None = None
    duty: int = 50
    pause_on_battery: bool = True
    time_limit: float | None = None
    tickets: int | None = None
    donate: bool = False
    fund: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last picture, and whether Ctrl-C or a signal ended it."""

    picture: Snapshot
    interrupted: bool


class RunBook:
    """Notes each site's run in the wallet, for ``ticketminer jobs``."""

    def __init__(self, session: Session, *, donate: bool) -> None:
        self._wallet = session.wallet
        self._donate = donate
        self._runs: dict[str, int] = {}
        self._algorithms: dict[str, list[str]] = {}

    def event(self, event: Event) -> None:
        if event.kind is not EventKind.JOB or event.site is None:
            return
        algorithm = event.data["algorithm"]
        if event.site not in self._runs:
            self._runs[event.site] = self._wallet.start_run(event.site, algorithm, donation=self._donate)
            self._algorithms[event.site] = [algorithm]
        elif algorithm not in self._algorithms[event.site]:
            self._algorithms[event.site].append(algorithm)
            names = ", ".join(self._algorithms[event.site])
            self._wallet.update_run(self._runs[event.site], algorithm=names)

    def update(self, picture: Snapshot, **also: str) -> None:
        for site in picture.sites:
            if site.origin in self._runs:
                self._wallet.update_run(
                    self._runs[site.origin],
                    hashes=site.hashes,
                    seconds=round(picture.active),
                    accepted=site.accepted,
                    refused=site.refused,
                    tickets=site.won,
                    **also,
                )


def mine(session: Session, sites: Sequence[SiteClient], effort: Effort) -> Outcome:
    """Mine at `sites` until the goal, the time limit, Ctrl-C or a key ends it.

    :raises MinerError: every site was given up; what was won until then stays.
    """
    output = session.output
    book = RunBook(session, donate=effort.donate)
    with pressed_keys() if output.live else contextlib.nullcontext(lambda: "") as keys:
        reporter = _reporter(session, sites)

        def on_event(event: Event) -> None:
            book.event(event)
            reporter.event(event)

        engine = Engine(
            sites,
            first_values=_first_values(sites, effort),
            algorithms=effort.algorithms or None,
            threads=effort.threads,
            duty=effort.duty,
            tickets=effort.tickets,
            time_limit=effort.time_limit,
            donate=effort.donate,
            fund=effort.fund,
            pause_on_battery=effort.pause_on_battery,
            on_event=on_event,
        )
        try:
            interrupted = _follow(engine, reporter, book, keys)
        finally:
            reporter.close()
    picture = engine.snapshot()
    book.update(picture, state="stopped")
    if engine.error is not None:
        if picture.accepted:
            output.note(summary(picture))
        raise engine.error
    return Outcome(picture, interrupted)


def _first_values(sites: Sequence[SiteClient], effort: Effort) -> dict[str, int]:
    """Return the value to ask each site for first, from a short measurement of what this machine can do."""
    values = {}
    wanted = effort.algorithms or MINEABLE
    for site in sites:
        for offer in site.service().algorithms:
            if offer.name in wanted:
                measured = measure(
                    measurable(offer.name),
                    threads=effort.threads or default_threads(),
                    seconds=MEASURE_SECONDS,
                )
                values[site.origin] = solvable(measured.rate * effort.duty / 100, offer.expected_hashes)
                break
    return values


def summary(picture: Snapshot) -> str:
    """Return what a finished run came to, in one or two sentences."""
    verb = "Gave" if picture.donate else "Received"
    words = (
        f"{verb} {text.tickets(picture.won)} in {text.duration(picture.elapsed)}: "
        f"{text.plural(picture.accepted, 'share')} accepted, {picture.refused:,} refused, "
        f"{text.rate(picture.average)} on average."
    )
    if picture.last_refusal:
        words += f" Last refusal: {text.safe(picture.last_refusal)}"
    if picture.pending:
        words += f" {text.plural(picture.pending, 'share')} could not be sent; the next command at this site repeats that."
    return words


def print_summary(output: Output, outcome: Outcome) -> None:
    """Print the summary on stdout."""
    output.result(
        summary(outcome.picture),
        {"event": "summary", "interrupted": outcome.interrupted, **picture_members(outcome.picture)},
    )


def _reporter(session: Session, sites: Sequence[SiteClient]) -> Reporter:
    output = session.output
    if output.as_json:
        return JsonLines(output)
    if output.quiet:
        return Silent()
    if not output.live:
        return LogLines(several=len(sites) > 1)

    def balance() -> int:
        return sum(session.wallet.balance(site.origin) for site in sites)

    return LivePicture(output, balance=balance, keys=output.interactive)


def _follow(engine: Engine, reporter: Reporter, book: RunBook, keys: t.Callable[[], str]) -> bool:
    """Return whether the run was interrupted."""
    interrupted = False
    ticks = 0
    with _signals_interrupt():
        try:
            engine.start()
            while not engine.wait(0.1):
                pressed = keys().lower()
                if "p" in pressed:
                    engine.pause()
                if "r" in pressed:
                    engine.resume()
                if "q" in pressed:
                    break
                picture = engine.snapshot()
                reporter.tick(picture)
                ticks += 1
                if ticks % 100 == 0:
                    book.update(picture)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            try:
                engine.end()
                if isinstance(reporter, LivePicture):
                    reporter.finish(engine.snapshot())
                engine.stop(timeout=SEND_SECONDS)
            except KeyboardInterrupt:  # twice means now; whatever was sent is written down
                interrupted = True
    return interrupted


@contextlib.contextmanager
def _signals_interrupt() -> t.Iterator[None]:
    """Let a request to terminate, or a closed terminal, end the run as cleanly as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {}
    with contextlib.suppress(ValueError):  # only the main thread may
        before = {name: signal.signal(getattr(signal, name), interrupt) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
