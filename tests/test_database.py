"""The ledger's database: opened late, repeated where that is safe, honest where nobody knows."""

from __future__ import annotations

import multiprocessing
import pathlib
import sqlite3
import subprocess
import sys
import threading
import time
import typing as t
from collections.abc import Iterator

import pytest
from drivers import DriverError
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, MetaData, create_engine, event, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from flask_ticketminer.clock import DatabaseClock
from flask_ticketminer.database import Database
from flask_ticketminer.errors import DatabaseBusy, OutcomeUnknown, SchemaError
from flask_ticketminer.tables import define_tables


@pytest.fixture
def database(ledger_url: str) -> Iterator[Database]:
    made = Database(ledger_url)
    yield made
    made.dispose()


def add_total(database: Database, name: str) -> None:
    row = {"name": name, "slot": 0, "total": 1}
    database.transaction(lambda connection: connection.execute(insert(database.tables.totals), row))


def names(database: Database) -> list[str]:
    statement = select(database.tables.totals.c.name).order_by("name")
    return list(database.read(lambda connection: connection.execute(statement).scalars().all()))


def test_making_a_database_opens_nothing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "tickets.sqlite"
    database = Database(f"sqlite:///{path}")
    assert (database.is_sqlite, path.exists()) == (True, False)


def test_the_tables_are_made_at_first_use(database: Database) -> None:
    found = inspect(database.engine).get_table_names()
    assert sorted(found) == sorted(table.name for table in database.tables.all)


def test_defining_the_tables_twice_gives_the_same_tables() -> None:
    metadata = MetaData()
    assert define_tables(metadata) == define_tables(metadata)


def test_a_hosts_naming_convention_leaves_our_constraints_alone() -> None:
    tables = define_tables(
        MetaData(naming_convention={"uq": "host_%(table_name)s", "pk": "host_%(table_name)s"})
    )
    assert {table.primary_key.name for table in tables.all} == {f"pk_{table.name}" for table in tables.all}


def test_sqlite_keeps_no_order_of_issue_or_spending(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    for table in (database.tables.issued, database.tables.spent):
        with pytest.raises(OperationalError, match="rowid"):
            database.read(
                lambda connection, name=table.name: connection.execute(text(f"SELECT rowid FROM {name}"))
            )
    database.dispose()


def test_sqlite_is_durable_and_overwrites_what_it_deletes(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    pragmas = ("journal_mode", "synchronous", "secure_delete")
    values = database.read(lambda c: [c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas])
    database.dispose()
    assert values == ["wal", 2, 1]


def test_an_exception_rolls_everything_back(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.execute(insert(database.tables.totals), {"name": "lost", "slot": 0, "total": 1})
        raise LookupError

    with pytest.raises(LookupError):
        database.transaction(work)
    assert names(database) == []


def test_a_duplicate_rolls_everything_back_and_is_not_repeated(database: Database) -> None:
    add_total(database, "there")
    runs: list[int] = []

    def work(connection: Connection) -> None:
        runs.append(1)
        for name in ("new", "there"):
            connection.execute(insert(database.tables.totals), {"name": name, "slot": 0, "total": 1})

    with pytest.raises(IntegrityError):
        database.transaction(work)
    assert (names(database), len(runs)) == (["there"], 1)


@pytest.mark.parametrize(
    "error",
    [DriverError(sqlstate="40001"), DriverError(sqlstate="40P01"), DriverError(1213), DriverError(1205)],
    ids=["serialization", "deadlock", "1213", "1205"],
)
def test_a_conflict_repeats_the_whole_unit(database: Database, error: Exception) -> None:
    runs: list[int] = []

    def work(connection: Connection) -> None:
        connection.execute(insert(database.tables.totals), {"name": "once", "slot": 0, "total": 1})
        runs.append(1)
        if len(runs) < 3:
            raise OperationalError("INSERT", {}, error)

    database.transaction(work)
    assert (names(database), len(runs)) == (["once"], 3)


def test_repeating_has_an_end(memory: Database) -> None:
    def work(connection: Connection) -> None:
        raise OperationalError("INSERT", {}, DriverError(sqlstate="40001"))

    with pytest.raises(DatabaseBusy):
        memory.transaction(work)


def test_a_mistake_in_a_statement_is_not_repeated(database: Database) -> None:
    with pytest.raises(Exception, match="no_such_table"):
        database.transaction(lambda connection: connection.execute(text("SELECT * FROM no_such_table")))


@pytest.fixture
def memory() -> Iterator[Database]:
    made = Database("sqlite://")
    yield made
    made.dispose()


def failing_commits(database: Database, error: Exception, times: int) -> list[int]:
    """Let the next commits raise `error` as a driver would; return the list of those that did."""
    failed: list[int] = []

    def fail(connection: t.Any) -> None:
        if len(failed) < times:
            failed.append(1)
            raise OperationalError("COMMIT", {}, error)

    event.listen(database.engine, "commit", fail)
    return failed


def test_a_lost_connection_during_commit_is_an_unknown_outcome(memory: Database) -> None:
    failing_commits(memory, DriverError("server closed the connection"), times=1)
    with pytest.raises(OutcomeUnknown):
        add_total(memory, "maybe")


def test_a_conflict_during_commit_repeats_the_unit(memory: Database) -> None:
    failed = failing_commits(memory, DriverError(sqlstate="40001"), times=2)
    add_total(memory, "once")
    assert (names(memory), len(failed)) == (["once"], 2)


def test_a_terminated_backend_is_replaced(postgres_url: str) -> None:
    database = Database(postgres_url)
    runs: list[int] = []

    def work(connection: Connection) -> None:
        runs.append(1)
        if len(runs) == 1:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            other = create_engine(postgres_url)
            with other.connect() as killer:
                killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            other.dispose()
        connection.execute(insert(database.tables.totals), {"name": "once", "slot": 0, "total": 1})

    database.transaction(work)
    assert (names(database), len(runs)) == (["once"], 2)
    database.dispose()


@pytest.mark.parametrize("unit", [Database.transaction, Database.read])
def test_connections_that_died_while_idle_are_not_noticed(
    postgres_url: str, unit: t.Callable[..., t.Any]
) -> None:
    database = Database(postgres_url)
    both = [database.engine.connect() for _ in range(2)]
    for connection in both:
        connection.close()
    other = create_engine(postgres_url)
    with other.connect() as killer:
        killed = killer.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        ).all()
    other.dispose()
    assert len(killed) == 2
    assert unit(database, lambda connection: connection.execute(text("SELECT 1")).scalar()) == 1
    database.dispose()


def test_an_unsafe_commit_is_an_unknown_outcome(postgres_url: str) -> None:
    """PostgreSQL warns with SQLSTATE 01000 when a commit may not be replicated; a deferred trigger says the same here."""
    database = Database(postgres_url)
    database.transaction(
        lambda connection: connection.exec_driver_sql(
            "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE WARNING 'not replicated' USING ERRCODE = '01000'; RETURN NULL; END $$; "
            "CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON ticketminer_totals DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION warn()"
        )
    )
    with pytest.raises(OutcomeUnknown):
        add_total(database, "maybe")
    database.dispose()


def test_a_server_that_is_not_there_is_busy_not_a_traceback() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(DatabaseBusy):
        database.read(lambda connection: None)


def test_another_process_holding_the_lock_is_waited_for(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    add_total(database, "first")
    other = sqlite3.connect(database.url.database or "", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    waiting = threading.Thread(target=add_total, args=(database, "second"))
    waiting.start()
    other.execute("COMMIT")
    waiting.join()
    other.close()
    assert names(database) == ["first", "second"]
    database.dispose()


def test_threads_count_without_losing_any(database: Database) -> None:
    add_total(database, "sum")
    table = database.tables.totals

    def count() -> None:
        for _ in range(10):
            database.transaction(lambda c: c.execute(table.update().values(total=table.c.total + 1)))

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.read(lambda connection: connection.execute(select(table.c.total)).scalar_one()) == 81


def test_workers_that_start_together_make_the_tables_once(ledger_url: str) -> None:
    databases = [Database(ledger_url) for _ in range(6)]
    start = threading.Barrier(6)
    failures: list[BaseException] = []

    def open_it(database: Database) -> None:
        start.wait()
        try:
            names(database)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in databases:
        database.dispose()
    assert failures == []


def test_processes_that_start_together_make_the_tables_once(sqlite_url: str) -> None:
    code = (
        "import sys; from flask_ticketminer.database import Database; "
        "sys.exit(Database(sys.argv[1]).read(lambda c: 0))"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code, sqlite_url]) for _ in range(4)]
    assert [worker.wait() for worker in workers] == [0, 0, 0, 0]


def test_another_schema_version_is_refused(ledger_url: str) -> None:
    first = Database(ledger_url)
    first.transaction(lambda connection: connection.execute(first.tables.schema.update().values(version=99)))
    first.dispose()
    with pytest.raises(SchemaError, match="version 99"):
        names(Database(ledger_url))


def add_in_child(database: Database) -> None:
    add_total(database, "child")


def test_a_forked_child_uses_connections_of_its_own(database: Database) -> None:
    add_total(database, "parent")
    child = multiprocessing.get_context("fork").Process(target=add_in_child, args=(database,))
    child.start()
    child.join()
    assert (child.exitcode, names(database)) == (0, ["child", "parent"])


def test_a_fork_waits_for_the_writer_so_that_the_child_can_write(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    inside, forking = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        connection.execute(insert(database.tables.totals), {"name": "parent", "slot": 0, "total": 1})
        inside.set()
        forking.wait()
        time.sleep(0.2)  # the fork below most likely begins meanwhile

    writer = threading.Thread(target=database.transaction, args=(slow,))
    writer.start()
    inside.wait()
    forking.set()
    child = multiprocessing.get_context("fork").Process(target=add_in_child, args=(database,))
    child.start()
    writer.join()
    child.join()
    assert (child.exitcode, names(database)) == (0, ["child", "parent"])
    database.dispose()


def test_the_clock_is_the_databases(database: Database) -> None:
    assert abs(DatabaseClock(database).now() - database.now()) <= 1


class Host:
    """A Flask app with Flask-SQLAlchemy whose metadata holds our tables."""

    def __init__(self, uri: str) -> None:
        self.app = Flask("host")
        self.app.config["SQLALCHEMY_DATABASE_URI"] = uri
        self.db = SQLAlchemy()
        self.tables = define_tables(self.db.metadata)
        self.db.init_app(self.app)

    def database(self) -> Database:
        def engine() -> t.Any:
            with self.app.app_context():
                return self.db.engine

        return Database(host=engine, tables=self.tables)

    def create_all(self) -> None:
        with self.app.app_context():
            self.db.create_all()

    def close(self) -> None:
        with self.app.app_context():
            self.db.engine.dispose()


def test_a_hosts_database_needs_the_hosts_migrations(ledger_url: str) -> None:
    host = Host(ledger_url)
    with pytest.raises(SchemaError, match=r"db\.create_all\(\).*flask db upgrade"):
        names(host.database())
    host.close()


def test_a_hosts_tables_are_used_with_a_pool_of_our_own(ledger_url: str) -> None:
    host = Host(ledger_url)
    host.create_all()
    database = host.database()
    add_total(database, "ours")
    with host.app.app_context():
        seen = host.db.session.execute(select(host.tables.totals.c.name)).scalars().all()
        assert database.engine.pool is not host.db.engine.pool
    assert seen == ["ours"]
    database.dispose()
    host.close()


def test_a_host_in_memory_gets_a_ticket_database_of_its_own() -> None:
    host = Host("sqlite://")
    host.create_all()
    database = host.database()
    add_total(database, "ours")
    assert names(database) == ["ours"]
    database.dispose()
    host.close()


def test_the_password_stays_out_of_error_messages(postgres_url: str) -> None:
    host = Host(postgres_url.replace("@", ":hunter2@"))
    with pytest.raises(SchemaError) as refused:
        names(host.database())
    host.close()
    assert "hunter2" not in str(refused.value)
