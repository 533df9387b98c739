"""Pruning: forgets in time, never too early, and not at all by a clock that jumped."""

from __future__ import annotations

import pytest
from mints import START, Mint
from sqlalchemy import func, select, update

from flask_ticketminer.errors import ClockJumped, RetiredKey
from flask_ticketminer.mint.audit import audit
from flask_ticketminer.mint.ledger import Reservation
from flask_ticketminer.mint.retirement import Pruned, prune

DAY = 86400


@pytest.fixture(autouse=True)
def stamped(request: pytest.FixtureRequest) -> None:
    """The schema is stamped with the real time; move the stamp to the manual clock's."""
    mint: Mint = request.getfixturevalue("mint")
    schema = mint.database.tables.schema
    mint.database.transaction(lambda connection: connection.execute(update(schema).values(pruned_at=START)))


def run(mint: Mint, *, force: bool = False) -> Pruned:
    return prune(mint.database, mint.settings, mint.clock, force=force)


def count(mint: Mint, name: str) -> int:
    statement = select(func.count()).select_from(getattr(mint.database.tables, name))
    return mint.database.read(lambda connection: connection.execute(statement).scalar_one())


def test_nothing_is_pruned_too_early(mint: Mint) -> None:
    mint.ledger.pay_at_once(mint.order([mint.ticket()]))
    mint.clock.advance(DAY)
    assert run(mint) == Pruned(0, 0, 0, 0)


def test_overdue_reservations_are_released(mint: Mint) -> None:
    ticket = mint.ticket()
    reserved = mint.ledger.reserve(mint.order([ticket]))
    mint.clock.advance(mint.settings.lease)
    assert run(mint).released == 1
    assert isinstance(reserved, Reservation)
    assert mint.ledger.settle(reserved) is None
    assert not mint.ledger.pay_at_once(mint.order([ticket])).replayed


def test_replay_rows_go_after_their_time(mint: Mint) -> None:
    mint.ledger.pay_at_once(mint.order([mint.ticket()]))
    mint.clock.advance(mint.settings.replay_kept + 1)
    assert run(mint) == Pruned(released=0, shares=1, payments=1, retired=0)
    assert (count(mint, "spent"), count(mint, "issued")) == (1, 1)


def test_an_unused_pass_outlives_the_replay_time(mint: Mint) -> None:
    stored = mint.ledger.pay_at_once(mint.order([mint.ticket()], single_use=True))
    mint.clock.advance(10 * DAY)
    run(mint)
    assert mint.ledger.begin_use(stored.payment_id) is not None


def test_an_expired_key_becomes_a_tombstone_with_its_totals(mint: Mint) -> None:
    key = mint.keys.current(8)
    mint.ledger.pay_at_once(mint.order([mint.ticket(8)], price=3))
    mint.clock.time = key.redeem_until + DAY
    assert run(mint).retired == 3  # 8 and the change, 1 and 4
    table = mint.database.tables.retired_key
    row = mint.database.read(
        lambda connection: connection.execute(select(table).where(table.c.key_id == key.key_id)).one()
    )
    assert (row.value, row.issued_share, row.spent_payment) == (8, 1, 1)
    assert [count(mint, name) for name in ("key", "issued", "spent", "counter")] == [0, 0, 0, 0]


def test_a_key_is_kept_a_day_longer_than_its_tickets(mint: Mint) -> None:
    key = mint.keys.current(1)
    mint.clock.time = key.redeem_until + DAY - 1
    assert run(mint).retired == 0


def test_the_books_balance_over_retired_keys(mint: Mint) -> None:
    mint.ledger.pay_at_once(mint.order([mint.ticket(8)], price=3))
    mint.clock.time = mint.keys.current(8).redeem_until + DAY
    run(mint)
    mint.ledger.pay_at_once(mint.order([mint.ticket(4)]))
    assert audit(mint.database).balanced


@pytest.mark.parametrize("jump", [-3600, 31 * DAY])
def test_a_clock_jump_stops_pruning(mint: Mint, jump: int) -> None:
    mint.keys.current(1)
    mint.clock.advance(jump)
    with pytest.raises(ClockJumped, match="--force"):
        run(mint)
    assert count(mint, "key") == 1


def test_force_believes_the_clock(mint: Mint) -> None:
    mint.keys.current(1)
    mint.clock.advance(31 * DAY)
    assert run(mint, force=True).retired == 1


def test_the_last_prune_is_remembered(mint: Mint) -> None:
    mint.clock.advance(20 * DAY)
    run(mint)
    mint.clock.advance(20 * DAY)
    assert run(mint) == Pruned(0, 0, 0, 0)


def test_a_clock_set_back_does_not_reopen_a_closed_epoch(mint: Mint) -> None:
    """A process that still knows the key must not take its tickets again: their spent rows are gone."""
    other = Mint(mint.database.url, mint.clock, keys={"reload_every": 3600.0})
    ticket = other.ticket()
    other.ledger.pay_at_once(other.order([ticket]))
    mint.clock.time = other.keys.current(1).redeem_until + DAY
    run(mint)
    mint.clock.time = START
    with pytest.raises(RetiredKey):
        other.ledger.pay_at_once(other.order([ticket]))
    other.database.dispose()
    assert audit(mint.database).balanced
