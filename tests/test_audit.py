"""The audit finds what somebody changed behind the ledger's back, and nothing else."""

from __future__ import annotations

import typing as t

import pytest
from mints import Mint
from sqlalchemy import delete, update
from test_statistics import forwarded

from flask_ticketminer.mint.audit import audit
from flask_ticketminer.work.outbox import Fate, Outbox


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


@pytest.fixture
def forwarding_mint(mint: Mint) -> Mint:
    """A mint with a share that waits for upstream and one that upstream accepted."""
    for _ in range(2):
        forwarded(mint)
    outbox = Outbox(mint.database, mint.clock, "litecoin", lambda _: None)
    (parcel,) = outbox.take("session", 1, 1)
    outbox.settle({parcel.share_id: Fate("accepted", hashes=65536)}, 1)
    return mint


def test_shares_on_their_way_balance(forwarding_mint: Mint) -> None:
    names = [line.name for line in audit(forwarding_mint.database).lines]
    assert "litecoin: forwarded = waiting + fates" in names
    assert audit(forwarding_mint.database).balanced


def test_shares_whose_fate_was_forgotten_balance(forwarding_mint: Mint) -> None:
    outbox = Outbox(forwarding_mint.database, forwarding_mint.clock, "litecoin", lambda _: None)
    assert outbox.prune(forwarding_mint.clock.now() + 1) == 1
    assert audit(forwarding_mint.database).balanced


def test_a_share_that_was_lost_on_its_way_is_found(forwarding_mint: Mint) -> None:
    table = forwarding_mint.database.tables.upstream_share
    change(forwarding_mint, delete(table).where(table.c.state == "pending"))
    assert failing(forwarding_mint) == ["litecoin: forwarded = waiting + fates"]


def test_a_fate_that_was_not_counted_is_found(forwarding_mint: Mint) -> None:
    table = forwarding_mint.database.tables.upstream_share
    change(forwarding_mint, update(table).where(table.c.state == "pending").values(state="refused"))
    assert failing(forwarding_mint) == [
        "litecoin: forwarded = waiting + fates",
        "litecoin: refused rows at most counted",
    ]


def test_more_forwarded_than_paid_is_found(forwarding_mint: Mint) -> None:
    table = forwarding_mint.database.tables.coin_total
    change(forwarding_mint, update(table).where(table.c.name == "paid_shares").values(total=0))
    assert failing(forwarding_mint) == ["litecoin: forwarded at most paid shares"]
