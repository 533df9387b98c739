"""What can go wrong when hashing; every message names the remedy.

::

    PowError (ValueError)
    ├── UnknownAlgorithm (also KeyError)
    ├── UnknownImplementation
    ├── BadLength
    └── BadRange
"""

from __future__ import annotations


class PowError(ValueError):
    """The input cannot be hashed or searched as asked."""


class UnknownAlgorithm(PowError, KeyError):
    """No algorithm of this name is registered."""

    __str__ = ValueError.__str__


class UnknownImplementation(PowError):
    """The algorithm exists, but not in this implementation on this machine."""


class BadLength(PowError):
    """The algorithm does not take input of this length."""


class BadRange(PowError):
    """The nonce lies outside the blob, or the slice outside the nonce's range."""
