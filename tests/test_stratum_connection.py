"""A session with a pool: what it opens with, what it takes in, and what each way of ending is called."""

from __future__ import annotations

import asyncio
import contextlib
import json
import typing as t
from collections.abc import AsyncIterator, Callable, Coroutine
from decimal import Decimal

import pytest
from scripted_pool import JOB, Refusal, ScriptedPool, Talk

from flask_ticketminer.work.difficulty import share_target
from flask_ticketminer.work.stratum.connection import (
    MAX_MESSAGES,
    MAX_UNANSWERED,
    Connection,
    Endpoint,
    Patience,
    Reconnect,
)
from flask_ticketminer.work.stratum.dialects import BitcoinDialect, Solution, Worker
from flask_ticketminer.work.stratum.errors import Disconnected, Misbehaved, NotSent, Refused, UpstreamError
from flask_ticketminer.work.stratum.jobs import HeaderJob

WORKER = Worker("site.1", "x")
SHORT = Patience(connect=5, answer=5, silence=5)
SOLUTION = Solution(nonce="00000001", extranonce2="00000000", ntime="5f000000")


class Session:
    """A connection that is being read, beside the pool at its other end."""

    def __init__(self, pool: ScriptedPool, connection: Connection, running: asyncio.Task[t.Any]) -> None:
        self.pool, self.connection, self.running = pool, connection, running

    async def job(self) -> tuple[HeaderJob, bool]:
        job, clean = await asyncio.wait_for(self.connection.next_job(), 10)
        assert isinstance(job, HeaderJob)
        return job, clean

    async def end(self) -> UpstreamError:
        with pytest.raises(UpstreamError) as caught:
            await asyncio.wait_for(asyncio.shield(self.running), 10)
        return caught.value


@contextlib.asynccontextmanager
async def session(pool: ScriptedPool, *, patience: Patience = SHORT) -> AsyncIterator[Session]:
    dialect = BitcoinDialect("scrypt", WORKER, "test/1")
    async with pool:
        connection = await Connection.open(Endpoint("127.0.0.1", pool.port), dialect, patience=patience)
        running = asyncio.create_task(connection.run())
        yield Session(pool, connection, running)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError, UpstreamError):
            await running


def run(test: Callable[[], Coroutine[t.Any, t.Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


def test_a_session_configures_subscribes_and_authorizes() -> None:
    async def test() -> None:
        async with session(ScriptedPool()) as here:
            job, clean = await here.job()
            assert [said["method"] for said in here.pool.talk.heard] == [
                "mining.configure",
                "mining.subscribe",
                "mining.extranonce.subscribe",
                "mining.authorize",
            ]
            assert here.pool.heard("mining.authorize") == [["site.1", "x"]]
            assert (job.extranonce1, job.extranonce2_size, job.version_mask) == ("f000000f", 4, "1fffe000")
            assert (job.job_id, clean, job.target) == ("job-1", True, share_target("scrypt", 1))

    run(test)


def test_a_difficulty_is_suggested_to_a_pool_that_need_not_know_the_word() -> None:
    async def test() -> None:
        async with session(ScriptedPool()) as here:
            await here.job()
            await here.connection.suggest(Decimal("0.5"))
            await here.connection.suggest(Decimal(4))
            while len(here.pool.heard("mining.suggest_difficulty")) < 2:
                await asyncio.sleep(0.01)
            assert here.pool.heard("mining.suggest_difficulty") == [[0.5], [4]]
            assert here.connection.is_open

    run(test)


def test_a_new_difficulty_begins_with_the_next_job() -> None:
    async def test() -> None:
        async with session(ScriptedPool()) as here:
            before, _ = await here.job()
            await here.pool.talk.say("mining.set_difficulty", 0.25)
            await here.pool.talk.notify("job-2", clean=False)
            after, clean = await here.job()
            assert (before.target, after.target) == (
                share_target("scrypt", 1),
                share_target("scrypt", Decimal("0.25")),
            )
            assert not clean

    run(test)


def test_of_many_jobs_at_once_the_last_counts_and_voids_what_any_did() -> None:
    async def test() -> None:
        async with session(ScriptedPool()) as here:
            await here.job()
            for number in range(10_000):
                await here.pool.talk.notify(f"job-{number}", clean=number == 3)
            await here.pool.talk.say("client.get_version", id=7)
            while not any(said.get("id") == 7 for said in here.pool.talk.heard):
                await asyncio.sleep(0.01)
            job, clean = await here.job()
            assert (job.job_id, clean) == ("job-9999", True)

    run(test)


def test_another_extranonce_begins_with_the_next_job() -> None:
    async def test() -> None:
        async with session(ScriptedPool()) as here:
            await here.job()
            await here.pool.talk.say("mining.set_extranonce", "aa", 6)
            await here.pool.talk.notify("job-2")
            job, _ = await here.job()
            assert (job.extranonce1, job.extranonce2_size) == ("aa", 6)

    run(test)


def test_a_share_is_accepted_or_refused_with_the_pools_reason() -> None:
    async def test() -> None:
        async with session(ScriptedPool()) as here:
            job, _ = await here.job()
            await here.connection.submit(job, SOLUTION)
            assert here.pool.shares == [["site.1", "job-1", "00000000", "5f000000", "00000001"]]

            def stale(_: Talk, __: list[t.Any]) -> None:
                raise Refusal(21, "job\x1b[31m not found")

            here.pool.answers["mining.submit"] = stale
            with pytest.raises(Refused, match="not found") as refused:
                await here.connection.submit(job, SOLUTION)
            assert (refused.value.code, "\x1b" in str(refused.value)) == (21, False)

    run(test)


def test_rolled_version_bits_are_sent_with_the_share() -> None:
    async def test() -> None:
        async with session(ScriptedPool()) as here:
            job, _ = await here.job()
            await here.connection.submit(job, Solution("00000001", "00000000", "5f000000", "00002000"))
            assert here.pool.shares[0][-1] == "00002000"

    run(test)


def test_a_pool_without_extensions_is_fine() -> None:
    async def test() -> None:
        pool = ScriptedPool()

        def unknown(_: Talk, __: list[t.Any]) -> None:
            raise Refusal(20, "unknown method")

        pool.answers |= {"mining.configure": unknown, "mining.extranonce.subscribe": unknown}
        async with session(pool) as here:
            job, _ = await here.job()
            assert job.version_mask is None

    run(test)


def test_a_worker_that_the_pool_does_not_know_ends_the_session_whatever_else_is_unanswered() -> None:
    async def test() -> None:
        pool = ScriptedPool()
        pool.answers["mining.authorize"] = lambda _, __: False
        pool.greeting = None
        async with session(pool, patience=Patience(answer=60)) as here:
            assert "user name" in str(await here.end())

    run(test)


@pytest.mark.parametrize(
    "said",
    [
        b"hello\n",
        b"[]\n",
        b"{}\n",
        b'{"id": null, "method": 5, "params": []}\n',
        b'{"id": null, "method": "mining.notify", "params": {}}\n',
        b'{"id": null, "method": "mining.notify", "params": []}\n',
        b'{"id": null, "method": "mining.set_difficulty", "params": [0]}\n',
        b'{"id": null, "method": "mining.set_difficulty", "params": ["1"]}\n',
        b'{"id": null, "method": "mining.set_difficulty", "params": [1e400]}\n',
        b'{"id": null, "method": "mining.set_difficulty", "params": [NaN]}\n',
        b'{"id": null, "method": "mining.set_difficulty", "params": [1e1000000000000000000000]}\n',
        b'{"id": null, "method": "mining.set_difficulty", "params": [1.' + b"1" * 200_000 + b"]}\n",
        b'{"id": null, "method": "mining.set_difficulty", "params": []}\n',
        b'{"id": null, "method": "mining.set_extranonce", "params": ["zz", 4]}\n',
        b'{"id": null, "method": "mining.set_extranonce", "params": ["aa", 0]}\n',
        b'{"id": null, "method": "mining.set_extranonce", "params": ["aa", true]}\n',
        b'{"id": true, "result": true, "error": null}\n',
        b"[" * 100_000 + b"\n",
        b"9" * 10_000 + b"\n",
        b"x" * 300_000 + b"\n",
        *(
            json.dumps(
                {"id": None, "method": "mining.notify", "params": [*JOB[:at], wrong, *JOB[at + 1 :]]}
            ).encode()
            + b"\n"
            for at, wrong in [
                (0, 5),
                (0, "x" * 129),
                (0, "job\0"),
                (0, "\ud800"),
                (1, "00" * 31),
                (2, "0"),
                (2, "00" * 32_769),
                (3, " 00"),
                (3, "00" * 32_769),
                (4, "11"),
                (4, ["11"]),
                (4, ["11" * 32] * 33),
                (5, "2000000"),
                (6, "ff000000"),
                (6, "00000000"),
                (7, None),
                (7, "0x5f000000"),
                (8, 1),
            ]
        ),
    ],
    ids=lambda said: said[:70].decode(),
)
def test_nonsense_ends_the_session_and_says_what_it_was(said: bytes) -> None:
    async def test() -> None:
        async with session(ScriptedPool()) as here:
            await here.job()
            await here.pool.talk.send(said)
            assert isinstance(await here.end(), Misbehaved)

    run(test)


def test_a_pools_words_are_logged_and_a_flood_of_them_is_not(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with session(ScriptedPool()) as here:
            await here.job()
            for _ in range(2 * MAX_MESSAGES):
                await here.pool.talk.say("client.show_message", "hello")
            await here.pool.talk.notify("job-2")
            await here.job()

    run(test)
    assert sum("hello" in line for line in caplog.messages) == MAX_MESSAGES


@pytest.mark.parametrize(
    "said",
    [
        b"\n",
        b'{"id": 999, "result": true, "error": null}\n',
        b'{"id": null, "result": [1, 2], "error": null}\n',
        b'{"id": null, "method": "mining.something", "params": [1]}\n',
        b'{"id": 5, "method": "client.show_message", "params": ["hello\\u001b"]}\n',
        b'{"id": "a", "method": "eth_unknown", "params": []}\n',
    ],
)
def test_what_is_unknown_is_passed_over(said: bytes) -> None:
    async def test() -> None:
        async with session(ScriptedPool()) as here:
            await here.job()
            await here.pool.talk.send(said)
            await here.pool.talk.notify("job-2")
            job, _ = await here.job()
            assert job.job_id == "job-2"

    run(test)


def test_half_a_line_waits_for_the_other_half() -> None:
    async def test() -> None:
        async with session(ScriptedPool()) as here:
            await here.job()
            text = json.dumps({"id": None, "method": "mining.notify", "params": ["job-2", *JOB[1:]]}).encode()
            await here.pool.talk.send(text[:50])
            await asyncio.sleep(0.05)
            await here.pool.talk.send(text[50:] + b"\n")
            job, _ = await here.job()
            assert job.job_id == "job-2"

    run(test)


def test_a_share_without_an_answer_is_unknown_whatever_ends_the_session() -> None:
    async def test() -> None:
        pool = ScriptedPool()
        del pool.answers["mining.submit"]
        async with session(pool) as here:
            job, _ = await here.job()
            waiting = [asyncio.create_task(here.connection.submit(job, SOLUTION)) for _ in range(3)]
            while len(pool.heard("mining.submit")) < 3:
                await asyncio.sleep(0.01)
            pool.talk.hang_up()
            ends = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(end) for end in ends] == [Disconnected] * 3
            assert isinstance(await here.end(), Disconnected)
            with pytest.raises(Disconnected):
                await here.connection.next_job()

    run(test)


def test_a_pool_that_answers_no_shares_is_hung_up_on() -> None:
    async def test() -> None:
        pool = ScriptedPool()
        del pool.answers["mining.submit"]
        async with session(pool, patience=Patience(connect=5, answer=0.3, silence=60)) as here:
            job, _ = await here.job()
            with pytest.raises(Disconnected, match="not answered a share"):
                await here.connection.submit(job, SOLUTION)
            assert "not answered a share" in str(await here.end())

    run(test)


def test_a_pool_that_owes_too_many_answers_is_hung_up_on() -> None:
    async def test() -> None:
        pool = ScriptedPool()
        del pool.answers["mining.submit"]
        async with session(pool, patience=Patience(connect=5, answer=60, silence=60)) as here:
            job, _ = await here.job()
            shares = [here.connection.submit(job, SOLUTION) for _ in range(MAX_UNANSWERED + 1)]
            ends = await asyncio.gather(*shares, return_exceptions=True)
            assert {type(end) for end in ends} == {Disconnected, NotSent}
            assert "answers no more" in str(await here.end())

    run(test)


def test_a_pool_that_says_nothing_is_left() -> None:
    async def test() -> None:
        async with session(ScriptedPool(), patience=Patience(connect=5, answer=5, silence=0.3)) as here:
            await here.job()
            assert "said nothing" in str(await here.end())

    run(test)


def test_a_pool_may_send_us_to_another_port_of_its_own_host_alone() -> None:
    async def test() -> None:
        async with session(ScriptedPool()) as here:
            await here.job()
            await here.pool.talk.say("client.reconnect", "elsewhere.example", 4444, 7)
            end = await here.end()
            assert isinstance(end, Reconnect)
            assert (end.port, end.wait) == (4444, 7.0)

    run(test)


@pytest.mark.parametrize(
    "params", [[], ["", "x", "y"], ["", 70000, -1], ["", True, 1e9], [None, "9" * 5000, None]]
)
def test_a_bad_wish_to_reconnect_is_a_plain_one(params: list[t.Any]) -> None:
    async def test() -> None:
        async with session(ScriptedPool()) as here:
            await here.job()
            await here.pool.talk.say("client.reconnect", *params)
            end = await here.end()
            assert isinstance(end, Reconnect)
            assert (end.port, end.wait) == (None, 0.0)

    run(test)


def test_where_nobody_listens_the_address_is_named() -> None:
    async def test() -> None:
        async with ScriptedPool() as pool:
            port = pool.port
        with pytest.raises(
            Disconnected,
            match=rf"stratum\+tcp://127.0.0.1:{port} cannot be reached: nothing listens there\. Check its address",
        ):
            await Connection.open(
                Endpoint("127.0.0.1", port), BitcoinDialect("scrypt", WORKER, "test/1"), patience=SHORT
            )

    run(test)


def test_a_session_ends_though_the_pool_does_not_read() -> None:
    async def test() -> None:
        pool = ScriptedPool()
        held = asyncio.Event()

        async def ask_without_reading(talk: Talk) -> None:
            with contextlib.suppress(OSError):
                for _ in range(100):
                    await talk.send(
                        json.dumps({"id": "x" * 200_000, "method": "client.get_version"}).encode() + b"\n"
                    )
            await held.wait()

        pool.greeting = ask_without_reading
        async with session(pool) as found:
            while not found.connection._writer.transport.get_write_buffer_size():
                await asyncio.sleep(0.01)
            found.running.cancel()
            done, _ = await asyncio.wait({found.running}, timeout=10)
            held.set()
            assert done

    run(test)
