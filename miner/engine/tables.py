"""What a search needs beside its job: of ethash the tables of an epoch, which are built at the first job of it."""

from __future__ import annotations

import contextlib
import typing as t

from miner.engine.interfaces import Job
from miner.pow import PowError, ethash

MOST = 3
"""Epochs for which one site has tables built in one run. An epoch lasts days, and a table has up to 272 MiB."""


class Epoch(t.NamedTuple):
    """An epoch of ethash, by its number and its length in blocks."""

    number: int
    length: int


def prepare_tables(
    job: Job, before: frozenset[Epoch], preparing: t.Callable[[Epoch], object]
) -> frozenset[Epoch]:
    """Have the tables of `job` at hand: of ethash the dataset where the visitor has built it, else the cache.

    :param before: epochs that this site has come with; returned with that of `job`.
    :param preparing: called before a cache is built, which takes seconds.
    :raises PowError: there is no such epoch, or the site has come with too many.
    :raises MemoryError, OSError: no memory, or no room on the disk.
    """
    if job.algorithm != "ethash":
        return before
    length = job.epoch_length or ethash.EPOCH_LENGTH
    epoch = Epoch(ethash.which_epoch(job.seed, job.epoch, length), length)
    if epoch in before:
        return before
    if len(before) >= MOST:
        raise PowError("It changes the epoch again and again, and the tables of each take room on your disk.")
    try:
        ethash.load(epoch.number, epoch_length=length)
    except ethash.TableMissing:
        preparing(epoch)
        ethash.prepare(epoch.number, epoch_length=length)
    with contextlib.suppress(ethash.TableMissing):
        ethash.open_dataset(epoch.number, epoch_length=length)
    return before | {epoch}
