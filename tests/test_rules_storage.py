"""Rules of storage that no other test states by name: what the tables hold, and how they are written."""

from __future__ import annotations

import ast
import re
import sqlite3
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest
from drivers import DriverError
from mints import Mint
from sqlalchemy import Connection, MetaData, PrimaryKeyConstraint, UniqueConstraint, event, insert, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.schema import CreateTable

from flask_ticketminer.database import Database
from flask_ticketminer.errors import OutcomeUnknown
from flask_ticketminer.tables import PREFIX, define_tables

SITE_SIDE = Path(__file__).parent.parent / "flask_ticketminer"
TABLES = define_tables(MetaData())
DIALECTS = [sqlite.dialect(), postgresql.dialect(), mysql.dialect()]


def ddl(table: t.Any, dialect: t.Any) -> str:
    return str(CreateTable(table).compile(dialect=dialect))


# What the tables hold


def test_what_lives_long_holds_no_time_no_order_and_no_link() -> None:
    columns = {
        table.name: [column.name for column in table.columns] for table in (TABLES.issued, TABLES.spent)
    }
    assert columns == {
        "ticketminer_issued": ["key_id", "blinded_hash", "blind_signature"],
        "ticketminer_spent": ["key_id", "nonce"],
    }
    assert not [table.name for table in TABLES.all if table.foreign_keys]


def test_a_spent_ticket_is_its_key_and_nonce_and_an_output_its_key_and_blinded_message() -> None:
    keys = [[column.name for column in table.primary_key] for table in (TABLES.spent, TABLES.issued)]
    assert keys == [["key_id", "nonce"], ["key_id", "blinded_hash"]]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_no_table_counts_its_rows(dialect: t.Any) -> None:
    text = " ".join(ddl(table, dialect) for table in TABLES.all).upper()
    assert not re.search(r"AUTO_?INCREMENT|SERIAL|IDENTITY|SEQUENCE|TIMESTAMP|DEFAULT", text)


def test_keys_are_binary_of_fixed_length() -> None:
    for table in (TABLES.spent, TABLES.issued, TABLES.share, TABLES.payment):
        for column in table.primary_key:
            assert f"{column.name} BINARY(32) NOT NULL" in ddl(table, mysql.dialect())


def test_every_table_and_constraint_is_named_as_ours() -> None:
    for table in TABLES.all:
        assert table.name.startswith(PREFIX)
        for constraint in table.constraints:
            assert isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint)
            assert re.match(rf"(pk|uq)_{PREFIX}", str(constraint.name))


def test_nothing_of_a_visitors_connection_is_stored() -> None:
    names = {column.name for table in TABLES.all for column in table.columns}
    assert not [name for name in names if re.search(r"addr|ip$|agent|host|cookie|session|visitor|user", name)]


@pytest.mark.parametrize("name", ["spent", "issued", "share", "payment", "payment_input"])
def test_the_database_itself_refuses_a_second_row(mint: Mint, name: str) -> None:
    mint.ledger.reserve(mint.order([mint.ticket(2)], price=1))
    table = getattr(mint.database.tables, name)
    row = mint.database.read(lambda connection: dict(connection.execute(select(table)).mappings().first()))
    mutable = {column.name for column in table.columns} - {column.name for column in table.primary_key}
    changed = row | {column: b"x" * 32 for column in mutable if column in ("request_digest", "payment_id")}
    with pytest.raises(IntegrityError):
        mint.database.transaction(lambda connection: connection.execute(insert(table), changed))


# How they are written


def test_rows_are_inserted_plainly() -> None:
    """Never by a form that ignores or replaces what is there: a unique constraint is to be heard."""
    ignoring = re.compile(
        r"on_conflict|on_duplicate|prefix_with|\bOR (IGNORE|REPLACE)|INSERT IGNORE|\.merge\(", re.I
    )
    sources = {file.name: file.read_text() for file in SITE_SIDE.rglob("*.py")}
    assert "ledger.py" in sources
    assert [name for name, text in sources.items() if ignoring.search(text)] == []


def test_the_ledger_never_uses_the_hosts_session() -> None:
    """Only ``hostdb`` looks at it, to find writes that would lock the tickets out."""
    users = {
        file.name
        for file in SITE_SIDE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("db.session", "self.db.session")
    }
    assert users == {"hostdb.py"}


def test_a_writer_on_sqlite_takes_the_lock_before_it_reads(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    path = database.url.database or ""

    def work(connection: Connection) -> None:
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()

    database.transaction(work)
    database.dispose()


def test_transactions_at_the_same_time_count_in_different_rows(
    make_mint: Callable[..., Mint], postgres_url: str
) -> None:
    """One waits at its counters while another, begun later, counts the same things and commits."""
    mint = make_mint(postgres_url)
    counter = mint.database.tables.counter
    inner, outer = mint.order([mint.ticket()]), mint.order([mint.ticket()])
    key_id = inner.tokens[0].key_id

    def pause(connection: Connection) -> bool:
        mint.ledger.pay_at_once(inner)
        return True

    mint.ledger._counters.transaction({}, pause)
    mint.ledger.pay_at_once(outer)
    statement = select(counter.c.slot).where(counter.c.key_id == key_id, counter.c.kind == "spent_payment")
    assert len(set(mint.database.read(lambda c: c.execute(statement).scalars().all()))) >= 2


@pytest.mark.parametrize("number", [1047, 1180])
def test_a_node_without_quorum_is_left_and_the_unit_repeated(number: int) -> None:
    database = Database("sqlite://")
    runs: list[int] = []

    def work(connection: Connection) -> None:
        connection.execute(insert(database.tables.totals), {"name": "once", "slot": 0, "total": 1})
        runs.append(1)
        if len(runs) == 1:
            raise OperationalError("INSERT", {}, DriverError(number))

    database.transaction(work)
    assert len(runs) == 2
    database.dispose()


def test_a_node_that_loses_its_quorum_during_commit_leaves_the_outcome_unknown() -> None:
    database = Database("sqlite://")

    def fail(connection: t.Any) -> None:
        raise OperationalError("COMMIT", {}, DriverError(1047))

    event.listen(database.engine, "commit", fail)
    with pytest.raises(OutcomeUnknown):
        database.transaction(lambda connection: None)
    database.dispose()


def test_a_pass_that_was_given_back_is_not_used_up_after_all(memory_mint: Mint) -> None:
    stored = memory_mint.ledger.pay_at_once(memory_mint.order([memory_mint.ticket()], single_use=True))
    use = memory_mint.ledger.begin_use(stored.payment_id)
    assert use is not None
    assert memory_mint.ledger.abandon_use(use)
    assert not memory_mint.ledger.finish_use(use)
    assert memory_mint.ledger.begin_use(stored.payment_id) is not None
