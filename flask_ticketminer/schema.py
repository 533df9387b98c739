"""Making the tables in a database of our own, and checking those that a host's migrations made."""

from __future__ import annotations

import typing as t

from sqlalchemy import Connection, Engine, func, insert, inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

from flask_ticketminer.errors import SchemaError
from flask_ticketminer.mariadb import DIALECTS as MARIADB
from flask_ticketminer.tables import SCHEMA_VERSION, Tables

_LOCK = 0x7469636B6574  # "ticket": the key of PostgreSQL's advisory lock around the making of the tables
_UNIX_TIME = {
    "sqlite": "SELECT CAST(strftime('%s', 'now') AS INTEGER)",
    "postgresql": "SELECT CAST(extract(epoch FROM clock_timestamp()) AS bigint)",
}


def make_schema(engine: Engine, tables: Tables, writes: str) -> None:
    """Make the tables that are missing and stamp their version; workers that start together wait for each other.

    :param writes: the execution option that makes SQLite begin with its write lock.
    :raises SchemaError: the tables are of another version.
    """
    if engine.dialect.name in MARIADB:
        if not _is_stamped(engine, tables):
            _make_one_by_one(engine, tables)
        _stamp(engine, tables, writes)
        return
    with engine.connect().execution_options(**{writes: True}) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        tables.schema.metadata.create_all(connection, tables=list(tables.all))
        _check_version(connection, tables, repr(engine.url))


def check_schema(engine: Engine, tables: Tables, writes: str) -> None:
    """Check that a host's database has the tables, and stamp their version when nobody did yet.

    :raises SchemaError: tables are missing or of another version; names the commands that help.
    """
    with engine.connect() as connection:
        names = inspect(connection).get_table_names()
        missing = sorted(table.name for table in tables.all if table.name not in names)
        if missing:
            raise SchemaError(
                f"The site's database ({engine.url!r}) has no table {', '.join(missing)}. Call db.create_all(), or with "
                "Flask-Migrate run 'flask db migrate' and 'flask db upgrade'."
            )
        if connection.execute(select(tables.schema.c.version)).first():
            _check_version(connection, tables, repr(engine.url))
            return
    _stamp(engine, tables, writes)


def _is_stamped(engine: Engine, tables: Tables) -> bool:
    with engine.connect() as connection:
        made = inspect(connection).has_table(tables.schema.name)
        return made and connection.execute(select(tables.schema.c.version)).first() is not None


def _make_one_by_one(engine: Engine, tables: Tables) -> None:
    # MariaDB commits each of these by itself, and a lock by name would hold on one node of a cluster only.
    with engine.connect() as connection:
        if not t.cast("t.Any", engine.dialect).is_mariadb:
            raise SchemaError(
                f"The ticket tables need MariaDB 10.6 or newer, PostgreSQL or SQLite; the server at {engine.url!r} is MySQL. Set "
                "TICKETMINER_DATABASE_URI to a database of one of these."
            )
        for table in tables.all:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))


def _stamp(engine: Engine, tables: Tables, writes: str) -> None:
    try:
        with engine.connect().execution_options(**{writes: True}) as connection, connection.begin():
            _check_version(connection, tables, repr(engine.url))
    except IntegrityError:  # another worker stamped it
        with engine.connect() as connection:
            _check_version(connection, tables, repr(engine.url))


def unix_time(connection: Connection) -> int:
    """Return the Unix time by the database's clock."""
    statement = _UNIX_TIME.get(connection.dialect.name, "SELECT UNIX_TIMESTAMP()")
    return int(connection.exec_driver_sql(statement).scalar_one())


def _check_version(connection: Connection, tables: Tables, where: str) -> None:
    found = connection.execute(select(func.max(tables.schema.c.version))).scalar()
    if found is None:
        stamp = {"version": SCHEMA_VERSION, "pruned_at": unix_time(connection)}
        connection.execute(insert(tables.schema).values(stamp))
    elif found != SCHEMA_VERSION:
        raise SchemaError(
            f"The ticket tables in {where} have version {found}, but this Flask-TicketMiner uses version {SCHEMA_VERSION}. "
            "Run the Flask-TicketMiner that made them, or upgrade the tables ('flask db upgrade')."
        )
