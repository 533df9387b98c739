"""Statements of the hot paths: written in SQLAlchemy Core, compiled once a dialect, handed to the driver as they are.

Building a Core statement and finding it in the cache costs several times what SQLite takes to run it. Values go to the driver
unconverted, so this is for bytes, integers, text and None; errors are SQLAlchemy's as ever.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Insert, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import UpdateBase

Row = Mapping[str, t.Any]

_PIPELINED = "psycopg"
"""The driver whose ``executemany`` is a pipeline, which logs a warning when one of its rows is refused."""


class Prepared:
    """An INSERT of whole rows, or an UPDATE or DELETE whose parameters have names."""

    def __init__(self, statement: UpdateBase) -> None:
        self._statement = statement
        self._arrays: str | None = None
        self._compiled: dict[str, tuple[str, Sequence[str] | None]] = {}

    def run(self, connection: Connection, rows: Row | Sequence[Row]) -> int:
        """Run it with the values of one row, or once for each of several; return the number of rows concerned.

        The transaction must have begun.

        :raises sqlalchemy.exc.DBAPIError: as ``Connection.execute`` does.
        """
        dialect = connection.dialect
        found = self._compiled.get(dialect.driver)
        if found is None:
            compiled = self._statement.compile(dialect=dialect)
            found = str(compiled), getattr(compiled, "positiontup", None)
            self._compiled[dialect.driver] = found
        sql, names = found
        if isinstance(rows, Mapping):
            return run_raw(connection, sql, _ordered(names, rows))
        if len(rows) == 1:
            return run_raw(connection, sql, _ordered(names, rows[0]))
        if dialect.driver == _PIPELINED and isinstance(self._statement, Insert):
            # A stranger can have rows refused at will, and a warning each time would flood the site's log.
            columns = self._statement.table.columns.keys()
            if self._arrays is None:
                self._arrays = str(_from_arrays(self._statement).compile(dialect=dialect))
            return run_raw(connection, self._arrays, {name: [row[name] for row in rows] for name in columns})
        return run_raw(connection, sql, [_ordered(names, row) for row in rows], many=True)


def run_raw(connection: Connection, sql: str, values: t.Any = (), *, many: bool = False) -> int:
    """Let the driver run `sql`; return the number of rows concerned.

    :param many: `values` is a list, and `sql` is run with each.
    :raises sqlalchemy.exc.DBAPIError: as ``Connection.execute`` does.
    """
    raw, dialect = connection.connection, connection.dialect
    cursor = raw.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(sql, values)
        return cursor.rowcount
    except dialect.loaded_dbapi.Error as error:
        lost = dialect.is_disconnect(error, raw, cursor)
        if lost:
            connection.invalidate(error)
        kind = dialect.loaded_dbapi.Error
        # What was bound are secrets of the ledger: an error that is logged does not repeat them.
        raise DBAPIError.instance(
            sql, None, error, kind, hide_parameters=True, connection_invalidated=lost, dialect=dialect
        ) from error
    finally:
        cursor.close()


def _from_arrays(statement: Insert) -> Insert:
    """Return PostgreSQL's INSERT of any number of rows, in their order, that takes each column's values as an array."""
    columns: t.Any = statement.table.columns
    arrays = [bindparam(column.name, type_=ARRAY(column.type)) for column in columns]
    rows = func.unnest(*arrays).table_valued(*columns.keys()).render_derived()
    return statement.from_select(columns.keys(), select(*rows.columns))


def _ordered(names: Sequence[str] | None, row: Row) -> t.Any:
    return row if names is None else tuple([row[name] for name in names])
