"""Signatures that were already given, found again by the hash of their blinded message."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, select

from flask_ticketminer.database import Database

MAX_HASHES = 256
"""Hashes a request."""


def find_signatures(database: Database, key_id: bytes, hashes: Sequence[bytes]) -> list[bytes | None]:
    """Return the stored signature of `key_id` for each SHA-256 of a blinded message; the private key is not used.

    What was never signed, was released, or belongs to a payment that is not settled yet is None.
    """
    issued, held = database.tables.issued, database.tables.payment_output
    statement = select(issued.c.blinded_hash, issued.c.blind_signature).where(
        issued.c.key_id == key_id,
        issued.c.blinded_hash.in_(list(hashes)),
        ~exists().where(held.c.key_id == issued.c.key_id, held.c.blinded_hash == issued.c.blinded_hash),
    )
    rows = database.read(lambda connection: connection.execute(statement).all())
    found: dict[bytes, bytes] = {row.blinded_hash: row.blind_signature for row in rows}
    return [found.get(digest) for digest in hashes]
