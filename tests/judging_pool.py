"""A scripted pool that judges every share as a real one does, and remembers each: what it saw twice, it was sent twice."""

from __future__ import annotations

import asyncio
import typing as t
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal

from scripted_pool import JOB, Refusal, ScriptedPool, Talk

from flask_ticketminer.work.difficulty import share_target
from flask_ticketminer.work.stratum import build_header
from miner.pow import ALGORITHMS

MASK = "1fffe000"
HARD = "1d00ffff"
"""Bits of a network on which no test finds a block."""

Share = tuple[str, str, str, str, str]
"""Job, extranonce2, ntime, nonce, version bits."""
Moment = Callable[[Talk], Awaitable[None]]


class Terms(t.NamedTuple):
    """What holds for the shares of one job."""

    params: tuple[t.Any, ...]
    extranonce1: str
    difficulty: float
    mask: str | None


class JudgingPool(ScriptedPool):
    """Gives each job a name of its own, and takes only shares that meet the difficulty with which their job was sent.

    :ivar before, after: by method, awaited once before or after such a request is answered.
    :ivar seen: how often each share came.
    :ivar taken: those that were accepted; whether the answer arrived is another question.
    """

    def __init__(self, *, algorithm: str = "scrypt", difficulty: float, nbits: str = HARD) -> None:
        super().__init__(difficulty=difficulty)
        self.algorithm, self.nbits = algorithm, nbits
        self.extranonce1, self.extranonce2_size, self.ntime = "f000000f", 4, JOB[7]
        self.mask: str | None = MASK
        self.terms: dict[str, Terms] = {}
        self.seen: Counter[Share] = Counter()
        self.taken: set[Share] = set()
        self.before: dict[str, Moment] = {}
        self.after: dict[str, Moment] = {}
        self.judging: Callable[[Share], None] | None = None
        self.answers["mining.configure"] = lambda _, __: {
            "version-rolling": self.mask is not None,
            **({} if self.mask is None else {"version-rolling.mask": self.mask}),
        }
        self.answers["mining.subscribe"] = lambda _, __: [
            [["mining.notify", "1"]],
            self.extranonce1,
            self.extranonce2_size,
        ]

    def job(self, *, clean: bool = True) -> tuple[t.Any, ...]:
        """Return the parameters of a new job under the pool's present terms."""
        name = f"{len(self.terms) + 1:x}"
        params = (name, *JOB[1:5], JOB[5], self.nbits, self.ntime, clean)
        self.terms[name] = Terms(params, self.extranonce1, self.difficulty, self.mask)
        return params

    async def work(self, talk: Talk | None = None, *, clean: bool = True) -> None:
        """Send a new job."""
        await (talk or self.talk).say("mining.notify", *self.job(clean=clean))

    async def retarget(self, difficulty: float, *, clean: bool = False) -> None:
        """Send a new difficulty, and a job to which it applies."""
        self.difficulty = difficulty
        await self.talk.say("mining.set_difficulty", difficulty)
        await self.work(clean=clean)

    @property
    def twice(self) -> list[Share]:
        """The shares that came more than once."""
        return [share for share, times in self.seen.items() if times > 1]

    async def _greet(self, talk: Talk) -> None:
        await talk.say("mining.set_difficulty", self.difficulty)
        if "greeting" in self.before:
            await self.before.pop("greeting")(talk)
        await self.work(talk)

    async def _answer(self, talk: Talk, said: dict[str, t.Any]) -> None:
        method = said.get("method", "")
        if method in self.before:
            await self.before.pop(method)(talk)
        await super()._answer(talk, said)
        if method in self.after:
            await self.after.pop(method)(talk)

    def _submit(self, _: Talk, params: list[t.Any]) -> bool:
        share = share_of(params)
        self.shares.append(params)
        self.seen[share] += 1
        if self.seen[share] > 1:
            raise Refusal(22, "duplicate share")
        terms = self.terms.get(share[0])
        if terms is None:
            raise Refusal(21, "job not found")
        header = build_header(
            terms.params,
            extranonce1=terms.extranonce1,
            extranonce2=share[1],
            ntime=share[2],
            nonce=share[3],
            version_bits=share[4] or None,
            version_mask=terms.mask,
        )
        algorithm = ALGORITHMS[self.algorithm]
        if algorithm.value(algorithm.hash(header)) > share_target(
            self.algorithm, Decimal(str(terms.difficulty))
        ):
            raise Refusal(23, "low difficulty share")
        if self.judging is not None:
            self.judging(share)
        self.taken.add(share)
        return True


def share_of(params: list[t.Any]) -> Share:
    """Return what tells a share of ``mining.submit`` from all others."""
    _, job, extranonce2, ntime, nonce, *bits = params
    return job, extranonce2, ntime, nonce, bits[0] if bits else ""


async def hang_up(talk: Talk) -> None:
    """End the connection at once."""
    talk.hang_up()
    await asyncio.sleep(0)
    raise ConnectionError
