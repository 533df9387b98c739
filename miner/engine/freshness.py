"""Whether a site's job is still of the work that upstream asks for, and when another is to be fetched because it is not."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from miner.tip import Tip

LEAST = 1.0
"""Seconds between two jobs that are asked for because of tips, whatever a site says."""
SOON = 0.5
"""The spread where the site names none."""


class Freshness:
    """What is known of one site's tip and of its job's. Threads may share it; times are seconds of one clock.

    :param jitter: returns a number from 0 to 1.
    :ivar due: when to fetch another job; infinite while the present one is as new as is known.
    :ivar moves: how often upstream was seen to move on under a job.
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        self.due = math.inf
        self.moves = 0
        self._jitter = jitter
        self._lock = threading.Lock()
        self._job: str | None = None
        self._began = 0.0
        self._heard: Tip | None = None
        self._counted: str | None = None

    def begin(self, tip: str | None, now: float) -> None:
        """A job of `tip` was fetched at `now`; None: there is no job, or its work has no tip."""
        with self._lock:
            heard, self._heard = self._heard, None
            self._job, self._began, self.due = tip, now, math.inf
            if heard is not None and tip is not None and tip != heard.name:
                # Either it is newer than what was heard, and the news is on its way, or it came from a server that lags behind.
                self.due = now + 2 * heard.poll

    def hear(self, tip: Tip | None, now: float) -> bool:
        """Take note of the site's `tip`, None where it has none any more; return whether that is news about the job."""
        with self._lock:
            self._heard = tip
            if self._job is None:
                return False
            if tip is not None and tip.name == self._job:
                self.due = math.inf
                return False
            self._move(now + self._jitter() * (SOON if tip is None else tip.spread))
            news = self._counted != self._job
            if news:
                self._counted = self._job
                self.moves += 1
            return news

    def outdated(self, now: float) -> None:
        """The site has said of a share of this job that upstream had moved on: fetch another at once."""
        with self._lock:
            self._move(now)

    def _move(self, when: float) -> None:
        self.due = min(self.due, max(when, self._began + LEAST))
