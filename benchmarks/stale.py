"""A simulated day: how many shares reach the pool after it has voided the work that they are for.

Every miner, every poll, every share and every block is played, with a seeded generator; nothing is averaged beforehand. A share is late
when it arrives **at the pool** after the pool had a new block, whenever it was found and however long it was on its way: those
that were in flight count, and so do those that were found while a miner waited to fetch its next job. The pool's own way to its
first notice of a block is not in it, since a pool takes shares until then.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from flask_ticketminer.work.bridge.events import LOOK as EVENTS_LOOK
from flask_ticketminer.work.bridge.talk import LOOK as OUTBOX_LOOK
from flask_ticketminer.work.source import SPREAD
from flask_ticketminer.work.templates import REREAD

DAY = 86400.0
SOONEST_POLL = 0.8
"""A miner polls again after this part of `poll` to all of it."""
_PAUSE = 0.1
"""Seconds between two templates that a bridge publishes at least."""


@dataclass(frozen=True)
class Model:
    """What a day is made of; times are seconds.

    :ivar poll: between two looks of a miner at the tip.
    :ivar events: miners are told by the event stream instead.
    :ivar bridge: from a pool's message at the bridge until its template is in the database; to be measured.
    :ivar way: of any message between miner and site, and between site and pool.
    :ivar processes: of the web server, all busy: each has looked at the database within the last `REREAD`.
    :ivar share_every: between two shares of a miner on average.
    """

    block_time: float
    poll: float
    bridge: float
    events: bool = False
    way: float = 0.05
    processes: int = 8
    share_every: float = 5.0
    miners: int = 50


@dataclass(frozen=True)
class Day:
    """What came out; `blocks` of the whole chain, `moves` the seconds from each block until each miner had a job of it."""

    blocks: int
    shares: int
    late: int
    moves: Sequence[float]

    @property
    def rate(self) -> float:
        """The part of the shares that was late."""
        return self.late / self.shares


class Simulation:
    """One day of `model`, decided by `seed`."""

    def __init__(self, model: Model, seed: int) -> None:
        self._model = model
        self._random = random.Random(seed)
        self._voided = self._blocks()
        self._published = self._templates()
        self._phases = [self._random.random() * REREAD for _ in range(model.processes)]
        self._told = self._announcements()

    def run(self) -> Day:
        shares = late = 0
        moves: list[float] = []
        for _ in range(self._model.miners):
            times, work = self._told_miner() if self._model.events else self._polling_miner()
            found, missed = self._mine(times, work)
            shares += found
            late += missed
            moves += self._moves(times, work)
        return Day(len(self._voided) - 2, shares, late, moves)

    def _blocks(self) -> list[float]:
        """Return when the pool has each block: a Poisson process, framed by the day's beginning and what never comes."""
        found = [0.0]
        while (following := found[-1] + self._random.expovariate(1 / self._model.block_time)) < DAY:
            found.append(following)
        return [*found, math.inf]

    def _templates(self) -> list[float]:
        """Return when the template after each block is in the database."""
        published, model = [0.0], self._model
        for voided in self._voided[1:]:
            published.append(max(voided + model.way + model.bridge, published[-1] + _PAUSE))
        return published

    def _announcements(self) -> list[tuple[float, int]]:
        """Return when the event stream tells of which template: at the first of its looks that finds it unchanged for `REREAD`."""
        phase, told = self._random.random() * EVENTS_LOOK, []
        for number, published in enumerate(self._published[1:-1], 1):
            seen = _next_tick(published, phase, EVENTS_LOOK)
            at = _next_tick(seen + REREAD, phase, EVENTS_LOOK)
            if self._published[number + 1] > at:
                told.append((at, number))
        return told

    def _seen(self, moment: float) -> int:
        """Return the template that a process, whichever the proxy chose, hands out at a `moment`."""
        phase = self._random.choice(self._phases)
        looked = phase + math.floor((moment - phase) / REREAD) * REREAD
        return max(0, bisect_right(self._published, looked) - 1)

    def _fetch(self, moment: float) -> tuple[float, int]:
        """Let a miner who knows of new work fetch a job; return when it has which."""
        way = self._model.way
        arrived = moment + self._random.random() * SPREAD + way
        return arrived + way, self._seen(arrived)

    def _polling_miner(self) -> tuple[list[float], list[int]]:
        model, chance = self._model, self._random.random
        least, span, way = model.poll * SOONEST_POLL, model.poll * (1 - SOONEST_POLL), model.way
        times, work, now = [0.0], [0], -model.poll * chance()
        while now < DAY:
            # No process can know more before this, so polls until then change nothing.
            news = self._published[work[-1] + 1] - way
            now += least + span * chance()
            while now < news and now < DAY:
                now += least + span * chance()
            if self._seen(now + way) != work[-1]:
                now, template = self._fetch(now + 2 * way)
                times.append(now)
                work.append(template)
        return times, work

    def _told_miner(self) -> tuple[list[float], list[int]]:
        times, work = [0.0], [0]
        for told, number in self._told:
            if work[-1] < number:
                now, template = self._fetch(max(told + self._model.way, times[-1]))
                times.append(now)
                work.append(template)
        return times, work

    def _mine(self, times: Sequence[float], work: Sequence[int]) -> tuple[int, int]:
        """Return how many shares a miner finds, and how many are late."""
        model, shares, late = self._model, 0, 0
        found = self._random.expovariate(1 / model.share_every)
        while found < DAY:
            job = work[bisect_right(times, found) - 1]
            arrived = found + model.way + self._random.random() * OUTBOX_LOOK + model.way
            shares += 1
            late += arrived > self._voided[job + 1]
            found += self._random.expovariate(1 / model.share_every)
        return shares, late

    def _moves(self, times: Sequence[float], work: Sequence[int]) -> list[float]:
        newest, moves = 0, []
        for time, template in zip(times, work, strict=True):
            if template > newest:
                newest = template
                moves.append(time - self._voided[template])
        return moves


def simulate(model: Model, seed: int) -> Day:
    """Play a day."""
    return Simulation(model, seed).run()


def _next_tick(moment: float, phase: float, every: float) -> float:
    return phase + math.ceil((moment - phase) / every) * every
