"""The mining engine: it shares out the work, rests, pauses on battery and ends when it should."""

from __future__ import annotations

import dataclasses
import pathlib
import threading
import typing as t

import pytest
from bench import Answer, Battery, Bench, ManualClock, ScriptedJob, ScriptedSite, refusal

from miner.engine import Engine, EventKind, Reason, State, SysfsPower
from miner.engine.hashing import Hasher
from miner.engine.search import Board, Search
from miner.engine.statistics import Meter, SiteSnapshot
from miner.errors import SiteRefused
from miner.pow import ALGORITHMS, UnknownAlgorithm

SHA256D = ALGORITHMS["sha256d"]
IN_PYTHON = dataclasses.replace(SHA256D, kernels=SHA256D.kernels[-1:])


def test_slices_cover_the_nonces_once_and_never_wrap() -> None:
    search = Search(ScriptedJob(nonce_size=1), ALGORITHMS["sha256d"], start=250)
    slices = []
    while not search.exhausted:
        slices.append(search.take(100))
    assert slices[:2] == [(250, 6), (0, 100)]
    assert sorted(n for start, count in slices for n in range(start, start + count)) == list(range(256))


def test_several_sites_are_searched_in_turn() -> None:
    board = Board()
    board.go()
    for name in ("a", "b"):
        board.assign(name, Search(ScriptedJob(name), ALGORITHMS["scrypt"], start=0))
    names = [t.cast(ScriptedJob, search.job).name for _ in range(4) if (search := board.next(1))]
    assert sorted(names) == ["a", "a", "b", "b"]


def test_an_algorithm_that_does_not_run_in_parallel_gets_one_thread() -> None:
    board = Board()
    board.go()
    board.assign("site", Search(ScriptedJob(), IN_PYTHON, start=0))
    assert board.next(0) is not None
    assert board.next(1) is None


@pytest.mark.parametrize(("duty", "rest"), [(100, 0.0), (50, 0.01), (20, 0.04)])
def test_a_thread_rests_in_proportion_to_its_slice(duty: int, rest: float) -> None:
    class SlowClock(ManualClock):
        def now(self) -> float:
            self.time += 0.01
            return self.time

    board = Board()
    board.go()
    board.assign("site", Search(ScriptedJob(), ALGORITHMS["sha256d"], start=0))
    hasher = Hasher(0, board, SlowClock(), duty=duty, on_slice=lambda *_: None)
    assert hasher.slice() == pytest.approx(rest)


def test_a_meter_leaves_pauses_out() -> None:
    meter = Meter()
    meter.begin(100)
    meter.add(50, 105)
    meter.end(105)
    assert (meter.rate(200), meter.speed(200), meter.average(200)) == (0, 10, 10)
    meter.begin(200)
    meter.add(20, 201)
    assert (meter.rate(201), meter.average(201), meter.active(201)) == (20, 70 / 6, 6)


def test_progress_is_the_chance_to_have_finished_and_time_left_does_not_shrink() -> None:
    early, late = (SiteSnapshot("x", expected_hashes=100, searched=n, rate=10.0) for n in (100, 200))
    assert early.progress == pytest.approx(0.632, abs=0.001)
    assert late.progress == pytest.approx(0.865, abs=0.001)
    assert early.expected_seconds == late.expected_seconds == 10
    assert early.usual_seconds == pytest.approx(23.03, abs=0.01)


def engine(site: ScriptedSite, **options: t.Any) -> Engine:
    options = {"threads": 2, "duty": 100, "power": Battery(None)} | options
    return Engine([site], **options)


def test_mining_reaches_its_goal_and_loses_no_share() -> None:
    site = ScriptedSite()
    found: list[str] = []
    miner = engine(site, tickets=5, on_event=lambda event: found.append(event.kind))
    miner.start()
    assert miner.wait(30)
    miner.stop()
    picture = miner.snapshot()
    assert picture.state is State.STOPPED
    assert picture.won >= 5
    assert picture.pending == 0
    assert found.count("share") == len(site.shares) + len(site.written) == picture.accepted


def test_every_submitted_nonce_is_a_share_and_none_is_sent_twice() -> None:
    site = ScriptedSite()
    with engine(site, tickets=20) as miner:
        assert miner.wait(30)
    algorithm = ALGORITHMS["sha256d"]
    for job, nonce in site.shares:
        digest = algorithm.hash(job.blob[:76] + nonce.to_bytes(8, "little"))
        assert algorithm.meets(digest, job.target)
    assert len({(id(job), nonce) for job, nonce in site.shares}) == len(site.shares)


def test_two_sites_are_mined_at_once() -> None:
    sites = [ScriptedSite("https://a.example"), ScriptedSite("https://b.example")]
    with Engine(sites, threads=1, duty=100, power=Battery(None)) as miner:
        while not all(site.shares for site in sites):
            assert not miner.wait(0.01)


def test_stopping_writes_down_what_a_silent_site_keeps_from_being_sent() -> None:
    arrived, release = threading.Event(), threading.Event()

    class SilentSite(ScriptedSite):
        def submit(self, job: ScriptedJob, nonce: int, mix: bytes | None = None) -> Answer:
            arrived.set()
            release.wait(30)
            return super().submit(job, nonce)

    site = SilentSite()
    miner = engine(site)
    miner.start()
    assert arrived.wait(10)
    while miner.snapshot().pending < 3:
        miner.wait(0.01)
    miner.stop(timeout=0)
    assert len(site.written) == miner.snapshot().pending - 1
    release.set()


def test_a_share_found_before_the_stop_is_sent_by_it() -> None:
    arrived, release = threading.Event(), threading.Event()

    class SlowSite(ScriptedSite):
        def submit(self, job: ScriptedJob, nonce: int, mix: bytes | None = None) -> Answer:
            arrived.set()
            release.wait(10)
            return super().submit(job, nonce)

    site, found = SlowSite(), []
    miner = engine(site, on_event=lambda event: found.append(event.kind))
    miner.start()
    assert arrived.wait(10)
    threading.Timer(0.05, release.set).start()
    miner.stop()
    assert found.count(EventKind.SHARE) == miner.snapshot().accepted
    assert miner.snapshot().pending == 0


def test_hashing_pauses_on_battery_and_goes_on_with_the_mains() -> None:
    clock, events = ManualClock(), []
    miner = engine(ScriptedSite(), power=Battery(True, False), clock=clock, on_event=events.append)
    miner.supervise()
    assert miner.snapshot().reasons == (Reason.BATTERY,)
    clock.time += 5
    miner.supervise()
    assert miner.snapshot().reasons == ()
    assert [event.kind for event in events] == [EventKind.PAUSED, EventKind.RESUMED]


def test_an_unknown_power_source_does_not_pause_and_is_shown_as_unknown() -> None:
    miner = engine(ScriptedSite(), power=Battery(None))
    miner.supervise()
    assert (miner.snapshot().reasons, miner.snapshot().on_battery) == ((), None)


def test_a_user_pause_outlasts_the_battery() -> None:
    clock = ManualClock()
    miner = engine(ScriptedSite(), power=Battery(True, False), clock=clock)
    miner.supervise()
    miner.pause()
    clock.time += 5
    miner.supervise()
    assert miner.snapshot().reasons == (Reason.USER,)


def test_a_halted_board_hands_out_no_slice() -> None:
    bench = Bench(ScriptedSite())
    bench.work.step()
    bench.board.halt()
    hasher = Hasher(0, bench.board, bench.clock, duty=100, on_slice=bench.work.searched)
    assert hasher.slice() is None


class Interrupted(Board):
    """A board where something happens as soon as the first part of a slice is hashed."""

    def __init__(self, happens: t.Callable[[Board], object]) -> None:
        super().__init__()
        self.looks, self.happens = 0, happens

    @property
    def halted(self) -> bool:
        self.looks += 1
        if self.looks == 2:
            self.happens(self)
        return super().halted


@pytest.mark.parametrize(
    ("happens", "whole"),
    [
        (lambda board: board.halt(), False),
        (
            lambda board: board.assign("site", Search(ScriptedJob("new"), ALGORITHMS["sha256d"], start=0)),
            True,
        ),
        (lambda board: board.assign("site", None), True),
    ],
    ids=["halted", "another job", "no job"],
)
def test_a_slice_that_is_interrupted_reports_every_share_it_found(
    happens: t.Callable[[Board], object], whole: bool
) -> None:
    board, slices = Interrupted(happens), []
    search = Search(ScriptedJob(), ALGORITHMS["sha256d"], start=5)
    board.go()
    board.assign("site", search)
    hasher = Hasher(0, board, ManualClock(), duty=100, on_slice=lambda *told: slices.append(told))
    hasher._rates["sha256d"] = 10_000_000.0
    hasher.slice()
    ((told, hashes, nonces),) = slices
    assert told is search
    assert (hashes == search.algorithm.kernel().whole_batches(100_000)) is whole
    assert hashes > 0
    assert nonces == [nonce for nonce, _ in search.scan(5, hashes).hits]


def test_mining_goes_on_after_a_pause() -> None:
    site = ScriptedSite(jobs=[ScriptedJob(expected_hashes=2**60)])
    with engine(site) as miner:
        while not miner.snapshot().hashes:
            miner.wait(0.01)
        miner.pause()
        assert miner.snapshot().state is State.PAUSED
        miner.resume()
        hashes = miner.snapshot().hashes
        while miner.snapshot().hashes == hashes:
            miner.wait(0.01)
        assert miner.snapshot().state is State.MINING


def test_the_time_limit_ends_mining() -> None:
    clock = ManualClock()
    miner = engine(ScriptedSite(), time_limit=60, clock=clock)
    miner._started_at = clock.now()
    clock.time += 60
    miner.supervise()
    assert miner.wait(0)
    assert miner.snapshot().reasons == (Reason.TIME_LIMIT,)


def test_an_engine_ends_when_its_last_site_is_given_up() -> None:
    with engine(ScriptedSite(jobs=[refusal(403, "consent-required")])) as miner:
        assert miner.wait(30)
    assert isinstance(miner.error, SiteRefused)


def test_a_fault_in_a_thread_ends_the_engine_and_is_kept() -> None:
    class Broken(ScriptedSite):
        def job(self, *_: t.Any, **__: t.Any) -> ScriptedJob:
            raise ZeroDivisionError("a bug")

    with engine(Broken()) as miner:
        assert miner.wait(30)
    assert isinstance(miner.error, ZeroDivisionError)


@pytest.mark.parametrize("options", [{"threads": 0}, {"duty": 0}, {"duty": 101}, {"algorithms": []}])
def test_settings_that_cannot_work_are_refused(options: dict[str, t.Any]) -> None:
    with pytest.raises(ValueError, match="at least"):
        engine(ScriptedSite(), **options)


def test_an_unknown_algorithm_is_refused_at_once() -> None:
    with pytest.raises(UnknownAlgorithm, match="scrypt"):
        engine(ScriptedSite(), algorithms=["md5"])


@pytest.mark.parametrize(
    ("supplies", "expected"),
    [
        ({}, None),
        ({"AC": {"type": "Mains", "online": "1"}, "BAT0": {"type": "Battery", "status": "Charging"}}, False),
        (
            {"AC": {"type": "Mains", "online": "0"}, "BAT0": {"type": "Battery", "status": "Discharging"}},
            True,
        ),
        ({"BAT0": {"type": "Battery", "status": "Full"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Unknown"}}, None),
        ({"mouse": {"type": "Battery", "status": "Discharging", "scope": "Device"}}, None),
    ],
)
def test_the_power_source_is_read_from_sysfs(
    tmp_path: pathlib.Path, supplies: dict[str, dict[str, str]], expected: bool | None
) -> None:
    for name, members in supplies.items():
        (tmp_path / name).mkdir()
        for member, text in members.items():
            (tmp_path / name / member).write_text(text + "\n")
    assert SysfsPower(tmp_path).on_battery() is expected


def test_a_machine_without_sysfs_does_not_say(tmp_path: pathlib.Path) -> None:
    assert SysfsPower(tmp_path / "absent").on_battery() is None
