"""Following upstream: what the site says of the tip, when it is asked, and how soon a miner has new work."""

from __future__ import annotations

import itertools
import math
import random
import statistics
import typing as t
from collections.abc import Iterator

import httpx
import pytest
from bench import Answer, Bench, ManualClock, ScriptedJob, ScriptedSite, ScriptedTips, refusal
from fake_site import FakeSite
from purses import SHOP

from miner import SiteClient, Wallet
from miner.engine import EventKind
from miner.engine.freshness import LEAST, Freshness
from miner.engine.hashing import Hasher
from miner.engine.search import Board
from miner.engine.site import SiteWork
from miner.engine.tip import MAX_BACKOFF, Subject, TipWatch
from miner.errors import MinerError, SiteProtocolError, SiteRefused, SiteUnreachable
from miner.eventstream import BURST, event_data
from miner.tip import Tip, read_tip

POLL = 10
A, B = Tip("a", POLL, 0.5), Tip("b", POLL, 0.5)


class Watched:
    """A watch with everything around it in reach; `subject` is what it looks at."""

    def __init__(self) -> None:
        self.tips, self.clock = ScriptedTips(), ManualClock()
        self.subject: Subject | None = Subject("scrypt", POLL)
        self.heard: list[Tip | None] = []
        self.watch = TipWatch(
            self.tips,
            self.clock,
            subject=lambda: self.subject,
            heard=self.heard.append,
            jitter=random.Random(1).random,
        )

    def run(self, seconds: float) -> list[float]:
        """Let time go by, and return when the tip was asked for."""
        began, moments = self.clock.time, []
        while self.clock.time < began + seconds:
            asked = len(self.tips.asked)
            self.clock.time += self.watch.step()
            if len(self.tips.asked) > asked:
                moments.append(self.clock.time - began)
        return moments


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def site() -> FakeSite:
    site = FakeSite()
    site.tip = {"tip": "a", "poll": 2, "spread": 0.5}
    return site


@pytest.fixture
def client(site: FakeSite, wallet: Wallet) -> SiteClient:
    client = SiteClient(SHOP, wallet, site.client())
    client.service()
    return client


def moved(**more: t.Any) -> Bench:
    """Return a bench whose job is of tip a, while upstream is at b."""
    bench = Bench(ScriptedSite(jobs=[ScriptedJob("old", tip="a", poll=POLL)], **more))
    bench.work.step()
    bench.clock.time += 5
    bench.work._heard(B)
    return bench


# When it is asked


def test_the_first_look_is_at_a_random_phase() -> None:
    firsts = []
    for seed in range(200):
        watched = Watched()
        watched.watch._jitter = random.Random(seed).random
        firsts.append(watched.watch.step())
    assert min(firsts) < 0.1 * POLL
    assert max(firsts) > 0.9 * POLL


def test_each_further_wait_is_from_eight_tenths_of_the_poll_to_all_of_it(watched: Watched) -> None:
    moments = watched.run(1000)
    waits = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert 0.8 * POLL <= min(waits) < 0.85 * POLL
    assert 0.95 * POLL < max(waits) <= POLL


def test_a_site_that_changes_its_poll_is_asked_by_the_new_one(watched: Watched) -> None:
    watched.tips.now = Tip("a", 100, 0.5)
    assert len(watched.run(1000)) <= 13


def test_after_failures_it_is_asked_more_and_more_seldom_and_then_again(watched: Watched) -> None:
    watched.tips.now = SiteUnreachable("No answer.")
    moments = watched.run(1000)
    assert max(b - a for a, b in itertools.pairwise(moments)) <= MAX_BACKOFF
    assert len(moments) < 30
    watched.tips.now = B
    assert watched.run(MAX_BACKOFF)
    assert watched.heard[-1] == B


def test_nothing_is_asked_while_there_is_nothing_to_look_at(watched: Watched) -> None:
    watched.subject = None
    assert watched.run(1000) == []


def test_no_tip_is_asked_for_while_mining_is_paused() -> None:
    bench = Bench(ScriptedSite(jobs=[ScriptedJob(tip="a", poll=1)]))
    bench.work.step()
    bench.board.halt()
    bench.work.halted_changed()
    assert (bench.work.watch.step(), bench.site.upstream.asked) == (60, [])
    assert bench.site.upstream.hung_up


def test_local_work_asks_for_no_tip() -> None:
    bench = Bench(ScriptedSite())
    bench.work.step()
    for _ in range(10):
        bench.clock.time += bench.work.watch.step()
    assert bench.site.upstream.asked == []


def test_another_algorithm_is_looked_at_from_its_first_job_on(watched: Watched) -> None:
    watched.run(20)
    watched.subject = Subject("sha256d", POLL)
    watched.run(20)
    assert set(watched.tips.asked) == {"scrypt", "sha256d"}
    assert watched.tips.asked[-1] == "sha256d"


# The stream of events


def test_a_stream_is_read_instead_of_asking(watched: Watched) -> None:
    watched.tips.streaming, watched.tips.streams = True, [[A, None, B]]
    watched.watch.step()
    assert (watched.heard, watched.tips.asked) == ([A, B], [])


def test_while_the_stream_is_down_the_tip_is_asked_for(watched: Watched) -> None:
    watched.tips.streaming = True
    watched.watch.step()
    watched.run(120)
    assert watched.tips.asked
    assert watched.heard == [A] * len(watched.tips.asked)


def test_a_stream_that_is_back_is_read_again(watched: Watched) -> None:
    watched.tips.streaming, watched.tips.streams = True, [[], [], [B]]
    watched.run(120)
    assert B in watched.heard


def test_a_stream_is_left_when_the_coin_is_another(watched: Watched) -> None:
    watched.tips.streaming, watched.tips.streams = True, [[None, A]]
    watched.subject = Subject("scrypt", POLL)
    step = watched.watch.step
    heard: list[Tip | None] = []

    def changes(tip: Tip | None) -> None:
        heard.append(tip)
        watched.subject = Subject("sha256d", POLL)

    watched.watch._heard = changes
    step()
    assert heard == [A]
    assert watched.tips.streams == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_events_are_read_however_they_are_cut(end: str, size: int) -> None:
    text = end.join(
        [": hello", "event: tip", 'data: {"tip":', 'data:"a"}', "", "id: 4", "", "data: b", "", ":"]
    )
    raw = text.encode()
    found = event_data((raw[at : at + size] for at in range(0, len(raw), size)), limit=100)
    assert [data for data in found if data is not None] == [b'{"tip":\n"a"}', b"b"]


@pytest.mark.parametrize(
    "chunks",
    [
        [b"data: " + b"x" * 5000],
        [b"x" * 5000],
        [b"x" * 1000] * 5,
        [b"data: " + b"x" * 3000 + b"\n"] * 2,
        [b"data:\n" * 5000],
        [b"data: {}\n\n" * 400] * (1 + BURST // 4000),
    ],
    ids=["long data", "long line", "long line in parts", "long event", "endless event", "flood"],
)
def test_a_stream_without_bounds_is_left(chunks: list[bytes]) -> None:
    with pytest.raises(SiteProtocolError):
        list(event_data(chunks, limit=4096, clock=lambda: 0.0))


# What the site says


def test_a_tip_is_asked_for_with_what_is_known_of_it(site: FakeSite, client: SiteClient) -> None:
    tips = client.tips()
    assert tips.poll("sha256d") == tips.poll("sha256d") == Tip("a", 2, 0.5)
    assert site.asked_if == [None, '"a"']
    site.tip = {"tip": "b", "poll": 3, "spread": 0}
    assert tips.poll("sha256d") == Tip("b", 3, 0)


def test_work_that_has_no_tip_any_more_is_refused_with_a_cause(site: FakeSite, client: SiteClient) -> None:
    site.tip = None
    with pytest.raises(SiteRefused) as caught:
        client.tips().poll("sha256d")
    assert caught.value.cause == "no-tip"


@pytest.mark.parametrize(
    "nonsense",
    [
        {"poll": 0}, {"poll": 3601}, {"poll": 1.5}, {"poll": "1"}, {"poll": True}, {"poll": None},
        {"spread": -1}, {"spread": 60.1}, {"spread": "0.5"}, {"spread": True}, {"spread": 1e400}, {"spread": math.nan},
        {"tip": None}, {"tip": 7}, {"tip": "x" * 256},
    ],
    ids=str,
)  # fmt: skip
def test_a_tip_out_of_bounds_is_nonsense(nonsense: dict[str, t.Any]) -> None:
    with pytest.raises(SiteProtocolError):
        read_tip({"tip": "a", "poll": 1, "spread": 0.5, **nonsense})


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json={"tip": "x" * 5000, "poll": 1, "spread": 1}),
        httpx.Response(200, json={"tip": "a", "poll": 1, "spread": 1, "filler": "x" * 5000}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, content=b'{"tip": "a", "poll": 1, "spread": NaN}', headers={"Content-Type": "application/json"}),
        httpx.Response(302, headers={"Location": "https://evil.example/"}),
        httpx.Response(304),
        httpx.Response(500),
    ],
    ids=["long", "large", "html", "NaN", "elsewhere", "unasked 304", "500"],
)  # fmt: skip
def test_a_hostile_tip_is_refused(site: FakeSite, client: SiteClient, answer: httpx.Response) -> None:
    site.answer("/ticketminer/tip/sha256d", answer)
    with pytest.raises(MinerError):
        client.tips().poll("sha256d")
    assert site.calls[-1] == ("GET", "/ticketminer/tip/sha256d")


@pytest.mark.parametrize(
    "link", ["https://evil.example/{algorithm}", "//evil.example/{algorithm}", "/tip", "/{algorithm}/{algorithm}", "/{x}", 3]
)  # fmt: skip
@pytest.mark.parametrize("name", ["tip", "tip_events"])
def test_a_link_to_the_tip_stays_on_the_site(site: FakeSite, wallet: Wallet, name: str, link: object) -> None:
    site.rewrite["/ticketminer/"] = lambda members: {**members, "links": {**members["links"], name: link}}
    with pytest.raises(SiteProtocolError):
        SiteClient(SHOP, wallet, site.client()).service()


def streaming(site: FakeSite, wallet: Wallet, response: httpx.Response) -> Iterator[Tip | None]:
    site.rewrite["/ticketminer/"] = lambda members: {
        **members, "links": {**members["links"], "tip_events": "/events/{algorithm}"},
    }  # fmt: skip
    site.answer("/events/sha256d", response)
    client = SiteClient(SHOP, wallet, site.client())
    client.service()
    events = client.tips().events("sha256d")
    assert events is not None
    return events


def test_a_stream_of_tips_is_read_over_the_wire(site: FakeSite, wallet: Wallet) -> None:
    data = b': hello\n\ndata: {"tip": "a", "poll": 1, "spread": 0.25}\n\n'
    response = httpx.Response(200, content=data, headers={"Content-Type": "text/event-stream"})
    events = streaming(site, wallet, response)
    assert next(events) == Tip("a", 1, 0.25)
    assert next(events) is None
    with pytest.raises(SiteUnreachable):
        next(events)


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, json={"tip": "a", "poll": 1, "spread": 1}),
        httpx.Response(503),
        httpx.Response(200, content=b"data: 7\n\n", headers={"Content-Type": "text/event-stream"}),
        httpx.Response(200, content=b"data: {}\n\n", headers={"Content-Type": "text/event-stream"}),
    ],
    ids=["no stream", "refused", "no object", "no tip"],
)
def test_a_hostile_stream_is_left(site: FakeSite, wallet: Wallet, response: httpx.Response) -> None:
    with pytest.raises(MinerError):
        list(streaming(site, wallet, response))


# New work


def test_a_job_of_another_tip_is_replaced_within_the_spread() -> None:
    bench = moved()
    wait = bench.work.step()
    assert 0 < wait <= B.spread
    bench.clock.time += wait
    bench.work.step()
    assert len(bench.site.asked) == 2
    assert bench.kinds() == [EventKind.JOB, EventKind.MOVED, EventKind.JOB]
    assert bench.work.snapshot().moves == 1


def test_what_was_found_before_is_sent_first_and_with_its_own_job() -> None:
    bench = moved()
    bench.find(nonce=3)
    bench.clock.time += 1
    bench.work.step()
    assert [(job.name, nonce) for job, nonce in bench.site.shares] == [("old", 3)]
    assert len(bench.site.asked) == 1


def test_new_work_waits_for_the_end_of_a_pause_and_nobody_spins_meanwhile() -> None:
    bench = moved()
    bench.board.halt()
    bench.clock.time += 10
    assert (bench.work.step(), len(bench.site.asked)) == (1.0, 1)
    bench.board.go()
    bench.work.step()
    assert len(bench.site.asked) == 2


def test_the_same_tip_fetches_nothing() -> None:
    bench = Bench(ScriptedSite(jobs=[ScriptedJob(tip="b", poll=POLL)]))
    bench.work.step()
    bench.work._heard(B)
    assert bench.work.step() == 1.0
    assert (len(bench.site.asked), bench.work.snapshot().moves) == (1, 0)


def test_a_share_that_came_late_is_paid_and_fetches_new_work_at_once() -> None:
    bench = Bench(ScriptedSite(jobs=[ScriptedJob(tip="a", poll=POLL)], answers=[Answer(upstream="stale")]))
    bench.work.step()
    bench.find()
    bench.clock.time += LEAST
    bench.work.step()
    assert (bench.work.won, bench.work.snapshot().late, bench.work.step()) == (1, 1, 0)
    assert len(bench.site.asked) == 2


def test_a_late_share_of_an_earlier_job_fetches_nothing() -> None:
    jobs = [ScriptedJob("first", expires_in=40), ScriptedJob("second")]
    bench = Bench(ScriptedSite(jobs=jobs, answers=[Answer(upstream="stale")]))
    bench.work.step()
    search = bench.board.next(0)
    assert search is not None
    bench.clock.time += 31
    bench.work.step()
    bench.work.searched(search, 1, [5])
    bench.work.step()
    assert bench.work.step() == 1.0
    assert len(bench.site.asked) == 2


def test_a_site_that_calls_everything_outdated_is_asked_once_a_second_at_most() -> None:
    site = ScriptedSite(jobs=[ScriptedJob(tip=str(number), poll=1) for number in range(1000)])
    bench = Bench(site)
    while bench.clock.time < 1020:
        bench.work._heard(Tip("other", 1, 0))
        bench.clock.time += bench.work.step() or 0.01
    assert len(site.asked) <= 21


def test_a_job_from_a_server_that_lags_behind_is_replaced_after_a_while() -> None:
    fresh = Freshness(lambda: 0.0)
    fresh.begin("a", 0)
    fresh.hear(B, 10)
    fresh.begin("a", 10.1)
    assert 10.1 < fresh.due <= 10.1 + 2 * POLL
    fresh.begin("a", fresh.due)
    assert fresh.due == math.inf


def test_a_job_that_is_newer_than_the_last_news_is_kept() -> None:
    fresh = Freshness(lambda: 0.0)
    fresh.begin("a", 0)
    fresh.hear(A, 10)
    fresh.begin("b", 12)
    fresh.hear(B, 15)
    assert fresh.due == math.inf


def test_a_coin_that_is_gone_fetches_other_work() -> None:
    bench = Bench(
        ScriptedSite(jobs=[ScriptedJob(tip="a", poll=1), ScriptedJob(algorithm="scrypt", tip="x", poll=1)])
    )
    bench.work.step()
    bench.site.upstream.now = refusal(404, "no-tip")
    while len(bench.site.asked) < 2:
        bench.clock.time += bench.work.watch.step()
        bench.clock.time += bench.work.step()
    assert bench.work.snapshot().algorithm == "scrypt"
    assert bench.work.error is None


def test_the_rate_of_another_algorithm_is_measured_anew() -> None:
    bench = Bench(
        ScriptedSite(jobs=[ScriptedJob(expires_in=40), ScriptedJob(algorithm="scrypt", expected_hashes=64)])
    )
    bench.work.step()
    for _ in range(31):
        bench.hash(64_000, 1.0)
    bench.work.step()
    picture = bench.work.snapshot()
    assert (picture.algorithm, picture.rate, picture.searched, picture.elapsed) == ("scrypt", 0, 0, 0)
    bench.hash(640, 2.0)
    picture = bench.work.snapshot()
    assert (picture.rate, picture.hashes) == (320, 31 * 64_000 + 640)
    assert bench.work.averages(bench.clock.now())[0] == 320


def test_a_thousand_failed_looks_do_not_stop_the_search() -> None:
    bench = Bench(ScriptedSite(jobs=[ScriptedJob(tip="a", poll=1, expires_in=86_400)]))
    bench.work.step()
    bench.site.upstream.now = SiteProtocolError("Nonsense.")
    for _ in range(1000):
        bench.work.watch.step()
        bench.clock.time += 60
    assert bench.board.next(0) is not None
    assert bench.work.error is None


# A crowd


class Upstream:
    """A pool's work as one site hands it out: the tip is the number of blocks that have come by now."""

    def __init__(self, clock: ManualClock, blocks: list[float], poll: int, spread: float) -> None:
        self.clock, self.blocks, self.poll_seconds, self.spread = clock, blocks, poll, spread

    @property
    def name(self) -> str:
        return str(sum(block <= self.clock.time for block in self.blocks))


class Follower(ScriptedSite):
    """One miner's view of the site; `changes` tells when it came to each tip."""

    def __init__(self, upstream: Upstream, seed: int) -> None:
        super().__init__(origin=f"https://{seed}.example")
        self.shared = upstream
        self.changes: dict[str, float] = {}
        self.upstream = Views(upstream)
        jitter = random.Random(seed).random
        board = Board()
        board.go()
        self.work = SiteWork(
            self, algorithms=["sha256d"], board=board, clock=upstream.clock, random_start=lambda _: 0, jitter=jitter
        )  # fmt: skip

    def follow(self, end: float) -> None:
        """Do what is due until `end`, both threads in one."""
        clock = self.shared.clock
        parts: list[SiteWork | TipWatch] = [self.work, self.work.watch]
        due = [clock.time, clock.time]
        while clock.time < end:
            for number, part in enumerate(parts):
                if clock.time >= due[number] or part.wake.is_set():
                    part.wake.clear()
                    due[number] = clock.time + part.step()
            if not any(part.wake.is_set() for part in parts):
                clock.time = max(clock.time, min(due))

    def job(self, *_: t.Any, **__: t.Any) -> ScriptedJob:
        shared = self.shared
        self.changes.setdefault(shared.name, shared.clock.time)
        return ScriptedJob(tip=shared.name, poll=shared.poll_seconds, expires_in=300)


class Views(ScriptedTips):
    def __init__(self, upstream: Upstream) -> None:
        super().__init__()
        self.shared = upstream

    def poll(self, algorithm: str) -> Tip:
        return Tip(self.shared.name, self.shared.poll_seconds, self.shared.spread)


@pytest.mark.parametrize("poll", [1, 2, 6, 10])
def test_two_hundred_miners_follow_upstream_soon(poll: int) -> None:
    spread, draw = 0.5, random.Random(poll)
    blocks = list(itertools.accumulate((poll * (2 + draw.random()) + 2 for _ in range(6)), initial=1000.0))[
        1:
    ]
    delays = []
    for seed in range(200):
        miner = Follower(Upstream(ManualClock(), blocks, poll, spread), seed)
        miner.follow(blocks[-1] + 2 * poll + 2)
        delays += [miner.changes[str(number)] - block for number, block in enumerate(blocks, start=1)]
    assert min(delays) >= 0
    assert statistics.median(delays) <= poll / 2 + 1
    assert statistics.quantiles(delays, n=100)[-1] <= poll + spread + 0.5


# Nonces


def test_a_nonce_space_of_two_bytes_that_ran_out_fetches_a_new_job() -> None:
    bench = Bench(ScriptedSite(jobs=[ScriptedJob(nonce_size=2, expected_hashes=2**60)]))
    bench.work.step()
    hasher = Hasher(0, bench.board, bench.clock, duty=100, on_slice=bench.work.searched)
    while hasher.slice() is not None:
        pass
    assert bench.work.snapshot().searched == 2**16
    assert bench.work.step() == 0
    assert len(bench.site.asked) == 2
