"""The audit finds what somebody changed behind the ledger's back, and nothing else."""

from __future__ import annotations

import typing as t

import pytest
from mints import Mint
from sqlalchemy import delete, update

from flask_ticketminer.mint.audit import audit


@pytest.fixture
def busy_mint(mint: Mint) -> Mint:
    """A mint that issued, was paid, exchanged, got donations and holds a reservation."""
    mint.ledger.pay_at_once(mint.order([mint.ticket(8)], price=3))
    mint.ledger.pay_at_once(
        mint.order([mint.ticket(2)], price=0, kind="exchange", outputs=[mint.output(1), mint.output(1)])
    )
    mint.ledger.pay_at_once(mint.order([mint.ticket(4)], price=3, kind="donation", fund="articles"))
    mint.ledger.accept_share(b"s" * 32, b"r" * 32, value=8, fund="articles")
    mint.ledger.reserve(mint.order([mint.ticket(4)], price=1))
    return mint


def failing(mint: Mint) -> list[str]:
    mint.audited = False
    return [line.name for line in audit(mint.database).lines if not line.holds]


def change(mint: Mint, statement: t.Any) -> None:
    mint.database.transaction(lambda connection: connection.execute(statement))


def test_a_busy_ledger_balances(busy_mint: Mint) -> None:
    assert audit(busy_mint.database).balanced


def test_an_empty_ledger_balances(memory_mint: Mint) -> None:
    assert audit(memory_mint.database).balanced


def test_a_forgotten_spent_row_is_found(busy_mint: Mint) -> None:
    key = busy_mint.keys.current(8)
    change(
        busy_mint,
        delete(busy_mint.database.tables.spent).where(busy_mint.database.tables.spent.c.key_id == key.key_id),
    )
    assert failing(busy_mint) == [f"key {key.key_id.hex()[:16]} (value 8): spent rows"]


def test_a_ticket_issued_past_the_ledger_is_found(busy_mint: Mint) -> None:
    key, table = busy_mint.keys.current(8), busy_mint.database.tables.issued
    change(
        busy_mint,
        table.insert().values(key_id=key.key_id, blinded_hash=bytes(32), blind_signature=bytes(256)),
    )
    assert failing(busy_mint) == [f"key {key.key_id.hex()[:16]} (value 8): issued rows"]


def test_a_changed_sum_is_found(busy_mint: Mint) -> None:
    table = busy_mint.database.tables.totals
    change(busy_mint, update(table).where(table.c.name == "paid").values(total=table.c.total + 1))
    assert failing(busy_mint) == ["value spent = paid + change"]


def test_a_changed_fund_is_found(busy_mint: Mint) -> None:
    table = busy_mint.database.tables.fund_total
    change(busy_mint, update(table).values(total=table.c.total + 1))
    assert failing(busy_mint) == ["funds = donations"]


def test_a_changed_price_is_found(busy_mint: Mint) -> None:
    table = busy_mint.database.tables.payment
    change(busy_mint, update(table).where(table.c.kind == "donation").values(price=2))
    assert failing(busy_mint) == ["payments whose inputs differ from price + change"]


def test_more_spent_than_issued_is_found(busy_mint: Mint) -> None:
    key, table = busy_mint.keys.current(512), busy_mint.database.tables.spent
    change(busy_mint, table.insert().values(key_id=key.key_id, nonce=bytes(32)))
    assert f"key {key.key_id.hex()[:16]} (value 512): spent at most issued" in failing(busy_mint)
