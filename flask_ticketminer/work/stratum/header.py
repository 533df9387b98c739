"""A block header from a Stratum job (Stratum v1, as Slush's documentation and the pools' practice have it)."""

from __future__ import annotations

import hashlib
import typing as t
from collections.abc import Sequence

from flask_ticketminer.work.stratum.errors import BadJob

HEADER_SIZE = 80
NONCE_OFFSET = 76
NTIME_OFFSET = 68
VERSION_MASK = 0x1FFF_E000
"""Version bits that miners may use unless a pool says otherwise (BIP 320)."""


def build_header(
    notify_params: Sequence[t.Any],
    *,
    extranonce1: str,
    extranonce2: str,
    ntime: str,
    nonce: str,
    version_bits: str | None = None,
    version_mask: str | None = None,
) -> bytes:
    """Return the 80 bytes that are hashed for a share.

    All strings are hex as they travel: version, ntime, nbits and nonce big-endian, the previous hash in byte-swapped words.

    :param notify_params: of ``mining.notify``: job id, previous hash, coinbase 1 and 2, merkle branch, version, nbits, ntime, …
    :param version_bits: rolled bits, put into the version where `version_mask` (BIP 320's when None) has ones (BIP 310).
    :raises BadJob: a part is missing, no hex, or not of its size.
    """
    if len(notify_params) < 8:
        raise BadJob("The job lacks parts: mining.notify has at least 8 parameters.")
    _, previous, coinbase1, coinbase2, branch, version, nbits, _ = notify_params[:8]
    if not isinstance(branch, list | tuple):
        raise BadJob("The merkle branch is not a list.")
    rolled = _number(version)
    if version_bits is not None:
        mask = VERSION_MASK if version_mask is None else _number(version_mask)
        rolled = rolled & ~mask | _number(version_bits) & mask
    coinbase = b"".join(_bytes(part) for part in (coinbase1, extranonce1, extranonce2, coinbase2))
    return b"".join(
        (
            rolled.to_bytes(4, "little"),
            swap_words(_bytes(previous, 32)),
            merkle_root(sha256d(coinbase), [_bytes(step, 32) for step in branch]),
            *(_number(word).to_bytes(4, "little") for word in (ntime, nbits, nonce)),
        )
    )


def merkle_root(leaf: bytes, branch: Sequence[bytes]) -> bytes:
    """Return the root above the first leaf, all hashes (32 bytes) in the order in which they are hashed."""
    for step in branch:
        leaf = sha256d(leaf + step)
    return leaf


def swap_words(data: bytes) -> bytes:
    """Return `data` with the bytes of each 4-byte word turned around, as Stratum sends the previous hash."""
    return b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))


def sha256d(data: bytes) -> bytes:
    """Return SHA-256 of SHA-256."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def _bytes(text: object, size: int | None = None) -> bytes:
    try:
        if not isinstance(text, str) or not text.isascii() or any(mark.isspace() for mark in text):
            raise ValueError
        found = bytes.fromhex(text)
    except ValueError as error:
        raise BadJob(f"{text!r:.80} is no hex.") from error
    if size is not None and len(found) != size:
        raise BadJob(f"{text!r:.80} has {len(found)} bytes, not {size}.")
    return found


def _number(text: object) -> int:
    return int.from_bytes(_bytes(text, 4), "big")
