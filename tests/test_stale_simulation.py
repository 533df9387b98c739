"""The simulated day of late shares: its figures, and that it plays what it says."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest

from benchmarks.stale import Model, simulate

BRIDGE = 0.1
"""Seconds from a pool's message to the template in the database: several times what is measured."""
LITECOIN = Model(block_time=150, poll=1, bridge=BRIDGE, miners=20)
SLOW = Model(block_time=600, poll=6, bridge=BRIDGE, miners=20)


@pytest.mark.parametrize("model", [LITECOIN, SLOW], ids=["150 s", "600 s"])
@pytest.mark.parametrize("events", [False, True], ids=["polled", "told"])
def test_less_than_one_share_in_a_hundred_is_late(model: Model, events: bool) -> None:
    assert 0 < simulate(replace(model, events=events), 1).rate < 0.01


def test_the_event_stream_saves_shares_of_fast_blocks() -> None:
    fast = replace(LITECOIN, block_time=13, miners=5)
    assert simulate(replace(fast, events=True), 1).rate < simulate(fast, 1).rate


def test_the_same_seed_is_the_same_day() -> None:
    short = replace(LITECOIN, miners=2)
    assert simulate(short, 7) == simulate(short, 7) != simulate(short, 8)


def test_late_shares_are_those_of_the_time_between_a_block_and_the_next_job() -> None:
    day = simulate(LITECOIN, 1)
    in_flight = 2 * LITECOIN.way
    wasted = statistics.mean(day.moves) + in_flight
    assert day.rate == pytest.approx(wasted / LITECOIN.block_time, rel=0.15)


def test_a_bridge_that_takes_a_second_costs_a_second_of_each_block() -> None:
    slower = replace(LITECOIN, bridge=BRIDGE + 1, miners=5)
    base = replace(LITECOIN, miners=5)
    gained = statistics.mean(simulate(slower, 1).moves) - statistics.mean(simulate(base, 1).moves)
    assert gained == pytest.approx(1, abs=0.1)


def test_shares_and_blocks_come_as_often_as_the_model_says() -> None:
    day = simulate(SLOW, 1)
    assert day.blocks == pytest.approx(86400 / SLOW.block_time, rel=0.3)
    assert day.shares == pytest.approx(86400 / SLOW.share_every * SLOW.miners, rel=0.02)
