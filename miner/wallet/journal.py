"""What a wallet notes beside its tickets: history, mining runs, passes and settings."""

from __future__ import annotations

import sqlite3
import typing as t

from miner.wallet.records import HistoryEntry, MiningRun, StoredPass


def note(
    connection: sqlite3.Connection, at: int, origin: str, kind: str, amount: int, detail: str = ""
) -> None:
    connection.execute(
        "INSERT INTO history (at, origin, kind, amount, detail) VALUES (?, ?, ?, ?, ?)",
        (at, origin, kind, amount, detail),
    )


def history(connection: sqlite3.Connection, limit: int) -> list[HistoryEntry]:
    rows = connection.execute(
        "SELECT at, origin, kind, amount, detail FROM history ORDER BY id DESC LIMIT ?", (limit,)
    )
    return [HistoryEntry(*row) for row in rows]


def start_run(connection: sqlite3.Connection, origin: str, algorithm: str, donation: bool, now: int) -> int:
    cursor = connection.execute(
        "INSERT INTO runs (origin, algorithm, donation, state, started, updated) VALUES (?, ?, ?, 'running', ?, ?)",
        (origin, algorithm, donation, now, now),
    )
    return t.cast(int, cursor.lastrowid)


def update_run(
    connection: sqlite3.Connection, number: int, now: int, values: t.Mapping[str, int | str]
) -> None:
    allowed = ("state", "algorithm", "hashes", "seconds", "accepted", "refused", "tickets")
    if not values.keys() <= set(allowed):
        raise ValueError(f"A run records {', '.join(allowed)}.")
    assignments = "".join(f", {name} = :{name}" for name in allowed if name in values)
    connection.execute(
        f"UPDATE runs SET updated = :now{assignments} WHERE id = :id",  # noqa: S608
        {**values, "now": now, "id": number},
    )


def runs(connection: sqlite3.Connection, limit: int) -> list[MiningRun]:
    rows = connection.execute(
        "SELECT id, origin, algorithm, donation, state, started, updated, hashes, seconds, accepted, refused, tickets"
        " FROM runs ORDER BY id DESC LIMIT ?",
        (limit,),
    )
    return [MiningRun(**{**row, "donation": bool(row["donation"])}) for row in map(dict, rows)]


def add_pass(connection: sqlite3.Connection, access: StoredPass, now: int) -> None:
    """Keep `access`; its number is given here. Expired passes go."""
    connection.execute("DELETE FROM passes WHERE expires <= ?", (now,))
    connection.execute(
        "INSERT INTO passes (origin, resource, scope, expires, single_use, token) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (access.origin, access.resource, access.scope, access.expires, access.single_use, access.token),
    )


def passes(connection: sqlite3.Connection, now: int) -> list[StoredPass]:
    """Return the passes that still open something, the newest first."""
    rows = connection.execute(
        "SELECT id, origin, resource, scope, expires, single_use, token FROM passes"
        " WHERE expires IS NULL OR expires > ? ORDER BY id DESC",
        (now,),
    )
    return [StoredPass(**{**row, "single_use": bool(row["single_use"])}) for row in map(dict, rows)]


def setting(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
    return None if row is None else t.cast(str, row[0])


def set_setting(connection: sqlite3.Connection, name: str, value: str | None) -> None:
    if value is None:
        connection.execute("DELETE FROM settings WHERE name = ?", (name,))
    else:
        connection.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value))
