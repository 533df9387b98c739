"""Keeping a session with one pool of a list, whatever the pools do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import typing as t
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest
from scripted_pool import ScriptedPool

from flask_ticketminer.work.stratum.connection import Connection, Endpoint, Patience
from flask_ticketminer.work.stratum.dialects import BitcoinDialect, Solution, Worker
from flask_ticketminer.work.stratum.errors import Disconnected
from flask_ticketminer.work.stratum.pools import MOST_WISHES, Backoff, Pool, Pools

QUICK = Backoff(first=0.01, most=0.04)


def run(test: Callable[[], Coroutine[t.Any, t.Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


class Talker:
    """Pools that are talked to, the sessions held and the pauses made."""

    def __init__(self, *ports: int, sleep: Callable[[float], t.Awaitable[None]] | None = None) -> None:
        self.sessions: list[Connection] = []
        self.pauses: list[float] = []
        pools = [Pool(Endpoint("127.0.0.1", port), self._dialect) for port in ports]
        patience = Patience(connect=5, answer=5, silence=5)
        self.pools = Pools(pools, self._session, patience=patience, backoff=QUICK, sleep=sleep or self._sleep)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.pools.run())
        yield
        assert not task.done(), task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def held(self, sessions: int) -> Connection:
        while len(self.sessions) < sessions:
            await asyncio.sleep(0.01)
        return self.sessions[-1]

    def _dialect(self) -> BitcoinDialect:
        return BitcoinDialect("scrypt", Worker("site.1", "x"), "test/1")

    async def _session(self, connection: Connection) -> None:
        await connection.next_job()
        self.sessions.append(connection)
        await asyncio.Event().wait()

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(min(seconds, 0.05))


async def dead_port() -> int:
    async with ScriptedPool() as pool:
        return pool.port


def test_the_first_pool_that_works_is_used() -> None:
    async def test() -> None:
        async with ScriptedPool() as second, ScriptedPool() as third:
            talker = Talker(await dead_port(), second.port, third.port)
            async with talker.running():
                await talker.held(1)
            assert (len(second.talks), len(third.talks)) == (1, 0)

    run(test)


def test_when_a_pool_hangs_up_the_next_takes_over_and_so_round() -> None:
    async def test() -> None:
        async with ScriptedPool() as first, ScriptedPool() as second:
            talker = Talker(first.port, second.port)
            async with talker.running():
                for sessions, pool in enumerate((first, second, first), 1):
                    await talker.held(sessions)
                    pool.talk.hang_up()
                await talker.held(4)
            assert (len(first.talks), len(second.talks)) == (2, 2)
            assert len({session.session for session in talker.sessions}) == 4

    run(test)


def test_pauses_between_rounds_grow_to_a_limit() -> None:
    async def test() -> None:
        talker = Talker(await dead_port())
        async with talker.running():
            while len(talker.pauses) < 6:
                await asyncio.sleep(0.01)
        middles = [0.01, 0.02, 0.04, 0.04, 0.04]
        for pause, middle in zip(talker.pauses, middles, strict=False):
            assert 0.75 * middle <= pause <= 1.25 * middle

    run(test)


def test_a_pool_that_asks_for_another_port_is_followed() -> None:
    async def test() -> None:
        async with ScriptedPool() as first, ScriptedPool() as second:
            talker = Talker(first.port)
            async with talker.running():
                await talker.held(1)
                await asyncio.sleep(0.05)
                await first.talk.say("client.reconnect", "", second.port, 3)
                await talker.held(2)
            assert (len(first.talks), len(second.talks), talker.pauses) == (1, 1, [3.0])

    run(test)


def test_a_pool_that_asks_for_a_long_pause_lets_the_next_take_over() -> None:
    async def test() -> None:
        async with ScriptedPool() as first, ScriptedPool() as second:
            talker = Talker(first.port, second.port)
            async with talker.running():
                await talker.held(1)
                await asyncio.sleep(0.05)
                await first.talk.say("client.reconnect", "", first.port, 600)
                await talker.held(2)
            assert (len(first.talks), len(second.talks)) == (1, 1)

    run(test)


def test_a_pool_that_sends_us_in_circles_is_left() -> None:
    async def test() -> None:
        async with ScriptedPool() as circle, ScriptedPool() as good:

            async def away(talk: t.Any) -> None:
                await talk.say("client.reconnect")

            circle.greeting = away
            talker = Talker(circle.port, good.port)
            talker.pools._backoff = Backoff(first=5, most=5)
            async with talker.running():
                await talker.held(1)
            assert (len(circle.talks), len(good.talks)) == (1, 1)

    run(test)


def test_a_pool_that_sends_us_away_from_every_session_is_left() -> None:
    async def test() -> None:
        async with ScriptedPool() as restless, ScriptedPool() as good:

            async def away(talk: t.Any) -> None:
                await asyncio.sleep(0.05)
                await talk.say("client.reconnect")

            restless.greeting = away
            talker = Talker(restless.port, good.port)
            async with talker.running():
                await talker.held(1)
            assert (len(restless.talks), len(good.talks)) == (MOST_WISHES + 1, 1)

    run(test)


def test_a_pool_that_answers_no_shares_is_left_however_long_its_session_was() -> None:
    async def test() -> None:
        async with ScriptedPool() as mute, ScriptedPool() as good:
            del mute.answers["mining.submit"]
            talker = Talker(mute.port, good.port)
            hours = itertools.count(0, 3600)
            talker.pools._monotonic = lambda: next(hours)
            talker.pools._patience = Patience(connect=5, answer=1, silence=60)
            async with talker.running():
                connection = await talker.held(1)
                assert connection.dialect.job is not None
                with pytest.raises(Disconnected):
                    await connection.submit(
                        connection.dialect.job, Solution("00000000", "00000000", "5f000000")
                    )
                await talker.held(2)
            assert (len(mute.talks), len(good.talks)) == (1, 1)

    run(test)


@pytest.mark.parametrize("method", ["mining.configure", "mining.subscribe", "mining.authorize"])
def test_a_pool_that_hangs_up_at_any_request_is_tried_again(method: str) -> None:
    async def test() -> None:
        async with ScriptedPool() as pool:
            answers = dict(pool.answers)

            def hang_up(talk: t.Any, _: list[t.Any]) -> None:
                pool.answers = answers
                talk.hang_up()

            pool.answers = answers | {method: hang_up}
            talker = Talker(pool.port)
            async with talker.running():
                await talker.held(1)
            assert len(pool.talks) == 2

    run(test)
