"""One site's side of an engine: fetching jobs before they are needed and submitting what was found."""

from __future__ import annotations

import math
import random
import secrets
import threading
import typing as t
from collections.abc import Callable, Sequence

from miner.engine.backoff import Backoff
from miner.engine.clock import Clock
from miner.engine.events import Event, EventKind
from miner.engine.found import Found, FoundShares
from miner.engine.freshness import Freshness
from miner.engine.interfaces import Client, Job
from miner.engine.place import Place
from miner.engine.search import Board, Search
from miner.engine.statistics import Meter, SiteSnapshot
from miner.engine.tables import Epoch, prepare_tables
from miner.engine.tip import Subject, TipWatch
from miner.engine.value import at_most, far_apart, solvable
from miner.errors import MinerError, SiteProtocolError, SiteRefused, SiteUnreachable
from miner.pow import ALGORITHMS, PowError
from miner.tip import Tip
from miner.wording import tickets

#: Refusals that say that the job is over, not that the share is wrong.
JOB_OVER = frozenset({"expired-job", "stale-job", "forged-job", "wrong-key", "key-not-signing"})
_TOO_MANY_REFUSALS = 5
_TOO_MANY_OVER = 20
"""Jobs in a row that were over before their share came: a site that takes work and never pays."""


class SiteWork:
    """Keeps one site's search on the board and its shares on their way.

    :meth:`step` does one thing that is due and is called by one thread only; :meth:`searched` is called by the hashing
    threads. `watch` looks for news of upstream, in another one.

    :param first_value: what to ask for while the rate is not known.
    :param ceiling: returns how many more tickets are wanted, or ``None`` for no limit.
    :param emit: receives events.
    """

    def __init__(
        self,
        client: Client,
        *,
        algorithms: Sequence[str],
        board: Board,
        clock: Clock,
        donate: bool = False,
        fund: str | None = None,
        ceiling: Callable[[], int | None] = lambda: None,
        first_value: int = 1,
        emit: Callable[[Event], object] = lambda _: None,
        random_start: Callable[[int], int] = secrets.randbelow,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.client = client
        self.wake = threading.Event()
        self.error: MinerError | None = None
        """Why nothing more is to be had from this site."""
        self._algorithms = list(algorithms)
        self._board = board
        self._clock = clock
        self._donate = donate
        self._fund = fund
        self._ceiling = ceiling
        self._first_value = first_value
        self._emit = emit
        self._random_start = random_start
        self._lock = threading.RLock()
        self._meter = Meter()
        self._shares = FoundShares()
        self._place = Place(board, client.origin, self._lock)
        self._asked = 1
        self._fetched_at = 0.0
        self._backoff = Backoff(jitter)
        self._searched = 0
        self._mark = 0.0
        self._algorithm: str | None = None
        self._tables: frozenset[Epoch] = frozenset()
        self._fresh = Freshness(jitter)
        self.watch = TipWatch(client.tips(), clock, subject=self._watched, heard=self._heard, jitter=jitter)

    @property
    def won(self) -> int:
        """Tickets received, or given when donating."""
        return self._shares.won

    # Called by the hashing threads.

    def searched(self, search: Search, hashes: int, nonces: list[int]) -> None:
        """Count the hashes of a slice of `search` and queue the shares found in it."""
        now = self._clock.now()
        self._meter.add(hashes, now)
        with self._lock:
            self._searched += hashes
            kept = self._shares.add([Found(search.job, nonce, search.mix(nonce)) for nonce in nonces])
            if kept:
                self._searched, self._mark = 0, self._meter.active(now)
        for _ in range(kept):
            self._report(EventKind.SHARE, "Found a share.", value=search.job.value)
        if kept or search.exhausted:
            self.wake.set()

    # Called by the watch.

    def _watched(self) -> Subject | None:
        search = self._place.search
        if search is None or search.job.tip is None or not self._place.is_hashing:
            return None
        return Subject(search.job.algorithm, search.job.poll or 1)

    def _heard(self, tip: Tip | None) -> None:
        if self._fresh.hear(tip, self._clock.now()):
            self._report(
                EventKind.MOVED, "Upstream has moved on; new work is on its way.", algorithm=self._algorithm
            )
        if self._fresh.due < math.inf:
            self.wake.set()

    # Called by the site's own thread.

    def run(self, stop: threading.Event) -> None:
        """Do what is due until `stop` is set, then send what was found and never sent."""
        while not stop.is_set():
            self.wake.clear()
            seconds = self.step()
            if seconds > 0 and not stop.is_set():
                self._clock.wait(self.wake, seconds)
        self.drain()

    def step(self) -> float:
        """Do one thing that is due; return the seconds until the next may be."""
        now = self._clock.now()
        self._drop_expired(now)
        if self.error is not None:
            return 1.0
        if now < self._backoff.at:
            self.write_down()
            return min(1.0, self._backoff.at - now)
        if self._shares:
            self._send()
            return 0.0
        if self._job_due(now):
            self._fetch()
            return 0.0
        until = self._fresh.due - now
        return min(1.0, until) if until > 0 else 1.0  # what is overdue waits for the end of a pause

    def drain(self) -> None:
        """Send what is left once. What then has no answer stays in the wallet for the next start."""
        if self._shares.sent():
            self._repeat()
        for found in self._shares.pending():
            self._submit(found)

    def write_down(self) -> None:
        """Let the client write down what was never sent, so that nothing is lost whatever ends this program."""
        for found in self._shares.pending():
            if self._shares.claim(found):
                try:
                    self.client.write_down(found.job, found.nonce, found.mix)
                except MinerError as error:
                    found.sent = False
                    self._failed(error)
                    return

    def halted_changed(self) -> None:
        """The board was halted or set going."""
        now = self._clock.now()
        if self._place.is_hashing:
            self._meter.begin(now)
        else:
            self._meter.end(now)
        self.watch.changed()

    def snapshot(self) -> SiteSnapshot:
        """Return the present picture."""
        now = self._clock.now()
        with self._lock:
            job = self._place.job
            return SiteSnapshot(
                origin=self.client.origin,
                algorithm=None if job is None else job.algorithm,
                value=0 if job is None else job.value,
                expected_hashes=0 if job is None else job.expected_hashes,
                searched=self._searched,
                elapsed=self._meter.active(now) - self._mark,
                rate=self._meter.rate(now),
                hashes=self._meter.hashes,
                accepted=self._shares.accepted,
                refused=self._shares.refused,
                last_refusal=self._shares.last_refusal,
                won=self.won,
                moves=self._fresh.moves,
                late=self._shares.late,
                pending=len(self._shares),
                waiting=self._place.waiting if self._place.is_idle else None,
                retry_in=max(0.0, self._backoff.at - now),
                failed=self.error is not None,
            )

    def averages(self, now: float) -> tuple[float, float]:
        """Return (hashes a second over all its active time, active seconds)."""
        return self._meter.average(now), self._meter.active(now)

    def wanted(self, now: float) -> int:
        """Return the value to ask for: the largest power of two that takes about 5 s, or what is still wanted."""
        value = self._first_value
        if (job := self._place.job) is not None:
            value = solvable(self._meter.speed(now), job.expected_hashes / job.value)
        return at_most(value, self._ceiling())

    def _job_due(self, now: float) -> bool:
        if self._board.halted:
            return False
        if self._place.is_due(now) or now >= self._fresh.due:
            return True
        return far_apart(self._asked, self.wanted(now), self._ceiling(), now - self._fetched_at)

    def _fetch(self) -> None:
        began = self._clock.now()
        value = self.wanted(began)
        try:
            job = self.client.job(self._algorithms, value=value, donate=self._donate, fund=self._fund)
        except MinerError as error:
            self._failed(error)
        else:
            self._answered()
            self._start(job, asked=value, began=began)

    def _start(self, job: Job, *, asked: int, began: float) -> None:
        if job.algorithm not in self._algorithms:
            self._give_up_nonsense(
                f"sent a job for {job.algorithm}, which was not asked for; tell its operator, or try again later."
            )
            return
        start = self._random_start(1 << (8 * job.nonce_size))
        search = Search(job, ALGORITHMS[job.algorithm], start=start, owner=self)
        try:
            self._tables = prepare_tables(job, self._tables, self._preparing)
            search.scan(start, 1)
        except (PowError, MemoryError, OSError) as error:
            self._give_up_nonsense(f"sent a job that cannot be searched here. {error}")
            return
        now = self._clock.now()
        with self._lock:
            if self._algorithm not in (None, job.algorithm):
                self._meter.restart(now)
                self._searched, self._mark = 0, self._meter.active(now)
            self._algorithm = job.algorithm
            self._asked = asked
            self._fetched_at = began
        self._fresh.begin(job.tip, now)
        self._place.take(search, began)
        self.halted_changed()
        self._report(
            EventKind.JOB,
            f"New job for {tickets(job.value)}.",
            value=job.value,
            algorithm=job.algorithm,
            expected_hashes=job.expected_hashes,
            expires_in=job.expires_in,
        )

    def _send(self) -> None:
        """Send the next share; first of all those again that got no answer."""
        if self._shares.sent():
            self._repeat()
        else:
            self._submit(self._shares.pending()[0])

    def _submit(self, found: Found) -> None:
        if not self._shares.claim(found):
            return
        began = self._clock.now()
        try:
            answer = self.client.submit(found.job, found.nonce, found.mix)
        except SiteRefused as error:
            if not error.definite:
                self._failed(error)
                return
            self._answered()
            self._refuse([found], error.detail)
            over = error.cause in JOB_OVER and self._place.has(found.job)
            if self._shares.refusals >= (_TOO_MANY_OVER if over else _TOO_MANY_REFUSALS):
                self._give_up(error)
            elif over:
                self._drop_search("the job is over; asking for a new one")
            return
        except MinerError as error:
            self._failed(error)
            return
        self._answered()
        if answer.accepted:
            self._accept([found], answer.value)
            if answer.upstream == "stale":
                self._shares.late += 1
                if self._place.has(found.job):
                    self._fresh.outdated(self._clock.now())
        else:
            self._refuse([found], "The site did not accept the share.")
            if self._shares.refusals >= _TOO_MANY_REFUSALS:
                self._give_up_nonsense(
                    "takes work and accepts no share; tell its operator, or try again later."
                )
        if answer.next_job is not None and self.error is None:
            self._start(answer.next_job, asked=self._asked, began=began)

    def _repeat(self) -> None:
        """Let the client send again what it has written down, and book what became of it."""
        sent = self._shares.sent()
        try:
            outcome = self.client.recover()
        except MinerError as error:
            self._failed(error)
            return
        if outcome.pending:
            why = outcome.problems[0] if outcome.problems else f"{self.client.origin} gave no answer."
            self._failed(SiteUnreachable(why))
            return
        self._answered()
        settled = sent[: outcome.settled]
        refused = sent[len(settled) : len(settled) + outcome.released]
        if settled:
            given = sum(found.job.value for found in settled)
            self._accept(settled, given if self._donate else outcome.value)
        if refused:
            self._refuse(refused, "The site refused a share that had to be sent again.")
        for found in sent[len(settled) + len(refused) :]:
            found.sent = False  # the client failed before it had written this one down

    def _accept(self, shares: Sequence[Found], value: int) -> None:
        self._shares.accept(shares, value)
        verb = "Gave" if self._donate else "Received"
        self._report(
            EventKind.ACCEPTED,
            f"{verb} {tickets(value)}.",
            value=value,
            count=self._shares.accepted,
            won=self.won,
        )

    def _refuse(self, shares: Sequence[Found], reason: str) -> None:
        self._shares.refuse(shares, reason)
        self._report(EventKind.REFUSED, f"Share refused: {reason}", reason=reason)

    def _answered(self) -> None:
        """The site can be reached: hash for it again."""
        self._backoff.answered()
        self._place.resume()
        self.halted_changed()

    def _failed(self, error: MinerError) -> None:
        """Wait and try again where that can help, else give the site up."""
        seconds = self._backoff.failed(error, self._clock.now())
        if seconds is None:
            self._give_up(error)
            return
        self._place.waiting = str(error)
        if self._backoff.failures > 1 or self._place.job is None:
            # What cannot be sent may expire: do not heat the room for it.
            self._place.hold()
            self.halted_changed()
        self._report(
            EventKind.WAITING, f"{error} Trying again in {seconds:.0f} s.", reason=str(error), seconds=seconds
        )

    def _give_up(self, error: MinerError) -> None:
        self.error = error
        self._drop_search(str(error))
        self._report(EventKind.FAILED, str(error), reason=str(error))

    def _give_up_nonsense(self, what: str) -> None:
        self._give_up(SiteProtocolError(f"{self.client.origin} {what}"))

    def _drop_expired(self, now: float) -> None:
        if self._place.is_over(now):
            self._drop_search(self._place.waiting or "the job has expired; asking for a new one")

    def _drop_search(self, why: str) -> None:
        self._place.leave(why)
        self._fresh.begin(None, self._clock.now())
        self.halted_changed()

    def _preparing(self, epoch: Epoch) -> None:
        why = f"building the tables of ethash for epoch {epoch.number}, which takes seconds"
        self._place.waiting = why
        self._report(EventKind.WAITING, f"Now {why}.", reason=why, seconds=0.0)

    def _report(self, kind: EventKind, text: str, **data: t.Any) -> None:
        self._emit(Event(kind, text, self.client.origin, data))
