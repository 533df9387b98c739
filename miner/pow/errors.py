"""What can go wrong when hashing; every message names the remedy.

::

    PowError (ValueError)
    ├── UnknownAlgorithm (also KeyError)
    ├── UnknownImplementation
    ├── NotCompiled
    ├── BadLength
    ├── BadRange
    └── BadEpoch, TableMissing, TableBusy    of ethash alone: miner.pow.ethash.errors

Beside them, MemoryError where there is not as much memory as a hash, a cache or a dataset takes.
"""

from __future__ import annotations

REMEDY = (
    "install a C compiler and Python's headers, and then Flask-TicketMiner again (pip install --force-reinstall --no-cache-dir), or use "
    "a wheel"
)
"""How an installation gets the compiled kernels; pip's cache may hold a package without them."""


class PowError(ValueError):
    """The input cannot be hashed or searched as asked."""


class UnknownAlgorithm(PowError, KeyError):
    """No algorithm of this name is registered."""

    __str__ = ValueError.__str__


class UnknownImplementation(PowError):
    """The algorithm exists, but not in this implementation on this machine."""


class NotCompiled(PowError):
    """This installation has no compiled kernels, and nothing else computes the algorithm."""


class BadLength(PowError):
    """The algorithm does not take input of this length."""


class BadRange(PowError):
    """The nonce lies outside the blob, or the slice outside the nonce's range."""


def not_compiled(algorithm: str) -> NotCompiled:
    """Return the error for an algorithm that only compiled code computes."""
    return NotCompiled(f"{algorithm} needs the compiled kernels, which this installation lacks: {REMEDY}.")
