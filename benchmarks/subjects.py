"""What `kernels` measures: an algorithm, a blob to search, and the WebAssembly module that a page has for it."""

from __future__ import annotations

import random
import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import miner.pow
from miner.pow import ALGORITHMS, Algorithm, Kernel
from miner.pow.ethash import cache_size, dataset_size, files, seed_hash
from miner.pow.ethash.algorithm import FIRST_CHUNK, HEADER_SIZE
from miner.pow.ethash.dataset import available_memory
from miner.pow.ethash.kernels import ROW_SIZE, compiled, paths
from miner.pow.ethash.table import Table, dataset_pages
from miner.pow.registry import Hits

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
    rows = files.memory(cache_size(EPOCH))
    compiled().ethash_build_cache(seed_hash(EPOCH), rows)
    pages = dataset_pages(dataset_size(EPOCH))
    algorithm = searching("ethash-light", Table(rows, pages))
    return Subject(
        "ethash-light", algorithm, bytes(40), HEADER_SIZE, 8, "ethash", (len(rows) // ROW_SIZE, pages)
    )


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
    return Subject("ethash-full", searching("ethash-full", Table(rows)), bytes(40), HEADER_SIZE, 8)


def searching(name: str, table: Table) -> Algorithm:
    """Return ethash with every path that this machine has, and with `table` whatever the epoch."""

    def kernel(path: str) -> Kernel:
        def hash_(data: bytes, **_: object) -> bytes:
            nonce = int.from_bytes(data[HEADER_SIZE:], "little")
            return table.hash(data[:HEADER_SIZE], nonce, path=path)[1]

        def scan(blob: bytes, target: int, start: int, count: int, *_: int, **__: object) -> Hits:
            return table.scan(blob[:HEADER_SIZE], target, start, count, path=path)

        return Kernel(path, hash_, scan, True, FIRST_CHUNK, FIRST_CHUNK)

    return Algorithm(name, "big", tuple(kernel(path) for path in paths()))


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "sha256d": lambda: header("sha256d"),
    "scrypt": lambda: header("scrypt"),
    "neoscrypt": lambda: header("neoscrypt"),
    "ethash-light": ethash_light,
    "ethash-full": ethash_full,
    "yespower": yespower,
}
"""Makes each subject; those of ethash take memory, so make one at a time."""
