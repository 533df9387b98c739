"""Shares that were found at one site, until it has answered them, and what it answered."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from miner.engine.interfaces import Job

_MOST = 256
"""Shares that wait to be sent; a job that yields them faster than they go out gets no more of them kept."""


@dataclass(slots=True, eq=False)
class Found:
    """A share that the site has not answered yet; it keeps its own job, whatever is searched meanwhile.

    :attr mix: of ethash, what its digest was made of (32 bytes).
    :attr sent: whether it was handed to the client, which then has it written down.
    """

    job: Job
    nonce: int
    mix: bytes | None = None
    sent: bool = False


class FoundShares:
    """The shares of one site: hashing threads add them, its own thread sends them. Threads may share it.

    :ivar accepted, refused: how many were.
    :ivar refusals: how many were refused since one was accepted.
    :ivar late: how many of the accepted ones came after upstream had moved on.
    :ivar won: tickets received or given for the accepted ones.
    """

    def __init__(self) -> None:
        self.accepted = self.refused = self.refusals = self.late = self.won = 0
        self.last_refusal: str | None = None
        self._lock = threading.Lock()
        self._pending: deque[Found] = deque()

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, shares: Sequence[Found]) -> int:
        """Queue `shares` and return how many there was room for."""
        with self._lock:
            kept = shares[: max(0, _MOST - len(self._pending))]
            self._pending.extend(kept)
            return len(kept)

    def pending(self) -> list[Found]:
        """Return the shares without an answer, oldest first."""
        with self._lock:
            return list(self._pending)

    def sent(self) -> list[Found]:
        """Return those of them that were handed to the client before."""
        return [found for found in self.pending() if found.sent]

    def claim(self, found: Found) -> bool:
        """Return whether `found` is the caller's to hand to the client: each share goes there once."""
        with self._lock:
            claimed, found.sent = not found.sent, True
            return claimed

    def accept(self, shares: Sequence[Found], value: int) -> None:
        """Book `shares` as accepted, for tickets worth `value`."""
        with self._lock:
            self._remove(shares)
            self.accepted += len(shares)
            self.won += value
            self.refusals = 0

    def refuse(self, shares: Sequence[Found], reason: str) -> None:
        """Book `shares` as refused."""
        with self._lock:
            self._remove(shares)
            self.refused += len(shares)
            self.refusals += len(shares)
            self.last_refusal = reason

    def _remove(self, shares: Sequence[Found]) -> None:
        for found in shares:
            self._pending.remove(found)
