"""One site under torture: its folder, its database, the server in front of it, and its books, read without the server."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import typing as t

import postgres
import torture_app
from sqlalchemy import and_, func, or_, select
from torture_server import Server

from flask_ticketminer.mint.audit import audit
from flask_ticketminer.mint.orders import PAID, RESERVED, SETTLED, USED, USING

SETTLED_STATES = (SETTLED, PAID, USING, USED)
Ticket = tuple[bytes, bytes]
"""Key id and nonce."""


class Books(t.NamedTuple):
    """What the ledger says at one moment.

    :ivar spent: the tickets that are spent for good.
    :ivar held: those that unfinished payments hold.
    :ivar issued: numbers of signed outputs by key, without those that unfinished payments hold.
    :ivar payments: id, price and binding of every payment that was settled.
    :ivar shares: number of shares that were paid.
    """

    spent: set[Ticket]
    held: set[Ticket]
    issued: dict[bytes, int]
    payments: list[tuple[bytes, int, bytes | None]]
    shares: int


class World:
    """The site of one batch of rounds.

    :param kind: ``sqlite`` or ``postgresql``.
    :param server: PostgreSQL, for that kind.
    :param through: port of a proxy through which the served site reaches PostgreSQL.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        kind: str,
        server: postgres.Postgres | None,
        *,
        seed: str,
        lease: int,
        moments: bool = False,
        through: int | None = None,
    ) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.kind = kind
        self.seed = seed
        self._postgres = server
        self._through = through
        self._moments = moments
        if kind == "sqlite":
            self.uri = f"sqlite:///{folder}/ticketminer.sqlite"
        else:
            assert server is not None
            self.uri = server.new_database() + "?sslmode=disable&gssencmode=disable"
        self._describe("outside.json", self.uri, lease, False)
        self.set_lease(lease)
        torture_app.prepare_effects(self.description)
        self.app = torture_app.build(self.description, testing=True)
        self.site: t.Any = self.app.extensions["ticketminer"]
        self.site.keys.ensure_epoch()
        self.server = Server(folder / "site.json", folder / "gunicorn.log")

    def set_lease(self, seconds: int) -> None:
        """Let the server hold tickets for so long from its next start on."""
        uri = self.uri
        if self._through is not None:
            assert self._postgres is not None
            uri = uri.replace(f":{self._postgres.port}/", f":{self._through}/")
        self.description = self._describe("site.json", uri, seconds, self._moments)

    def _describe(self, name: str, uri: str, lease: int, moments: bool) -> torture_app.Site:
        description = torture_app.Site(str(self.folder), uri, lease, self.seed, moments)
        description.write(self.folder / name)
        return description

    def books(self) -> Books:
        """Return what the database holds, read directly."""
        tables = self.site.database.tables

        def work(connection: t.Any) -> Books:
            def rows(*columns: t.Any) -> t.Any:
                return connection.execute(select(*columns)).all()

            held = {tuple(row) for row in rows(tables.payment_input.c.key_id, tables.payment_input.c.nonce)}
            spent = {tuple(row) for row in rows(tables.spent.c.key_id, tables.spent.c.nonce)}
            issued = {}
            for table, sign in ((tables.issued, 1), (tables.payment_output, -1)):
                counts = select(table.c.key_id, func.count()).group_by(table.c.key_id)
                for key_id, count in connection.execute(counts):
                    issued[key_id] = issued.get(key_id, 0) + sign * count
            payment = tables.payment
            settled = select(payment.c.payment_id, payment.c.price, payment.c.binding).where(
                payment.c.state.in_(SETTLED_STATES)
            )
            payments = [tuple(row) for row in connection.execute(settled)]
            shares = connection.execute(select(func.count()).select_from(tables.share)).scalar_one()
            return Books(spent - held, held, issued, payments, shares)

        return t.cast(Books, self.site.database.read(work, snapshot=True))

    def spent_among(self, tickets: t.Collection[Ticket]) -> set[Ticket]:
        """Return those of `tickets` that the ledger has as spent or held."""
        spent = self.site.database.tables.spent
        by_key: dict[bytes, list[bytes]] = {}
        for key_id, nonce in tickets:
            by_key.setdefault(key_id, []).append(nonce)
        wanted = or_(*(and_(spent.c.key_id == k, spent.c.nonce.in_(n)) for k, n in by_key.items()))
        statement = select(spent.c.key_id, spent.c.nonce).where(wanted)
        return {tuple(row) for row in self.site.database.read(lambda c: c.execute(statement).all())}

    def effects(self) -> list[tuple[str, str]]:
        """Return payment id and name of every effect."""
        with contextlib.closing(sqlite3.connect(self.description.effects)) as connection:
            return connection.execute("SELECT payment_id, name FROM effect").fetchall()

    def reserved(self) -> int:
        """Return how many payments are under way, or were left so."""
        payment = self.site.database.tables.payment
        statement = select(func.count()).select_from(payment).where(payment.c.state == RESERVED)
        return t.cast(int, self.site.database.read(lambda c: c.execute(statement).scalar_one()))

    def unequal(self) -> list[str]:
        """Return the lines of the audit that do not hold."""
        return [
            f"audit: {line.name}: expected {line.expected}, found {line.found}"
            for line in audit(self.site.database).lines
            if not line.holds
        ]

    def audit_command(self) -> list[str]:
        """Run ``flask ticketminer audit --json`` and return what it finds wrong."""
        tests = pathlib.Path(__file__).parent
        environment = {
            **os.environ,
            "TORTURE_SITE": str(self.folder / "outside.json"),
            "PYTHONPATH": str(tests),
        }
        command = [sys.executable, "-m", "flask", "--app", "torture_app:make_app"]
        done = subprocess.run(
            [*command, "ticketminer", "audit", "--json"],
            env=environment,
            cwd=tests.parent,
            capture_output=True,
            text=True,
        )
        return (
            []
            if done.returncode == 0
            else [f"audit --json exited {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"]
        )

    def keep_evidence(self, target: pathlib.Path) -> None:
        """Copy files and, where its tools are at hand, a dump of the PostgreSQL database to `target`."""
        shutil.copytree(self.folder, target, dirs_exist_ok=True)
        programs = postgres.programs()
        if self._postgres is not None and programs is not None and self.kind == "postgresql":
            uri = self.uri.replace("postgresql+psycopg", "postgresql")
            dump = [programs / "pg_dump", "--file", target / "database.sql", uri]
            subprocess.run(dump, check=False, capture_output=True)

    def close(self) -> None:
        """Stop the server and delete everything."""
        self.server.kill()
        self.site.database.dispose()
        shutil.rmtree(self.folder, ignore_errors=True)
