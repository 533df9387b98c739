"""Errors as a database's driver raises them."""

from __future__ import annotations


class DriverError(Exception):
    """Looks like what a driver raises: psycopg's ``sqlstate``, or a number first as MySQL's drivers do."""

    def __init__(self, *arguments: object, sqlstate: str | None = None) -> None:
        super().__init__(*arguments)
        self.sqlstate = sqlstate
