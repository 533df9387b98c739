"""Kernels compiled from ``csrc/``, where a compiler was there when this was installed."""

from __future__ import annotations

import typing as t

from miner.pow.errors import BadLength
from miner.pow.extension import _kernels
from miner.pow.registry import Hits, Kernel

FIRST_CHUNK = {"sha256d": 4096, "scrypt": 16, "neoscrypt": 4, "yespower": 2}
"""Hashes that take about a millisecond on slow machines, before a whole number of batches is made of them."""


def compiled_kernels(algorithm: str) -> tuple[Kernel, ...]:
    """Return the kernels of `algorithm` that this machine can run, the fastest first; none where nothing was compiled."""
    if _kernels is None:
        return ()
    return tuple(
        _kernel(name, path, lanes)
        for name, path, usable, lanes in _kernels.kernels()
        if usable and name == algorithm
    )


def absent_paths() -> tuple[tuple[str, str], ...]:
    """Return (algorithm, path) of the kernels that were compiled and that this processor cannot run."""
    if _kernels is None:
        return ()
    rows = [row[:3] for row in _kernels.kernels()] + _kernels.ethash_kernels()
    return tuple((algorithm, path) for algorithm, path, usable in rows if not usable)


def _kernel(algorithm: str, path: str, lanes: int) -> Kernel:
    def hash_(data: bytes, **_: object) -> bytes:
        try:
            return _kernels.hash(algorithm, path, data)
        except ValueError as error:
            raise BadLength(f"{error}.") from error

    def scan(
        blob: bytes, target: int, start: int, count: int, nonce_offset: int, nonce_size: int, **_: object
    ) -> Hits:
        limit = target.to_bytes(32, "little")
        try:
            return _kernels.scan(algorithm, path, blob, limit, start, count, nonce_offset, nonce_size)
        except ValueError as error:
            raise BadLength(f"{error}.") from error

    first = max(1, FIRST_CHUNK[algorithm] // lanes) * lanes
    return Kernel(path, t.cast(t.Any, hash_), t.cast(t.Any, scan), True, first, lanes)
