"""Housekeeping without a timetable: processes that serve requests also forget, a little at a time, what nobody needs any more.

It runs after an answer has been sent, seldom, for a short time, and never makes a request fail. Only
``flask ticketminer prune`` retires keys: that destroys tickets if the clock is wrong, so a person or a timetable decides it.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import typing as t

from flask_ticketminer.errors import ClockJumped
from flask_ticketminer.forks import Shared

EVERY = 300.0
"""Seconds between two rounds of one process."""
AGAIN = 5.0
"""Seconds until the next round when this one left something."""
SHARE = 50
"""A round rests so many times as long as it took: at most 2 % of one core go into this."""

_log = logging.getLogger(__name__)


class Housekeeper(Shared):
    """Keeps the tables of one application small.

    :param work: does a little and returns whether nothing is left (:func:`~flask_ticketminer.mint.retirement.tidy`).
    :param monotonic: seconds that only move forward.
    :param first: part of the first interval to wait from the first question on, 0 to 1; by default random, so that processes
        started together do not tidy together.
    """

    def __init__(
        self,
        work: t.Callable[[], bool],
        *,
        monotonic: t.Callable[[], float] = time.monotonic,
        first: float | None = None,
    ) -> None:
        self._work = work
        self._monotonic = monotonic
        self._first = first
        super().__init__()

    def _begin_process(self) -> None:
        # Children of one process draw their own time, or they would tidy together.
        self._at_work = threading.Lock()
        self._due: float | None = None

    @property
    def due(self) -> bool:
        """Whether it is time for a round."""
        now = self._monotonic()
        if self._due is None:
            self._due = now + EVERY * (random.random() if self._first is None else self._first)
        return now >= self._due

    def run(self) -> None:
        """Do one round if it is time; whatever goes wrong is logged and left to the next one."""
        at_work = self._at_work
        if not self.due or not at_work.acquire(blocking=False):
            return
        try:
            began, done = self._monotonic(), True
            try:
                done = self._work()
            except ClockJumped as error:
                _log.warning("Old rows of the ticket tables are left where they are. %s", error)
            except Exception:
                _log.warning("Old rows of the ticket tables could not be deleted now.", exc_info=True)
            ended = self._monotonic()
            self._due = ended + max(EVERY if done else AGAIN, SHARE * (ended - began))
        finally:
            at_work.release()
