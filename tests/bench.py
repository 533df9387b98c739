"""A bench for the mining engine: a site that answers from a script, and a clock that moves by hand."""

from __future__ import annotations

import threading
import typing as t
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field

from miner.engine import EventKind
from miner.engine.search import Board, Search
from miner.engine.site import SiteWork
from miner.errors import MinerError, SiteRefused, SiteUnreachable
from miner.pow import target_for
from miner.tip import Tip


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
    seed: bytes | None = None
    epoch: int | None = None
    epoch_length: int | None = None
    tip: str | None = None
    poll: int | None = None

    def __post_init__(self) -> None:
        self.target = target_for(self.expected_hashes)


@dataclass
class Answer:
    accepted: bool = True
    value: int = 1
    next_job: ScriptedJob | None = None
    upstream: str | None = None


@dataclass
class Recovery:
    settled: int = 0
    released: int = 0
    pending: int = 0
    value: int = 0
    problems: tuple[str, ...] = ()


class ScriptedTips:
    """Says what `now` is, a tip or an error. `streams` are lists of the same, each read once as a stream of events."""

    def __init__(self) -> None:
        self.now: Tip | MinerError = Tip("a", 10, 0.5)
        self.asked: list[str] = []
        self.streams: list[list[Tip | MinerError | None]] = []
        self.streaming = False
        self.hung_up = self.closed = 0

    def poll(self, algorithm: str) -> Tip:
        self.asked.append(algorithm)
        if isinstance(self.now, MinerError):
            raise self.now
        return self.now

    def events(self, algorithm: str) -> Generator[Tip | None] | None:
        return self._stream() if self.streaming else None

    def _stream(self) -> Generator[Tip | None]:
        for item in self.streams.pop(0) if self.streams else []:
            if isinstance(item, MinerError):
                raise item
            yield item
        raise SiteUnreachable("The stream has ended.")

    def hang_up(self) -> None:
        self.hung_up += 1

    def close(self) -> None:
        self.closed += 1


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
    mixes: list[bytes | None] = field(default_factory=list)
    upstream: ScriptedTips = field(default_factory=ScriptedTips)

    def tips(self) -> ScriptedTips:
        return self.upstream

    def job(self, algorithms: t.Any, *, value: int, donate: bool, fund: str | None) -> ScriptedJob:
        self.asked.append(value)
        job = self.jobs.pop(0) if self.jobs else ScriptedJob(value=value, expected_hashes=64 * value)
        if isinstance(job, Exception):
            raise job
        return t.cast(ScriptedJob, job)

    def submit(self, job: ScriptedJob, nonce: int, mix: bytes | None = None) -> Answer:
        self.shares.append((job, nonce))
        self.mixes.append(mix)
        answer = self.answers.pop(0) if self.answers else Answer(value=job.value)
        if isinstance(answer, SiteUnreachable):
            self.unanswered.append(job)
        if isinstance(answer, Exception):
            raise answer
        return t.cast(Answer, answer)

    def write_down(self, job: ScriptedJob, nonce: int, mix: bytes | None = None) -> None:
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
            algorithms=["sha256d", "scrypt", "ethash"],
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
