"""The full dataset of an epoch: 1 GiB and more, built on all threads, block by block, so that a killed build goes on where it was.

While it is being built it is called ``….part``, and its header says, with a byte a block, which blocks are on the disk. Whoever opens a
finished one recomputes a sample of its items from the cache first.
"""

from __future__ import annotations

import errno
import os
import random
import struct
import threading
import typing as t
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from miner.pow.errors import BadRange
from miner.pow.ethash import cache, files
from miner.pow.ethash.errors import TableMissing
from miner.pow.ethash.files import HEADER_SIZE, Place, Unfit
from miner.pow.ethash.kernels import ROW_SIZE
from miner.pow.ethash.sizes import EPOCH_LENGTH
from miner.pow.ethash.table import Table

Progress = Callable[[int, int], object]

BLOCK_ITEMS = 2**18
"""16 MiB, about a second's work: what a kill costs each thread. The last dataset of all has 1,088 such blocks."""
SLICE_ITEMS = 2**12
"""How many items are computed between two looks at whether to stop, in some 10 ms."""
BLOCK_SIZE_AT, MARKS_AT = 512, 1024
"""Where in the header the items of a block are, as 8 bytes, and the marks begin."""
SAMPLES = 256
READ_SIZE = 2**24


def prepare_dataset(
    epoch: int,
    *,
    epoch_length: int = EPOCH_LENGTH,
    threads: int | None = None,
    progress: Progress | None = None,
    folder: Path | None = None,
    wait: bool = True,
) -> Path:
    """Build the dataset of `epoch`, and its cache, unless they are there, and return the path of its file.

    Goes on where an earlier call was killed. Takes 1 GiB + 8 MiB an epoch of disk, and 16 MiB of memory a thread.

    :param threads: all processors that this process may use, if not given.
    :param progress: called with the bytes that are done and all bytes, at the beginning and after every block of 16 MiB.
    :param folder: instead of ``$TICKETMINER_ETHASH_DIR`` or the user's cache folder.
    :param wait: whether to wait for another process that is building it already.
    :raises BadEpoch, NotCompiled: there is no such epoch, or nothing to compute it with.
    :raises TableBusy: somebody else is building it, and `wait` is false.
    :raises MemoryError, OSError: no memory, or no room or right on the disk.
    """
    place = files.dataset_place(epoch, epoch_length, folder)
    cache.prepare(epoch, epoch_length=epoch_length, folder=folder)
    build(place, cache.load(epoch, epoch_length=epoch_length, folder=folder), threads, progress, wait=wait)
    return place.path


def build(
    place: Place,
    light: Table,
    threads: int | None = None,
    progress: Progress | None = None,
    *,
    wait: bool = True,
    block_items: int = BLOCK_ITEMS,
) -> None:
    """Build the file of `place` from the cache `light` unless it is there and passes its checks."""
    if threads is not None and threads < 1:
        raise BadRange(
            f"A dataset is built on at least 1 thread, not {threads}; leave threads out for all processors."
        )
    with files.locked(place, wait=wait):
        try:
            _mapped(place, light)
            return
        except FileNotFoundError:
            pass
        except Unfit:
            files.set_aside(place)
        part = place.beside("part")
        with files.explained(place):
            descriptor = files.open_own(part)
            try:
                _build_rest(_Part(place, descriptor, block_items), light.for_search(), threads, progress)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            files.put_in_place(place, part)


def open_dataset(
    epoch: int,
    *,
    epoch_length: int = EPOCH_LENGTH,
    folder: Path | None = None,
    in_memory: bool | None = None,
) -> Table:
    """Return the dataset of `epoch`; from then on ``ALGORITHMS["ethash"].scan`` in this process searches with it.

    :param in_memory: copy it into memory of this process, in huge pages, which was measured at 1.2 times the speed of the mapped file
        and more; otherwise all processes share the mapped file. If not given: copy when the system has half as much again.
    :raises TableMissing: it (or the cache it is checked with) has not been built, or was damaged and has been set aside.
    :raises TableBusy: it is being built.
    :raises MemoryError: `in_memory` is true, and there is no such memory.
    """
    place = files.dataset_place(epoch, epoch_length, folder)
    light = cache.load(epoch, epoch_length=epoch_length, folder=folder)
    table = open_place(place, light, in_memory)
    _opened[epoch, epoch_length] = table
    return table


def close_dataset(epoch: int, *, epoch_length: int = EPOCH_LENGTH) -> None:
    """Search with the cache again; the memory goes back to the system with the last search that uses it."""
    _opened.pop((epoch, epoch_length), None)


def opened(epoch: int, epoch_length: int) -> Table | None:
    """Return the dataset that :func:`open_dataset` has opened here."""
    return _opened.get((epoch, epoch_length))


def open_place(place: Place, light: Table, in_memory: bool | None = None) -> Table:
    """Return the dataset in the file of `place`, checked against the cache `light`."""
    rows = files.found(place, lambda: _mapped(place, light))
    spare = available_memory()
    if in_memory is None:
        in_memory = spare is not None and spare > place.size * 3 // 2
    elif in_memory and spare is not None and spare < place.size:
        raise files.no_memory(place.size)
    try:
        return Table(_copied(place)) if in_memory else Table(rows)
    except OSError as error:
        raise TableMissing(files.unusable(place, error, "read from").strerror) from error


def _mapped(place: Place, light: Table) -> memoryview:
    rows, _ = files.mapped(place)
    check(rows, light)
    return rows


def check(rows: memoryview, light: Table) -> None:
    """Recompute the first and last item and a sample of the others from the cache.

    :raises Unfit: one is not as it should be.
    """
    count = len(rows) // ROW_SIZE
    chosen = {0, count - 1} | {random.randrange(count) for _ in range(SAMPLES)}
    for number in sorted(chosen):
        if rows[number * ROW_SIZE : (number + 1) * ROW_SIZE] != light.items(number, 1):
            raise Unfit(f"its item {number} is wrong")


def available_memory() -> int | None:
    """Return how many bytes the system can give without swapping, where it says so."""
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return None
    found = [line.split()[1] for line in text.splitlines() if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def processors() -> int:
    """Return how many processors this process may use, or, where the system does not say, how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_opened: dict[tuple[int, int], Table] = {}


class _Part:
    """An unfinished dataset: an open file whose header says which blocks are done."""

    def __init__(self, place: Place, descriptor: int, block_items: int) -> None:
        self.place, self.descriptor, self.block_items = place, descriptor, block_items
        self.items = place.size // ROW_SIZE
        self.blocks = -(-self.items // block_items)
        begins = files.header(place)[:BLOCK_SIZE_AT] + struct.pack("<Q", block_items)
        if os.pread(descriptor, len(begins), 0) != begins:
            os.ftruncate(descriptor, 0)
            self._write(begins.ljust(HEADER_SIZE, b"\0"), 0)
        _reserve(descriptor, HEADER_SIZE + place.size)

    def unfinished(self, light: Table) -> list[int]:
        """Return the blocks that are not done, or not as they should be at their ends."""
        marks = os.pread(self.descriptor, self.blocks, MARKS_AT)
        return [block for block, mark in enumerate(marks) if not (mark and self._ends_hold(block, light))]

    def range(self, block: int) -> tuple[int, int]:
        """Return the number of the first item of `block`, and how many it has."""
        first = block * self.block_items
        return first, min(self.block_items, self.items - first)

    def save(self, block: int, made: bytearray) -> None:
        """Write a block, and only when it is on the disk the mark that it is."""
        self._write(made, HEADER_SIZE + self.range(block)[0] * ROW_SIZE)
        os.fsync(self.descriptor)
        self._write(b"\1", MARKS_AT + block)

    def _ends_hold(self, block: int, light: Table) -> bool:
        first, count = self.range(block)
        return all(
            os.pread(self.descriptor, ROW_SIZE, HEADER_SIZE + number * ROW_SIZE) == light.items(number, 1)
            for number in (first, first + count - 1)
        )

    def _write(self, data: bytes | bytearray, at: int) -> None:
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self.descriptor, rest, at)
            rest, at = rest[written:], at + written


def _reserve(descriptor: int, size: int) -> None:
    """Give the file `size` bytes of the disk, so that a full one is noticed before anything is computed, where that can be done."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # a file system that cannot
                raise
    os.ftruncate(descriptor, size)


def _build_rest(part: _Part, light: Table, threads: int | None, progress: Progress | None) -> None:
    todo = part.unfinished(light)
    done, stop = part.place.size - sum(part.range(block)[1] for block in todo) * ROW_SIZE, threading.Event()
    report: Progress = progress or (lambda _done, _all: None)
    report(done, part.place.size)

    def work(block: int) -> int:
        first, count = part.range(block)
        made = bytearray(count * ROW_SIZE)
        for at in range(0, count, SLICE_ITEMS):
            if stop.is_set():
                return 0
            light.items_into(first + at, memoryview(made)[at * ROW_SIZE : (at + SLICE_ITEMS) * ROW_SIZE])
        part.save(block, made)
        return len(made)

    threads = threads or processors()
    with ThreadPoolExecutor(threads, "ethash") as pool:
        try:
            blocks = [_submitted(pool, work, block, threads) for block in todo]
            for finished in as_completed(blocks):
                done += finished.result()
                report(done, part.place.size)
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _submitted(pool: ThreadPoolExecutor, work: Callable[[int], int], block: int, threads: int) -> Future[int]:
    try:
        return pool.submit(work, block)
    except RuntimeError as error:
        raise MemoryError(f"The system gives no {threads} threads; choose fewer.") from error


def _copied(place: Place) -> memoryview:
    copy = memoryview(files.memory(place.size))
    with open(place.path, "rb", buffering=0) as file:
        file.seek(HEADER_SIZE)
        at = 0
        while at < place.size:
            read = t.cast(int, file.readinto(copy[at : at + READ_SIZE]))
            if not read:
                raise TableMissing(f"{place} has become shorter while it was read: {place.remedy}.")
            at += read
    return copy
