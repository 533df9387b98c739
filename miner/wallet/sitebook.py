"""The sites a wallet knows, the keys it has pinned for them, and where their tickets are filed."""

from __future__ import annotations

import json
import sqlite3
import typing as t

from miner.errors import KeyMismatch, WalletError
from miner.service import Service, TicketKey
from miner.transport import origin_of
from miner.wallet import journal, keyring, requests
from miner.wallet.notebook import Notebook
from miner.wallet.records import Site
from miner.wallet.seed import is_own_name, seed_name, site_seed

DEFAULT_SERVICE = "/ticketminer/"


class SiteBook(Notebook):
    """The part of a wallet that knows sites."""

    def add_site(self, origin: str, service: Service | None = None, service_path: str | None = None) -> None:
        """Remember the site at `origin` and what its service document says."""
        if self._same_site(origin, service, service_path):
            return
        with self._store.write() as connection:
            self._add_site(connection, origin)
            if service is not None:
                connection.execute(
                    "UPDATE sites SET site_name = ?, origins = ? WHERE origin = ?",
                    (service.site_name, json.dumps(service.origins), origin),
                )
            if service_path is not None:
                connection.execute(
                    "UPDATE sites SET service_path = ? WHERE origin = ?", (service_path, origin)
                )

    def sites(self) -> list[Site]:
        """Return every site that is known, by origin."""
        rows = self._store.rows(
            "SELECT s.origin, s.site_name, s.service_path,"
            " coalesce(sum(CASE WHEN t.state = 'available' AND t.redeem_until > ? THEN t.value END), 0) AS balance,"
            " coalesce(sum(CASE WHEN t.state = 'pending' THEN t.value END), 0) AS pending"
            " FROM sites s LEFT JOIN tickets t ON t.origin = s.origin GROUP BY s.origin ORDER BY s.origin",
            self.now(),
        )
        return [
            Site(row["origin"], row["site_name"], row["balance"], row["pending"], row["service_path"])
            for row in rows
        ]

    def service_path(self, origin: str) -> str | None:
        rows = self._store.rows("SELECT service_path FROM sites WHERE origin = ?", origin)
        return rows[0]["service_path"] if rows else None

    def purses(self, origin: str) -> list[str]:
        """Return the origins whose tickets may pay at `origin`: itself, then those whose own document lists it."""
        rows = self._store.rows("SELECT origin, origins FROM sites WHERE origin <> ? ORDER BY origin", origin)
        return [origin, *(row["origin"] for row in rows if origin in json.loads(row["origins"]))]

    def pin(self, origin: str, keys: t.Sequence[TicketKey], *, now: int | None = None) -> None:
        """Pin the directory entries `keys` for `origin`, apart from those whose tickets have all expired.

        :param now: Unix seconds, where the wallet's own clock is known to be wrong.
        :raises KeyMismatch: they contradict what is pinned, are too many, or are those of a site in whose own name they
            issue and which does not list `origin`.
        """
        when = self.now() if now is None else now
        living = [key for key in keys if key.redeem_until > when]
        self._check_owner(origin, living)
        known = {key.key_id: key for key in self.keys(origin)}
        if all(known.get(key.key_id) == key for key in living):
            return
        with self._store.write() as connection:
            self._add_site(connection, origin)
            keyring.pin(connection, origin, living, when)

    def seeds(self, origin: str, issuer_name: str, earned_at: t.Sequence[str] = ()) -> list[bytes]:
        """Return the seeds that tickets of `origin` may come from, the one in use first.

        :param earned_at: other origins which the visitor knows to be of the same site.
        """
        own = self._own_seed(origin)
        names = [seed_name(place, issuer_name) for place in (origin, *earned_at)]
        found = [site_seed(self._master(), name) for name in names]
        return list(dict.fromkeys(found if own is None else [own, *found]))

    def keys(self, origin: str) -> list[TicketKey]:
        """Return the keys pinned for `origin`, by start and value."""
        return [
            TicketKey(*row)
            for row in self._store.rows(
                "SELECT key_id, value, not_before, issue_until, redeem_until, issuer_name, spki FROM ticket_keys"
                " WHERE origin = ? ORDER BY not_before, value",
                origin,
            )
        ]

    def move(self, old: str, new: str) -> int:
        """File the tickets of origin `old` under origin `new`, a site that has moved; return their value.

        :raises WalletError: `old` is unknown or has unanswered requests.
        :raises KeyMismatch: `new` is known and has other keys.
        """
        old, new = origin_of(old), origin_of(new)
        if old == new:
            raise WalletError("Both addresses are the same; nothing to move.")
        with self._store.write() as connection:
            self._check_idle(connection, old)
            self._add_site(connection, new)
            keys = keyring.stored(connection, old)
            keyring.pin(connection, new, keys, self.now())
            # Later outputs at the new address come from the seed that the moved ones came from.
            seed = self._seed(connection, old, keys[-1].issuer_name) if keys else None
            connection.execute(
                "UPDATE sites SET seed = coalesce(seed, ?), site_name ="
                " CASE site_name WHEN '' THEN (SELECT site_name FROM sites WHERE origin = ?) ELSE site_name END"
                " WHERE origin = ?",
                (seed, old, new),
            )
            for table in ("tickets", "passes", "outputs"):
                connection.execute(f"UPDATE {table} SET origin = ? WHERE origin = ?", (new, old))  # noqa: S608
            connection.execute("DELETE FROM ticket_keys WHERE origin = ?", (old,))
            connection.execute("DELETE FROM sites WHERE origin = ?", (old,))
            moved = sum(
                t.value for t in requests.tickets(connection, "origin = ? AND state = 'available'", new)
            )
            journal.note(connection, self.now(), new, "moved", moved, f"from {old}")
        return moved

    def forget(self, origin: str, *, tickets_too: bool = False) -> None:
        """Remove the site at `origin` from the wallet.

        Its counters stay, so that no secret is ever made twice.

        :param tickets_too: even though tickets or unanswered requests are lost with it.
        :raises WalletError: it is unknown, or something would be lost.
        """
        with self._store.write() as connection:
            self._check_idle(connection, origin, force=tickets_too)
            left = sum(
                t.value for t in requests.tickets(connection, "origin = ? AND state = 'available'", origin)
            )
            if left and not tickets_too:
                raise WalletError(f"{left} tickets of {origin} would be lost. Spend them, or force it.")
            for table in ("tickets", "passes", "outputs", "ticket_keys", "history", "requests", "sites"):
                connection.execute(f"DELETE FROM {table} WHERE origin = ?", (origin,))  # noqa: S608

    def _check_owner(self, origin: str, keys: t.Sequence[TicketKey]) -> None:
        # A key under another name makes other tickets: whoever repeats a site's keys in its own name does not own them.
        claimed = {(key.key_id, key.issuer_name) for key in keys if not is_own_name(origin, key.issuer_name)}
        if not claimed:
            return
        pinned = self._store.rows(
            "SELECT DISTINCT origin, issuer_name, key_id FROM ticket_keys WHERE origin <> ?", origin
        )
        owners = {
            row["origin"]
            for row in pinned
            if (row["key_id"], row["issuer_name"]) in claimed
            and is_own_name(row["origin"], row["issuer_name"])
        }
        for owner in sorted(owners - set(self.purses(origin))):
            raise KeyMismatch(
                f"{origin} shows the ticket keys of {owner}, which does not list it as an address of its own. Nothing is "
                f"mined, restored or paid here: a copy of a directory is how somebody would come by another site's tickets. "
                f"Use {owner}; if that site itself says that it has moved: ticketminer wallet move {owner} {origin}"
            )

    def _master(self) -> bytes:
        return t.cast(bytes, self._store.rows("SELECT value FROM secrets WHERE name = 'master'")[0]["value"])

    def _own_seed(self, origin: str) -> bytes | None:
        rows = self._store.rows("SELECT seed FROM sites WHERE origin = ?", origin)
        return rows[0]["seed"] if rows else None

    def _seed(self, connection: sqlite3.Connection, origin: str, issuer_name: str) -> bytes:
        row = connection.execute("SELECT seed FROM sites WHERE origin = ?", (origin,)).fetchone()
        if row is not None and row["seed"] is not None:
            return t.cast(bytes, row["seed"])
        return site_seed(self._master(), seed_name(origin, issuer_name))

    def _add_site(self, connection: sqlite3.Connection, origin: str) -> None:
        connection.execute(
            "INSERT INTO sites (origin, site_name, service_path, origins, added) VALUES (?, '', ?, '[]', ?)"
            " ON CONFLICT DO NOTHING",
            (origin, DEFAULT_SERVICE, self.now()),
        )

    def _same_site(self, origin: str, service: Service | None, service_path: str | None) -> bool:
        rows = self._store.rows("SELECT site_name, origins, service_path FROM sites WHERE origin = ?", origin)
        if not rows:
            return False
        row = rows[0]
        return (
            service is None
            or (row["site_name"], row["origins"]) == (service.site_name, json.dumps(service.origins))
        ) and service_path in (None, row["service_path"])

    def _check_idle(self, connection: sqlite3.Connection, origin: str, *, force: bool = False) -> None:
        if connection.execute("SELECT 1 FROM sites WHERE origin = ?", (origin,)).fetchone() is None:
            raise WalletError(f"{origin} is not in this wallet; ticketminer wallet lists what is.")
        if not force and requests.unanswered(connection, "origin = ?", origin):
            raise WalletError(
                f"{origin} still has to answer requests of this wallet. Run ticketminer wallet recover first."
            )
