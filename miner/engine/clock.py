"""The engine's only sources of time."""

from __future__ import annotations

import threading
import time
import typing as t


class Clock(t.Protocol):
    """Seconds that only grow, and waiting."""

    def now(self) -> float:
        """Return seconds since some fixed moment."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until `event` is set, at most `seconds`; return whether it is."""


class SystemClock:
    """The machine's clock. Counts the time a laptop sleeps where the system tells (Linux), since jobs expire meanwhile."""

    def __init__(self) -> None:
        boottime = getattr(time, "CLOCK_BOOTTIME", None)
        self._clock: t.Callable[[], float] = time.monotonic
        if boottime is not None:
            self._clock = lambda: time.clock_gettime(boottime)

    def now(self) -> float:
        return self._clock()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)
