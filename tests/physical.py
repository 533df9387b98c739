"""Where rows lie: what a copy of a database's files tells beyond the rows themselves."""

from __future__ import annotations

import pathlib
import struct
import typing as t

from sqlalchemy import text

from flask_ticketminer.database import Database

Pair = tuple[bytes, bytes]
TABLES = {"issued": "blinded_hash", "spent": "nonce"}


def as_dumped(database: Database) -> dict[str, list[Pair]]:
    """Return the rows of each table as ``SELECT *`` yields them."""
    return {name: _rows(database, f"SELECT * FROM ticketminer_{name}", name) for name in TABLES}


def by_position(database: Database) -> dict[str, list[Pair]]:
    """Return PostgreSQL's rows by their place in the heap."""
    return {name: _rows(database, f"SELECT * FROM ticketminer_{name} ORDER BY ctid", name) for name in TABLES}


def transactions(database: Database) -> dict[str, dict[Pair, int]]:
    """Return the number of the transaction that wrote each row, which PostgreSQL keeps with it."""
    found: dict[str, dict[Pair, int]] = {}
    for name, column in TABLES.items():
        statement = text(f"SELECT key_id, {column}, xmin::text::bigint FROM ticketminer_{name}")
        rows = database.read(lambda connection, statement=statement: connection.execute(statement).all())
        found[name] = {(bytes(key_id), bytes(value)): int(number) for key_id, value, number in rows}
    return found


def in_file(path: pathlib.Path, rows: dict[str, list[Pair]]) -> dict[str, dict[Pair, tuple[int, int]]]:
    """Return SQLite's page and the place in it for each row that the file holds; later rows go further to a page's front."""
    data = path.read_bytes()
    size = page_size(data)
    pairs = _pairs(rows)
    keys = {key_id for key_id, _ in pairs}
    found: dict[str, dict[Pair, tuple[int, int]]] = {name: {} for name in rows}
    for page in range(0, len(data), size):
        for pair, at in _found(data[page : page + size], pairs, keys):
            found[pairs[pair]][pair] = (page // size, -at)
    return found


class Frame(t.NamedTuple):
    """A page as a write-ahead log holds it."""

    page: int
    commit: bool
    image: bytes


def page_size(database: bytes) -> int:
    size = int.from_bytes(database[16:18], "big")
    return 65536 if size == 1 else size


def frames(log: bytes, size: int, *, start: int = 32) -> t.Iterator[Frame]:
    """Yield the frames of a SQLite write-ahead log from the byte `start` on."""
    for at in range(max(32, start), len(log) - size - 23, 24 + size):
        page, commit = struct.unpack_from(">II", log, at)
        yield Frame(page, commit != 0, log[at + 24 : at + 24 + size])


def contents(page: bytes) -> bytes:
    """Return the cells of a page of a SQLite B-tree, without the numbers that say where they are; other pages are returned whole."""
    if page[:1] not in (b"\x02", b"\x05", b"\x0a", b"\x0d"):
        return page
    return page[int.from_bytes(page[5:7], "big") or 65536 :]


def in_log(log: bytes, size: int, rows: dict[str, list[Pair]]) -> dict[str, dict[Pair, int]]:
    """Return for each row that appears on a page of the log which did not have it before the number of that frame."""
    found: dict[str, dict[Pair, int]] = {name: {} for name in rows}
    pairs = _pairs(rows)
    keys = {key_id for key_id, _ in pairs}
    seen: dict[int, set[Pair]] = {}
    for number, frame in enumerate(frames(log, size)):
        now = {pair for pair, _ in _found(frame.image, pairs, keys)}
        for pair in now - seen.get(frame.page, now):
            found[pairs[pair]].setdefault(pair, number)
        seen[frame.page] = now
    return found


def _pairs(rows: dict[str, list[Pair]]) -> dict[Pair, str]:
    return {pair: name for name, wanted in rows.items() for pair in wanted}


def _found(
    page: bytes, pairs: t.Mapping[Pair, str], keys: t.Collection[bytes]
) -> t.Iterator[tuple[Pair, int]]:
    for key_id in keys:
        at = page.find(key_id)
        while at >= 0:
            pair = (key_id, page[at + 32 : at + 64])
            if pair in pairs:
                yield pair, at
            at = page.find(key_id, at + 1)


def _rows(database: Database, statement: str, name: str) -> list[Pair]:
    rows = database.read(lambda connection: connection.execute(text(statement)).mappings().all())
    return [(bytes(row["key_id"]), bytes(row[TABLES[name]])) for row in rows]
