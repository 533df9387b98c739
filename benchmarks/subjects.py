"""What `kernels` measures: an algorithm, a blob to search, and the WebAssembly module that a page has for it."""

from __future__ import annotations

import random
import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import miner.pow
from miner.pow import ALGORITHMS, Algorithm
from miner.pow.ethash import computed, dataset_size, files, with_table
from miner.pow.ethash.algorithm import FIRST_CHUNK, HEADER_SIZE
from miner.pow.ethash.dataset import available_memory
from miner.pow.ethash.kernels import ROW_SIZE
from miner.pow.ethash.table import Table

MODULES = Path(miner.pow.__file__).parent / "wasm"
EPOCH = 0
BLOCK = 2**20

BATCHES = {"sha256d": 4, "scrypt": 3, "neoscrypt": 4, "ethash": FIRST_CHUNK, "yespower": 2}
"""Lanes of the modules with SIMD; those without have 1, but for ethash."""


@dataclass(frozen=True)
class Subject:
    """An algorithm and its work.

    :ivar blob: as long as in a pool's work (`local` work for yespower), all zeros.
    :ivar module: what its WebAssembly modules are called; pages do not compute an algorithm without.
    :ivar cache: for ethash, rows of the cache and pages of the dataset.
    """

    name: str
    algorithm: Algorithm
    blob: bytes
    nonce_offset: int
    nonce_size: int
    module: str | None = None
    cache: tuple[int, int] | None = None

    @property
    def batch(self) -> int:
        """How many nonces its module computes at once."""
        return BATCHES[t.cast(str, self.module)]

    def module_path(self, level: str) -> Path | None:
        """Return the module's file for `level`, ``simd`` or ``scalar``."""
        return MODULES / f"{self.module}.{level}.wasm" if self.module else None


def header(name: str) -> Subject:
    """Return an algorithm that hashes block headers of 80 bytes with a nonce of 4."""
    return Subject(name, ALGORITHMS[name], bytes(80), 76, 4, name)


def yespower() -> Subject:
    return Subject("yespower", ALGORITHMS["yespower"], bytes(84), 76, 8, "yespower")


def ethash_light() -> Subject:
    """Return ethash from the cache of epoch 0, which is computed here, in half a second."""
    table = computed(EPOCH)
    cache = (len(table.rows) // ROW_SIZE, table.pages)
    return Subject("ethash-light", with_table(table), bytes(40), HEADER_SIZE, 8, "ethash", cache)


def ethash_full() -> Subject:
    """Return ethash from 1 GiB of noise instead of the dataset of epoch 0, which would take minutes and be as fast.

    :raises MemoryError: there is no such memory.
    """
    size = dataset_size(EPOCH)
    spare = available_memory()
    if spare is not None and spare < size * 5 // 4:
        raise files.no_memory(size)
    rows, noise = files.memory(size), random.Random(0).randbytes(BLOCK)
    for at in range(0, size, BLOCK):
        rows[at : at + BLOCK] = noise[: size - at]
    return Subject("ethash-full", with_table(Table(rows)), bytes(40), HEADER_SIZE, 8)


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "sha256d": lambda: header("sha256d"),
    "scrypt": lambda: header("scrypt"),
    "neoscrypt": lambda: header("neoscrypt"),
    "ethash-light": ethash_light,
    "ethash-full": ethash_full,
    "yespower": yespower,
}
"""Makes each subject; those of ethash take memory, so make one at a time."""
