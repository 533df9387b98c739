"""A cache or dataset in memory, and hashing with it."""

from __future__ import annotations

import os
import threading
import typing as t

from miner.pow.ethash import files
from miner.pow.ethash.kernels import PAGE_SIZE, ROW_SIZE, chosen, compiled

if t.TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_copying = threading.Lock()


def _begin_process() -> None:
    """Make the lock again: in the thread that held it when the process forked it stays locked for ever."""
    global _copying
    _copying = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_process)


class Table:
    """What hashimoto reads: a cache for a dataset of `pages` pages, or, with `pages` 0, a dataset itself.

    Any number of rows and pages will do; an epoch's own come from :mod:`miner.pow.ethash.sizes`.
    """

    def __init__(self, rows: ReadableBuffer, pages: int = 0) -> None:
        self.rows = memoryview(rows)
        self.pages = pages
        self._quick: Table | None = None

    @property
    def full(self) -> bool:
        """Whether this is a dataset."""
        return not self.pages

    def hash(self, header_hash: bytes, nonce: int, *, path: str | None = None) -> tuple[bytes, bytes]:
        """Return (mix, digest), 32 bytes each, for a header hash of 32 bytes and a nonce below 2^64."""
        return compiled().ethash_hash(chosen(path), self.rows, self.pages, header_hash, nonce)  # type: ignore[no-any-return]

    def scan(
        self,
        header_hash: bytes,
        target: int,
        start: int,
        count: int,
        *,
        fixed: int = 0,
        shift: int = 0,
        path: str | None = None,
    ) -> list[tuple[int, bytes]]:
        """Return (number, digest) for the numbers from `start` whose nonce, `fixed` + (number << `shift`), meets `target`."""
        limit = target.to_bytes(32, "big")
        return compiled().ethash_scan(  # type: ignore[no-any-return]
            chosen(path), self.rows, self.pages, header_hash, fixed, shift, limit, start, count
        )

    def items(self, first: int, count: int, *, path: str | None = None) -> bytearray:
        """Return `count` items of 64 bytes of the dataset from number `first` on, computed from this cache."""
        made = bytearray(count * ROW_SIZE)
        self.items_into(first, made, path=path)
        return made

    def items_into(self, first: int, into: WriteableBuffer, *, path: str | None = None) -> None:
        """Fill `into` with items, as :meth:`items` returns them."""
        if self.full:
            raise TypeError("Items are computed from a cache, and this is a dataset.")
        compiled().ethash_items(chosen(path), self.rows, first, into)

    def for_search(self) -> Table:
        """Return the same table in huge pages, which this process then has to itself, or this one where there is no memory.

        A search reads at random all the time: the copy was measured at 1.2 to 1.8 times the speed of the mapped file.
        """
        with _copying:
            if self._quick is None:
                self._quick = self._copied()
            return self._quick

    def _copied(self) -> Table:
        try:
            copy = files.memory(len(self.rows))
        except MemoryError:
            return self
        copy[:] = self.rows
        return Table(copy, self.pages)


def dataset_pages(size: int) -> int:
    """Return how many pages a dataset of `size` bytes has."""
    return size // PAGE_SIZE
