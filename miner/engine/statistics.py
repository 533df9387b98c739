"""Measured hash rates and the picture of a running engine."""

from __future__ import annotations

import enum
import math
import threading
from collections import deque
from dataclasses import dataclass, field

WINDOW = 10.0
"""Seconds over which the present rate is taken."""
USUALLY = 0.9
"""The part of all searches that end within what is called their usual time."""


class State(enum.StrEnum):
    """What an engine is doing."""

    STARTING = "starting"
    MINING = "mining"
    PAUSED = "paused"
    WAITING = "waiting"
    FINISHING = "finishing"
    STOPPED = "stopped"


class Reason(enum.StrEnum):
    """Why no hashes are computed; each has its own sentence."""

    USER = "user"
    BATTERY = "battery"
    SITE = "site"
    GOAL = "goal"
    TIME_LIMIT = "time-limit"
    STOPPED = "stopped"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Reason.USER: "by you",
    Reason.BATTERY: "the computer runs on battery",
    Reason.SITE: "waiting for the site",
    Reason.GOAL: "the goal is reached",
    Reason.TIME_LIMIT: "the time limit is reached",
    Reason.STOPPED: "it was stopped",
}


class Meter:
    """Counts hashes and tells rates over the time in which hashing was wanted. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: deque[tuple[float, int]] = deque()
        self._since: float | None = None
        self._active = 0.0
        self._last = 0.0
        self._before = (0, 0.0)
        self.hashes = 0

    def begin(self, now: float) -> None:
        """Hashing starts (again) at `now`."""
        with self._lock:
            if self._since is None:
                self._since = now
                self._recent.clear()

    def end(self, now: float) -> None:
        """Hashing stops at `now`."""
        with self._lock:
            if self._since is not None:
                self._last = self._window(now) or self._last
                self._active += max(0.0, now - self._since)
                self._since = None

    def restart(self, now: float) -> None:
        """Forget the rates: what is hashed from `now` on is something else."""
        with self._lock:
            self._recent.clear()
            self._last = 0.0
            self._active = self.active_unlocked(now)
            self._since = None if self._since is None else now
            self._before = (self.hashes, self._active)

    def add(self, hashes: int, now: float) -> None:
        """Count `hashes` that were done by `now`."""
        with self._lock:
            self.hashes += hashes
            second = math.floor(now)
            if self._recent and self._recent[-1][0] == second:
                self._recent[-1] = (second, self._recent[-1][1] + hashes)
            else:
                self._recent.append((second, hashes))
            while self._recent[0][0] < second - WINDOW:
                self._recent.popleft()

    def rate(self, now: float) -> float:
        """Return hashes a second over the last 10 s; 0 while hashing is stopped."""
        with self._lock:
            return 0.0 if self._since is None else self._window(now)

    def speed(self, now: float) -> float:
        """Return the rate to plan with: the present one, else the last known; 0 when nothing was measured."""
        with self._lock:
            return (self._window(now) if self._since is not None else 0.0) or self._last

    def average(self, now: float) -> float:
        """Return hashes a second over all the time hashing was wanted, since the last restart."""
        with self._lock:
            hashes, seconds = self._before
            active = self.active_unlocked(now) - seconds
            return (self.hashes - hashes) / active if active > 0 else 0.0

    def active(self, now: float) -> float:
        """Return the seconds in which hashing was wanted."""
        with self._lock:
            return self.active_unlocked(now)

    def active_unlocked(self, now: float) -> float:
        return self._active + (max(0.0, now - self._since) if self._since is not None else 0.0)

    def _window(self, now: float) -> float:
        if self._since is None:
            return 0.0
        first = math.floor(now) - WINDOW
        begin = max(self._since, first)
        hashes = sum(count for second, count in self._recent if second >= first)
        # Half a second says too little of a rate to plan by.
        return hashes / (now - begin) if now - begin >= 0.5 else 0.0


@dataclass(frozen=True, slots=True)
class SiteSnapshot:
    """One site's part of a :class:`Snapshot`.

    :attr value: tickets of the present job; 0 without one.
    :attr expected_hashes: what the present job takes on average.
    :attr searched: hashes since the last share (or the start).
    :attr elapsed: seconds of hashing since then.
    :attr won: tickets received, or given when donating.
    :attr pending: shares found and not answered yet.
    :attr moves: how often upstream had moved on, and new work was fetched.
    :attr late: how many of the accepted shares came after that, and were paid all the same.
    :attr waiting: why there is no work, as a sentence; ``None`` while there is.
    :attr retry_in: seconds until the site is asked again.
    """

    origin: str
    algorithm: str | None = None
    value: int = 0
    expected_hashes: int = 0
    searched: int = 0
    elapsed: float = 0.0
    rate: float = 0.0
    hashes: int = 0
    accepted: int = 0
    refused: int = 0
    last_refusal: str | None = None
    won: int = 0
    pending: int = 0
    moves: int = 0
    late: int = 0
    waiting: str | None = None
    retry_in: float = 0.0
    failed: bool = False

    @property
    def expected_seconds(self) -> float | None:
        """Seconds the present job takes on average at the present rate; a search has no memory, so this does not shrink."""
        return self.expected_hashes / self.rate if self.rate > 0 and self.expected_hashes else None

    @property
    def usual_seconds(self) -> float | None:
        """Seconds within which nine in ten such searches end, counted from their start."""
        seconds = self.expected_seconds
        return None if seconds is None else seconds * -math.log(1 - USUALLY)

    @property
    def progress(self) -> float:
        """The part of all searches that would have ended by now, from 0 to 1."""
        return 1 - math.exp(-self.searched / self.expected_hashes) if self.expected_hashes else 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an engine is doing at one moment. Rates are hashes a second; times are seconds."""

    state: State
    reasons: tuple[Reason, ...] = ()
    threads: int = 0
    duty: int = 0
    elapsed: float = 0.0
    active: float = 0.0
    rate: float = 0.0
    average: float = 0.0
    hashes: int = 0
    accepted: int = 0
    refused: int = 0
    last_refusal: str | None = None
    won: int = 0
    pending: int = 0
    moves: int = 0
    late: int = 0
    goal: int | None = None
    time_limit: float | None = None
    on_battery: bool | None = None
    donate: bool = False
    sites: tuple[SiteSnapshot, ...] = field(default=())
