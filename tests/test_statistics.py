"""The public sums: what the ledger did is what they say, on each database."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest
from mints import EPOCH, START, Mint
from sites import make_shop
from visitor import PREFIX, Visitor

from flask_ticketminer.clock import ManualClock
from flask_ticketminer.mint.retirement import prune
from flask_ticketminer.mint.shares import Origin
from flask_ticketminer.mint.statistics import fund_total, statistics
from flask_ticketminer.work.blocks import CONFIRMED, ORPHANED, Blocks
from flask_ticketminer.work.outbox import Fate, Forward, Outbox
from flask_ticketminer.work.stratum.dialects import Solution


def sums(mint: Mint) -> dict[str, t.Any]:
    return statistics(mint.database, mint.clock.now())


def donate_work(mint: Mint, value: int, fund: str | None) -> None:
    mint.ledger.accept_share(os.urandom(32), os.urandom(32), value=value, fund=fund)


def test_new_site_has_nothing_to_tell(memory_mint: Mint) -> None:
    numbers = sums(memory_mint)
    assert numbers["shares"] == {"accepted": 0, "value": 0, "donated_value": 0}
    assert numbers["tickets"] == {
        "issued": {"share": 0, "change": 0, "exchange": 0},
        "spent": {"payment": 0, "exchange": 0},
    }
    assert (numbers["funds"], numbers["coins"], numbers["keys"], numbers["at"]) == ([], [], [], START)


def test_shares_are_counted_by_number_and_value(mint: Mint) -> None:
    for value in (1, 4, 4):
        mint.ticket(value)
    donate_work(mint, 8, None)
    numbers = sums(mint)
    assert numbers["shares"] == {"accepted": 4, "value": 17, "donated_value": 8}
    assert numbers["tickets"]["issued"] == {"share": 3, "change": 0, "exchange": 0}
    assert numbers["value"]["issued"] == 9


def test_payments_and_their_change_are_counted(mint: Mint) -> None:
    mint.ledger.pay_at_once(mint.order([mint.ticket(8)], 5))
    numbers = sums(mint)
    assert numbers["tickets"]["issued"]["change"] == 2
    assert numbers["tickets"]["spent"] == {"payment": 1, "exchange": 0}
    assert numbers["value"] == {"issued": 11, "spent": 8, "paid": 5, "donated": 0}
    assert (numbers["payments"], numbers["exchanges"]) == (1, 0)


def test_exchanges_are_not_payments(mint: Mint) -> None:
    mint.ledger.pay_at_once(mint.order([mint.ticket(2)], 0, kind="exchange"))
    numbers = sums(mint)
    assert numbers["tickets"]["spent"] == {"payment": 0, "exchange": 1}
    assert (numbers["value"]["paid"], numbers["payments"], numbers["exchanges"]) == (0, 0, 1)


def test_reserved_tickets_are_not_spent_yet(memory_mint: Mint) -> None:
    memory_mint.ledger.reserve(memory_mint.order([memory_mint.ticket()]))
    assert sums(memory_mint)["value"]["spent"] == 0


def test_funds_add_up_tickets_and_work(mint: Mint) -> None:
    donate_work(mint, 2, "articles")
    donate_work(mint, 16, None)
    mint.ledger.pay_at_once(mint.order([mint.ticket(4)], 4, kind="donation", fund="articles"))
    numbers = sums(mint)
    assert numbers["funds"] == [{"fund": None, "donated": 16}, {"fund": "articles", "donated": 6}]
    assert (numbers["value"]["donated"], numbers["value"]["paid"]) == (4, 4)


@pytest.mark.parametrize(("fund", "total"), [("articles", 2), (None, 16), ("roads", 0)])
def test_fund_total_is_that_of_one_fund(memory_mint: Mint, fund: str | None, total: int) -> None:
    donate_work(memory_mint, 2, "articles")
    donate_work(memory_mint, 16, None)
    assert fund_total(memory_mint.database, fund) == total


def test_each_live_key_has_its_row(mint: Mint) -> None:
    mint.ledger.pay_at_once(mint.order([mint.ticket(2)], 2))
    mint.ticket(2)
    (row,) = sums(mint)["keys"]
    starts = START // EPOCH * EPOCH
    assert row == {
        "key_id": mint.keys.current(2).key_id.hex(),
        "value": 2,
        "not_before": starts,
        "issue_until": starts + EPOCH,
        "redeem_until": starts + 3 * EPOCH,
        "issued": 2,
        "spent": 1,
    }


def test_sums_outlive_the_keys_they_came_from(memory_mint: Mint) -> None:
    memory_mint.ledger.pay_at_once(memory_mint.order([memory_mint.ticket(8)], 5))
    before = sums(memory_mint)
    memory_mint.clock.advance(4 * EPOCH)
    prune(memory_mint.database, memory_mint.settings, memory_mint.clock, force=True)
    after = sums(memory_mint)
    assert (len(before["keys"]), after["keys"]) == (3, [])
    for member in ("shares", "tickets", "value", "payments", "funds"):
        assert after[member] == before[member]


def forwarded(mint: Mint, *, outdated: bool = False) -> bytes:
    """Pay a share of value 2 that is good enough for upstream; return its id."""
    share_id = os.urandom(32)
    solution = Solution(nonce="00000000", extranonce2="00000000", ntime="5f000000")
    forward = Forward("litecoin", "session", bytes(16), solution, is_block=False, outdated=outdated)
    mint.ledger.accept_share(share_id, os.urandom(32), value=2, origin=Origin("litecoin", 32768, forward))
    return share_id


def test_a_coin_has_two_accounts_what_the_site_paid_and_what_upstream_took(mint: Mint) -> None:
    mint.ledger.accept_share(os.urandom(32), os.urandom(32), value=1, origin=Origin("litecoin", 32768))
    forwarded(mint, outdated=True)
    for _ in range(3):
        forwarded(mint)
    outbox = Outbox(mint.database, mint.clock, "litecoin", lambda _: None)
    taken, refused = outbox.take("session", 1, 2)
    outbox.settle(
        {taken.share_id: Fate("accepted", hashes=65536), refused.share_id: Fate("refused", "no")}, 1
    )
    (coin,) = sums(mint)["coins"]
    assert coin["paid"] == {"shares": 5, "value": 9, "hashes": 9 * 32768}
    assert coin["upstream"] == {
        "forwarded": 4,
        "waiting": 1,
        "accepted": 1,
        "refused": 1,
        "stale": 1,
        "block": 0,
        "unknown": 0,
        "credited_hashes": 65536,
    }


def test_blocks_are_counted_with_their_rewards_by_what_became_of_them(mint: Mint) -> None:
    blocks = Blocks(mint.database, mint.clock, "litecoin")
    for number in range(3):
        blocks.add(bytes([number]) * 32, height=number, reward=625_000_000)
    blocks.decide(bytes(32), CONFIRMED)
    blocks.decide(bytes([1]) * 32, ORPHANED)
    (coin,) = sums(mint)["coins"]
    assert coin["blocks"] == {"found": 1, "confirmed": 1, "orphaned": 1}
    assert coin["rewards"] == {"found": 625_000_000, "confirmed": 625_000_000, "orphaned": 625_000_000}


def test_sums_are_integers_in_json(mint: Mint) -> None:
    mint.ledger.pay_at_once(mint.order([mint.ticket(8)], 5))
    text = json.dumps(sums(mint))
    assert json.loads(text, parse_float=pytest.fail) == sums(mint)


def test_site_publishes_the_sums(tmp_path: pathlib.Path, manual_clock: ManualClock) -> None:
    visitor = Visitor(make_shop(tmp_path, "sqlite://", manual_clock).app)
    visitor.ticket(4)
    reply = visitor.get(f"{PREFIX}/stats")
    assert reply.json is not None
    assert reply.json["shares"] == {"accepted": 1, "value": 4, "donated_value": 0}
    assert visitor.get(f"{PREFIX}/dashboard").status_code == 200
