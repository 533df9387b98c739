"""What a database error means for the unit of work that met it.

The codes were seen on SQLite, PostgreSQL, Patroni and MariaDB Galera; SQLAlchemy's classes alone do not tell them apart.
"""

from __future__ import annotations

import enum

from sqlalchemy.exc import DBAPIError, OperationalError

_SQLITE_BUSY = {5, 6}
"""SQLITE_BUSY and SQLITE_LOCKED, without their extended bits."""
_SQLSTATES = {"40001", "40P01"}
"""Serialization failure, deadlock."""
_MYSQL_REPEAT = {1213, 1205, 1020}
"""Deadlock or lost certification, lock wait timeout, record changed."""
_MYSQL_NO_QUORUM = {1047, 1180}
"""A Galera node cut off from the others: at a statement nothing was written."""


class Failure(enum.Enum):
    """How to go on."""

    ROLLED_BACK = "nothing was written; the unit may be repeated"
    CONNECTION = "the connection is lost: before COMMIT nothing was written, during COMMIT nobody knows"
    FINAL = "repeating will not help"


def classify(error: DBAPIError, *, committing: bool = False) -> Failure:
    """Return what `error` means.

    :param committing: it came from COMMIT itself, where only an explicit conflict proves that nothing was written.
    """
    original = error.orig
    code = getattr(original, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _SQLITE_BUSY:
        return Failure.ROLLED_BACK
    if getattr(original, "sqlstate", None) in _SQLSTATES:
        return Failure.ROLLED_BACK
    number = _number(original)
    if number in _MYSQL_REPEAT:
        return Failure.ROLLED_BACK
    if error.connection_invalidated or number in _MYSQL_NO_QUORUM or _refused(error):
        return Failure.CONNECTION
    return Failure.CONNECTION if committing else Failure.FINAL


def _number(original: BaseException | None) -> int | None:
    """MySQL drivers put the error's number first."""
    number = original.args[0] if original is not None and original.args else None
    return number if isinstance(number, int) else None


def _refused(error: DBAPIError) -> bool:
    """Whether a server could not even be connected to: psycopg then names no SQLSTATE and there is no statement."""
    return (
        isinstance(error, OperationalError)
        and error.statement is None
        and getattr(error.orig, "sqlite_errorcode", None) is None
    )
