"""The light cache of an epoch: a file built once, mapped by every process, and never built inside a request."""

from __future__ import annotations

import hashlib
import mmap
import os
from pathlib import Path

from miner.pow.ethash import files
from miner.pow.ethash.files import Place, Unfit
from miner.pow.ethash.kernels import compiled
from miner.pow.ethash.sizes import EPOCH_LENGTH, dataset_size, seed_hash
from miner.pow.ethash.table import Table, dataset_pages

MOST_OPEN = 3
"""Caches that a process keeps: the last epoch, this one and the next; mapped ones cost addresses, copies for searches memory."""

_open: dict[Place, Table] = {}


def prepare(
    epoch: int, *, epoch_length: int = EPOCH_LENGTH, folder: Path | None = None, wait: bool = True
) -> Path:
    """Build the cache of `epoch` unless it is there, and return the path of its file.

    Takes about half a second for epoch 0 and three for epoch 700, on one thread, and 16 MiB + 128 KiB an epoch of disk and memory.
    Call it when a program starts and before an epoch begins, not inside a request. Of several processes one builds.

    :param folder: instead of ``$TICKETMINER_ETHASH_DIR`` or the user's cache folder.
    :param wait: whether to wait for another process that is building it already.
    :raises BadEpoch, NotCompiled: there is no such epoch, or nothing to compute it with.
    :raises TableBusy: somebody else is building it, and `wait` is false.
    :raises MemoryError, OSError: no memory, or no room or right on the disk.
    """
    compiled()
    place = files.cache_place(epoch, epoch_length, folder)
    if _known(place) and place.path.exists():
        return place.path
    with files.locked(place, wait=wait):
        try:
            table = _mapped(place)
        except FileNotFoundError:
            table = _built(place)
        except Unfit:
            files.set_aside(place)
            table = _built(place)
    _remember(place, table)
    return place.path


def load(epoch: int, *, epoch_length: int = EPOCH_LENGTH, folder: Path | None = None) -> Table:
    """Return the cache of `epoch`, mapped; the first call in a process checks it, which takes some 10 ms.

    :raises BadEpoch, NotCompiled: there is no such epoch, or nothing to compute with.
    :raises TableMissing: it has not been built, cannot be read, or was damaged and has been set aside; the message says what to do.
    :raises TableBusy: it is being built.
    """
    compiled()
    place = files.cache_place(epoch, epoch_length, folder)
    known = _known(place)
    if known:
        return known
    return _remember(place, files.found(place, lambda: _mapped(place)))


def computed(epoch: int, *, epoch_length: int = EPOCH_LENGTH) -> Table:
    """Return the cache of `epoch`, computed into memory of this process without any file; takes as long as :func:`prepare`.

    :raises BadEpoch, NotCompiled: there is no such epoch, or nothing to compute it with.
    :raises MemoryError: there is no such memory.
    """
    place = files.cache_place(epoch, epoch_length, None)
    return _table(place, memoryview(_rows(place)))


def _known(place: Place) -> Table | None:
    return _open.get(place)


def _remember(place: Place, table: Table) -> Table:
    # No lock, which a process forked meanwhile would never get: each step is one of the dictionary's own.
    table = _open.setdefault(place, table)
    for oldest in list(_open)[:-MOST_OPEN]:
        _open.pop(oldest, None)
    return table


def _mapped(place: Place) -> Table:
    rows, checksum = files.mapped(place)
    if hashlib.sha256(rows).digest() != checksum:
        raise Unfit("its checksum does not hold")
    return _table(place, rows)


def _table(place: Place, rows: memoryview) -> Table:
    return Table(rows, dataset_pages(dataset_size(place.epoch, epoch_length=place.epoch_length)))


def _rows(place: Place) -> mmap.mmap:
    rows = files.memory(place.size)
    compiled().ethash_build_cache(seed_hash(place.epoch, epoch_length=place.epoch_length), rows)
    return rows


def _built(place: Place) -> Table:
    rows = _rows(place)
    unfinished = place.beside("new")
    with files.explained(place):
        files.clear(unfinished)
        try:
            with open(files.open_own(unfinished), "wb") as file:
                file.write(files.header(place, hashlib.sha256(rows).digest()))
                file.write(rows)
                file.flush()
                os.fsync(file.fileno())
            files.put_in_place(place, unfinished)
        finally:
            unfinished.unlink(missing_ok=True)
    return _mapped(place)
