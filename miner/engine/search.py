"""Jobs being searched, and which of them a hashing thread takes up next."""

from __future__ import annotations

import threading
import typing as t

from miner.engine.interfaces import Job
from miner.pow import Algorithm, Scan, ethash
from miner.pow.ethash import EPOCH_LENGTH


class Search:
    """Hands out the nonces of one job in slices, contiguous from `start`, each nonce once.

    A slice never wraps: it ends where the nonce space does, and the next begins at 0.
    """

    def __init__(self, job: Job, algorithm: Algorithm, *, start: int, owner: t.Any = None) -> None:
        self.job = job
        self.algorithm = algorithm
        self.owner = owner
        self._space = 1 << (8 * job.nonce_size)
        self._next = start % self._space
        self._left = self._space
        self._lock = threading.Lock()

    @property
    def exhausted(self) -> bool:
        """Whether every nonce was handed out."""
        return self._left == 0

    def take(self, count: int) -> tuple[int, int]:
        """Return ``(start, count)`` of the next slice, of at most `count` nonces; 0 when none are left."""
        with self._lock:
            start = self._next
            count = min(count, self._left, self._space - start)
            self._left -= count
            self._next = (start + count) % self._space
            return start, count

    def mix(self, nonce: int) -> bytes | None:
        """Return what a site wants to see of a share beside its nonce: of ethash the mix (32 bytes), else None."""
        job = self.job
        if self.algorithm.name != "ethash":
            return None
        at = job.nonce_offset
        data = job.blob[:at] + nonce.to_bytes(job.nonce_size, "little") + job.blob[at + job.nonce_size :]
        return ethash.mix(data, seed=job.seed, epoch=job.epoch, epoch_length=job.epoch_length or EPOCH_LENGTH)

    def scan(self, start: int, count: int, stop: t.Callable[[], object] | None = None) -> Scan:
        """Try `count` nonces from `start` on.

        :raises PowError: the job cannot be searched: its blob has a length that its algorithm does not take, or tables of its epoch
            are not there.
        """
        job = self.job
        return self.algorithm.scan(
            job.blob,
            job.target,
            start=start,
            count=count,
            nonce_offset=job.nonce_offset,
            nonce_size=job.nonce_size,
            seed=job.seed,
            epoch=job.epoch,
            epoch_length=job.epoch_length or EPOCH_LENGTH,
            stop=stop,
        )


class Board:
    """What hashing threads work on: one search a site, taken in turn, slice by slice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._searches: dict[str, Search] = {}
        self._turn = 0
        self._halted = True
        self.active = threading.Event()
        """Set while there is something to hash, and at the end, so that waiting threads wake up."""

    @property
    def halted(self) -> bool:
        """Whether hashing is to stop at once."""
        return self._halted

    def halt(self) -> None:
        """Stop hashing: slices under way end within about 10 ms."""
        with self._lock:
            self._halted = True
            self.active.clear()

    def go(self) -> None:
        """Hash whatever there is."""
        with self._lock:
            self._halted = False
            if self._searches:
                self.active.set()

    def assign(self, site: str, search: Search | None) -> None:
        """Let `site` have `search`, or nothing, from the next slice on."""
        with self._lock:
            if search is None:
                self._searches.pop(site, None)
            else:
                self._searches[site] = search
            if self._searches and not self._halted:
                self.active.set()
            else:
                self.active.clear()

    def drop(self, search: Search) -> None:
        """Take `search` off the board, unless its site has another by now."""
        with self._lock:
            for site, current in self._searches.items():
                if current is search:
                    del self._searches[site]
                    break
            if not self._searches:
                self.active.clear()

    def next(self, worker: int) -> Search | None:
        """Return what thread number `worker` is to search next; ``None`` when there is nothing for it.

        Where an algorithm does not hash in parallel, only thread 0 gets it.
        """
        with self._lock:
            if self._halted:
                return None
            searches = [s for s in self._searches.values() if worker == 0 or s.algorithm.releases_gil]
            if not searches:
                return None
            self._turn += 1
            return searches[self._turn % len(searches)]
