"""`local` work: needs nothing, feeds nobody, and prices a ticket in computing alone.

The blob is 84 bytes with an 8-byte nonce, so hardware made for 80-byte block headers cannot be used on it, and 16 random
bytes keep the nonces of different jobs apart (``docs/protocol.md``, "job").
"""

from __future__ import annotations

import hashlib

from flask_ticketminer.work.extranonce import Piece

LABEL = b"ticketminer local v1"
RANDOM_SIZE = 16
NONCE_OFFSET = 76
NONCE_SIZE = 8
BLOB_SIZE = NONCE_OFFSET + NONCE_SIZE


def local_piece(site_name: str, random: bytes, expires: int) -> Piece:
    """Return the 84 bytes that are hashed, with a nonce of zero.

    :param random: 16 bytes, fresh for each job.
    :param expires: Unix seconds.
    """
    blob = b"".join(
        (
            LABEL,
            random,
            hashlib.sha256(site_name.encode()).digest(),
            expires.to_bytes(8, "little"),
            bytes(NONCE_SIZE),
        )
    )
    return Piece(blob, NONCE_OFFSET, NONCE_SIZE)
