"""The hashing threads: short slices of work with a rest after each."""

from __future__ import annotations

import threading
import typing as t

from miner.engine.clock import Clock
from miner.engine.search import Board, Search

SLICE = 0.010
"""Seconds of hashing between two rests."""


class Hasher:
    """Hashes one slice after another from a board.

    :param duty: percent of the time to hash, 1 to 100; the rest of it the thread sleeps, in proportion to each slice.
    :param on_slice: called with (search, hashes, nonces found) after each slice.
    """

    def __init__(
        self,
        index: int,
        board: Board,
        clock: Clock,
        *,
        duty: int,
        on_slice: t.Callable[[Search, int, list[int]], object],
    ) -> None:
        self._index = index
        self._board = board
        self._clock = clock
        self._duty = duty
        self._on_slice = on_slice
        self._rates: dict[str, float] = {}

    def slice(self) -> float | None:
        """Hash about 10 ms and return the seconds to rest; ``None`` when there is nothing to do."""
        search = self._board.next(self._index)
        if search is None:
            return None
        algorithm = search.algorithm
        kernel, rate = algorithm.kernel(), self._rates.get(algorithm.name)
        count = kernel.first_chunk if rate is None else kernel.whole_batches(rate * SLICE)
        start, count = search.take(count)
        if not count:
            self._board.drop(search)
            self._on_slice(search, 0, [])
            return 0.0
        began = self._clock.now()
        found = search.scan(start, count, stop=lambda: self._board.halted)
        elapsed = self._clock.now() - began
        if elapsed > 0 and found.hashes:
            measured = found.hashes / elapsed
            # One slice may have been held up by other programs: follow the rate, do not jump to it.
            self._rates[algorithm.name] = measured if rate is None else rate + (measured - rate) / 4
        self._on_slice(search, found.hashes, [nonce for nonce, _ in found.hits])
        return elapsed * (100 - self._duty) / self._duty

    def run(self, stop: threading.Event) -> None:
        """Hash until `stop` is set."""
        while not stop.is_set():
            rest = self.slice()
            if rest is not None:
                self._clock.wait(stop, rest)
            elif self._board.active.is_set():  # there is work, but none that this thread would speed up
                self._clock.wait(stop, 0.1)
            else:
                self._clock.wait(self._board.active, 1.0)
