"""The least value of a job: rises while one process accepts many shares a second, falls when it is calm."""

from __future__ import annotations

import threading
import time
import typing as t

from flask_ticketminer.forks import Shared

RAISE_ABOVE = 200
LOWER_BELOW = 50
"""Accepted shares a second and process."""

_WINDOW = 1.0


class ValueFloor(Shared):
    """Counts accepted shares and answers with the least value that a job should have now.

    :param largest: the largest denomination; the floor never exceeds it.
    :param monotonic: seconds that only move forward.
    """

    def __init__(self, largest: int, *, monotonic: t.Callable[[], float] = time.monotonic) -> None:
        self._largest = largest
        self._monotonic = monotonic
        super().__init__()

    def _begin_process(self) -> None:
        self._lock = threading.Lock()
        self._floor = 1
        self._count = 0
        self._since = self._monotonic()

    def count_share(self) -> None:
        """Note one accepted share."""
        with self._lock:
            self._count += 1
            self._adjust()

    def value(self) -> int:
        """Return the floor, a power of two."""
        with self._lock:
            self._adjust()
            return self._floor

    def _adjust(self) -> None:
        elapsed = self._monotonic() - self._since
        if elapsed < _WINDOW:
            return
        rate = self._count / elapsed
        if rate > RAISE_ABOVE:
            self._floor = min(self._floor * 2, self._largest)
        elif rate < LOWER_BELOW:
            self._floor = max(self._floor // 2, 1)
        self._count = 0
        self._since = self._monotonic()
