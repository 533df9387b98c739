"""One site's place on the board: the search of its present job and how long that is good, or why nothing is searched for it."""

from __future__ import annotations

import threading

from miner.engine.interfaces import Job
from miner.engine.search import Board, Search

_RENEW_BEFORE = 30.0
"""Seconds before a job's end from which another is asked for, or a quarter of its life if that is less."""


class Place:
    """What is hashed for one site. The site's own thread changes it, others look. Times are seconds of one clock.

    :param lock: is held while the job changes, and by who wants to see more than one attribute of the same moment.
    :ivar search: of the present job, on the board or held; None while there is no job.
    :ivar waiting: why nothing is hashed.
    """

    def __init__(self, board: Board, origin: str, lock: threading.RLock) -> None:
        self.search: Search | None = None
        self.waiting: str | None = "asking the site for a job"
        self._board = board
        self._origin = origin
        self._lock = lock
        self._held = False
        self._renew_at = self._expires_at = 0.0

    @property
    def job(self) -> Job | None:
        """The present job."""
        search = self.search
        return None if search is None else search.job

    @property
    def is_idle(self) -> bool:
        """Whether the board has no search of this site."""
        return self.search is None or self._held

    @property
    def is_hashing(self) -> bool:
        """Whether there is a search of this site, and mining goes on."""
        return not self.is_idle and not self._board.halted

    def has(self, job: Job) -> bool:
        """Return whether `job` is the present one."""
        return self.job is job

    def is_due(self, now: float) -> bool:
        """Return whether another job is to be asked for: there is none, it is all searched, or it ends soon."""
        return self.search is None or self.search.exhausted or now >= self._renew_at

    def is_over(self, now: float) -> bool:
        """Return whether there is a job whose time is over."""
        return self.search is not None and now >= self._expires_at

    def take(self, search: Search, began: float) -> None:
        """Hash for `search` from now on, whose job was asked for at `began`."""
        life = search.job.expires_in
        with self._lock:
            self.search, self.waiting = search, None
            self._expires_at = began + life
            self._renew_at = self._expires_at - min(_RENEW_BEFORE, life / 4)
        self._board.assign(self._origin, search)

    def hold(self) -> None:
        """Hash no more, and keep the job."""
        self._held = self.search is not None
        self._board.assign(self._origin, None)

    def resume(self) -> None:
        """Hash again for what was held."""
        with self._lock:
            if self.search is not None:
                self.waiting = None
                if self._held:
                    self._held = False
                    self._board.assign(self._origin, self.search)

    def leave(self, why: str) -> None:
        """Give the job up."""
        with self._lock:
            self.search, self._held, self.waiting = None, False, why
        self._board.assign(self._origin, None)
