"""Ethash in the registry of algorithms: data of 40 bytes, and an epoch that says which cache.

The digest is read big-endian. A digest needs the cache of its epoch, which is never built here: see
:func:`miner.pow.ethash.prepare`. A search uses the dataset where :func:`miner.pow.ethash.open_dataset` has opened it.
"""

from __future__ import annotations

import typing as t

from miner.pow.errors import BadLength, BadRange
from miner.pow.ethash import cache, dataset
from miner.pow.ethash.errors import BadEpoch
from miner.pow.ethash.kernels import paths
from miner.pow.ethash.sizes import epoch_of_seed, seed_hash
from miner.pow.ethash.table import Table
from miner.pow.registry import Algorithm, Hits, Kernel

HEADER_SIZE, NONCE_SIZE = 32, 8
FindTable = t.Callable[[bytes | None, int | None, int], Table]
"""Returns the table for a seed, an epoch (either may be None) and the epoch's length."""
FIRST_CHUNK = 16
"""Hashes from the cache that are computed at once, in a few milliseconds."""


def split(data: bytes) -> tuple[bytes, int]:
    """Return the header hash and the nonce in `data`.

    :raises BadLength: it is not 40 bytes.
    """
    if len(data) != HEADER_SIZE + NONCE_SIZE:
        raise BadLength(
            f"Ethash takes a header hash (32 bytes) and a nonce (8, little-endian), 40 bytes in all, not {len(data)}."
        )
    return bytes(data[:HEADER_SIZE]), int.from_bytes(data[HEADER_SIZE:], "little")


def which_epoch(seed: bytes | None, epoch: int | None, epoch_length: int) -> int:
    """Return the epoch that `seed`, `epoch` or both name.

    :raises BadEpoch: neither is given, they differ, or there is no such epoch.
    """
    if epoch is None:
        if seed is None:
            raise BadEpoch(
                "A hash of ethash belongs to an epoch: give epoch (or seed), and epoch_length=60000 for Etchash."
            )
        return epoch_of_seed(seed, epoch_length=epoch_length)
    if seed is not None and seed_hash(epoch, epoch_length=epoch_length) != seed:
        raise BadEpoch(
            f"Epoch {epoch} of {epoch_length} blocks has another seed; check epoch_length (60000 for Etchash)."
        )
    return epoch


def mix(
    data: bytes, *, seed: bytes | None = None, epoch: int | None = None, epoch_length: int = 30000
) -> bytes:
    """Return the mix (32 bytes) that the digest of `data` is made of, computed from what a search in this process uses.

    :raises BadLength: `data` has not 40 bytes.
    :raises BadEpoch, TableMissing, TableBusy: as a search does.
    """
    header_hash, nonce = split(data)
    return _for_search(seed, epoch, epoch_length).hash(header_hash, nonce)[0]


def with_table(table: Table, name: str = "ethash") -> Algorithm:
    """Return ethash that hashes and searches with `table` whatever the epoch, so that it can be measured without any file."""

    def always(_seed: bytes | None, _epoch: int | None, _epoch_length: int) -> Table:
        return table

    return Algorithm(name, "big", tuple(_kernel(path, always, always) for path in paths()))


def _light(seed: bytes | None, epoch: int | None, epoch_length: int) -> Table:
    return cache.load(which_epoch(seed, epoch, epoch_length), epoch_length=epoch_length)


def _for_search(seed: bytes | None, epoch: int | None, epoch_length: int) -> Table:
    epoch = which_epoch(seed, epoch, epoch_length)
    return dataset.opened(epoch, epoch_length) or cache.load(epoch, epoch_length=epoch_length).for_search()


def _kernel(path: str, table_to_hash: FindTable, table_to_search: FindTable) -> Kernel:
    def hash_(
        data: bytes, *, seed: bytes | None = None, epoch: int | None = None, epoch_length: int = 30000
    ) -> bytes:
        header_hash, nonce = split(data)
        return table_to_hash(seed, epoch, epoch_length).hash(header_hash, nonce, path=path)[1]

    def scan(
        blob: bytes,
        target: int,
        start: int,
        count: int,
        nonce_offset: int,
        nonce_size: int,
        *,
        seed: bytes | None = None,
        epoch: int | None = None,
        epoch_length: int = 30000,
    ) -> Hits:
        header_hash, nonce = split(blob)
        if nonce_offset < HEADER_SIZE:
            raise BadRange(
                f"The nonce of ethash is in bytes 32 to 39, and byte {nonce_offset} is the header hash's; check nonce_offset."
            )
        shift = 8 * (nonce_offset - HEADER_SIZE)
        fixed = nonce & ~(((1 << 8 * nonce_size) - 1) << shift)
        table = table_to_search(seed, epoch, epoch_length)
        return table.scan(header_hash, target, start, count, fixed=fixed, shift=shift, path=path)

    return Kernel(path, t.cast(t.Any, hash_), t.cast(t.Any, scan), True, FIRST_CHUNK, FIRST_CHUNK)


ETHASH = Algorithm("ethash", "big", tuple(_kernel(path, _light, _for_search) for path in paths()))
"""Without kernels where nothing was compiled."""
