"""What MariaDB does otherwise than the other databases, and a node of Galera otherwise than one server."""

from __future__ import annotations

import multiprocessing
import os
import threading
import typing as t
from collections.abc import Callable, Iterator

import mariadb
import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from mints import Mint
from sqlalchemy import Connection, event, insert, make_url, select, text, update
from sqlalchemy.exc import DataError

from flask_ticketminer.database import Database
from flask_ticketminer.errors import DatabaseBusy, OutcomeUnknown, Problem
from flask_ticketminer.mint.audit import audit
from flask_ticketminer.mint.ledger import StoredPayment
from flask_ticketminer.mint.statistics import fund_total
from flask_ticketminer.prepared import Prepared
from flask_ticketminer.tables import define_tables


@pytest.fixture
def open_database() -> Iterator[Callable[[str], Database]]:
    """Return a factory of databases that are closed at the end."""
    opened: list[Database] = []

    def make(url: str) -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield make
    for database in opened:
        database.dispose()


@pytest.fixture
def database(open_database: Callable[[str], Database], mariadb_url: str) -> Database:
    return open_database(mariadb_url)


@pytest.fixture
def maria_mint(make_mint: Callable[..., Mint], mariadb_url: str) -> Mint:
    return make_mint(mariadb_url)


def add_total(database: Database, name: str) -> None:
    row = {"name": name, "slot": 0, "total": 1}
    database.transaction(lambda connection: connection.execute(insert(database.tables.totals), row))


def totals(database: Database) -> dict[str, int]:
    statement = select(database.tables.totals.c["name", "total"])
    return {row.name: row.total for row in database.read(lambda c: c.execute(statement).all())}


ENDINGS = [b"\0\0", b"\0 ", b"  ", b" \0", b"A\0", b"a\0", b"\xff\xfe", b"'\\", b"%s", b"\xf0\x9f"]


def test_keys_differ_by_any_byte_and_come_back_whole(database: Database) -> None:
    table = database.tables.spent
    rows = [{"key_id": b"k" * 30 + end, "nonce": b"n" * 30 + end} for end in ENDINGS]
    database.transaction(lambda connection: connection.execute(insert(table), rows))
    for row in rows:
        statement = select(table).where(table.c.key_id == row["key_id"], table.c.nonce.in_([row["nonce"]]))
        found = database.read(lambda c, statement=statement: c.execute(statement).mappings().all())
        assert found == [row]


def test_names_that_look_alike_are_different_funds(maria_mint: Mint) -> None:
    names = ["cafe", "CAFE", "café", "cafe ", "cafe\0", "☕"]
    for value, name in enumerate(names):
        maria_mint.ledger.accept_share(os.urandom(32), os.urandom(32), value=2**value, fund=name)
    assert [fund_total(maria_mint.database, name) for name in names] == [1, 2, 4, 8, 16, 32]


def test_what_is_too_long_is_refused_and_not_cut(database: Database) -> None:
    with pytest.raises(DataError):
        add_total(database, "n" * 33)
    assert totals(database) == {}


def test_the_largest_request_finds_room(maria_mint: Mint) -> None:
    tickets = [maria_mint.ticket() for _ in range(64)]
    order = maria_mint.order(tickets, price=32, outputs=[maria_mint.output(1) for _ in range(32)])
    assert maria_mint.ledger.pay_at_once(order).change == maria_mint.ledger.pay_at_once(order).change


def settings(database: Database) -> tuple[str, bool]:
    isolation, modes = database.read(lambda c: c.execute(text("SELECT @@tx_isolation, @@sql_mode")).one())
    return isolation, "STRICT_ALL_TABLES" in modes


def test_sessions_are_strict_and_read_what_is_committed_whatever_the_server_prefers(
    database: Database,
) -> None:
    assert settings(database) == ("READ-COMMITTED", True)


def test_a_hosts_database_gets_the_same_sessions(mariadb_url: str) -> None:
    app = Flask("host")
    app.config["SQLALCHEMY_DATABASE_URI"] = mariadb_url
    db = SQLAlchemy()
    tables = define_tables(db.metadata)
    db.init_app(app)
    with app.app_context():
        db.create_all()
        engine = db.engine
    database = Database(host=lambda: engine, tables=tables)
    assert settings(database) == ("READ-COMMITTED", True)
    database.dispose()
    engine.dispose()


@pytest.mark.parametrize("scheme", ["mysql+pymysql", "mariadb+pymysql"])
def test_both_spellings_of_the_url_serve(
    open_database: Callable[[str], Database], mariadb_url: str, scheme: str
) -> None:
    database = open_database(mariadb_url.replace("mariadb+pymysql", scheme))
    add_total(database, "there")
    assert totals(database) == {"there": 1}


def test_a_real_deadlock_is_repeated_until_both_are_through(database: Database) -> None:
    for name in ("a", "b"):
        add_total(database, name)
    table = database.tables.totals
    met, runs = threading.Barrier(2), {"ab": 0, "ba": 0}

    def both(order: str) -> None:
        def work(connection: Connection) -> None:
            runs[order] += 1
            for place, name in enumerate(order):
                connection.execute(update(table).where(table.c.name == name).values(total=table.c.total + 1))
                if place == 0 and runs[order] == 1:
                    met.wait()

        database.transaction(work)

    threads = [threading.Thread(target=both, args=(order,)) for order in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (totals(database), sum(runs.values())) == ({"a": 3, "b": 3}, 3)


def test_a_lock_that_is_held_too_long_is_waited_for_again(database: Database) -> None:
    add_total(database, "a")
    table = database.tables.totals
    holder = database.engine.connect()
    holder.execute(update(table).values(total=5))
    runs: list[int] = []

    def work(connection: Connection) -> None:
        runs.append(1)
        if len(runs) == 2:
            holder.commit()
        connection.exec_driver_sql("SET SESSION innodb_lock_wait_timeout = 0")
        connection.execute(update(table).values(total=table.c.total + 1))

    database.transaction(work)
    holder.close()
    assert (totals(database), len(runs)) == ({"a": 6}, 2)


def test_a_statement_that_was_stopped_is_repeated_with_its_unit(database: Database) -> None:
    runs: list[int] = []

    def work(connection: Connection) -> None:
        runs.append(1)
        connection.execute(insert(database.tables.totals), {"name": "once", "slot": 0, "total": 1})
        if len(runs) == 1:
            connection.exec_driver_sql("SET STATEMENT max_statement_time = 0.01 FOR SELECT SLEEP(9)")

    database.transaction(work)
    assert (totals(database), len(runs)) == ({"once": 1}, 2)


def kill(server: mariadb.MariaDB, connection: Connection) -> None:
    raw = t.cast(t.Any, connection.connection.dbapi_connection)
    server.execute(f"KILL {raw.thread_id()}")


def test_a_killed_connection_is_replaced(database: Database, mariadb_server: mariadb.MariaDB) -> None:
    runs: list[int] = []

    def work(connection: Connection) -> None:
        runs.append(1)
        connection.execute(insert(database.tables.totals), {"name": "once", "slot": 0, "total": 1})
        if len(runs) == 1:
            kill(mariadb_server, connection)
            connection.execute(text("SELECT 1"))

    database.transaction(work)
    assert (totals(database), len(runs)) == ({"once": 1}, 2)


def test_a_connection_that_is_lost_at_commit_is_an_unknown_outcome(
    database: Database, mariadb_server: mariadb.MariaDB
) -> None:
    killed: list[int] = []

    def strike(connection: Connection) -> None:
        if not killed:
            killed.append(1)
            kill(mariadb_server, connection)

    event.listen(database.engine, "commit", strike)
    with pytest.raises(OutcomeUnknown):
        add_total(database, "maybe")
    add_total(database, "after")
    assert totals(database)["after"] == 1


def pay_in_child(mint: Mint, order: t.Any, answers: t.Any) -> None:
    try:
        answers.put("paid" if isinstance(mint.ledger.pay_at_once(order), StoredPayment) else "held")
    except Problem as problem:
        answers.put(problem.cause)


def test_of_eight_processes_with_the_same_tickets_one_pays(maria_mint: Mint) -> None:
    tickets = [maria_mint.ticket() for _ in range(4)]
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    orders = [maria_mint.order(tickets) for _ in range(8)]
    children = [fork.Process(target=pay_in_child, args=(maria_mint, order, answers)) for order in orders]
    for child in children:
        child.start()
    told = sorted(answers.get(timeout=60) for _ in children)
    for child in children:
        child.join()
    assert told == ["paid", *["ticket-spent"] * 7]


def at(nodes: list[str], name: str) -> str:
    """Return the URL of the database `name` at these nodes."""
    return make_url(f"mariadb+pymysql://root@/{name}").update_query_dict({"host": nodes}).render_as_string()


def node(server: mariadb.MariaDB) -> str:
    return f"127.0.0.1:{server.port}"


def test_a_node_that_is_down_is_passed_over(
    open_database: Callable[[str], Database], mariadb_url: str, mariadb_server: mariadb.MariaDB
) -> None:
    name = make_url(mariadb_url).database or ""
    for nodes in (["127.0.0.1:1", node(mariadb_server)], [node(mariadb_server), "127.0.0.1:1"]):
        assert totals(open_database(at(nodes, name))) == {}


def test_without_any_node_the_site_is_busy(open_database: Callable[[str], Database]) -> None:
    with pytest.raises(DatabaseBusy):
        totals(open_database(at(["127.0.0.1:1", "127.0.0.1:2"], "none")))


def test_a_cluster_of_one_node_keeps_the_books(
    make_mint: Callable[..., Mint], galera_node: mariadb.MariaDB
) -> None:
    mint = make_mint(galera_node.new_database())
    order = mint.order([mint.ticket(8)], price=3)
    assert mint.ledger.pay_at_once(order).change == mint.ledger.pay_at_once(order).change
    reading = mint.database.read(lambda c: c.execute(text("SELECT @@wsrep_sync_wait")).scalar_one())
    assert (audit(mint.database).balanced, reading) == (True, 1)


@pytest.mark.parametrize("how", ["cut", "draining"])
def test_a_unit_waits_for_a_node_that_does_not_serve(
    open_database: Callable[[str], Database], galera_node: mariadb.MariaDB, how: str
) -> None:
    database = open_database(galera_node.new_database())
    add_total(database, "before")
    refused: list[int] = []

    def rejoin(context: t.Any) -> None:
        refused.append(context.original_exception.args[0])
        if len(refused) == 2:
            galera_node.rejoin()

    event.listen(database.engine, "handle_error", rejoin)
    galera_node.leave(how)
    add_total(database, "after")
    assert totals(database) == {"before": 1, "after": 1}
    # The pooled connection first, then the next one.
    assert refused[:2] == [{"cut": 2013, "draining": 1047}[how], 1047]


@pytest.mark.parametrize("how", ["cut", "draining"])
def test_a_unit_goes_on_at_another_node_when_its_own_does_not_serve(
    open_database: Callable[[str], Database],
    galera_node: mariadb.MariaDB,
    mariadb_server: mariadb.MariaDB,
    how: str,
) -> None:
    """The other node is a server of its own here, so that what was written where can be told apart."""
    name = make_url(galera_node.new_database()).database or ""
    elsewhere = open_database(mariadb_server.new_database(name))
    add_total(elsewhere, "other node")
    # A process begins with the node at its process id.
    nodes = [node(mariadb_server)] * 2
    nodes[os.getpid() % 2] = node(galera_node)
    database = open_database(at(nodes, name))
    for connection in [database.engine.connect() for _ in range(15)]:  # as many as the pool keeps
        connection.close()
    hot = Prepared(insert(database.tables.totals))
    database.transaction(lambda connection: hot.run(connection, {"name": "own node", "slot": 0, "total": 1}))
    assert totals(database) == {"own node": 1}
    galera_node.leave(how)
    try:
        database.transaction(lambda connection: hot.run(connection, {"name": "moved", "slot": 0, "total": 1}))
    finally:
        galera_node.rejoin()
    assert totals(elsewhere) == {"other node": 1, "moved": 1}
