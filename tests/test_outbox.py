"""The outbox, the lease and the templates on every database, by the rules that a bridge lives by."""

from __future__ import annotations

import os
import pathlib
import typing as t
from collections.abc import Callable

import pytest
from sqlalchemy import select
from test_extranonce import header_job

from flask_ticketminer.clock import ManualClock
from flask_ticketminer.database import Database
from flask_ticketminer.mint.counters import CoinTotal, Counters
from flask_ticketminer.mint.shares import Origin
from flask_ticketminer.mint.statements import Statements
from flask_ticketminer.work import upstreams
from flask_ticketminer.work.extranonce import capacity
from flask_ticketminer.work.outbox import (
    ACCEPTED,
    DIED,
    FATES,
    PENDING,
    SENDING,
    UNKNOWN,
    Fate,
    Forward,
    Outbox,
)
from flask_ticketminer.work.stratum.dialects import Solution
from flask_ticketminer.work.stratum.jobs import EthashJob
from flask_ticketminer.work.template import Template
from flask_ticketminer.work.templates import GRACE, LEASE, REREAD, SMALL_LEASE, Templates
from flask_ticketminer.work.upstreams import MOST_LEASE, SKEW, LeaseLost, Upstream

COIN, TALK = "testcoin", "session-1"
SECONDS = 10


class Desk:
    """A bridge's view of one database, and a web process's."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.clock = ManualClock(1_700_000_000)
        self.ticks = 0.0
        self.upstream = self.bridge("first")
        self.outbox = Outbox(self.database, self.clock, COIN, self.upstream.hold)
        assert self.upstream.acquire() is None
        self._counters = Counters(self.database, Statements(self.database.tables))

    def bridge(self, holder: str) -> Upstream:
        return Upstream(self.database, self.clock, COIN, holder=holder, seconds=SECONDS)

    def web(self) -> Templates:
        return Templates(self.database, self.clock, monotonic=lambda: self.ticks)

    def publish(self, tip: str = "tip-1", *, talk: str = TALK, size: int = 4) -> bytes:
        template_id = os.urandom(16)
        self.upstream.publish(Template(template_id, COIN, talk, "scrypt", tip, 2, header_job(size)))
        return template_id

    def look_again(self) -> None:
        self.ticks += REREAD

    def share(self, *, talk: str = TALK, outdated: bool = False) -> bytes:
        share_id = os.urandom(32)
        forward = Forward(COIN, talk, bytes(16), Solution("00000000"), False, outdated)
        outgoing, row = Origin(COIN, 2, forward), forward.row(share_id, self.clock.now())

        def work(connection: t.Any) -> bool:
            connection.execute(self.database.tables.upstream_share.insert(), row)
            return True

        self._counters.transaction(outgoing.deltas(1), work)
        return share_id

    def states(self) -> dict[str, int]:
        column = self.database.tables.upstream_share.c.state
        found: dict[str, int] = {}
        for state in self.database.read(lambda c: c.execute(select(column)).scalars().all()):
            found[state] = found.get(state, 0) + 1
        return found

    def totals(self) -> dict[str, int]:
        table = self.database.tables.coin_total
        rows = self.database.read(lambda c: c.execute(select(table.c.name, table.c.total)).all())
        found: dict[str, int] = {}
        for name, total in rows:
            found[name] = found.get(name, 0) + total
        return found

    def check(self) -> None:
        """Every share that was forwarded waits or has a fate, and fates are counted once, also those that were forgotten."""
        totals, states = self.totals(), self.states()
        decided = sum(totals.get(fate, 0) for fate in FATES)
        assert totals.get("forwarded", 0) == decided + states.get(PENDING, 0) + states.get(SENDING, 0)
        assert all(states.get(fate, 0) <= totals.get(fate, 0) for fate in FATES)


@pytest.fixture
def desk(ledger_url: str) -> t.Iterator[Desk]:
    desk = Desk(ledger_url)
    yield desk
    desk.check()
    desk.database.dispose()


@pytest.fixture
def memory_desk(tmp_path: pathlib.Path) -> t.Iterator[Desk]:
    desk = Desk(f"sqlite:///{tmp_path}/desk.sqlite")
    yield desk
    desk.check()
    desk.database.dispose()


def test_a_share_is_marked_before_it_is_sent_and_then_has_a_fate(desk: Desk) -> None:
    share_id = desk.share()
    (parcel,) = desk.outbox.take(TALK, 1, 10)
    assert (parcel.share_id, desk.states()) == (share_id, {"sending": 1})
    assert desk.outbox.take(TALK, 1, 10) == []
    desk.outbox.settle({share_id: Fate(ACCEPTED, hashes=500)}, 1)
    assert desk.states() == {"accepted": 1}
    assert desk.totals()["credited_hashes"] == 500


def test_a_fate_is_given_once(desk: Desk) -> None:
    share_id = desk.share()
    desk.outbox.take(TALK, 1, 10)
    for _ in range(2):
        desk.outbox.settle({share_id: Fate(ACCEPTED, hashes=500)}, 1)
    assert desk.totals()["credited_hashes"] == 500


def test_some_of_a_batch_may_have_their_fate_already(desk: Desk) -> None:
    known, fresh = desk.share(), desk.share()
    desk.outbox.take(TALK, 1, 10)
    desk.outbox.settle({known: Fate(UNKNOWN)}, 1)
    desk.outbox.settle({known: Fate(ACCEPTED), fresh: Fate(ACCEPTED)}, 1)
    assert desk.states() == {"unknown": 1, "accepted": 1}


def test_what_a_dead_bridge_was_sending_to_a_pool_stays_unknown(desk: Desk) -> None:
    desk.share()
    desk.outbox.take(TALK, 1, 10)
    assert desk.outbox.recover(2, repeatable=False) == 1
    assert desk.states() == {"unknown": 1}
    reason = desk.database.tables.upstream_share.c.reason
    assert desk.database.read(lambda c: c.execute(select(reason)).scalar()) == DIED


def test_what_a_dead_bridge_was_sending_to_a_node_is_sent_again(desk: Desk) -> None:
    desk.share()
    desk.outbox.take(TALK, 1, 10)
    assert desk.outbox.recover(2, repeatable=True) == 1
    assert len(desk.outbox.take(TALK, 2, 10)) == 1


def test_a_bridge_that_was_replaced_gives_no_fates(desk: Desk) -> None:
    share_id = desk.share()
    desk.outbox.take(TALK, 1, 10)
    desk.outbox.recover(2, repeatable=True)
    desk.outbox.take(TALK, 2, 10)
    desk.outbox.settle({share_id: Fate(ACCEPTED)}, 1)
    assert desk.states() == {"sending": 1}
    desk.outbox.put_back([share_id], 1)
    assert desk.states() == {"sending": 1}


def test_shares_of_an_ended_session_are_stale(desk: Desk) -> None:
    desk.share(talk="session-0")
    desk.share()
    assert desk.outbox.end_others(TALK) == 1
    assert desk.states() == {"stale": 1, "pending": 1}


def test_an_outdated_share_is_only_recorded(desk: Desk) -> None:
    desk.share(outdated=True)
    assert desk.outbox.take(TALK, 1, 10) == []
    assert desk.states() == {"stale": 1}


def test_what_was_marked_by_a_commit_of_unknown_outcome_is_found_again(desk: Desk) -> None:
    held, lost = desk.share(), desk.share()
    desk.outbox.take(TALK, 1, 10)
    (parcel,) = desk.outbox.take(TALK, 1, 10, {held})
    assert parcel.share_id == lost


def test_old_fates_are_forgotten_and_stay_counted(memory_desk: Desk) -> None:
    share_id = memory_desk.share()
    memory_desk.outbox.take(TALK, 1, 10)
    memory_desk.outbox.settle({share_id: Fate(ACCEPTED)}, 1)
    assert memory_desk.outbox.prune(memory_desk.clock.now()) == 0
    assert memory_desk.outbox.prune(memory_desk.clock.now() + 1) == 1
    assert (memory_desk.states(), memory_desk.totals()["accepted"]) == ({}, 1)


# The lease


def test_one_bridge_talks_at_a_time(desk: Desk) -> None:
    second = desk.bridge("second")
    assert second.acquire() == "first"
    desk.clock.advance(SECONDS + SKEW)
    assert second.acquire() == "first"
    desk.clock.advance(1)
    assert second.acquire() is None
    assert second.fence == desk.upstream.fence + 1


def test_a_bridge_that_died_before_the_clock_went_back_is_not_waited_for_until_then(
    memory_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = [0.0]
    monkeypatch.setattr(upstreams, "elapsed", lambda: passed[0])
    memory_desk.clock.advance(-86_400)
    second = memory_desk.bridge("second")
    assert second.acquire() == "first"
    memory_desk.upstream.renew()
    memory_desk.clock.advance(-86_400)
    assert second.acquire() == "first"
    passed[0] += MOST_LEASE
    assert second.acquire() == "first"
    passed[0] += 2 * SKEW
    assert second.acquire() is None


@pytest.mark.parametrize(
    "act",
    [Upstream.renew, Upstream.void, Upstream.release, lambda upstream: upstream.tell("working")],
    ids=["renew", "void", "release", "tell"],
)
def test_a_bridge_that_was_away_for_too_long_changes_nothing(
    desk: Desk, act: Callable[[Upstream], None]
) -> None:
    desk.publish()
    desk.clock.advance(SECONDS + SKEW + 1)
    assert desk.bridge("second").acquire() is None
    with pytest.raises(LeaseLost):
        act(desk.upstream)
    with pytest.raises(LeaseLost):
        desk.publish()


def test_a_lease_that_was_given_back_is_free_at_once(desk: Desk) -> None:
    desk.upstream.release()
    assert desk.bridge("second").acquire() is None


def test_work_ends_with_the_lease(desk: Desk) -> None:
    desk.publish()
    web = desk.web()
    assert web.current(COIN) is not None
    desk.clock.advance(SECONDS + 1)
    assert web.current(COIN) is None


# Templates


def test_a_template_is_seen_at_the_next_look(desk: Desk) -> None:
    web = desk.web()
    assert web.current(COIN) is None
    template_id = desk.publish()
    assert web.current(COIN) is None
    desk.look_again()
    found = web.current(COIN)
    assert found == Template(template_id, COIN, TALK, "scrypt", "tip-1", 2, header_job())


def test_another_tip_voids_what_was_before_and_the_same_does_not(desk: Desk) -> None:
    web, first = desk.web(), desk.publish()
    second = desk.publish()
    assert web.standing(first)[1] == 0
    desk.publish("tip-2")
    desk.look_again()
    assert [web.standing(each)[1] for each in (first, second)] == [desk.clock.now()] * 2


def test_voided_work_is_paid_for_the_grace_time(desk: Desk) -> None:
    web, template_id = desk.web(), desk.publish()
    desk.upstream.void()
    desk.clock.advance(GRACE)
    desk.look_again()
    assert web.standing(template_id)[0] is not None
    desk.clock.advance(1)
    assert web.standing(template_id) == (None, 0)
    desk.look_again()
    assert web.standing(template_id) == (None, 0)


def test_a_number_is_leased_once_whichever_process_asks(desk: Desk) -> None:
    desk.publish()
    processes = [desk.web() for _ in range(3)]
    template = processes[0].current(COIN)
    assert template is not None
    numbers = [web.lease(template) for _ in range(LEASE + 2) for web in processes]
    assert len(set(numbers)) == len(numbers)
    assert None not in numbers


def test_a_small_space_is_leased_to_its_end_in_small_blocks(memory_desk: Desk) -> None:
    memory_desk.publish(size=1)
    web, other = memory_desk.web(), memory_desk.web()
    template = web.current(COIN)
    assert template is not None
    first = [web.lease(template), other.lease(template)]
    assert first == [0, SMALL_LEASE]
    room = capacity(template.job)
    numbers = list(iter(lambda: web.lease(template), None))
    assert len(numbers) == room - 1 - SMALL_LEASE
    assert web.lease(template) is None


def test_processes_without_number_share_an_ethash_template_of_two_bytes(memory_desk: Desk) -> None:
    job = EthashJob("job", bytes(32), bytes(32), "abcd", 0, True, 2**255)
    memory_desk.upstream.publish(Template(bytes(16), COIN, TALK, "ethash", "tip-1", 2, job, 30_000))
    processes = [memory_desk.web() for _ in range(40)]
    templates = [web.current(COIN) for web in processes]
    numbers = [web.lease(found) for web, found in zip(processes, templates, strict=True) if found]
    assert None not in numbers
    assert len(set(numbers)) == 40


def test_a_session_counts_on_from_template_to_template(memory_desk: Desk) -> None:
    web = memory_desk.web()
    seen: set[int | None] = set()
    for number in range(5):
        memory_desk.publish(f"tip-{number}")
        memory_desk.look_again()
        template = web.current(COIN)
        assert template is not None
        fresh = {web.lease(template) for _ in range(100)}
        assert not fresh & seen
        seen |= fresh


def test_templates_go_when_nothing_needs_them(memory_desk: Desk) -> None:
    template_id = memory_desk.publish()
    memory_desk.publish("tip-2")
    assert memory_desk.upstream.prune(300) == 0
    memory_desk.clock.advance(2 * GRACE + 1)
    assert memory_desk.upstream.prune(300) == 1
    memory_desk.clock.advance(10_000)
    assert memory_desk.upstream.prune(300) == 0, "jobs are cut from the last one"
    assert memory_desk.web().standing(template_id) == (None, 0)


def test_a_template_stays_while_a_share_of_it_waits(memory_desk: Desk) -> None:
    template_id = memory_desk.publish()
    forward = Forward(COIN, TALK, template_id, Solution("00000000"), False, False)
    row = forward.row(b"s" * 32, memory_desk.clock.now())
    counters = Counters(memory_desk.database, Statements(memory_desk.database.tables))
    table = memory_desk.database.tables.upstream_share
    counters.transaction(
        {CoinTotal(COIN, "forwarded"): 1}, lambda connection: bool(connection.execute(table.insert(), row))
    )
    memory_desk.publish("tip-2")
    memory_desk.clock.advance(2 * GRACE + 1)
    assert memory_desk.upstream.prune(300) == 0
