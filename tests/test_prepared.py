"""Prepared statements: the same rows and the same errors as SQLAlchemy's own way."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from mints import Mint
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from flask_ticketminer.mint.statements import Statements
from flask_ticketminer.prepared import Prepared, run_raw


@pytest.fixture
def statements(mint: Mint) -> Statements:
    return Statements(mint.database.tables)


def ticket(first: int = 0) -> dict[str, bytes]:
    return {"key_id": bytes([first]) + b"k" * 31, "nonce": os.urandom(32)}


def spent(mint: Mint) -> set[tuple[bytes, bytes]]:
    table = mint.database.tables.spent
    rows = mint.database.read(lambda connection: connection.execute(select(table)).all())
    return {(key_id, nonce) for key_id, nonce in rows}


def in_transaction(mint: Mint, work: Callable[[Connection], object]) -> object:
    return mint.database.transaction(work)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_rows_go_in_as_they_are(mint: Mint, statements: Statements, count: int) -> None:
    mint.audited = False
    rows = [ticket(number) for number in range(count)]
    in_transaction(mint, lambda connection: statements.insert_spent.run(connection, rows))
    assert spent(mint) == {(row["key_id"], row["nonce"]) for row in rows}


def test_the_number_of_rows_concerned_is_told(mint: Mint, statements: Statements) -> None:
    gone, kept = {"at_payment": b"a" * 32}, {"at_payment": b"b" * 32}
    row = ticket() | {"payment_id": gone["at_payment"]}

    def work(connection: Connection) -> tuple[int, int]:
        statements.insert_input.run(connection, row)
        return statements.delete_inputs.run(connection, kept), statements.delete_inputs.run(connection, gone)

    assert in_transaction(mint, work) == (0, 1)


def test_members_that_are_no_columns_are_left_aside(mint: Mint, statements: Statements) -> None:
    mint.audited = False
    row = ticket()
    in_transaction(mint, lambda connection: statements.insert_spent.run(connection, row | {"position": 3}))
    assert spent(mint) == {(row["key_id"], row["nonce"])}


def test_a_second_row_of_the_same_key_is_an_integrity_error_that_tells_no_secrets(
    mint: Mint, statements: Statements
) -> None:
    row = ticket()
    with pytest.raises(IntegrityError) as caught:
        in_transaction(mint, lambda connection: statements.insert_spent.run(connection, [row, row]))
    assert caught.value.params is None
    assert spent(mint) == set()


def test_an_error_of_the_driver_is_sqlalchemys(mint: Mint) -> None:
    with pytest.raises(DBAPIError):
        in_transaction(mint, lambda connection: run_raw(connection, "SELECT FROM WHERE"))


def test_one_statement_serves_several_databases(make_mint: Callable[..., Mint], sqlite_url: str) -> None:
    one, other = make_mint(), make_mint(sqlite_url)
    table = one.database.tables.spent
    insertion = Prepared(table.insert())
    row = ticket()
    for mint in (one, other):
        mint.audited = False
        in_transaction(mint, lambda connection: insertion.run(connection, row))
        count = mint.database.read(lambda c: c.execute(select(func.count()).select_from(table)).scalar_one())
        assert count == 1


def test_many_rows_refused_at_once_log_nothing(
    mint: Mint, statements: Statements, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [ticket()] * 500
    for _ in range(5):
        with pytest.raises(IntegrityError):
            in_transaction(mint, lambda connection: statements.insert_spent.run(connection, rows))
    assert caplog.messages == []
