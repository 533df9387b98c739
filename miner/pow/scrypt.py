"""scrypt with N=1024, r=1, p=1 and the data as its own salt, as Litecoin hashes block headers.

128 KiB of memory a hash (RFC 7914); digests are read little-endian.
"""

from __future__ import annotations

import hashlib

from miner.pow.compiled import compiled_kernels
from miner.pow.registry import Algorithm, python_kernel


def scrypt(data: bytes) -> bytes:
    """Return the 32 bytes of scrypt(`data`, salt = `data`), for data of any length."""
    return hashlib.scrypt(data, salt=data, n=1024, r=1, p=1, dklen=32)


SCRYPT = Algorithm(
    "scrypt", "little", (*compiled_kernels("scrypt"), python_kernel(scrypt, releases_gil=True, first_chunk=4))
)
