"""The public file of what is spent of a key, downloaded whole, so that nobody has to ask about a single ticket."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from sqlalchemy import exists, select

from flask_ticketminer.database import Database
from flask_ticketminer.mint.directory import Document
from flask_ticketminer.mint.keys import KeyRing

ENTRY_SIZE = 8
"""Bytes of SHA-256(nonce) that stand for a spent ticket."""
KEPT = 10.0
"""Seconds for which a file is served from this process's memory."""


@dataclass(frozen=True, slots=True)
class _Kept:
    document: Document
    until: float


class SpentFiles:
    """Writes the spent files; tickets that are only reserved are not in them.

    :param kept: seconds for which a file is served from memory.
    """

    def __init__(self, database: Database, keyring: KeyRing, *, kept: float = KEPT) -> None:
        self._database = database
        self._keyring = keyring
        self._seconds = kept
        self._files: dict[bytes, _Kept] = {}

    def document(self, key_id: bytes) -> Document:
        """Return the sorted 8-byte entries of `key_id`.

        :raises UnknownKey: this site has no such key.
        :raises RetiredKey: the key's epoch is closed and its tickets are gone.
        """
        self._keyring.find(key_id)
        file = self._files.get(key_id)
        if file is None or time.monotonic() >= file.until:
            body = self._read(key_id)
            document = Document(body, hashlib.sha256(body).hexdigest()[:32])
            file = self._files[key_id] = _Kept(document, time.monotonic() + self._seconds)
        return file.document

    def _read(self, key_id: bytes) -> bytes:
        spent, held = self._database.tables.spent, self._database.tables.payment_input
        statement = select(spent.c.nonce).where(
            spent.c.key_id == key_id,
            ~exists().where(held.c.key_id == spent.c.key_id, held.c.nonce == spent.c.nonce),
        )
        nonces = self._database.read(lambda connection: connection.execute(statement).scalars().all())
        return b"".join(sorted(hashlib.sha256(nonce).digest()[:ENTRY_SIZE] for nonce in nonces))
