"""SHA-256 twice, as Bitcoin hashes block headers; digests are read little-endian."""

from __future__ import annotations

from hashlib import sha256

from miner.pow.compiled import compiled_kernels
from miner.pow.registry import Algorithm, python_kernel


def sha256d(data: bytes) -> bytes:
    """Return the 32 bytes of SHA-256(SHA-256(`data`)), for data of any length."""
    return sha256(sha256(data).digest()).digest()


# hashlib keeps the interpreter's lock for inputs as short as a header, so a second thread would only wait.
SHA256D = Algorithm(
    "sha256d",
    "little",
    (*compiled_kernels("sha256d"), python_kernel(sha256d, releases_gil=False, first_chunk=512)),
)
