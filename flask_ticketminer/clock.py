"""What time it is: Unix seconds by the database's clock, which all of a site's processes share."""

from __future__ import annotations

import time
import typing as t

if t.TYPE_CHECKING:
    from flask_ticketminer.database import Database

_MEASURE_EVERY = 60.0
"""Seconds for which one reading of the database's clock is carried on by the machine's monotonic clock."""


class Clock(t.Protocol):
    """Tells the time."""

    def now(self) -> int:
        """Return the Unix time in seconds."""
        ...


class DatabaseClock:
    """The clock of `database`, asked at most once a minute; SQLite's is that of this machine.

    :raises DatabaseBusy: the database cannot be asked.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._offset = 0.0
        self._measured: float | None = None

    def now(self) -> int:
        if self._database.is_sqlite:
            return int(time.time())
        monotonic = time.monotonic()
        if self._measured is None or monotonic - self._measured > _MEASURE_EVERY:
            self._offset = self._database.now() - monotonic
            self._measured = monotonic
        return int(self._offset + monotonic)


class ManualClock:
    """A clock for tests: it stands at `start` until it is told to move."""

    def __init__(self, start: int) -> None:
        self.time = start

    def now(self) -> int:
        return self.time

    def advance(self, seconds: int) -> None:
        """Move by `seconds`, which may be negative: clocks do jump."""
        self.time += seconds
