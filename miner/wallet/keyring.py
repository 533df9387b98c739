"""Pinned ticket keys: what a site's directory said first is what it has to keep saying."""

from __future__ import annotations

import sqlite3
import typing as t

from miner.errors import KeyMismatch
from miner.service import TicketKey, second_key

_COLUMNS = "key_id, value, not_before, issue_until, redeem_until, issuer_name, spki"


def pin(connection: sqlite3.Connection, origin: str, keys: t.Iterable[TicketKey]) -> None:
    """Add `keys` to what is pinned for `origin`.

    :raises KeyMismatch: an entry differs from the pinned one, or is a second key for its value and start.
    """
    pinned = {key.key_id: key for key in stored(connection, origin)}
    slots = {(key.value, key.not_before): key for key in pinned.values()}
    for key in keys:
        known = pinned.get(key.key_id)
        if known == key:
            continue
        if known is not None:
            raise KeyMismatch(
                f"{origin} has changed the value, dates or name of a ticket key that this wallet knows. Published keys "
                "never change; nothing is mined or paid here. Ask the operator what happened."
            )
        if (key.value, key.not_before) in slots:
            raise second_key(key.value)
        connection.execute(
            f"INSERT INTO ticket_keys (origin, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (
                origin,
                key.key_id,
                key.value,
                key.not_before,
                key.issue_until,
                key.redeem_until,
                key.issuer_name,
                key.spki,
            ),
        )
        pinned[key.key_id] = slots[key.value, key.not_before] = key


def stored(connection: sqlite3.Connection, origin: str) -> list[TicketKey]:
    """Return the keys pinned for `origin`, by start and value."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM ticket_keys WHERE origin = ? ORDER BY not_before, value",  # noqa: S608
        (origin,),
    )
    return [TicketKey(*row) for row in rows]


def find(connection: sqlite3.Connection, origin: str, key_id: bytes) -> TicketKey | None:
    """Return the key pinned for `origin` under `key_id`."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM ticket_keys WHERE origin = ? AND key_id = ?",  # noqa: S608
        (origin, key_id),
    ).fetchone()
    return None if row is None else TicketKey(*row)
