"""The mining engine: hashing threads, one thread a site, and what makes them pause and end."""

from __future__ import annotations

import os
import secrets
import threading
import typing as t
from collections.abc import Callable, Mapping, Sequence

from miner.engine.clock import Clock, SystemClock
from miner.engine.events import Event, EventKind, Listener
from miner.engine.hashing import Hasher
from miner.engine.interfaces import Client
from miner.engine.power import PowerSource, SysfsPower
from miner.engine.search import Board, Search
from miner.engine.site import SiteWork
from miner.engine.statistics import Reason, Snapshot, State
from miner.errors import MinerError
from miner.pow import ALGORITHMS

MAX_THREADS = 8
DEFAULT_DUTY = 50
MINEABLE = tuple(name for name in ALGORITHMS if name != "ethash")
"""Ethash is mined by whoever asks for it: its tables take seconds to build, and room on the disk."""
_POWER_SECONDS = 5.0


def default_threads() -> int:
    """Return half the cores, at least 1 and at most 8."""
    return max(1, min(MAX_THREADS, (os.cpu_count() or 2) // 2))


class Engine:
    """Mines at one or more sites until a goal, a time limit or :meth:`stop`.

    :param clients: one :class:`~miner.engine.interfaces.Client` a site; hashing threads take the sites in turn.
    :param algorithms: names in order of preference; by default all that need nothing built first.
    :param threads: hashing threads; half the cores by default.
    :param duty: percent of the time each thread hashes, 1 to 100.
    :param tickets: stop once that many tickets were received (or given).
    :param time_limit: stop after that many seconds.
    :param pause_on_battery: pause while the machine runs on battery; where it does not say, run.
    :param first_values: the value to ask each origin for before its rate is known; 1 by default.
    :param on_event: called with each :class:`~miner.engine.events.Event`, one at a time, from any thread.
    :param random_start: returns a number below its argument; where in a job's nonces the search begins.
    """

    def __init__(
        self,
        clients: Sequence[Client],
        *,
        algorithms: Sequence[str] | None = None,
        threads: int | None = None,
        duty: int = DEFAULT_DUTY,
        tickets: int | None = None,
        time_limit: float | None = None,
        donate: bool = False,
        fund: str | None = None,
        pause_on_battery: bool = True,
        on_event: Listener = lambda _: None,
        first_values: Mapping[str, int] | None = None,
        clock: Clock | None = None,
        power: PowerSource | None = None,
        random_start: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        names = [ALGORITHMS[name].name for name in (MINEABLE if algorithms is None else algorithms)]
        self.threads = default_threads() if threads is None else threads
        if not clients or not names:
            raise ValueError("An engine needs at least one site and one algorithm.")
        if self.threads < 1 or not 1 <= duty <= 100:
            raise ValueError("Give at least 1 thread and a duty of 1 to 100 percent.")
        self.duty = duty
        self.tickets = tickets
        self.time_limit = time_limit
        self.error: MinerError | Exception | None = None
        """Why the engine ended before its goal; ``None`` when nothing is wrong."""
        self._donate = donate
        self._pause_on_battery = pause_on_battery
        self._on_event = on_event
        self._event_lock = threading.RLock()
        self._clock = clock or SystemClock()
        self._power = power or SysfsPower()
        self._lock = threading.RLock()
        self._board = Board()
        self._sites = [
            SiteWork(
                client,
                algorithms=names,
                board=self._board,
                clock=self._clock,
                donate=donate,
                fund=fund,
                ceiling=self._wanted,
                first_value=(first_values or {}).get(client.origin, 1),
                emit=self._emit,
                random_start=random_start,
            )
            for client in clients
        ]
        self._hashers = [
            Hasher(index, self._board, self._clock, duty=duty, on_slice=self._on_slice)
            for index in range(self.threads)
        ]
        self._reasons: set[Reason] = set()
        self._on_battery: bool | None = None
        self._power_at = 0.0
        self._started_at: float | None = None
        self._ended_at: float | None = None
        self._finished = threading.Event()
        self._stop_hashing = threading.Event()
        self._stop_sites = threading.Event()
        self._workers: list[threading.Thread] = []
        self._others: list[threading.Thread] = []
        self._watches: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to mine; returns at once."""
        if self._started_at is not None:
            raise RuntimeError("An engine starts once; make another.")
        self._started_at = self._clock.now()
        self.supervise()
        self._apply()
        self._workers = [
            self._thread(f"hash-{n}", hasher.run, self._stop_hashing)
            for n, hasher in enumerate(self._hashers)
        ]
        self._others = [
            self._thread(f"site-{n}", site.run, self._stop_sites) for n, site in enumerate(self._sites)
        ]
        self._watches = [
            self._thread(f"tip-{n}", site.watch.run, self._stop_sites) for n, site in enumerate(self._sites)
        ]
        self._others.append(self._thread("supervisor", self._supervise_loop, self._stop_sites))
        for thread in (*self._workers, *self._others, *self._watches):
            thread.start()

    def pause(self, reason: Reason = Reason.USER) -> None:
        """Stop hashing within about 10 ms and say why; what was found is still sent."""
        with self._lock:
            if reason in self._reasons:
                return
            self._reasons.add(reason)
            self._apply()
        self._emit(
            Event(EventKind.PAUSED, f"Paused: {reason.sentence}.", data={"reasons": self._reason_names()})
        )

    def resume(self, reason: Reason = Reason.USER) -> None:
        """Take `reason` back; hashing goes on when no other is left."""
        with self._lock:
            if reason not in self._reasons:
                return
            self._reasons.discard(reason)
            self._apply()
        if self._reasons:
            text = " and ".join(r.sentence for r in sorted(self._reasons))
            self._emit(
                Event(EventKind.PAUSED, f"Still paused: {text}.", data={"reasons": self._reason_names()})
            )
        else:
            self._emit(Event(EventKind.RESUMED, "Mining again."))

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for the engine to end by itself; return whether it has. Then call :meth:`stop`."""
        return self._finished.wait(seconds)

    def end(self) -> None:
        """Stop hashing for good, within 50 ms; :meth:`stop` then waits until what was found is sent."""
        self._finish(Reason.STOPPED)

    def stop(self, *, timeout: float = 10.0) -> None:
        """End: hashing stops within 50 ms, then what was found is sent, for at most `timeout` seconds."""
        self.end()
        self._stop_hashing.set()
        self._board.active.set()
        _join(self._workers, 1.0)
        self._stop_sites.set()
        for site in self._sites:
            site.write_down()  # the site's own thread may be waiting for an answer that never comes
            site.wake.set()
            site.watch.changed()
        deadline = self._clock.now() + timeout
        for thread in self._others:
            _join([thread], max(0.0, deadline - self._clock.now()))
        _join(self._watches, 0.2)
        if self._ended_at is None:
            self._ended_at = self._clock.now()

    def __enter__(self) -> t.Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def supervise(self) -> None:
        """Look at the power source, the goal, the time limit and the sites, and act on them."""
        now = self._clock.now()
        if now >= self._power_at:
            self._power_at = now + _POWER_SECONDS
            self._on_battery = self._power.on_battery()
            if self._pause_on_battery:
                (self.pause if self._on_battery else self.resume)(Reason.BATTERY)
        if self._wanted() == 0:
            self._finish(Reason.GOAL)
        elif self.time_limit is not None and now - (self._started_at or now) >= self.time_limit:
            self._finish(Reason.TIME_LIMIT)
        errors = [site.error for site in self._sites if site.error is not None]
        if len(errors) == len(self._sites) and not self._finished.is_set():
            self.error = errors[-1]
            self._finish(Reason.STOPPED)

    def snapshot(self) -> Snapshot:
        """Return the present picture, for people or programs."""
        now = self._clock.now() if self._ended_at is None else self._ended_at
        sites = tuple(site.snapshot() for site in self._sites)
        averages = [site.averages(now) for site in self._sites]
        refusals = [site.last_refusal for site in sites if site.last_refusal is not None]
        state, reasons = self._state(sites)
        return Snapshot(
            state=state,
            reasons=reasons,
            threads=self.threads,
            duty=self.duty,
            elapsed=now - self._started_at if self._started_at is not None else 0.0,
            active=max(active for _, active in averages),
            rate=sum(site.rate for site in sites),
            average=sum(average for average, _ in averages),
            hashes=sum(site.hashes for site in sites),
            accepted=sum(site.accepted for site in sites),
            refused=sum(site.refused for site in sites),
            last_refusal=refusals[-1] if refusals else None,
            won=sum(site.won for site in sites),
            pending=sum(site.pending for site in sites),
            moves=sum(site.moves for site in sites),
            late=sum(site.late for site in sites),
            goal=self.tickets,
            time_limit=self.time_limit,
            on_battery=self._on_battery,
            donate=self._donate,
            sites=sites,
        )

    def _state(self, sites: Sequence[t.Any]) -> tuple[State, tuple[Reason, ...]]:
        with self._lock:
            reasons = tuple(sorted(self._reasons))
        if self._ended_at is not None:
            return State.STOPPED, reasons
        if self._finished.is_set():
            return State.FINISHING, reasons
        if reasons:
            return State.PAUSED, reasons
        if all(site.waiting is not None for site in sites):
            started = any(site.hashes or site.retry_in for site in sites)
            return (State.WAITING, (Reason.SITE,)) if started else (State.STARTING, ())
        return State.MINING, ()

    def _wanted(self) -> int | None:
        if self.tickets is None:
            return None
        return max(0, self.tickets - sum(site.won for site in self._sites))

    def _finish(self, reason: Reason) -> None:
        with self._lock:
            if self._finished.is_set():
                return
            self._reasons.add(reason)
            self._finished.set()
            self._apply()
        self._emit(
            Event(EventKind.FINISHED, f"Mining ends: {reason.sentence}.", data={"reason": reason.value})
        )

    def _apply(self) -> None:
        """Make the board follow the reasons to pause."""
        with self._lock:
            if self._reasons:
                self._board.halt()
            else:
                self._board.go()
            for site in self._sites:
                site.halted_changed()
                site.wake.set()

    def _on_slice(self, search: Search, hashes: int, nonces: list[int]) -> None:
        search.owner.searched(search, hashes, nonces)

    def _supervise_loop(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.supervise()
            self._clock.wait(stop, 0.2)

    def _thread(
        self, name: str, target: Callable[[threading.Event], object], stop: threading.Event
    ) -> threading.Thread:
        def run() -> None:
            try:
                target(stop)
            except (
                Exception
            ) as error:  # a fault in one thread ends the engine instead of leaving it half alive
                self.error = self.error or error
                self._finish(Reason.STOPPED)

        return threading.Thread(target=run, name=f"ticketminer-{name}", daemon=True)

    def _emit(self, event: Event) -> None:
        with self._event_lock:
            self._on_event(event)
        if event.kind is EventKind.ACCEPTED and self._wanted() == 0:
            self._finish(Reason.GOAL)

    def _reason_names(self) -> list[str]:
        return sorted(reason.value for reason in self._reasons)


def _join(threads: Sequence[threading.Thread], seconds: float) -> None:
    for thread in threads:
        if thread.ident is not None:
            thread.join(seconds)
