"""The page's hashing worker in a made-up world: its duty, its slices, and what it answers, whatever clocks and timers are like."""

from __future__ import annotations

import functools
import itertools
import json
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from parts import missing

SCRIPT = Path(__file__).parent / "browser" / "hasher.mjs"
COARSE = {"step": 100, "late": 100}
"""What Firefox does to clocks where it resists fingerprinting, and to the timers of a busy device."""

Told = list[tuple[float, dict[str, t.Any]]]


class Run(t.NamedTuple):
    """What the worker did: milliseconds of hashing, of each slice, and what it said when."""

    work: float
    slices: list[float]
    told: Told
    seconds: float

    @property
    def duty(self) -> float:
        return self.work / (1000 * self.seconds)

    def of(self, member: str) -> Told:
        return [(at, message) for at, message in self.told if member in message]


@functools.cache
def node() -> str:
    return shutil.which("node") or missing("needs Node: apt-get install nodejs")


def run(**world: t.Any) -> Run:
    """Return what the worker does in `world`, which browser/hasher.mjs describes."""
    command = [node(), SCRIPT, json.dumps(world)]
    return Run(**json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


@pytest.mark.parametrize("duty", [1, 0.9, 0.5, 0.1])
@pytest.mark.parametrize("world", [{}, {"late": 15}, {"step": 1}, {"step": 100}, COARSE], ids=str)
@pytest.mark.parametrize(
    ("algorithm", "rate"), [("yespower", 250), ("scrypt", 9000), ("sha256d", 20_000_000)]
)
def test_the_average_duty_holds(duty: float, world: dict[str, int], algorithm: str, rate: int) -> None:
    done = run(duty=duty, algorithm=algorithm, rate=rate, seconds=60, **world)
    assert done.duty == pytest.approx(duty, rel=0.03)


@pytest.mark.parametrize("world", [{}, {"step": 1}, {"step": 100}], ids=str)
@pytest.mark.parametrize(
    ("algorithm", "rate"), [("yespower", 250), ("scrypt", 9000), ("sha256d", 20_000_000)]
)
def test_slices_are_short_enough_for_a_message_to_come_in(
    world: dict[str, int], algorithm: str, rate: int
) -> None:
    slices = run(duty=1, algorithm=algorithm, rate=rate, seconds=20, **world).slices
    assert max(slices) < 45
    settled = slices[len(slices) // 2 :]
    assert sum(settled) / len(settled) == pytest.approx(10, rel=0.25)


def test_slices_follow_a_device_that_slows_down() -> None:
    done = run(rate=9000, seconds=20, messages=[[10_000, {"rate": 900}]])
    assert max(done.slices) < 120
    assert max(done.slices[-20:]) < 15


def test_a_device_that_slept_owes_no_rest_for_it() -> None:
    done = run(duty=0.5, seconds=3620, messages=[[10_000, {"nap": 3_600_000}]])
    assert done.work == pytest.approx(10_000, rel=0.1)


def test_a_new_duty_holds_from_then_on() -> None:
    done = run(duty=0.1, seconds=20, messages=[[10_000, {"duty": 0.9}]])
    assert done.work == pytest.approx(1000 + 9000, rel=0.03)


@pytest.mark.parametrize("duty", [1, 0.5, 0.1])
def test_it_halts_at_once_and_goes_on_where_it_was(duty: float) -> None:
    done = run(duty=duty, seconds=9, messages=[[3005, {"run": False, "ask": 7}], [6000, {"run": True}]])
    [(halted, message)] = done.of("answer")
    assert message["answer"] == 7
    assert halted - 3005 < 15
    assert not [at for at, _ in done.of("hashes") if halted < at < 6000]
    assert done.work == pytest.approx(6000 * duty, rel=0.03)


def test_progress_is_told_four_times_a_second_and_adds_up() -> None:
    done = run(duty=0.5, seconds=10, messages=[[9900, {"run": False}]])
    times = [at for at, _ in done.of("hashes")]
    assert min(b - a for a, b in itertools.pairwise(times[:-1])) >= 250
    assert len(times) > 30
    assert sum(message["hashes"] for _, message in done.of("hashes")) == round(done.work)


def test_a_part_that_ends_is_told_and_nothing_is_searched_until_the_next() -> None:
    done = run(count="700", seconds=3)
    [(ended, message)] = done.of("done")
    assert (message["id"], round(done.work)) == (1, 700)
    assert ended == pytest.approx(700, abs=5)


def test_a_part_behind_the_last_nonce_goes_on_at_the_first() -> None:
    done = run(count="200", nonceSize=1, seconds=3)
    assert (round(done.work), len(done.of("done"))) == (200, 1)


def test_what_was_left_of_a_part_is_given_back() -> None:
    done = run(seconds=2, messages=[[1000, {"part": None}], [1500, {"part": None}]])
    [(_, message)] = done.of("left")
    left = message["left"]
    assert (left["id"], int(left["start"]) - 5) == (1, round(done.work))
    assert int(left["start"]) + int(left["count"]) == 5 + 10**12
