"""What each table can grow to: nothing without work or tickets, and what a ticket can be made to write goes again by itself."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable

import pytest
from limits import site_of
from mints import START, Mint
from sites import Shop
from sqlalchemy import Table, func, insert, select, update
from visitor import PREFIX, Visitor

from flask_ticketminer.clock import ManualClock
from flask_ticketminer.database import Database
from flask_ticketminer.errors import ClockJumped
from flask_ticketminer.mint.counters import SLOTS
from flask_ticketminer.mint.housekeeping import AGAIN, EVERY, Housekeeper
from flask_ticketminer.mint.retirement import BATCH, Pruned, prune, tidy
from flask_ticketminer.tables import COUNTERS
from miner.tokens import Token, finalize

DAY = 86400


def rows(database: Database) -> dict[str, int]:
    """Return how many rows each table has."""

    def count(table: Table) -> int:
        return database.read(lambda c: c.execute(select(func.count()).select_from(table)).scalar_one())

    return {table.name.removeprefix("ticketminer_"): count(table) for table in database.tables.all}


def stamp(database: Database, now: int = START) -> None:
    """Make the last prune one of the manual clock's past: the schema was stamped with the real time."""
    schema = database.tables.schema
    database.transaction(lambda connection: connection.execute(update(schema).values(pruned_at=now)))


@pytest.fixture
def stamped(memory_mint: Mint) -> Mint:
    stamp(memory_mint.database)
    return memory_mint


@pytest.fixture
def stored(mint: Mint) -> Mint:
    """On each kind of database."""
    stamp(mint.database)
    return mint


def released(mint: Mint) -> None:
    """Pay for a page that fails."""
    reserved = mint.ledger.reserve(mint.order([mint.ticket()]))
    assert mint.ledger.release(t.cast("t.Any", reserved))


def test_a_stranger_without_work_or_tickets_adds_no_row(shop: Shop) -> None:
    visitor, database = Visitor(shop.app), site_of(shop).database
    visitor.entries()  # the keys of this epoch are made for the first who asks
    before = rows(database)
    job = visitor.job(value=512)
    without_work = next(visitor.nonces(job, hits=False))
    visitor.post("/submit", visitor.share(job, visitor.output(512), nonce=without_work))
    visitor.post("/restore", {"key_id": job["key_id"], "hashes": [os.urandom(32).hex() for _ in range(256)]})
    for path in ("/keys", "/stats", "/dashboard", "/donate?amount=5", f"/keys/{job['key_id']}/spent"):
        visitor.get(PREFIX + path)
    for path in ("/once", "/report", "/optional", "/pictures/four", "/broken/500"):
        visitor.get(path)
        visitor.get(path, headers={"Authorization": "Payment e30", "TicketMiner-Pass": "x"})
    assert rows(database) == before


def test_keys_are_as_many_as_denominations_and_open_epochs(make_mint: Callable[..., Mint]) -> None:
    mint = make_mint(denominations=(1,))
    stamp(mint.database)
    for _ in range(70):
        mint.keys.ensure_epoch()
        prune(mint.database, mint.settings, mint.clock)
        mint.clock.advance(DAY)
    assert (
        rows(mint.database)["key"] <= 5
    )  # the coming and the current one, and three whose tickets can be spent


def test_counters_have_a_row_a_kind_and_slot(memory_mint: Mint) -> None:
    for _ in range(2 * SLOTS):
        memory_mint.ledger.pay_at_once(memory_mint.order([memory_mint.ticket(2)], price=1))
    found, keys = rows(memory_mint.database), len(memory_mint.keys.live_keys())
    assert found["counter"] <= keys * SLOTS * len(COUNTERS)
    assert found["totals"] <= 8 * SLOTS


def test_fund_totals_are_those_of_the_sites_own_funds(shop: Shop) -> None:
    visitor, database = Visitor(shop.app), site_of(shop).database
    for fund in ("articles", "yacht", "x" * 64):
        reply = visitor.post("/job", visitor.job_request(donate=True, fund=fund))
        if reply.status_code == 200:
            visitor.post("/submit", visitor.share(t.cast("dict[str, t.Any]", reply.json)))
    table = database.tables.fund_total
    names = database.read(lambda connection: connection.execute(select(table.c.fund)).scalars().all())
    assert set(names) == {"articles"}


def test_a_failing_payment_leaves_no_ticket_rows(memory_mint: Mint) -> None:
    memory_mint.ticket()
    before = rows(memory_mint.database)
    for _ in range(3):
        released(memory_mint)
    after = rows(memory_mint.database)
    assert after["spent"] == before["spent"]
    assert (after["payment_input"], after["payment_output"]) == (0, 0)
    assert after["payment"] == 3


def test_released_payments_go_when_their_challenge_is_over(stored: Mint) -> None:
    released(stored)
    stored.clock.advance(stored.settings.lease + stored.settings.challenge_life)
    assert tidy(stored.database, stored.settings, stored.clock)
    assert rows(stored.database)["payment"] == 1
    stored.clock.advance(1)
    assert tidy(stored.database, stored.settings, stored.clock)
    assert rows(stored.database)["payment"] == 0


def test_settled_payments_and_shares_stay_for_the_replay_time(stored: Mint) -> None:
    stored.ledger.pay_at_once(stored.order([stored.ticket()]))
    stored.clock.advance(stored.settings.replay_kept)
    tidy(stored.database, stored.settings, stored.clock)
    assert (rows(stored.database)["payment"], rows(stored.database)["share"]) == (1, 1)
    stored.clock.advance(1)
    tidy(stored.database, stored.settings, stored.clock)
    assert (rows(stored.database)["payment"], rows(stored.database)["share"]) == (0, 0)


def test_tidying_releases_what_a_crash_left_and_retires_no_key(stamped: Mint) -> None:
    stamped.ledger.reserve(stamped.order([stamped.ticket()]))
    stamped.clock.time = stamped.keys.current(1).redeem_until + 2 * DAY
    stamp(stamped.database, stamped.clock.now() - DAY)
    tidy(stamped.database, stamped.settings, stamped.clock)
    found = rows(stamped.database)
    assert (found["payment_input"], found["spent"], found["payment"], found["key"]) == (0, 0, 0, 1)


def test_circles_of_exchanges_go_with_their_epoch(stamped: Mint) -> None:
    ticket = stamped.ticket()
    for _ in range(5):
        key, blinded, nonce, inverse = stamped.blinded(1)
        order = stamped.order([ticket], 0, kind="exchange", outputs=[(key, blinded)])
        signature = stamped.ledger.pay_at_once(order).change[0]
        message = Token.input(nonce, key.challenge_digest, key.key_id)
        ticket = Token(
            nonce, key.challenge_digest, key.key_id, finalize(key.public_key, message, signature, inverse)
        )
    assert (rows(stamped.database)["spent"], rows(stamped.database)["issued"]) == (5, 6)
    stamped.clock.time = stamped.keys.current(1).redeem_until + DAY
    prune(stamped.database, stamped.settings, stamped.clock)
    left = rows(stamped.database)
    assert [left[name] for name in ("spent", "issued", "payment", "share", "counter")] == [0] * 5


def test_many_old_rows_go_in_batches(stored: Mint) -> None:
    released(stored)
    table, many = stored.database.tables.payment, 2 * BATCH + 1
    row = stored.database.read(lambda connection: dict(connection.execute(select(table)).mappings().one()))
    copies = [{**row, "payment_id": os.urandom(32)} for _ in range(many - 1)]
    stored.database.transaction(lambda connection: connection.execute(insert(table), copies))
    stored.clock.advance(DAY)
    assert prune(stored.database, stored.settings, stored.clock) == Pruned(0, 0, many, 0)


def test_a_round_that_has_no_time_left_says_that_more_is_to_do(stamped: Mint) -> None:
    seconds = iter(range(100))
    assert not tidy(stamped.database, stamped.settings, stamped.clock, monotonic=lambda: next(seconds))


def test_a_clock_jump_stops_tidying(stamped: Mint) -> None:
    stamped.clock.advance(31 * DAY)
    with pytest.raises(ClockJumped):
        tidy(stamped.database, stamped.settings, stamped.clock)


# The housekeeper


@pytest.mark.parametrize(("done", "rest"), [(True, EVERY), (False, AGAIN)])
def test_the_housekeeper_comes_seldom_and_soon_again_when_it_left_something(done: bool, rest: float) -> None:
    now, rounds = [0.0], [0]

    def work() -> bool:
        rounds[0] += 1
        return done

    housekeeper = Housekeeper(work, monotonic=lambda: now[0], first=1)
    for moment in (0, EVERY - 1, EVERY, EVERY + rest - 1, EVERY + rest):
        now[0] = moment
        housekeeper.run()
    assert rounds == [2]


def test_a_round_that_took_long_is_followed_by_a_long_rest() -> None:
    now, rounds = [0.0], [0]

    def work() -> bool:
        rounds[0] += 1
        now[0] += 60
        return True

    housekeeper = Housekeeper(work, monotonic=lambda: now[0], first=0)
    housekeeper.run()
    now[0] += 2999
    housekeeper.run()
    assert rounds == [1]


def test_a_round_that_fails_fails_no_request(caplog: pytest.LogCaptureFixture) -> None:
    def work() -> bool:
        raise OSError("the disk is full")

    Housekeeper(work, first=0).run()
    assert "could not be deleted now" in caplog.text


def test_old_rows_go_after_an_answer_without_any_timetable(
    make_site: Callable[..., Shop], manual_clock: ManualClock
) -> None:
    shop = make_site()
    site, visitor = site_of(shop), Visitor(shop.app)
    visitor.pay("/broken/500", visitor.credential("/broken/500", [visitor.ticket()]))
    manual_clock.advance(site.settings.lease + site.settings.challenge_life + 1)
    stamp(site.database)
    assert rows(site.database)["payment"] == 1
    site.housekeeper = Housekeeper(lambda: tidy(site.database, site.settings, site.clock), first=0)
    visitor.get("/once").close()
    assert rows(site.database)["payment"] == 0
