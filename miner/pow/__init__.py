"""Proof of work: the hash functions by name, shared by the miner that searches and the site that checks.

>>> ALGORITHMS["sha256d"].hash(b"hello").hex()[:16]
'9595c9df90075148'

Needs the standard library only, and nothing else of this distribution.
"""

from miner.pow.errors import (
    BadLength,
    BadRange,
    NotCompiled,
    PowError,
    UnknownAlgorithm,
    UnknownImplementation,
)
from miner.pow.ethash import ETHASH
from miner.pow.neoscrypt import NEOSCRYPT
from miner.pow.registry import Algorithm, Algorithms, Kernel, Scan, expected_hashes, target_for
from miner.pow.scrypt import SCRYPT
from miner.pow.sha256d import SHA256D
from miner.pow.yespower import YESPOWER

ALGORITHMS = Algorithms(
    {
        algorithm.name: algorithm
        for algorithm in (SHA256D, SCRYPT, NEOSCRYPT, ETHASH, YESPOWER)
        if algorithm.kernels
    }
)
"""Every algorithm this installation computes, by the name the protocol uses."""

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "Algorithms",
    "BadLength",
    "BadRange",
    "Kernel",
    "NotCompiled",
    "PowError",
    "Scan",
    "UnknownAlgorithm",
    "UnknownImplementation",
    "expected_hashes",
    "target_for",
]
