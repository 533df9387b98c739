"""Ethash from a pool in both of its dialects, with published shares that the pool hashes itself."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import pathlib
import typing as t
from collections.abc import AsyncIterator, Callable, Coroutine
from decimal import Decimal

import pytest
from scripted_pool import EthashPool, EthashWork, GetworkPool, NicehashPool, Refusal, Talk

from flask_ticketminer.work.difficulty import nicehash_target
from flask_ticketminer.work.stratum.connection import Connection, Endpoint, Patience
from flask_ticketminer.work.stratum.dialects import (
    Dialect,
    GetworkDialect,
    NicehashDialect,
    Solution,
    UpstreamJob,
    Worker,
)
from flask_ticketminer.work.stratum.errors import Misbehaved, Refused, UpstreamError
from flask_ticketminer.work.stratum.jobs import EthashJob
from miner.pow import ethash

pytest.importorskip("miner.pow._kernels", reason="the kernels were not compiled here")

WORKER = Worker("site.1", "x")
SHORT = Patience(connect=5, answer=5, silence=5)
CASES = {
    case["id"]: case
    for case in json.loads((pathlib.Path(__file__).parent / "vectors" / "ethash.json").read_text())["cases"]
}
EARLY = [CASES["ethash-poc9-22"], CASES["ethash-poc9-30001"]]
"""Published shares whose epochs have small caches."""


class Share(t.NamedTuple):
    """A published share."""

    header: bytes
    epoch: int
    nonce: str
    mix: str
    digest: int

    @classmethod
    def of(cls, case: dict[str, t.Any]) -> t.Self:
        header, digest = bytes.fromhex(case["header_hash_hex"]), int(case["final_hash_hex"], 16)
        return cls(header, case["epoch"], case["nonce_hex"], case["mix_hash_hex"], digest)

    @property
    def solution(self) -> Solution:
        return Solution(self.nonce, mix=self.mix)

    def work(self, target: int | None = None) -> EthashWork:
        """Return the work whose share this is: just so, unless another target is given."""
        return EthashWork(self.header, self.epoch, self.digest if target is None else target)


SHARE = Share.of(EARLY[0])
ENOUGH, TOO_MUCH = Decimal("0.0003"), Decimal("0.0004")
"""Difficulties by NiceHash's count; the share has 0.00035."""


def nicehash(difficulty: Decimal = ENOUGH, *, prefix: str = SHARE.nonce[:6]) -> NicehashPool:
    return NicehashPool(SHARE.work(nicehash_target(difficulty)), float(difficulty), prefix=prefix)


class Session:
    """A connection that is being read, beside the pool at its other end."""

    def __init__(self, connection: Connection, running: asyncio.Task[t.Any]) -> None:
        self.connection, self.running = connection, running

    async def job(self) -> tuple[EthashJob, bool]:
        job, clean = await asyncio.wait_for(self.connection.next_job(), 10)
        assert isinstance(job, EthashJob)
        return job, clean

    async def refusal(self, job: UpstreamJob, solution: Solution) -> int:
        with pytest.raises(Refused) as caught:
            await self.connection.submit(job, solution)
        return caught.value.code

    async def end(self) -> UpstreamError:
        with pytest.raises(UpstreamError) as caught:
            await asyncio.wait_for(asyncio.shield(self.running), 10)
        return caught.value


@contextlib.asynccontextmanager
async def session(pool: EthashPool) -> AsyncIterator[Session]:
    kind: type[Dialect] = NicehashDialect if isinstance(pool, NicehashPool) else GetworkDialect
    async with pool:
        connection = await Connection.open(
            Endpoint("127.0.0.1", pool.port), kind(WORKER, "test/1"), patience=SHORT
        )
        running = asyncio.create_task(connection.run())
        yield Session(connection, running)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError, UpstreamError):
            await running


def run(test: Callable[[], Coroutine[t.Any, t.Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


def test_a_nicehash_session_names_its_protocol_and_brings_a_job() -> None:
    async def test() -> None:
        pool = nicehash()
        async with session(pool) as here:
            job, clean = await here.job()
            assert [(said["method"], said["params"]) for said in pool.talk.heard] == [
                ("mining.subscribe", ["test/1", "EthereumStratum/1.0.0"]),
                ("mining.extranonce.subscribe", []),
                ("mining.authorize", ["site.1", "x"]),
            ]
            assert (job.job_id, job.prefix, job.number, clean) == ("job-1", "495732", None, True)
            assert (job.header_hash, job.seed_hash) == (SHARE.header, bytes(32))
            assert job.target == nicehash_target(ENOUGH)

    run(test)


@pytest.mark.parametrize("size", [0, 1, 3, 4])
def test_a_published_share_is_accepted_without_the_pools_part_of_its_nonce(size: int) -> None:
    async def test() -> None:
        pool = nicehash(prefix=SHARE.nonce[: 2 * size])
        async with session(pool) as here:
            job, _ = await here.job()
            assert job.target >= SHARE.digest
            await here.connection.submit(job, SHARE.solution)
            assert pool.shares == [["site.1", "job-1", SHARE.nonce[2 * size :]]]

    run(test)


def test_what_the_pool_finds_too_easy_misses_the_jobs_target() -> None:
    async def test() -> None:
        async with session(nicehash(TOO_MUCH)) as here:
            job, _ = await here.job()
            assert job.target < SHARE.digest
            assert await here.refusal(job, SHARE.solution) == 23

    run(test)


def test_an_ethash_share_counts_once_and_for_its_own_job() -> None:
    async def test() -> None:
        async with session(nicehash()) as here:
            job, _ = await here.job()
            await here.connection.submit(job, SHARE.solution)
            assert await here.refusal(job, SHARE.solution) == 22
            assert await here.refusal(dataclasses.replace(job, job_id="job-0"), SHARE.solution) == 21

    run(test)


def test_difficulty_and_prefix_change_with_the_next_job_and_shares_keep_their_own() -> None:
    async def test() -> None:
        pool = nicehash()
        async with session(pool) as here:
            before, _ = await here.job()
            await pool.talk.say("mining.set_difficulty", 2)
            await pool.talk.say("mining.set_extranonce", "AbCd")
            await pool.talk.say("mining.notify", *pool.job("job-2", clean=False))
            after, clean = await here.job()
            assert (before.prefix, before.target) == ("495732", nicehash_target(ENOUGH))
            assert (after.prefix, after.target, clean) == ("abcd", nicehash_target(2), False)
            await here.connection.submit(before, SHARE.solution)
            assert pool.shares == [["site.1", "job-1", SHARE.nonce[6:]]]

    run(test)


@pytest.mark.parametrize(
    "answer", [None, [], ["x"], ["x", 5], ["x", "abc"], ["x", "zz"], ["x", "0011223344"], {"a": 1}]
)
def test_an_extranonce_that_leaves_no_room_ends_the_session(answer: object) -> None:
    async def test() -> None:
        pool = nicehash()
        pool.answers["mining.subscribe"] = lambda _, __: answer
        async with session(pool) as here:
            assert isinstance(await here.end(), Misbehaved)

    run(test)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("mining.notify", []),
        ("mining.notify", ["", "00" * 32, "00" * 32, True]),
        ("mining.notify", ["a", "00" * 31, "00" * 32, True]),
        ("mining.notify", ["a", "00" * 32, "zz" * 32, True]),
        ("mining.notify", ["a", "00" * 32, None, True]),
        ("mining.notify", ["a", "00" * 32, "00" * 32]),
        ("mining.notify", ["a", "00" * 32, "00" * 32, 1]),
        ("mining.set_difficulty", [0]),
        ("mining.set_difficulty", ["1"]),
        ("mining.set_extranonce", []),
        ("mining.set_extranonce", ["0011223344"]),
    ],
)
def test_nonsense_in_nicehash_ends_the_session(method: str, params: list[t.Any]) -> None:
    async def test() -> None:
        pool = nicehash()
        async with session(pool) as here:
            await here.job()
            await pool.talk.say(method, *params)
            assert isinstance(await here.end(), Misbehaved)

    run(test)


def test_a_nicehash_job_before_the_extranonce_is_misbehaviour() -> None:
    async def test() -> None:
        pool = nicehash()
        del pool.answers["mining.subscribe"]
        async with session(pool) as here:
            assert "before it answered mining.subscribe" in str(await here.end())

    run(test)


@pytest.mark.parametrize("number", [None, 22])
def test_a_getwork_session_logs_in_and_asks_for_work(number: int | None) -> None:
    async def test() -> None:
        pool = GetworkPool(SHARE.work(), number=number)
        async with session(pool) as here:
            job, clean = await here.job()
            assert [(said["method"], said["params"]) for said in pool.talk.heard] == [
                ("eth_submitLogin", ["site.1", "x"]),
                ("eth_getWork", []),
            ]
            assert (job.header_hash, job.seed_hash, job.target) == (SHARE.header, bytes(32), SHARE.digest)
            assert (job.prefix, job.number, clean) == ("", number, True)

    run(test)


@pytest.mark.parametrize("case", EARLY, ids=lambda case: case["id"])
def test_a_published_share_is_accepted_with_its_mix(case: dict[str, t.Any]) -> None:
    async def test() -> None:
        share = Share.of(case)
        pool = GetworkPool(share.work())
        async with session(pool) as here:
            job, _ = await here.job()
            assert ethash.epoch_of_seed(job.seed_hash) == share.epoch
            await here.connection.submit(job, share.solution)
            assert pool.shares == [[f"0x{share.nonce}", f"0x{share.header.hex()}", f"0x{share.mix}"]]

    run(test)


def test_a_boundary_that_the_share_misses_by_one_is_missed() -> None:
    async def test() -> None:
        async with session(GetworkPool(SHARE.work(SHARE.digest - 1))) as here:
            job, _ = await here.job()
            assert job.target == SHARE.digest - 1
            assert await here.refusal(job, SHARE.solution) == 23

    run(test)


def test_a_mix_that_is_made_up_is_refused() -> None:
    async def test() -> None:
        async with session(GetworkPool(SHARE.work())) as here:
            job, _ = await here.job()
            assert await here.refusal(job, dataclasses.replace(SHARE.solution, mix="00" * 32)) == 20

    run(test)


def test_pushed_work_is_a_job_and_a_share_of_the_one_before_is_sent_as_its_own() -> None:
    async def test() -> None:
        pool = GetworkPool(SHARE.work())
        async with session(pool) as here:
            before, _ = await here.job()
            pool.work = dataclasses.replace(pool.work, header=bytes(32))
            await pool.talk.push(pool.parts())
            after, clean = await here.job()
            assert (after.header_hash, clean) == (bytes(32), True)
            assert await here.refusal(before, SHARE.solution) == 21

    run(test)


def test_the_same_work_again_is_no_job_and_another_boundary_voids_none() -> None:
    async def test() -> None:
        pool = GetworkPool(SHARE.work())
        async with session(pool) as here:
            await here.job()
            for _ in range(3):
                await pool.talk.push(pool.parts())
            pool.work = dataclasses.replace(pool.work, target=SHARE.digest + 1)
            await pool.talk.push(pool.parts())
            job, clean = await here.job()
            assert (job.header_hash, job.target, clean) == (SHARE.header, SHARE.digest + 1, False)

    run(test)


@pytest.mark.parametrize("refuses", [True, False])
def test_a_pool_without_work_yet_is_waited_for(refuses: bool) -> None:
    async def test() -> None:
        pool = GetworkPool(SHARE.work())

        def nothing(_: Talk, __: list[t.Any]) -> None:
            if refuses:
                raise Refusal(0, "Work not ready")

        pool.answers["eth_getWork"] = nothing
        async with session(pool) as here:
            while not pool.heard("eth_getWork"):
                await asyncio.sleep(0.01)
            await pool.talk.push(pool.parts())
            job, _ = await here.job()
            assert job.header_hash == SHARE.header

    run(test)


def test_a_getwork_share_that_is_answered_no_is_refused() -> None:
    async def test() -> None:
        pool = GetworkPool(SHARE.work())
        pool.answers["eth_submitWork"] = lambda _, __: False
        async with session(pool) as here:
            job, _ = await here.job()
            assert await here.refusal(job, SHARE.solution) == 20

    run(test)


def test_a_getwork_pool_that_does_not_know_the_worker_says_so() -> None:
    async def test() -> None:
        pool = GetworkPool(SHARE.work())
        pool.answers["eth_submitLogin"] = lambda _, __: False
        async with session(pool) as here:
            assert "user name" in str(await here.end())

    run(test)


@pytest.mark.parametrize(
    "work",
    [
        [],
        ["00" * 32, "00" * 32],
        ["00" * 31, "00" * 32, "ff" * 32],
        ["00" * 32, "0x0x" + "00" * 31, "ff" * 32],
        ["00" * 32, "00" * 32, "00" * 32],
        ["00" * 32, "00" * 32, "ff" * 33],
        [None, 5, []],
    ],
)
def test_work_that_cannot_be_hashed_ends_the_session(work: list[t.Any]) -> None:
    async def test() -> None:
        pool = GetworkPool(SHARE.work())
        async with session(pool) as here:
            await here.job()
            await pool.talk.push(work)
            assert isinstance(await here.end(), Misbehaved)

    run(test)


@pytest.mark.parametrize("number", [None, 22, "", "0x", "0xzz", "0x" + "f" * 17, "0x" + "f" * 16, []])
def test_a_block_number_that_is_none_is_left_out(number: object) -> None:
    async def test() -> None:
        pool = GetworkPool(SHARE.work())
        parts = [*pool.parts(), number]
        pool.answers["eth_getWork"] = lambda _, __: parts
        async with session(pool) as here:
            job, _ = await here.job()
            assert job.number is None

    run(test)


@pytest.mark.parametrize("result", [None, True, "OK", {"work": 1}, 5])
def test_a_pushed_result_that_is_no_work_is_passed_over(result: object) -> None:
    async def test() -> None:
        pool = GetworkPool(SHARE.work())
        async with session(pool) as here:
            await here.job()
            await pool.talk.push(result)
            pool.work = dataclasses.replace(pool.work, header=bytes(32))
            await pool.talk.push(pool.parts())
            job, _ = await here.job()
            assert job.header_hash == bytes(32)

    run(test)
