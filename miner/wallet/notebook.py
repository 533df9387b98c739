"""What a wallet notes beside its tickets: what happened, what was mined, settings, and passes."""

from __future__ import annotations

import typing as t

from miner.wallet import journal
from miner.wallet.records import HistoryEntry, MiningRun, StoredPass
from miner.wallet.store import Store


class Notebook:
    """The part of a wallet that holds no money."""

    def __init__(self, store: Store, clock: t.Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def now(self) -> int:
        """Return the wallet's time in Unix seconds."""
        return int(self._clock())

    def history(self, limit: int = 100) -> list[HistoryEntry]:
        """Return what happened, the newest first."""
        with self._store.read() as connection:
            return journal.history(connection, limit)

    def note(self, origin: str, kind: str, amount: int, detail: str = "") -> None:
        """Add an entry to the history."""
        with self._store.write() as connection:
            journal.note(connection, self.now(), origin, kind, amount, detail)

    def start_run(self, origin: str, algorithm: str, *, donation: bool = False) -> int:
        """Begin a record for :meth:`jobs` and return its number."""
        with self._store.write() as connection:
            return journal.start_run(connection, origin, algorithm, donation, self.now())

    def update_run(self, number: int, **values: int | str) -> None:
        """Set `state`, `algorithm`, `hashes`, `seconds`, `accepted`, `refused` or `tickets` of a record."""
        with self._store.write() as connection:
            journal.update_run(connection, number, self.now(), values)

    def jobs(self, limit: int = 100) -> list[MiningRun]:
        """Return the stretches of mining, the newest first."""
        with self._store.read() as connection:
            return journal.runs(connection, limit)

    def setting(self, name: str) -> str | None:
        with self._store.read() as connection:
            return journal.setting(connection, name)

    def set_setting(self, name: str, value: str | None) -> None:
        """Keep `value` under `name`; None removes it."""
        with self._store.write() as connection:
            journal.set_setting(connection, name, value)

    def settings(self) -> dict[str, str]:
        return {
            row["name"]: row["value"]
            for row in self._store.rows("SELECT name, value FROM settings ORDER BY name")
        }

    def add_pass(self, access: StoredPass) -> None:
        with self._store.write() as connection:
            journal.add_pass(connection, access, self.now())

    def find_pass(self, origin: str, resource: str, scope: str | None = None) -> StoredPass | None:
        """Return the newest pass of `origin` that opens `resource`, or everything of `scope`."""
        with self._store.read() as connection:
            kept = journal.passes(connection, self.now())
        return next(
            (
                access
                for access in kept
                if access.origin == origin
                and (access.resource == resource or (scope is not None and access.scope == scope))
            ),
            None,
        )

    def drop_pass(self, access: StoredPass) -> None:
        """Forget a pass that was used up or refused."""
        with self._store.write() as connection:
            connection.execute("DELETE FROM passes WHERE id = ?", (access.id,))
