"""Statements of the hot paths: written in SQLAlchemy Core, compiled once a dialect, handed to the driver as they are.

Building a Core statement and finding it in the cache costs several times what SQLite takes to run it. Values go to the driver
unconverted, so this is for bytes, integers, text and None; errors are SQLAlchemy's as ever.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, CursorResult
from sqlalchemy.sql.dml import UpdateBase

Row = Mapping[str, t.Any]


class Prepared:
    """An INSERT, UPDATE or DELETE whose parameters have names."""

    def __init__(self, statement: UpdateBase) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, Sequence[str] | None]] = {}

    def run(self, connection: Connection, rows: Row | Sequence[Row]) -> CursorResult[t.Any]:
        """Run it with the values of one row, or once for each of several.

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
            return connection.exec_driver_sql(sql, _ordered(names, rows))
        if len(rows) == 1:
            return connection.exec_driver_sql(sql, _ordered(names, rows[0]))
        return connection.exec_driver_sql(sql, [_ordered(names, row) for row in rows])


def _ordered(names: Sequence[str] | None, row: Row) -> t.Any:
    return row if names is None else tuple([row[name] for name in names])
