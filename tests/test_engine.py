"""The mining engine against a scripted site and a clock that moves by hand."""

from __future__ import annotations

import pathlib
import threading
import typing as t
from collections import deque
from dataclasses import dataclass, field

import pytest

from miner.engine import Engine, EventKind, Reason, State, SysfsPower
from miner.engine.hashing import Hasher
from miner.engine.search import Board, Search
from miner.engine.site import SiteWork
from miner.engine.statistics import Meter, SiteSnapshot
from miner.errors import SiteRefused, SiteUnreachable, WalletBusy, WalletFull
from miner.pow import ALGORITHMS, UnknownAlgorithm, target_for


@dataclass
class ScriptedJob:
    name: str = "job"
    algorithm: str = "sha256d"
    blob: bytes = bytes(84)
    nonce_offset: int = 76
    nonce_size: int = 8
    expected_hashes: int = 64
    value: int = 1
    expires_in: int = 600
    target: int = 0

    def __post_init__(self) -> None:
        self.target = target_for(self.expected_hashes)


@dataclass
class Answer:
    accepted: bool = True
    value: int = 1
    next_job: ScriptedJob | None = None


@dataclass
class Recovery:
    settled: int = 0
    released: int = 0
    pending: int = 0
    value: int = 0
    problems: tuple[str, ...] = ()


@dataclass
class ScriptedSite:
    """Answers from its lists, then always with a plain job and acceptance. Lists may hold exceptions.

    What was submitted without an answer is settled by the next recovery, as a wallet does it.
    """

    origin: str = "https://shop.example"
    jobs: list[t.Any] = field(default_factory=list)
    answers: list[t.Any] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    recovered: int = 0
    written: list[int] = field(default_factory=list)
    unanswered: list[ScriptedJob] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    shares: list[tuple[ScriptedJob, int]] = field(default_factory=list)

    def job(self, algorithms: t.Any, *, value: int, donate: bool, fund: str | None) -> ScriptedJob:
        self.asked.append(value)
        job = self.jobs.pop(0) if self.jobs else ScriptedJob(value=value, expected_hashes=64 * value)
        if isinstance(job, Exception):
            raise job
        return t.cast(ScriptedJob, job)

    def submit(self, job: ScriptedJob, nonce: int) -> Answer:
        self.shares.append((job, nonce))
        answer = self.answers.pop(0) if self.answers else Answer(value=job.value)
        if isinstance(answer, SiteUnreachable):
            self.unanswered.append(job)
        if isinstance(answer, Exception):
            raise answer
        return t.cast(Answer, answer)

    def write_down(self, job: ScriptedJob, nonce: int) -> None:
        self.written.append(nonce)
        self.unanswered.append(job)

    def recover(self) -> Recovery:
        self.recovered += 1
        if self.recoveries:
            return self.recoveries.pop(0)
        jobs, self.unanswered = self.unanswered, []
        return Recovery(settled=len(jobs), value=sum(job.value for job in jobs))


class ManualClock:
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.time += seconds
        return event.is_set()


class Battery:
    def __init__(self, *states: bool | None) -> None:
        self.states = deque(states)

    def on_battery(self) -> bool | None:
        return self.states.popleft() if len(self.states) > 1 else self.states[0]


class Bench:
    """One site's work with everything around it in reach."""

    def __init__(self, site: ScriptedSite, *, ceiling: int | None = None) -> None:
        self.site, self.clock, self.board = site, ManualClock(), Board()
        self.board.go()
        self.events: list[t.Any] = []
        self.work = SiteWork(
            site,
            algorithms=["sha256d", "scrypt"],
            board=self.board,
            clock=self.clock,
            ceiling=lambda: ceiling,
            emit=self.events.append,
            random_start=lambda space: 0,
            jitter=lambda: 0.5,
        )

    def find(self, nonce: int = 7) -> Search:
        search = self.board.next(0)
        assert search is not None
        self.work.searched(search, 10, [nonce])
        return search

    def hash(self, hashes: int, seconds: float) -> None:
        search = self.board.next(0)
        assert search is not None
        self.clock.time += seconds
        self.work.searched(search, hashes, [])

    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.events]


def refusal(status: int, cause: str, retry_after: int | None = None) -> SiteRefused:
    return SiteRefused(status, cause, f"Because of {cause}.", retry_after)


def test_a_site_is_asked_for_a_job_and_its_share_is_sent() -> None:
    bench = Bench(ScriptedSite())
    assert bench.work.step() == 0
    job = bench.find(nonce=99).job
    assert bench.work.step() == 0
    assert bench.site.shares == [(job, 99)]
    assert bench.work.won == 1


def test_a_share_found_for_an_earlier_job_is_sent_with_that_job() -> None:
    bench = Bench(ScriptedSite(jobs=[ScriptedJob("first"), ScriptedJob("second")]))
    bench.work.step()
    search = bench.board.next(0)
    assert search is not None
    bench.clock.time += 580
    bench.work.step()
    assert bench.board.next(0) is not search
    bench.work.searched(search, 1, [5])
    bench.work.step()
    assert [(job.name, nonce) for job, nonce in bench.site.shares] == [("first", 5)]


def test_a_job_is_renewed_before_it_expires() -> None:
    bench = Bench(ScriptedSite())
    bench.work.step()
    bench.clock.time += 569
    bench.work.step()
    assert len(bench.site.asked) == 1
    bench.clock.time += 1
    bench.work.step()
    assert len(bench.site.asked) == 2


def test_an_expired_job_is_not_searched_while_the_site_is_away() -> None:
    bench = Bench(ScriptedSite(jobs=[ScriptedJob(expires_in=40)] + [SiteUnreachable("No answer.")] * 2))
    bench.work.step()
    bench.clock.time += 31
    bench.work.step()
    assert bench.board.next(0) is not None
    bench.clock.time += 9
    bench.work.step()
    assert bench.board.next(0) is None


def test_the_value_asked_for_is_the_power_of_two_that_takes_five_seconds() -> None:
    bench = Bench(ScriptedSite())
    bench.work.step()
    bench.hash(64 * 7, 2.0)  # 3.5 tickets a second: 17.5 in five seconds
    assert bench.work.wanted(bench.clock.now()) == 16


def test_a_much_faster_machine_than_thought_gets_a_larger_job() -> None:
    bench = Bench(ScriptedSite())
    bench.work.step()
    bench.hash(64 * 12, 3.0)
    bench.work.step()
    assert bench.site.asked == [1, 16]


def test_a_small_wobble_of_the_rate_fetches_no_new_job() -> None:
    bench = Bench(ScriptedSite())
    bench.work.step()
    bench.hash(64 * 2, 3.0)
    assert bench.work.step() > 0
    assert bench.site.asked == [1]


def test_no_more_is_asked_for_than_is_still_wanted() -> None:
    bench = Bench(ScriptedSite(), ceiling=3)
    bench.work.step()
    bench.hash(64 * 100, 1.0)
    assert bench.work.wanted(bench.clock.now()) == 2


def test_an_unreachable_site_is_asked_again_with_growing_pauses() -> None:
    bench = Bench(ScriptedSite(jobs=[SiteUnreachable("No answer.")] * 4))
    for _ in range(200):
        bench.clock.time += bench.work.step()
    assert [event.data["seconds"] for event in bench.events[:4]] == [1, 2, 4, 8]
    assert bench.kinds()[4] is EventKind.JOB


AWAY = Recovery(pending=1, problems=("Still no answer.",))


def test_a_share_outlives_transport_failures_and_is_submitted_once() -> None:
    site = ScriptedSite(answers=[SiteUnreachable("No answer.")], recoveries=[AWAY, AWAY])
    bench = Bench(site)
    bench.work.step()
    bench.find(nonce=42)
    for _ in range(50):
        bench.clock.time += bench.work.step()
    assert [nonce for _, nonce in site.shares] == [42]
    assert (site.recovered, bench.work.snapshot().accepted, bench.work.won) == (3, 1, 1)


def test_a_share_refused_when_sent_again_counts_as_refused() -> None:
    site = ScriptedSite(answers=[SiteUnreachable("No answer.")], recoveries=[Recovery(released=1)])
    bench = Bench(site)
    bench.work.step()
    bench.find()
    bench.work.step()
    bench.clock.time += 1
    bench.work.step()
    assert (bench.work.snapshot().refused, bench.work.snapshot().pending) == (1, 0)


def test_a_share_that_could_not_be_written_down_is_submitted_again() -> None:
    bench = Bench(ScriptedSite(answers=[WalletBusy("Busy.")]))
    bench.work.step()
    bench.find(nonce=3)
    for _ in range(10):
        bench.clock.time += bench.work.step()
    assert [nonce for _, nonce in bench.site.shares] == [3, 3]
    assert bench.work.snapshot().accepted == 1


def test_hashing_rests_while_shares_cannot_be_sent_and_goes_on_afterwards() -> None:
    bench = Bench(ScriptedSite(answers=[SiteUnreachable("No answer.")], recoveries=[AWAY]))
    bench.work.step()
    bench.find()
    bench.work.step()
    bench.clock.time += 1
    bench.work.step()
    assert bench.board.next(0) is None
    assert bench.work.snapshot().waiting == "Still no answer."
    bench.clock.time += 2
    bench.work.step()
    assert bench.board.next(0) is not None
    assert bench.work.snapshot().waiting is None


def test_a_busy_site_is_left_alone_for_as_long_as_it_says() -> None:
    bench = Bench(ScriptedSite(jobs=[refusal(503, "no-work", retry_after=30)]))
    bench.work.step()
    bench.clock.time += 29
    assert bench.work.step() == 1
    bench.clock.time += 1
    bench.work.step()
    assert len(bench.site.asked) == 2


@pytest.mark.parametrize("cause", ["expired-job", "stale-job"])
def test_a_job_that_is_over_is_replaced_and_its_share_counts_as_refused(cause: str) -> None:
    bench = Bench(ScriptedSite(answers=[refusal(409, cause)]))
    bench.work.step()
    bench.find()
    bench.work.step()
    assert bench.board.next(0) is None
    bench.work.step()
    assert bench.board.next(0) is not None
    picture = bench.work.snapshot()
    assert (picture.refused, picture.pending, picture.last_refusal) == (1, 0, f"Because of {cause}.")


def test_a_duplicate_share_is_refused_and_the_search_goes_on() -> None:
    bench = Bench(ScriptedSite(answers=[refusal(409, "duplicate-share")]))
    bench.work.step()
    search = bench.find()
    bench.work.step()
    assert bench.board.next(0) is search


def test_a_site_that_refuses_every_share_is_given_up() -> None:
    bench = Bench(ScriptedSite(answers=[refusal(422, "share-misses-target")] * 5))
    bench.work.step()
    for nonce in range(5):
        bench.find(nonce)
        bench.work.step()
    assert isinstance(bench.work.error, SiteRefused)
    assert bench.board.next(0) is None


def test_a_refused_job_gives_the_site_up_with_its_sentence() -> None:
    bench = Bench(ScriptedSite(jobs=[refusal(400, "unknown-algorithm")]))
    bench.work.step()
    assert bench.kinds() == [EventKind.FAILED]
    assert "Because of unknown-algorithm." in str(bench.work.error)


def test_a_wallet_that_cannot_write_ends_the_work() -> None:
    bench = Bench(ScriptedSite(answers=[WalletFull("The disk is full; free some space.")]))
    bench.work.step()
    bench.find()
    bench.work.step()
    assert isinstance(bench.work.error, WalletFull)


def test_a_job_for_an_algorithm_nobody_asked_for_is_nonsense() -> None:
    bench = Bench(ScriptedSite(jobs=[ScriptedJob(algorithm="md5")]))
    bench.work.step()
    assert "md5" in str(bench.work.error)


def test_the_next_job_of_an_answer_is_taken_up() -> None:
    bench = Bench(ScriptedSite(answers=[Answer(next_job=ScriptedJob("next"))]))
    bench.work.step()
    bench.find()
    bench.work.step()
    search = bench.board.next(0)
    assert search is not None
    assert t.cast(ScriptedJob, search.job).name == "next"
    assert len(bench.site.asked) == 1


def test_a_share_found_while_the_site_is_away_is_written_down_at_once() -> None:
    site = ScriptedSite(answers=[SiteUnreachable("No answer.")])
    bench = Bench(site)
    bench.work.step()
    bench.find(nonce=1)
    bench.work.step()
    bench.find(nonce=2)
    bench.work.step()
    assert ([nonce for _, nonce in site.shares], site.written) == ([1], [2])
    bench.clock.time += 1
    bench.work.step()
    assert bench.work.snapshot().accepted == 2


def test_stopping_writes_down_what_a_silent_site_keeps_from_being_sent() -> None:
    arrived, release = threading.Event(), threading.Event()

    class SilentSite(ScriptedSite):
        def submit(self, job: ScriptedJob, nonce: int) -> Answer:
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


def test_draining_sends_what_was_never_sent_and_submits_nothing_twice() -> None:
    site = ScriptedSite(answers=[SiteUnreachable("No answer.")], recoveries=[AWAY])
    bench = Bench(site)
    bench.work.step()
    bench.find(nonce=1)
    bench.work.step()
    bench.find(nonce=2)
    bench.work.drain()
    assert [nonce for _, nonce in site.shares] == [1, 2]
    assert bench.work.snapshot().pending == 1


def test_no_job_is_fetched_while_hashing_is_halted() -> None:
    bench = Bench(ScriptedSite())
    bench.board.halt()
    assert bench.work.step() > 0
    assert bench.site.asked == []


def test_slices_cover_the_nonces_once_and_never_wrap() -> None:
    search = Search(ScriptedJob(nonce_size=1), ALGORITHMS["sha256d"], start=250)
    slices = []
    while not search.exhausted:
        slices.append(search.take(100))
    assert slices[:2] == [(250, 6), (0, 100)]
    assert sorted(n for start, count in slices for n in range(start, start + count)) == list(range(256))


def test_a_job_whose_nonces_ran_out_is_replaced() -> None:
    bench = Bench(ScriptedSite(jobs=[ScriptedJob(nonce_size=1, expected_hashes=2**60)]))
    bench.work.step()
    hasher = Hasher(0, bench.board, bench.clock, duty=100, on_slice=bench.work.searched)
    while hasher.slice() is not None:
        pass
    assert bench.work.step() == 0
    assert len(bench.site.asked) == 2


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
    board.assign("site", Search(ScriptedJob(), ALGORITHMS["sha256d"], start=0))
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


def test_a_share_found_before_the_stop_is_sent_by_it() -> None:
    arrived, release = threading.Event(), threading.Event()

    class SlowSite(ScriptedSite):
        def submit(self, job: ScriptedJob, nonce: int) -> Answer:
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
