"""Budgets: what they hold, when they fill, who gets what back."""

from __future__ import annotations

import os
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from mints import Mint, make_settings

from flask_ticketminer.budgets import (
    EXCHANGE_BURST,
    LONGEST_WAIT,
    SHARE_COST,
    TICKET_COST,
    Bucket,
    Budgets,
    Places,
)
from flask_ticketminer.config import DEFAULT_EFFORT
from flask_ticketminer.errors import Busy


class Seconds:
    """A monotonic clock that stands until it is told to move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def test_a_bucket_gives_its_burst_and_then_says_when_to_come_back(seconds: Seconds) -> None:
    bucket = Bucket("works", rate=2, burst=10, monotonic=seconds)
    bucket.take(10)
    with pytest.raises(Busy, match="in 3 s") as refused:
        bucket.take(5)
    assert refused.value.retry_after == 3
    seconds.now += 3
    bucket.take(5)


def test_a_refusal_takes_nothing(seconds: Seconds) -> None:
    bucket = Bucket("works", rate=1, burst=4, monotonic=seconds)
    bucket.take(3)
    with pytest.raises(Busy):
        bucket.take(2)
    assert bucket.level == 1


def test_a_bucket_never_holds_more_than_its_burst(seconds: Seconds) -> None:
    bucket = Bucket("works", rate=1, burst=4, monotonic=seconds)
    bucket.give_back(100)
    seconds.now += 100
    assert bucket.level == 4


def test_what_exceeds_the_burst_waits_for_a_full_bucket_and_leaves_a_debt(seconds: Seconds) -> None:
    bucket = Bucket("works", rate=1, burst=4, monotonic=seconds)
    bucket.take(10)
    assert bucket.level == -6
    with pytest.raises(Busy) as refused:
        bucket.take(10)
    assert refused.value.retry_after == 10


def test_nobody_is_told_to_wait_for_hours(seconds: Seconds) -> None:
    bucket = Bucket("works", rate=0.001, burst=1, monotonic=seconds)
    bucket.take(1)
    with pytest.raises(Busy) as refused:
        bucket.take(1)
    assert refused.value.retry_after == LONGEST_WAIT


def test_threads_take_out_no_more_than_there_is(seconds: Seconds) -> None:
    bucket = Bucket("works", rate=1, burst=500, monotonic=seconds)
    start = threading.Barrier(8)

    def take_a_hundred(_: int) -> int:
        start.wait()
        return sum(took(bucket.take, 1) for _ in range(100))

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(take_a_hundred, range(8))) == 500


def took(take: t.Callable[..., None], *charge: object) -> bool:
    try:
        take(*charge)
    except Busy:
        return False
    return True


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_begins_with_full_budgets() -> None:
    bucket, places = Bucket("works", rate=0.001, burst=1), Places(1)
    bucket.take(1)
    with places:
        child = os.fork()
        if child == 0:
            try:
                bucket.take(1)
                places.__enter__()
                os._exit(0)
            except BaseException:
                os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_place_is_given_back_whatever_happens() -> None:
    places = Places(1)
    with pytest.raises(LookupError), places:
        raise LookupError
    with places, pytest.raises(Busy), places:
        raise AssertionError
    assert places.taken == 0


def test_every_algorithm_has_a_cost() -> None:
    assert SHARE_COST.keys() == DEFAULT_EFFORT.keys()


def test_wrong_shares_leave_payments_their_part(seconds: Seconds) -> None:
    budgets = Budgets(make_settings(), monotonic=seconds)
    while took(budgets.check_share, "scrypt"):
        pass
    for _ in range(int(budgets.verification.burst // 4 // TICKET_COST)):
        budgets.check_ticket()


def test_restoring_leaves_payments_their_part(seconds: Seconds) -> None:
    budgets = Budgets(make_settings(), monotonic=seconds)
    while took(budgets.check_restore, 256):
        pass
    budgets.check_ticket()


def test_accepted_shares_never_meet_a_budget(seconds: Seconds) -> None:
    budgets = Budgets(make_settings(), monotonic=seconds)
    for _ in range(20_000):  # five times what the budgets hold
        budgets.check_share("scrypt")
        budgets.signing.take(1)
        budgets.share_checked("scrypt")
        budgets.share_signed()
    assert budgets.signing.level == budgets.signing.burst
    assert budgets.verification.level == budgets.verification.burst


def test_tickets_in_circles_meet_their_budget_and_renewals_do_not(
    memory_mint: Mint, seconds: Seconds
) -> None:
    budgets = Budgets(memory_mint.settings, monotonic=seconds)
    key, now = memory_mint.keys.current(1), memory_mint.clock.now()
    allowed = EXCHANGE_BURST * memory_mint.settings.exchange_budget
    for _ in range(allowed):
        with budgets.exchange([key], 1, now):
            pass
    with pytest.raises(Busy), budgets.exchange([key], 1, now):
        raise AssertionError
    for _ in range(10):
        with budgets.exchange([key], 1, key.signs_until):
            pass


def test_an_exchange_that_fails_is_not_charged(memory_mint: Mint, seconds: Seconds) -> None:
    budgets = Budgets(memory_mint.settings, monotonic=seconds)
    with (
        pytest.raises(LookupError),
        budgets.exchange([memory_mint.keys.current(1)], 1, memory_mint.clock.now()),
    ):
        raise LookupError
    assert budgets.exchanges.level == budgets.exchanges.burst


def test_the_ledger_gives_back_what_accepted_shares_were_charged(memory_mint: Mint) -> None:
    signing = memory_mint.keys.budgets.signing
    for _ in range(3):
        memory_mint.ticket()
    assert signing.level == signing.burst


def test_a_signature_is_charged_before_it_is_made(memory_mint: Mint) -> None:
    key, blinded = memory_mint.output(1)
    signing = memory_mint.keys.budgets.signing
    signing.take(signing.burst * 100)
    with pytest.raises(Busy, match="signs tickets"):
        memory_mint.keys.sign(key, blinded)
