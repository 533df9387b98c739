"""Looking whether upstream has moved on, in a thread beside the one that sends shares."""

from __future__ import annotations

import random
import threading
import typing as t
from collections.abc import Callable, Generator

from miner.engine.clock import Clock
from miner.engine.interfaces import Tips
from miner.errors import MinerError, SiteRefused
from miner.tip import Tip

MAX_BACKOFF = 60.0
IDLE = 60.0
"""Seconds to sleep while there is nothing to look at; a wake ends them."""
LASTED = 60.0
"""Seconds after which a stream of events was a good one, and the next failure counts as the first."""


class Subject(t.NamedTuple):
    """What is looked at: the algorithm of the present job, and the seconds between two looks."""

    algorithm: str
    poll: float


class TipWatch:
    """Asks for the tip of the work under way, or reads a stream of tips where the site has one. Failures only make it wait.

    Each wait is uniform in 0.8 to 1 times the site's `poll`, the first in 0 to 1 times, so that miners do not come in step.

    :param subject: returns what to look at, None while there is nothing: no job, none with a tip, or a pause.
    :param heard: called with each tip, and with None where the site says that there is none any more.
    :param jitter: returns a number from 0 to 1.
    """

    def __init__(
        self,
        tips: Tips,
        clock: Clock,
        *,
        subject: Callable[[], Subject | None],
        heard: Callable[[Tip | None], object],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.wake = threading.Event()
        self._tips = tips
        self._clock = clock
        self._subject = subject
        self._heard = heard
        self._jitter = jitter
        self._algorithm: str | None = None
        self._poll = 1.0
        self._at = 0.0
        self._failures = 0
        self._stream_at = 0.0
        self._stream_failures = 0

    def changed(self) -> None:
        """There is another job, or a pause began or ended. From any thread."""
        if self._subject() is None:
            self._tips.hang_up()
        self.wake.set()

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set."""
        try:
            while not stop.is_set():
                self.wake.clear()
                seconds = self.step()
                if seconds > 0 and not stop.is_set():
                    self._clock.wait(self.wake, seconds)
        except Exception:
            if not stop.is_set():  # afterwards what it used may be closed under it
                raise
        finally:
            self._tips.close()

    def step(self) -> float:
        """Do one thing that is due, which may be to read a stream for hours; return the seconds until the next."""
        subject = self._subject()
        now = self._clock.now()
        if subject is None:
            self._algorithm = None
            return IDLE
        if subject.algorithm != self._algorithm:
            self._algorithm, self._poll, self._failures = subject.algorithm, subject.poll, 0
            self._at = now + self._jitter() * self._poll
        if now >= self._stream_at:
            events = self._tips.events(subject.algorithm)
            if events is not None:
                self._read(events, subject.algorithm, now)
                return 0.0
        if now >= self._at:
            self._ask(subject.algorithm)
        return max(0.0, min(self._at - self._clock.now(), IDLE))

    def _ask(self, algorithm: str) -> None:
        wait = 0.0
        try:
            tip = self._tips.poll(algorithm)
        except MinerError as error:
            self._failures += 1
            wait = min(MAX_BACKOFF, 2.0**self._failures)
            if isinstance(error, SiteRefused):
                wait = max(wait, min(MAX_BACKOFF, error.retry_after or 0))
                if error.cause == "no-tip":
                    self._heard(None)
        else:
            self._failures, self._poll = 0, tip.poll
            self._heard(tip)
        self._at = self._clock.now() + max(self._poll, wait) * (0.8 + 0.2 * self._jitter())

    def _read(self, events: Generator[Tip | None], algorithm: str, began: float) -> None:
        try:
            for tip in events:
                if tip is not None:
                    self._poll = tip.poll
                    self._heard(tip)
                subject = self._subject()
                if subject is None or subject.algorithm != algorithm:
                    return
        except MinerError:
            now = self._clock.now()
            if self._subject() is None:
                return
            self._stream_failures = 1 if now - began > LASTED else self._stream_failures + 1
            wait = min(MAX_BACKOFF, 2.0**self._stream_failures)
            self._stream_at = now + wait * (0.5 + self._jitter() / 2)
            self._at = now + self._jitter() * self._poll
        finally:
            events.close()
