"""What a database's refusal means: told by the errors that the drivers themselves make."""

from __future__ import annotations

import sqlite3
import struct

import psycopg
import pymysql
import pytest
from sqlalchemy.exc import DBAPIError

from flask_ticketminer.dberrors import Failure, classify


def mariadb_error(number: int, state: str = "HY000") -> DBAPIError:
    """Return what SQLAlchemy raises when the server answers with this error."""
    try:
        pymysql.err.raise_mysql_exception(b"\xff" + struct.pack("<h", number) + f"#{state}told".encode())
    except pymysql.err.Error as error:
        return wrapped(error, pymysql.err.Error)


def postgresql_error(state: str) -> DBAPIError:
    return wrapped(psycopg.errors.lookup(state)("told"), psycopg.Error)


def sqlite_error(code: int) -> DBAPIError:
    error = sqlite3.OperationalError("told")
    error.sqlite_errorcode = code
    return wrapped(error, sqlite3.Error)


def wrapped(error: Exception, base: type[Exception]) -> DBAPIError:
    made = DBAPIError.instance("COMMIT", {}, error, base)
    assert isinstance(made, DBAPIError)
    return made


CONFLICTS = [
    mariadb_error(1213, "40001"),
    mariadb_error(1205),
    mariadb_error(1020),
    postgresql_error("40001"),
    postgresql_error("40P01"),
    sqlite_error(sqlite3.SQLITE_BUSY),
    sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT),
]


@pytest.mark.parametrize("committing", [False, True])
@pytest.mark.parametrize("error", CONFLICTS, ids=str)
def test_a_conflict_is_rolled_back_wherever_it_is_told(error: DBAPIError, committing: bool) -> None:
    """Two nodes of Galera find a conflict at COMMIT only."""
    assert classify(error, committing=committing) is Failure.ROLLED_BACK


CANCELED = [mariadb_error(1317, "70100"), mariadb_error(1969, "70100"), postgresql_error("57014")]


@pytest.mark.parametrize("error", CANCELED, ids=str)
def test_a_cancelled_statement_wrote_nothing_but_a_cancelled_commit_is_unknown(error: DBAPIError) -> None:
    assert classify(error) is Failure.ROLLED_BACK
    assert classify(error, committing=True) is Failure.CONNECTION


NODES = [mariadb_error(number) for number in (1047, 1180, 1053)]


@pytest.mark.parametrize("error", NODES, ids=str)
def test_a_node_that_is_cut_off_or_stopping_is_left(error: DBAPIError) -> None:
    assert classify(error) is Failure.CONNECTION


FULL = [
    mariadb_error(1021),
    mariadb_error(1114),
    mariadb_error(1290),
    mariadb_error(1792, "25006"),
    postgresql_error("53100"),
    postgresql_error("25006"),
    sqlite_error(sqlite3.SQLITE_FULL),
    sqlite_error(sqlite3.SQLITE_READONLY_DBMOVED),
    sqlite_error(sqlite3.SQLITE_IOERR_WRITE),
    sqlite_error(sqlite3.SQLITE_CANTOPEN),
]


@pytest.mark.parametrize("error", FULL, ids=str)
def test_a_full_disk_or_a_write_protection_is_not_waited_for(error: DBAPIError) -> None:
    assert classify(error) is Failure.UNWRITABLE


def test_sqlites_commit_on_a_full_disk_wrote_nothing_but_a_failing_disk_leaves_it_open() -> None:
    assert classify(sqlite_error(sqlite3.SQLITE_FULL), committing=True) is Failure.UNWRITABLE
    assert classify(sqlite_error(sqlite3.SQLITE_IOERR_FSYNC), committing=True) is Failure.CONNECTION


@pytest.mark.parametrize("error", [mariadb_error(1062, "23000"), postgresql_error("23505")], ids=str)
def test_a_constraint_that_refuses_at_commit_has_rolled_back(error: DBAPIError) -> None:
    assert classify(error, committing=True) is Failure.ROLLED_BACK


@pytest.mark.parametrize(
    "error", [mariadb_error(1146, "42S02"), mariadb_error(1406, "22001"), postgresql_error("42P01")], ids=str
)
def test_a_mistake_is_final(error: DBAPIError) -> None:
    assert classify(error) is Failure.FINAL
