"""The site that is tortured: gated views that succeed, fail, dawdle and have effects, and moments at which it can be killed.

Served by gunicorn (``torture_server.py``), opened in process to issue tickets and to read the books (``torture_world.py``),
and by ``flask --app torture_app:make_app ticketminer audit``.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import sqlite3
import threading
import time
import typing as t
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import timedelta

from flask import Flask, Response, has_request_context, request
from sqlalchemy import event
from sqlalchemy.pool import Pool
from torture_moments import ARMED, REACHED, Transaction

from flask_ticketminer import TicketMiner, current_payment, ticket_required

SECRET = "f1d2d2f924e986ac86fdf7b36c94bcdf32beec15"
SITE_NAME = "torture.example"

PRICES = {"slow": 1, "page": 2, "effect": 3, "timed": 4, "flaky": 5, "book": 11}
"""Tickets, by view; the price names the view in the ledger, which knows no endpoints."""
ONCE = ("slow", "page", "effect", "flaky", "book")
"""The views that one payment opens once."""
FAILING = 30
"""Per cent of its runs in which ``/flaky/…`` fails."""
DELIBERATE = "X-Torture"
"""Header of the answers of a view that fails on purpose."""


@dataclass(frozen=True)
class Site:
    """What every process of one site knows.

    :ivar folder: where its files are.
    :ivar moments: whether it can be stopped at named moments.
    """

    folder: str
    uri: str
    lease: int
    seed: str
    moments: bool = False

    @classmethod
    def read(cls, path: str | pathlib.Path) -> Site:
        return cls(**json.loads(pathlib.Path(path).read_text()))

    def write(self, path: pathlib.Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @property
    def effects(self) -> pathlib.Path:
        return pathlib.Path(self.folder) / "effects.sqlite"


class Deliberate(Exception):
    """A view failed because it was to fail."""


def make_app() -> Flask:
    """Return the application that the file named by ``TORTURE_SITE`` describes."""
    return build(Site.read(os.environ["TORTURE_SITE"]))


def build(site: Site, *, testing: bool = False) -> Flask:
    """Return the application of `site`.

    :param testing: new ticket keys come from the pool of the process, in no time.
    """
    app = Flask("torture", instance_path=site.folder)
    app.config.update(
        SECRET_KEY=SECRET,
        TESTING=testing,
        TICKETMINER_SITE_NAME=SITE_NAME,
        TICKETMINER_DATABASE_URI=site.uri,
        TICKETMINER_ALGORITHM="sha256d",
        TICKETMINER_EFFORT={"sha256d": 2},
        TICKETMINER_LEASE=site.lease,
        # Budgets would slow the attack down; they have tests of their own.
        TICKETMINER_SIGNING_BUDGET=10**6,
        TICKETMINER_VERIFICATION_BUDGET=10**6,
        TICKETMINER_EXCHANGE_BUDGET=10**6,
    )
    TicketMiner(app)
    add_views(app, site)
    if site.moments:
        watch(app, pathlib.Path(site.folder))
    return app


def add_views(app: Flask, site: Site) -> None:
    """Register a view for each of :data:`PRICES` as ``/<view>/<name>``, and what a failing one answers."""
    runs: Counter[str] = Counter()
    serial = itertools.count()

    def gated(function: t.Callable[[str], str]) -> t.Callable[[str], str]:
        kind = function.__name__
        valid_for = None if kind in ONCE else timedelta(hours=1)
        app.add_url_rule(
            f"/{kind}/<name>", kind, ticket_required(PRICES[kind], valid_for=valid_for)(function)
        )
        return function

    def delivered() -> str:
        return f"{current_payment.id} {current_payment.amount}"

    @gated
    def page(name: str) -> str:
        return delivered()

    @gated
    def book(name: str) -> str:
        return delivered()

    @gated
    def timed(name: str) -> str:
        return delivered()

    @gated
    def slow(name: str) -> str:
        """Take as long as the name says: ``150-…`` is 150 ms. A second and more only in the first run for a payment.

        Otherwise payments that outlast their leases would take each other over for ever.
        """
        milliseconds = int(name.partition("-")[0])
        if milliseconds < 1000 or first_run(site, current_payment.id):
            time.sleep(milliseconds / 1000)
        return delivered()

    @gated
    def effect(name: str) -> str:
        moment(app, "view/before-effect")
        store_effect(site, current_payment.id, name)
        moment(app, "view/after-effect")
        return delivered()

    @gated
    def flaky(name: str) -> str:
        runs[current_payment.id] += 1
        chance = f"{site.seed} {current_payment.id} {runs[current_payment.id]} {next(serial)}"
        if hashlib.sha256(chance.encode()).digest()[0] * 100 < FAILING * 256:
            raise Deliberate
        return delivered()

    @app.errorhandler(Deliberate)
    def failed(error: Exception) -> Response:
        return Response("the view failed on purpose", 500, {DELIBERATE: "failed"})


def first_run(site: Site, payment_id: str) -> bool:
    """Return whether no process of `site` was asked this about the payment before."""
    try:
        (pathlib.Path(site.folder) / f"ran-{payment_id}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def prepare_effects(site: Site) -> None:
    """Make the file in which effects are stored, under a unique constraint on the payment's id."""
    with contextlib.closing(sqlite3.connect(site.effects)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS effect (payment_id TEXT PRIMARY KEY, name TEXT NOT NULL)"
        )
        connection.commit()


def store_effect(site: Site, payment_id: str, name: str) -> None:
    """Do what a payment is for, once: a second run of the view finds that it is done."""
    with (
        contextlib.closing(sqlite3.connect(site.effects, timeout=20)) as connection,
        contextlib.suppress(sqlite3.IntegrityError),
    ):
        connection.execute("INSERT INTO effect (payment_id, name) VALUES (?, ?)", (payment_id, name))
        connection.commit()


# Moments


def watch(app: Flask, folder: pathlib.Path) -> None:
    """Stop at the moment that ``armed`` in `folder` names, until the process is killed.

    Transactions are watched here on SQLite only (its driver reports each statement as it runs); a server's are watched on
    the wire (``torture_proxy.py``).
    """
    app.extensions["torture"] = folder
    local = threading.local()

    def traced(statement: str) -> None:
        if not hasattr(local, "transaction"):
            local.transaction = Transaction()
        found = local.transaction.saw(statement)
        if found is not None and has_request_context():
            moment(app, found)

    def connected(connection: t.Any, _: t.Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(traced)

    event.listen(Pool, "connect", connected)

    @app.after_request
    def answering(response: Response) -> Response:
        """The answer is made, everything is committed, nobody has heard of it."""
        if response.status_code < 400:
            moment(app, f"{phase()}/answer")
        return response


def phase() -> str:
    """Return what an answer ends: ``submit``, ``redeem``, ``settle``, or something else."""
    if request.path in ("/ticketminer/submit", "/ticketminer/redeem"):
        return request.path.rpartition("/")[2]
    return "settle" if request.path.split("/")[1] in PRICES else "other"


def moment(app: Flask, name: str) -> None:
    """If `name` is the moment that is waited for, say that it has come and wait to be killed; the first process only."""
    folder: pathlib.Path | None = app.extensions.get("torture")
    if folder is None:
        return
    armed = folder / ARMED
    try:
        if armed.read_text() != name:
            return
        armed.rename(folder / REACHED)
    except FileNotFoundError:
        return
    time.sleep(60)
