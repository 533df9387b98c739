"""The ledger's database: its own engine, short transactions that are repeated when the database asks for it.

One code path serves SQLite, PostgreSQL and MariaDB. A unit of work is a function of a connection; it may run more than once, so it
must have no effect outside the database.
"""

from __future__ import annotations

import itertools
import logging
import pathlib
import random
import sqlite3
import threading
import time
import typing as t
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

# The tables' options need it: imported by the first request, it would be half imported in a child forked meanwhile.
import sqlalchemy.dialects.sqlite  # noqa: F401
from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool

from flask_ticketminer import mariadb
from flask_ticketminer.dberrors import Failure, classify
from flask_ticketminer.errors import DatabaseBusy, OutcomeUnknown
from flask_ticketminer.forks import Shared, Turnstile
from flask_ticketminer.prepared import run_raw
from flask_ticketminer.schema import check_schema, make_schema, unix_time
from flask_ticketminer.tables import Tables, define_tables

T = t.TypeVar("T")
Work = t.Callable[[Connection], T]

ATTEMPTS = 12
"""Times a unit is run at most."""
PATIENCE = 10.0
"""Seconds after which a unit is not begun again."""
BUSY_TIMEOUT = 5000
"""Milliseconds that SQLite itself waits for another process's lock."""
UNWRITABLE_RETRY = 60
"""Seconds after which a visitor is to try again while the disk is full: somebody has to make room first."""
FORK_PATIENCE = 5.0
"""Seconds that a fork waits for threads that are in SQLite or open a database."""

_log = logging.getLogger(__name__)
_ISOLATION: dict[str, t.Any] = {"isolation_level": "READ COMMITTED"}
_WRITES = "ticketminer_writes"
_UNSAFE = "ticketminer_unsafe_commit"


class Database(Shared):
    """The database of one application; nothing is opened before the first transaction.

    :param uri: a database of our own, whose tables are made when it is first used.
    :param host: instead of `uri`, returns the engine of the site's own database, where the site's migrations make the tables; the
        ledger uses the same URL and connection settings with a pool of its own.
    :param tables: where they are already defined (on the host's MetaData).
    """

    def __init__(
        self,
        uri: str | URL | None = None,
        *,
        host: t.Callable[[], Engine] | None = None,
        tables: Tables | None = None,
    ) -> None:
        if (uri is None) == (host is None):
            raise TypeError("Database takes either a URI or the engine of a host's database.")
        self.tables = tables or define_tables(MetaData())
        self._uri = None if uri is None else make_url(uri)
        self._host = host
        self._engine: Engine | None = None
        #: SQLite's one connection that writes; whoever holds `_writing` may use it.
        self._kept: Connection | None = None
        super().__init__()

    @property
    def url(self) -> URL:
        """Where the database is; the password is hidden when it is printed."""
        if self._uri is None:
            self._uri = t.cast("t.Callable[[], Engine]", self._host)().url
        return self._uri

    @property
    def dialect(self) -> str:
        """``sqlite``, ``postgresql``, ``mysql`` or ``mariadb``."""
        return self.url.get_backend_name()

    @property
    def is_sqlite(self) -> bool:
        return self.dialect == "sqlite"

    @property
    def is_memory(self) -> bool:
        """Whether it is SQLite in memory, which lives in one connection of one process."""
        name = self.url.database or ""
        return self.is_sqlite and (
            not name or ":memory:" in name or self.url.query.get("mode") == "memory" or "mode=memory" in name
        )

    @property
    def engine(self) -> Engine:
        """The engine, opened and its schema checked at first use.

        :raises SchemaError: a host's tables are missing, or the tables are of another version.
        """
        if self._engine is None:
            with self._opening, self._in_use:
                if self._engine is None:
                    self._engine = self._open()
        return self._engine

    def transaction(self, work: Work[T], *, durable: bool = True) -> T:
        """Run `work` in one transaction, commit, and return its result; the whole unit is repeated where that is safe.

        An ``IntegrityError`` rolls everything back and propagates: the constraint has decided.

        :param durable: whether it must be on the disk when this returns; if not, SQLite may lose it with the machine's power, but
            only together with all that comes after it.

        :raises DatabaseBusy: the unit could not be run in time; nothing was written.
        :raises OutcomeUnknown: the connection failed during COMMIT; sending the same request again settles it.
        """
        return self._repeat(lambda: self._run_once(work, durable))

    def read(self, work: Work[T], *, snapshot: bool = False, attempts: int = ATTEMPTS) -> T:
        """Run `work`, which only reads, and return its result.

        :param snapshot: every statement sees the same moment.
        :param attempts: times it is run at most.
        :raises DatabaseBusy: the database did not answer in time.
        """
        return self._repeat(lambda: self._read_once(work, snapshot), attempts)

    def now(self) -> int:
        """Return the Unix time by the database's clock."""
        return self.read(unix_time)

    def dispose(self) -> None:
        """Close every connection; the next use opens new ones."""
        with self._opening:
            if self._engine is not None:
                with self._writing, self._in_use:
                    self._close_kept()
                    self._engine.dispose()
                self._engine = None

    def _repeat(self, attempt: t.Callable[[], T], attempts: int = ATTEMPTS) -> T:
        started = time.monotonic()
        for count in itertools.count(1):
            try:
                return attempt()
            except IntegrityError:
                raise
            except (DBAPIError, PoolTimeout) as error:
                failure = classify(error) if isinstance(error, DBAPIError) else Failure.CONNECTION
                if failure is Failure.FINAL:
                    raise
                if failure is Failure.UNWRITABLE:
                    raise self._unwritable(error) from error
                if count >= attempts or time.monotonic() - started > PATIENCE:
                    raise DatabaseBusy(
                        "The site's database is busy or cannot be reached. Send the same request again later."
                    ) from error
            time.sleep(random.random() * min(0.5, 0.005 * 2**count))
        raise AssertionError  # for the type checker: the loop has no other end

    def _unwritable(self, error: Exception) -> DatabaseBusy:
        _log.error(
            "The tickets' database (%r) cannot store anything: %s. Free space on its disk, raise its limit of size, or make it and "
            "its folder writable; no restart is needed. Until then visitors are told to come back later, and nothing is lost.",
            self.url,
            getattr(error, "orig", error),
        )
        return DatabaseBusy(
            "The site cannot store anything at the moment. Nothing is lost; send the same request again later.",
            retry_after=UNWRITABLE_RETRY,
        )

    def _run_once(self, work: Work[T], durable: bool) -> T:
        engine = self.engine
        with self._connected(engine, durable) as connection:
            connection.begin()
            # Leaving the block by an exception rolls back.
            result = work(connection)
            connection.info.pop(_UNSAFE, None)
            try:
                connection.commit()
            except DBAPIError as error:
                self._abandon(connection)
                if classify(error, committing=True) in (Failure.ROLLED_BACK, Failure.UNWRITABLE):
                    raise
                _log.error("The tickets' database (%r) failed in COMMIT: %s.", self.url, error.orig)
                raise _unknown() from error
            if connection.info.pop(_UNSAFE, False):
                raise _unknown()
            return result

    def _abandon(self, connection: Connection) -> None:
        """End the transaction of a failed COMMIT: SQLAlchemy would put the connection back with it still open."""
        if self.is_sqlite:
            with suppress(sqlite3.Error):
                t.cast(sqlite3.Connection, connection.connection.dbapi_connection).rollback()
        elif not connection.invalidated:
            connection.invalidate()

    def _read_once(self, work: Work[T], snapshot: bool) -> T:
        engine = self.engine
        one_at_a_time = self._writer() if self.is_memory else nullcontext()
        with one_at_a_time, self._in_use, engine.connect() as connection:
            if snapshot and not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            return work(connection)

    @contextmanager
    def _connected(self, engine: Engine, durable: bool) -> Iterator[Connection]:
        """Lend a connection to write with; what is left open on it is rolled back."""
        if not self.is_sqlite:
            with engine.connect() as connection:
                yield connection.execution_options(**{_WRITES: True})
            return
        with self._writing, self._in_use:
            if self._kept is None:
                self._kept = engine.connect().execution_options(**{_WRITES: True})
                if not self.is_memory:
                    # It takes no reader's place in the pool, and what was set on it ends when it is closed.
                    self._kept.detach()
            kept = self._kept
            try:
                if not durable:
                    run_raw(kept, "PRAGMA synchronous = NORMAL")
                yield kept
            except IntegrityError:
                kept.rollback()
                raise
            except BaseException:
                self._close_kept()
                raise
            finally:
                # It cannot be changed inside a transaction, which has ended.
                if not durable and self._kept is kept:
                    run_raw(kept, "PRAGMA synchronous = FULL")

    def _close_kept(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            with suppress(DBAPIError):
                kept.close()

    def _writer(self) -> AbstractContextManager[t.Any]:
        # SQLite takes one writer at a time; threads of this process queue here rather than spin on the file's lock.
        return self._writing if self.is_sqlite else nullcontext()

    def _open(self) -> Engine:
        engine = self._make_engine()
        event.listen(engine, "connect", _prepare_sqlite if self.is_sqlite else _prepare_server)
        if self.is_sqlite:
            event.listen(engine, "begin", _begin_sqlite)
        if self.dialect in mariadb.DIALECTS:
            mariadb.attach(engine)
        try:
            setup = make_schema if self._host is None or self.is_memory else check_schema
            with self._writer():
                setup(engine, self.tables, _WRITES)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _make_engine(self) -> Engine:
        if self._host is not None:
            host = self._host()
            # MariaDB's own default is REPEATABLE READ; a host may have chosen another level for itself.
            isolation = {} if self.is_sqlite else _ISOLATION
            return create_engine(host.url, pool=host.pool.recreate(), **isolation)
        if self.is_memory:
            return create_engine(self.url, poolclass=StaticPool, connect_args={"check_same_thread": False})
        if self.is_sqlite:
            pathlib.Path(self.url.database or "").parent.mkdir(parents=True, exist_ok=True)
            return create_engine(self.url)
        # No ping before each use: a connection that has died fails at the first statement, and the unit is repeated.
        return create_engine(self.url, pool_recycle=300, **_ISOLATION)

    def _before_fork(self) -> None:
        """Let the threads finish that are in SQLite or open a database, and close SQLite's idle files.

        SQLite keeps the locks of a file in memory, so a child that inherited an open file would believe it holds what only
        the parent does. And it has mutexes, which a child would inherit locked, as Python has for a driver that is being imported.
        """
        if self._engine is None or self.is_sqlite:
            unused = self._in_use.close(FORK_PATIENCE)
            if self._engine is not None and self.is_sqlite and not self.is_memory:
                if unused:
                    self._close_kept()
                self._engine.dispose()

    def _after_fork(self) -> None:
        self._in_use.open()

    def _begin_process(self) -> None:
        """Make the locks; a forked child also opens its own connections, as the parent's are the parent's to close."""
        self._opening = threading.Lock()
        self._writing = threading.Lock()
        #: Whoever is in SQLite or opens a database is inside.
        self._in_use = Turnstile()
        if self._engine is not None and not self.is_memory:
            self._kept = None
            self._engine.dispose(close=False)


def _unknown() -> OutcomeUnknown:
    return OutcomeUnknown(
        "The database failed while it was committing. Send the same request again: it is answered from what happened."
    )


def _prepare_sqlite(connection: t.Any, _: t.Any) -> None:
    # The driver's own BEGIN is switched off: _begin_sqlite says when a transaction starts and of which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    cursor.execute("PRAGMA synchronous = FULL")
    # What is pruned is gone from the file too: which share earned which ticket must not be read from its free pages.
    cursor.execute("PRAGMA secure_delete = ON")
    for attempt in range(50):
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] in ("wal", "memory"):
            break
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            # SQLite does not wait for a lock here: another process is switching the same new file.
            time.sleep(0.01 * (1 + attempt % 5))
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    run_raw(connection, "BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_server(connection: t.Any, record: t.Any) -> None:
    if hasattr(connection, "add_notice_handler"):
        # Under synchronous replication a cancelled wait lets COMMIT return although a failover may lose it (SQLSTATE 01000).
        def note(diagnostic: t.Any) -> None:
            if diagnostic.sqlstate == "01000":
                record.info[_UNSAFE] = True

        connection.add_notice_handler(note)
