"""Ethash, and Etchash by ``epoch_length=60000``: hashing, checking shares, and building what both need.

>>> cache_size(0), dataset_size(0)
(16776896, 1073739904)

A site calls :func:`prepare` before work of an epoch begins, and :func:`check_share` in its requests, which throws away garbage
within microseconds and never builds anything. A miner calls :func:`prepare`, or :func:`prepare_dataset` and
:func:`open_dataset` for some hundred times the speed, and then ``ALGORITHMS["ethash"].scan``.
"""

from __future__ import annotations

from miner.pow.errors import BadLength, NotCompiled
from miner.pow.ethash.algorithm import ETHASH, mix, which_epoch, with_table
from miner.pow.ethash.cache import computed, load, prepare
from miner.pow.ethash.dataset import close_dataset, open_dataset, prepare_dataset
from miner.pow.ethash.errors import BadEpoch, TableBusy, TableMissing
from miner.pow.ethash.files import default_folder
from miner.pow.ethash.kernels import compiled
from miner.pow.ethash.sizes import EPOCH_LENGTH, EPOCHS, cache_size, dataset_size, epoch_of_seed, seed_hash


def hashimoto_light(
    epoch: int, header_hash: bytes, nonce: int, *, epoch_length: int = EPOCH_LENGTH
) -> tuple[bytes, bytes]:
    """Return (mix, result), 32 bytes each, computed from the cache of `epoch`, which is built first where it is not there.

    For programs and consoles: building takes seconds. In requests, use :func:`check_share`.

    :param header_hash: 32 bytes.
    :param nonce: a number below 2^64.
    :raises BadLength: `header_hash` or `nonce` has another size.
    :raises BadEpoch, NotCompiled, MemoryError, OSError: as :func:`prepare` does.
    """
    _check(header_hash, nonce)
    prepare(epoch, epoch_length=epoch_length)
    return load(epoch, epoch_length=epoch_length).hash(header_hash, nonce)


def final_digest(header_hash: bytes, nonce: int, mix: bytes) -> bytes:
    """Return the digest (32 bytes) that a share has if its `mix` (32 bytes) is true; takes microseconds and no cache.

    :raises BadLength: an argument has another size.
    :raises NotCompiled: this installation has no kernels.
    """
    _check(header_hash, nonce)
    if len(mix) != 32:
        raise BadLength(f"A mix has 32 bytes, not {len(mix)}.")
    return compiled().ethash_final(bytes(header_hash), nonce, bytes(mix))  # type: ignore[no-any-return]


def check_share(
    epoch: int, header_hash: bytes, nonce: int, mix: bytes, target: int, *, epoch_length: int = EPOCH_LENGTH
) -> bytes | None:
    """Return the digest of a share that holds, else None; `mix` is what the miner claims.

    Garbage costs microseconds: a claimed mix must give a digest that meets `target` before anything is read from the cache, and to
    find such a mix takes as many short hashes (two permutations each) as the target expects tries. Only then the mix is computed, in
    2 to 3 ms.

    :raises BadLength: an argument has another size.
    :raises BadEpoch, NotCompiled: there is no such epoch, or nothing to compute with.
    :raises TableMissing, TableBusy: its cache has not been built; :func:`prepare` does that, outside of requests.
    """
    digest = final_digest(header_hash, nonce, mix)
    if int.from_bytes(digest, "big") > target:
        return None
    true_mix, _ = load(epoch, epoch_length=epoch_length).hash(header_hash, nonce)
    return digest if true_mix == mix else None


def _check(header_hash: bytes, nonce: int) -> None:
    if len(header_hash) != 32 or not 0 <= nonce < 2**64:
        raise BadLength(
            f"Ethash takes a header hash of 32 bytes and a nonce below 2^64, not {len(header_hash)} bytes and {nonce}."
        )


__all__ = [
    "EPOCHS",
    "EPOCH_LENGTH",
    "ETHASH",
    "BadEpoch",
    "NotCompiled",
    "TableBusy",
    "TableMissing",
    "cache_size",
    "check_share",
    "close_dataset",
    "computed",
    "dataset_size",
    "default_folder",
    "epoch_of_seed",
    "final_digest",
    "hashimoto_light",
    "load",
    "mix",
    "open_dataset",
    "prepare",
    "prepare_dataset",
    "seed_hash",
    "which_epoch",
    "with_table",
]
