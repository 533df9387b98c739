"""Signatures that were already given, found again by the hash of their blinded message."""

from __future__ import annotations

import typing as t

from sqlalchemy import Connection, exists, select

from flask_ticketminer.database import Database

MAX_HASHES = 256
"""Hashes a request."""


def find_signatures(database: Database, key_id: bytes, hashes: t.Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the stored blind signatures of `key_id` for those `hashes` (SHA-256 of blinded messages) that have one.

    Outputs that were never signed, or were released with their payment, are absent; nothing is signed here.
    """
    issued, held = database.tables.issued, database.tables.payment_output
    # One statement, so that a payment released meanwhile is seen with its outputs or without them, not half: what is
    # reserved is not the visitor's before its payment is settled.
    statement = select(issued.c.blinded_hash, issued.c.blind_signature).where(
        issued.c.key_id == key_id,
        issued.c.blinded_hash.in_(hashes),
        ~exists().where(held.c.key_id == issued.c.key_id, held.c.blinded_hash == issued.c.blinded_hash),
    )

    def read(connection: Connection) -> dict[bytes, bytes]:
        return {row.blinded_hash: row.blind_signature for row in connection.execute(statement)}

    return database.read(read) if hashes else {}
