"""What a database error means for the unit of work that met it.

The codes were seen on SQLite, PostgreSQL, Patroni and MariaDB Galera; SQLAlchemy's classes alone do not tell them apart.
"""

from __future__ import annotations

import enum

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from flask_ticketminer import mariadb

_SQLITE_BUSY = {5, 6}
"""SQLITE_BUSY and SQLITE_LOCKED, without their extended bits."""
_SQLITE_FULL = 13
"""What COMMIT itself fails with when the write-ahead log cannot grow: the commit's mark is then not in it."""
_SQLITE_UNWRITABLE = {8, 10, 14, _SQLITE_FULL}
"""SQLITE_READONLY, SQLITE_IOERR, SQLITE_CANTOPEN and SQLITE_FULL."""
_CONFLICTS = {"40001", "40P01"}
"""Serialization failure, deadlock."""
_CANCELED = {"57014"}
"""A statement stopped by hand or for its length."""
_UNWRITABLE = {"25006", "53100"}
"""Read-only, disk full."""
_MARIADB_CONFLICTS = {1213, 1205, 1020}
"""Deadlock or lost certification, lock wait timeout, record changed."""
_MARIADB_CANCELED = {1317, 1969}
"""A statement stopped by hand or for its length."""
_MARIADB_UNWRITABLE = {1021, 1114, 1290, 1792, 1836}
"""Disk full, table full, read-only in three ways."""


class Failure(enum.Enum):
    """How to go on."""

    ROLLED_BACK = "nothing was written; the unit may be repeated"
    CONNECTION = "the connection is lost: before COMMIT nothing was written, during COMMIT nobody knows"
    UNWRITABLE = (
        "nothing was written, and nothing will be until somebody makes room or lifts a write protection"
    )
    FINAL = "repeating will not help"


def classify(error: DBAPIError, *, committing: bool = False) -> Failure:
    """Return what `error` means.

    :param committing: it came from COMMIT itself, where only a refusal proves that nothing was written.
    """
    original = error.orig
    code = getattr(original, "sqlite_errorcode", None)
    if code is not None:
        return _classify_sqlite(code & 0xFF, committing)
    state, number = getattr(original, "sqlstate", None), mariadb.number(original)
    if state in _CONFLICTS or number in _MARIADB_CONFLICTS:
        return Failure.ROLLED_BACK
    if committing:
        return Failure.ROLLED_BACK if isinstance(error, IntegrityError) else Failure.CONNECTION
    if state in _CANCELED or number in _MARIADB_CANCELED:
        return Failure.ROLLED_BACK
    if state in _UNWRITABLE or number in _MARIADB_UNWRITABLE:
        return Failure.UNWRITABLE
    if error.connection_invalidated or number in mariadb.LEAVE or _refused(error):
        return Failure.CONNECTION
    return Failure.FINAL


def _classify_sqlite(code: int, committing: bool) -> Failure:
    if code in _SQLITE_BUSY:
        return Failure.ROLLED_BACK
    if code == _SQLITE_FULL or (code in _SQLITE_UNWRITABLE and not committing):
        return Failure.UNWRITABLE
    return Failure.CONNECTION if committing else Failure.FINAL


def _refused(error: DBAPIError) -> bool:
    """Whether a server could not even be connected to: psycopg then names no SQLSTATE and there is no statement."""
    return isinstance(error, OperationalError) and error.statement is None
