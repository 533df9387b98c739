"""Pinned ticket keys: what a site's directory said first is what it has to keep saying."""

from __future__ import annotations

import sqlite3
import typing as t

from miner.errors import KeyMismatch
from miner.service import MAX_KEYS, TicketKey, check_periods

KEPT_AFTER_END = 30 * 86_400
"""Seconds for which a key stays pinned after its tickets have expired."""

_COLUMNS = "key_id, value, not_before, issue_until, redeem_until, issuer_name, spki"


def pin(connection: sqlite3.Connection, origin: str, keys: t.Sequence[TicketKey], now: int) -> None:
    """Add `keys` to what is pinned for `origin`; at `now`, those that expired long ago and that nothing here needs go.

    :raises KeyMismatch: an entry differs from the pinned one, is a second key for its value and time, or there are more
        than :data:`~miner.service.MAX_KEYS` for one site.
    """
    connection.execute(
        "DELETE FROM ticket_keys WHERE origin = ? AND redeem_until <= ? AND NOT EXISTS (SELECT 1 FROM outputs o"
        " WHERE o.key_id = ticket_keys.key_id) AND NOT EXISTS (SELECT 1 FROM tickets t WHERE t.key_id ="
        " ticket_keys.key_id AND t.state IN ('available', 'pending', 'given'))",
        (origin, now - KEPT_AFTER_END),
    )
    pinned = {key.key_id: key for key in stored(connection, origin)}
    if any(pinned.get(key.key_id, key) != key for key in keys):
        raise KeyMismatch(
            f"{origin} has changed the value, dates or name of a ticket key that this wallet knows. Published keys "
            "never change; nothing is mined or paid here. Ask the operator what happened."
        )
    new = [key for key in dict.fromkeys(keys) if key.key_id not in pinned]
    check_periods([*pinned.values(), *new])
    if len(pinned) + len(new) > MAX_KEYS:
        raise KeyMismatch(
            f"{origin} has shown more than {MAX_KEYS} ticket keys that are still good. So many small crowds would tell "
            "its visitors apart, so nothing is mined or paid here. Ask the operator."
        )
    connection.executemany(
        f"INSERT INTO ticket_keys (origin, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        [
            (
                origin,
                key.key_id,
                key.value,
                key.not_before,
                key.issue_until,
                key.redeem_until,
                key.issuer_name,
                key.spki,
            )
            for key in new
        ],
    )


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
