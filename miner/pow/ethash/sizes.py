"""What belongs to an epoch: its seed, and how large its cache and dataset are.

Sources: the Ethash page of the Ethereum wiki, revision 23, whose table ends with epoch 2047; ECIP-1099 for epochs of 60,000 blocks
(Etchash), whose sizes go by the epoch's number and whose seeds go by blocks.
"""

from __future__ import annotations

from functools import lru_cache

from miner.pow.ethash.errors import BadEpoch
from miner.pow.ethash.kernels import PAGE_SIZE, ROW_SIZE, compiled

EPOCHS = 2048
EPOCH_LENGTH = 30000
"""Blocks of an epoch of Ethereum; the seed advances once in so many, however long an epoch is."""

EPOCH_LENGTHS = (EPOCH_LENGTH, 60000)
"""Ethash's and Etchash's. Seeds take longer the longer an epoch is, and whoever hands out work may name any length."""

CACHE_BYTES, CACHE_GROWTH = 2**24, 2**17
DATASET_BYTES, DATASET_GROWTH = 2**30, 2**23


def check_epoch(epoch: int, epoch_length: int = EPOCH_LENGTH) -> None:
    """Do nothing for an epoch that exists.

    :raises BadEpoch: it does not, or `epoch_length` is neither 30,000 nor 60,000.
    """
    if isinstance(epoch, bool) or not isinstance(epoch, int) or not 0 <= epoch < EPOCHS:
        raise BadEpoch(
            f"Ethash has the epochs 0 to {EPOCHS - 1}, and {epoch!r} is none: give block number // epoch_length as epoch."
        )
    if (
        isinstance(epoch_length, bool)
        or not isinstance(epoch_length, int)
        or epoch_length not in EPOCH_LENGTHS
    ):
        raise BadEpoch(
            f"An epoch has 30000 blocks (Ethash) or 60000 (Etchash), not {epoch_length!r}: give one of them."
        )


def seed_hash(epoch: int, *, epoch_length: int = EPOCH_LENGTH) -> bytes:
    """Return the seed (32 bytes) from which the cache of `epoch` grows: Keccak-256 of 32 zero bytes, over and over.

    :raises BadEpoch: there is no such epoch.
    :raises NotCompiled: this installation has no kernels.
    """
    check_epoch(epoch, epoch_length)
    return _seed(epoch * epoch_length // EPOCH_LENGTH)


def epoch_of_seed(seed: bytes, *, epoch_length: int = EPOCH_LENGTH) -> int:
    """Return the epoch whose seed is `seed`; pools name epochs by their seeds.

    :raises BadEpoch: no epoch has it.
    :raises NotCompiled: this installation has no kernels.
    """
    check_epoch(0, epoch_length)
    epoch = _epochs_by_seed(epoch_length).get(bytes(seed))
    if epoch is None:
        raise BadEpoch(
            f"No epoch of {epoch_length} blocks has the seed {bytes(seed).hex()}; check epoch_length (60000 for Etchash)."
        )
    return epoch


@lru_cache(maxsize=64, typed=True)
def cache_size(epoch: int, *, epoch_length: int = EPOCH_LENGTH) -> int:
    """Return the bytes of the cache of `epoch`: a prime number of rows of 64, nearly 16 MiB and 128 KiB an epoch.

    :raises BadEpoch: there is no such epoch.
    """
    check_epoch(epoch, epoch_length)
    return _largest(CACHE_BYTES + CACHE_GROWTH * epoch, ROW_SIZE)


@lru_cache(maxsize=64, typed=True)
def dataset_size(epoch: int, *, epoch_length: int = EPOCH_LENGTH) -> int:
    """Return the bytes of the dataset of `epoch`: a prime number of pages of 128, nearly 1 GiB and 8 MiB an epoch.

    :raises BadEpoch: there is no such epoch.
    """
    check_epoch(epoch, epoch_length)
    return _largest(DATASET_BYTES + DATASET_GROWTH * epoch, PAGE_SIZE)


@lru_cache(maxsize=64, typed=True)
def _seed(rounds: int) -> bytes:
    keccak256, seed = compiled().keccak256, bytes(32)
    for _ in range(rounds):
        seed = keccak256(seed)
    return seed


@lru_cache(maxsize=2)
def _epochs_by_seed(epoch_length: int) -> dict[bytes, int]:
    keccak256, seed, found = compiled().keccak256, bytes(32), {}
    for epoch in range(EPOCHS):
        found[seed] = epoch
        for _ in range(epoch_length // EPOCH_LENGTH):
            seed = keccak256(seed)
    return found


def _largest(below: int, unit: int) -> int:
    count = below // unit - 1
    while not _is_prime(count):
        count -= 2
    return count * unit


def _is_prime(n: int) -> bool:
    """Return whether the odd `n` is prime: Miller-Rabin, which bases 2, 3, 5 and 7 decide below 3.2e9 (Jaeschke 1993)."""
    odd, twos = n - 1, 0
    while not odd % 2:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7):
        x = pow(base, odd, n)
        if x != 1 and all(pow(x, 2**i, n) != n - 1 for i in range(twos)):
            return False
    return True
