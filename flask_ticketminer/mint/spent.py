"""The public file of what is spent of a key, downloaded whole, so that nobody has to ask about a single ticket.

Anyone may ask for it at any rate, so its cost is bounded: it is written again only when the key's counters say that something was
spent, by one thread at a time, and so seldom that all files together take a tenth of one core at most. Meanwhile the last one is
answered.
"""

from __future__ import annotations

import hashlib
import threading
import time
import typing as t
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from flask_ticketminer.database import Database
from flask_ticketminer.errors import Busy
from flask_ticketminer.forks import Shared
from flask_ticketminer.mint.directory import Document
from flask_ticketminer.mint.keys import KeyRing
from flask_ticketminer.tables import COUNTERS

ENTRY_SIZE = 8
"""Bytes of SHA-256(nonce) that stand for a spent ticket."""
KEPT = 10.0
"""Seconds for which a file is served from this process's memory at least."""
SHARE = 10
"""Files are written for one part in so many of the time."""
PATIENCE = 2.0
"""Seconds to wait for another thread that writes, where there is no older file to answer with."""
_ROWS = 10_000
"""Rows fetched at a time."""
_SPENT = tuple(kind for kind in COUNTERS if kind.startswith("spent"))


@dataclass(frozen=True, slots=True)
class _Kept:
    document: Document
    count: int
    """What the key's counters said, read before the rows in the same snapshot."""
    seconds: float
    """What it cost."""
    until: float


class SpentFiles(Shared):
    """Writes the spent files; tickets that are only reserved are not in them.

    :param kept: seconds for which a file is served from memory at least.
    :param monotonic: seconds that only move forward.
    """

    def __init__(
        self,
        database: Database,
        keyring: KeyRing,
        *,
        kept: float = KEPT,
        monotonic: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._seconds = kept
        self._monotonic = monotonic
        self._files: dict[bytes, _Kept] = {}
        super().__init__()

    def _begin_process(self) -> None:
        # Files come and go whole.
        self._writing = threading.Lock()

    def document(self, key_id: bytes) -> Document:
        """Return the sorted 8-byte entries of `key_id`.

        :raises UnknownKey: this site has no such key.
        :raises RetiredKey: the key's epoch is closed and its tickets are gone.
        :raises Busy: another file is being written, and this one never was.
        """
        self._keyring.find(key_id)
        file = self._files.get(key_id)
        if file is not None and self._monotonic() < file.until:
            return file.document
        writing = self._writing
        if not writing.acquire(timeout=PATIENCE if file is None else 0):
            if file is not None:
                return file.document
            raise Busy("A list of spent tickets is being written. Ask for it again shortly.", retry_after=5)
        try:
            return self._renew(key_id).document
        finally:
            writing.release()

    def _renew(self, key_id: bytes) -> _Kept:
        """Return the file as it is now; call it with the lock."""
        file, began = self._files.get(key_id), self._monotonic()
        if file is not None and began < file.until:  # the thread before this one wrote it
            return file
        count, body = self._database.read(
            lambda connection: self._read(connection, key_id, None if file is None else file.count),
            snapshot=True,
        )
        if file is not None and body is None:
            document, seconds = file.document, file.seconds
        else:
            body = body or b""
            document = Document(body, hashlib.sha256(body).hexdigest()[:32])
            seconds = self._monotonic() - began
            self._forget_retired()
        others = sum(other.seconds for name, other in self._files.items() if name != key_id)
        until = self._monotonic() + max(self._seconds, SHARE * (others + seconds))
        file = self._files[key_id] = _Kept(document, count, seconds, until)
        return file

    def _read(self, connection: Connection, key_id: bytes, known: int | None) -> tuple[int, bytes | None]:
        """Return how many tickets are spent and, unless that is `known`, their entries."""
        counter = self._database.tables.counter
        total = select(func.sum(counter.c.total)).where(
            counter.c.key_id == key_id, counter.c.kind.in_(_SPENT)
        )
        count = int(connection.execute(total).scalar() or 0)
        return count, None if count == known else self._entries(connection, key_id)

    def _entries(self, connection: Connection, key_id: bytes) -> bytes:
        spent, held = self._database.tables.spent, self._database.tables.payment_input
        reserved = set(connection.execute(select(held.c.nonce).where(held.c.key_id == key_id)).scalars())
        # Filed by their first byte as they come, sorted one drawer at a time: the file and little more is in memory.
        drawers = [bytearray() for _ in range(256)]
        rows = connection.execute(
            select(spent.c.nonce).where(spent.c.key_id == key_id), execution_options={"yield_per": _ROWS}
        )
        for nonce in rows.scalars():
            if nonce not in reserved:
                entry = hashlib.sha256(nonce).digest()[:ENTRY_SIZE]
                drawers[entry[0]] += entry
        return b"".join(_sorted(drawer) for drawer in drawers)

    def _forget_retired(self) -> None:
        live = {key.key_id for key in self._keyring.live_keys()}
        for key_id in [key_id for key_id in self._files if key_id not in live]:
            del self._files[key_id]


def _sorted(entries: bytearray) -> bytes:
    return b"".join(sorted(bytes(entries[at : at + ENTRY_SIZE]) for at in range(0, len(entries), ENTRY_SIZE)))
