"""A ledger as it looks after years: many spent tickets of one key."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sqlalchemy import MetaData, create_engine, insert, text

from flask_ticketminer.prepared import Prepared
from flask_ticketminer.tables import define_tables

CHUNK = 50_000


def fill_spent(url: str, key_id: bytes, count: int) -> None:
    """Store `count` spent tickets of the key `key_id` (32 bytes) in the SQLite database at `url`, whose tables exist.

    The nonces are spread evenly, as random ones are, and come in order, since that fills a tree of keys fastest.
    """
    insertion = Prepared(insert(define_tables(MetaData()).spent))
    engine = create_engine(url)
    with engine.connect() as connection:
        for nonces in _chunks(count):
            insertion.run(connection, [{"key_id": key_id, "nonce": nonce} for nonce in nonces])
            connection.connection.commit()
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    engine.dispose()


def _chunks(count: int) -> Iterator[list[bytes]]:
    step = 2**64 // count
    for start in range(0, count, CHUNK):
        yield [
            (at * step).to_bytes(8, "big") + os.urandom(24) for at in range(start, min(count, start + CHUNK))
        ]
