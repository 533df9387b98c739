"""The page follows upstream, in a made-up world: when it asks, when it listens, and how soon it has new work."""

from __future__ import annotations

import functools
import itertools
import json
import random
import shutil
import statistics
import subprocess
import typing as t
from pathlib import Path

import pytest
from parts import missing

SCRIPT = Path(__file__).parent / "browser" / "tip.mjs"
PATH = "/ticketminer/tip/scrypt"


class Run(t.NamedTuple):
    """What the miners did: second, miner, what, and more."""

    told: list[list[t.Any]]

    def of(self, what: str) -> list[list[t.Any]]:
        return [row for row in self.told if row[2] == what]

    def when(self, what: str) -> list[float]:
        return [row[0] for row in self.of(what)]

    @property
    def jobs(self) -> list[str]:
        """The tips of the jobs that were fetched."""
        return [row[3] for row in self.of("job")]

    @property
    def notices(self) -> list[str | None]:
        return [row[3] for row in self.of("notice")]


@functools.cache
def node() -> str:
    return shutil.which("node") or missing("needs Node: apt-get install nodejs")


def run(**world: t.Any) -> Run:
    """Return what the page does in `world`, which browser/tip.mjs describes."""
    done = subprocess.run([node(), SCRIPT, json.dumps(world)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Run(**json.loads(done.stdout))


def waits(moments: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(moments)]


def test_the_tip_is_asked_for_at_a_random_phase_and_then_by_the_poll() -> None:
    done = run(seconds=400, miners=30)
    firsts = [next(row[0] for row in done.of("poll") if row[1] == number) for number in range(30)]
    assert min(firsts) < 2
    assert max(firsts) > 8
    gaps = [
        wait
        for number in range(30)
        for wait in waits([row[0] for row in done.of("poll") if row[1] == number])
    ]
    assert 8 <= min(gaps) < 8.5
    assert 9.5 < max(gaps) <= 10.1
    assert {(row[3], row[4]) for row in done.of("poll")} == {(PATH, 4096)}


def test_local_work_asks_for_no_tip() -> None:
    assert run(local=True).of("poll") == []


def test_nothing_is_asked_while_mining_is_paused() -> None:
    done = run(seconds=200, acts=[[30, {"run": False}], [130, {"run": True}]])
    assert not [at for at in done.when("poll") if 30 < at < 130]
    assert [at for at in done.when("poll") if at > 130]


def test_new_work_is_fetched_within_the_spread() -> None:
    done = run(tips=[[0, "a"], [25, "b"]])
    heard = next(at for at in done.when("poll") if at > 25)
    assert done.jobs == ["a", "b"]
    assert 0 <= done.when("job")[1] - heard <= 0.5 + 0.1
    assert done.notices == ["upstream-moved"]


def test_a_share_that_came_late_is_told_plainly_and_fetches_new_work_at_once() -> None:
    done = run(seconds=9, poll=3600, acts=[[5, {"share": "stale"}], [7, {"share": "pending"}]])
    assert [int(at) for at in done.when("job")] == [0, 5]
    assert [row[3] for row in done.of("share")] == ["1", "2"]
    assert done.notices == ["upstream-moved", None]


def test_failures_make_it_ask_more_seldom_and_never_stop_the_search() -> None:
    done = run(seconds=600, poll=1, tips=[[0, "a"], [1, {"status": 500, "cause": "broken"}], [400, "b"]])
    assert max(waits(done.when("poll"))) <= 60.1
    assert len([at for at in done.when("poll") if at < 400]) < 20
    assert done.jobs == ["a", "b"]
    assert done.of("ended") == []


@pytest.mark.parametrize(
    "news",
    [
        {"poll": 0}, {"poll": 3601}, {"poll": 1.5}, {"poll": "1"}, {"spread": -1}, {"spread": 61}, {"spread": "1"},
        {"spread": None}, {"tip": None}, {"tip": "x" * 256}, {"body": "[]"}, {"body": "<html>"}, {"body": ""},
    ],
    ids=str,
)  # fmt: skip
def test_a_tip_out_of_bounds_is_no_news(news: dict[str, t.Any]) -> None:
    done = run(seconds=30, poll=1, tips=[[0, "a"], [2, {"tip": "b", **news}]])
    assert done.jobs == ["a"]
    assert done.of("ended") == []


def test_a_site_that_calls_everything_outdated_is_asked_once_a_second_at_most() -> None:
    shares = [[2 + number / 10, {"share": "stale"}] for number in range(100)]
    assert len(run(seconds=13, poll=3600, acts=shares).jobs) <= 13


def test_another_coin_is_followed_with_its_algorithm() -> None:
    done = run(
        seconds=90,
        tips=[
            [0, "a"],
            [20, {"status": 404, "cause": "no-tip", "algorithm": "sha256d"}],
            [35, {"tip": "x"}],
        ],
    )
    assert done.of("job")[0][4] == "scrypt"
    assert {row[4] for row in done.of("job")[1:]} == {"sha256d"}
    assert done.of("poll")[-1][3] == "/ticketminer/tip/sha256d"
    assert done.of("ended") == []


# The stream of events


def test_a_stream_is_read_instead_of_asking() -> None:
    done = run(seconds=300, tips=[[0, "a"], [100, "b"], [200, "c"]], events=[[0, 1000]])
    assert done.jobs == ["a", "b", "c"]
    assert [row[3] for row in done.of("stream")] == ["https://shop.example/ticketminer/events/scrypt"]
    assert len(done.of("poll")) <= 1
    assert done.when("job")[1] <= 100.6


def test_while_the_stream_is_down_the_tip_is_asked_for() -> None:
    done = run(seconds=400, tips=[[0, "a"], [150, "b"], [350, "c"]], events=[[0, 100], [300, 1000]])
    assert done.jobs == ["a", "b", "c"]
    assert len([at for at in done.when("poll") if 100 < at < 300]) >= 15
    assert len([at for at in done.when("stream") if 100 < at < 300]) <= 10
    assert done.when("job")[2] <= 350.6


def test_the_stream_is_closed_while_mining_is_paused() -> None:
    done = run(seconds=200, events=[[0, 1000]], acts=[[50, {"run": False}], [150, {"run": True}]])
    assert [50 < at < 61 for at in done.when("closed")] == [True]
    assert [at > 150 for at in done.when("stream")] == [False, True]


def test_nonsense_in_the_stream_is_as_good_as_none() -> None:
    done = run(
        seconds=100,
        tips=[[0, "a"], [40, {"tip": "b", "body": "x" * 5000}], [60, "b"]],
        events=[[0, 1000]],
    )
    assert done.jobs == ["a", "b"]
    assert done.of("ended") == []


# A crowd


@pytest.mark.parametrize("poll", [1, 2, 6])
def test_two_hundred_miners_follow_upstream_soon(poll: int) -> None:
    draw, spread = random.Random(poll), 0.5
    blocks = list(itertools.accumulate((poll * (2 + draw.random()) + 2 for _ in range(3)), initial=1.0))[1:]
    tips = [[0, "0"], *([block, str(number)] for number, block in enumerate(blocks, 1))]
    done = run(seconds=blocks[-1] + 2 * poll + 2, miners=200, poll=poll, spread=spread, tips=tips)
    found = {(row[1], row[3]): row[0] for row in reversed(done.of("job"))}
    delays = [
        found[miner, str(number)] - block for miner in range(200) for number, block in enumerate(blocks, 1)
    ]
    assert min(delays) >= 0
    assert statistics.median(delays) <= poll / 2 + 1
    assert statistics.quantiles(delays, n=100)[-1] <= poll + spread + 0.5
