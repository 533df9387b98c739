"""Our client and a pool that nobody here wrote, foundation-stratum, in front of a real litecoind.

On the test network's rules a block takes 3,000 times a share's work, so that what the pool says of a share is about the share; on a
regtest chain every second hash is a block, and the pool takes it whatever the share's difficulty.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import typing as t
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from decimal import Decimal

import pytest
from foundation import FoundationPool, absent
from litecoin import Litecoind
from parts import missing

from flask_ticketminer.work.difficulty import nbits_target, share_target, target_difficulty
from flask_ticketminer.work.stratum.connection import Connection, Endpoint, Patience
from flask_ticketminer.work.stratum.dialects import BitcoinDialect, Solution, Worker
from flask_ticketminer.work.stratum.errors import Refused, UpstreamError
from flask_ticketminer.work.stratum.header import NONCE_OFFSET, build_header
from flask_ticketminer.work.stratum.jobs import HeaderJob
from miner.pow import ALGORITHMS

DIFFICULTY = 0.005
WORKER = "site.1"
SCRYPT = ALGORITHMS["scrypt"]
STRIDE = 512

_extranonces = itertools.count(1)


def real_pool(
    tmp_path_factory: pytest.TempPathFactory, *, testnet: bool
) -> Iterator[tuple[FoundationPool, Litecoind]]:
    if (lacking := absent()) is not None:
        missing(lacking)
    node = Litecoind(tmp_path_factory.mktemp("litecoind"), testnet=testnet)
    try:
        with FoundationPool(node, DIFFICULTY, worker=WORKER) as found:
            yield found, node
    finally:
        node.close()


@pytest.fixture(scope="module")
def shares_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FoundationPool]:
    """A pool where a share is seldom a block."""
    for pool, _ in real_pool(tmp_path_factory, testnet=True):
        yield pool


@pytest.fixture(scope="module")
def with_blocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FoundationPool, Litecoind]]:
    """A pool where every second hash is a block."""
    yield from real_pool(tmp_path_factory, testnet=False)


@contextlib.asynccontextmanager
async def connected(
    pool: FoundationPool, worker: str = WORKER
) -> AsyncIterator[tuple[Connection, asyncio.Task[t.Any]]]:
    dialect = BitcoinDialect("scrypt", Worker(worker, "x"), "test/1")
    connection = await Connection.open(Endpoint("127.0.0.1", pool.port), dialect, patience=Patience())
    running = asyncio.create_task(connection.run())
    yield connection, running
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError, UpstreamError):
        await running


async def next_job(connection: Connection) -> tuple[HeaderJob, bool]:
    job, clean = await asyncio.wait_for(connection.next_job(), 30)
    assert isinstance(job, HeaderJob)
    return job, clean


def run(test: Callable[[], Coroutine[t.Any, t.Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 120))


def search(
    job: HeaderJob, *, below: int = 0, later: int = 0, version_bits: str | None = None
) -> tuple[Solution, int]:
    """Return a share of `job` that nobody had, and its digest: one that meets the target, or with `below` none of that many times it."""
    extranonce2 = next(_extranonces).to_bytes(job.extranonce2_size, "big").hex()
    ntime = f"{int(job.params[7], 16) + later:08x}"

    def header(nonce: str) -> bytes:
        return build_header(
            job.params,
            extranonce1=job.extranonce1,
            extranonce2=extranonce2,
            ntime=ntime,
            nonce=nonce,
            version_bits=version_bits,
            version_mask=job.version_mask,
        )

    blob, wanted = header("00000000"), below * job.target if below else job.target
    for start in itertools.count(0, STRIDE):
        scan = SCRYPT.scan(blob, wanted, start=start, count=STRIDE, nonce_offset=NONCE_OFFSET, nonce_size=4)
        met = {nonce for nonce, _ in scan.hits}
        for nonce in range(start, start + STRIDE):
            if (nonce in met) is bool(below):
                continue
            solution = Solution(f"{nonce:08x}", extranonce2, ntime, version_bits)
            digest = int.from_bytes(SCRYPT.hash(header(solution.nonce)), "little")
            if digest > job.block_target or job.block_target >= job.target:  # a block would void the job
                return solution, digest
    raise AssertionError("no share")


def test_a_session_opens_and_brings_a_job(shares_only: FoundationPool) -> None:
    async def test() -> None:
        async with connected(shares_only) as (connection, _):
            job, clean = await next_job(connection)
            assert (len(job.extranonce1), job.extranonce2_size, job.version_mask) == (8, 4, "1fffe000")
            assert (job.target, clean) == (share_target("scrypt", Decimal(str(DIFFICULTY))), True)
            assert job.block_target == nbits_target(0x1E0FFFFF)

    run(test)


@pytest.mark.parametrize(
    ("later", "version_bits"),
    [(0, None), (600, None), (0, "00002000"), (0, "1fffe000")],
    ids=["plain", "later", "bit", "bits"],
)
def test_a_share_is_accepted_and_the_pool_finds_the_difficulty_that_we_do(
    shares_only: FoundationPool, later: int, version_bits: str | None
) -> None:
    async def test() -> None:
        async with connected(shares_only) as (connection, _):
            job, _ = await next_job(connection)
            before = len(shares_only.shares())
            solution, digest = search(job, later=later, version_bits=version_bits)
            await connection.submit(job, solution)
            logged = shares_only.shares(before + 1)[-1]
            assert (logged["worker"], logged["valid"], logged["reason"]) == (WORKER, True, None)
            assert logged["shareDiff"] >= logged["difficulty"] == DIFFICULTY
            assert logged["shareDiff"] == pytest.approx(float(target_difficulty("scrypt", digest)), abs=2e-8)

    run(test)


async def refused(connection: Connection, job: HeaderJob, solution: Solution) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        await connection.submit(job, solution)
    return caught.value.code, str(caught.value)


def test_a_share_that_is_too_easy_is_refused(shares_only: FoundationPool) -> None:
    async def test() -> None:
        async with connected(shares_only) as (connection, _):
            job, _ = await next_job(connection)
            solution, digest = search(job, below=2)
            assert digest > 2 * job.target
            code, reason = await refused(connection, job, solution)
            assert (code, "low difficulty" in reason) == (23, True)

    run(test)


def test_a_share_counts_once(shares_only: FoundationPool) -> None:
    async def test() -> None:
        async with connected(shares_only) as (connection, _):
            job, _ = await next_job(connection)
            solution, _ = search(job)
            await connection.submit(job, solution)
            assert await refused(connection, job, solution) == (22, "duplicate share")

    run(test)


def test_this_pool_takes_shares_that_differ_in_version_bits_alone_for_one(
    shares_only: FoundationPool,
) -> None:
    async def test() -> None:
        async with connected(shares_only) as (connection, _):
            job, _ = await next_job(connection)
            solution, _ = search(job)
            await connection.submit(job, solution)
            rolled = dataclasses.replace(solution, version_bits="00002000")
            assert await refused(connection, job, rolled) == (22, "duplicate share")

    run(test)


def test_a_share_of_an_unknown_job_is_refused(shares_only: FoundationPool) -> None:
    async def test() -> None:
        async with connected(shares_only) as (connection, _):
            job, _ = await next_job(connection)
            solution, _ = search(job)
            unknown = dataclasses.replace(job, job_id="ffffffff")
            assert await refused(connection, unknown, solution) == (21, "job not found")

    run(test)


def test_an_extranonce_of_another_size_is_refused(shares_only: FoundationPool) -> None:
    async def test() -> None:
        async with connected(shares_only) as (connection, _):
            job, _ = await next_job(connection)
            solution, _ = search(job)
            longer = dataclasses.replace(solution, extranonce2=solution.extranonce2 + "00")
            code, reason = await refused(connection, job, longer)
            assert (code, "extranonce2" in reason) == (20, True)

    run(test)


def test_a_time_before_the_jobs_is_refused(shares_only: FoundationPool) -> None:
    async def test() -> None:
        async with connected(shares_only) as (connection, _):
            job, _ = await next_job(connection)
            solution, _ = search(job, later=-1)
            code, reason = await refused(connection, job, solution)
            assert (code, "ntime" in reason) == (20, True)

    run(test)


def test_a_worker_that_the_pool_does_not_know_is_told_so(shares_only: FoundationPool) -> None:
    async def test() -> None:
        async with connected(shares_only, "stranger") as (_, running):
            with pytest.raises(Refused, match="Check the user name"):
                await asyncio.wait_for(asyncio.shield(running), 20)

    run(test)


def test_each_connection_has_an_extranonce_of_its_own(shares_only: FoundationPool) -> None:
    async def test() -> None:
        async with connected(shares_only) as (one, _), connected(shares_only) as (other, _):
            first, second = (await next_job(one))[0], (await next_job(other))[0]
            assert first.extranonce1 != second.extranonce1

    run(test)


def test_a_block_reaches_the_node_and_voids_the_job(with_blocks: tuple[FoundationPool, Litecoind]) -> None:
    pool, node = with_blocks

    async def test() -> None:
        async with connected(pool) as (connection, _):
            job, _ = await next_job(connection)
            before, blocks = node("getblockcount"), len(pool.blocks())
            await connection.submit(job, search(job)[0])
            following, clean = await next_job(connection)
            assert (clean, following.params[1] != job.params[1]) == (True, True)
            block = pool.blocks(blocks + 1)[-1]
            assert block["accepted"]
            assert (node("getblockcount"), node("getbestblockhash")) == (before + 1, block["hash"])
            assert pool.shares()[-1]["shareDiff"] >= DIFFICULTY

    run(test)


def test_a_block_of_others_voids_the_job(with_blocks: tuple[FoundationPool, Litecoind]) -> None:
    pool, node = with_blocks

    async def test() -> None:
        async with connected(pool) as (connection, _):
            job, _ = await next_job(connection)
            solution, _ = search(job)
            node("generatetoaddress", 1, node.address)
            following, clean = await next_job(connection)
            assert (clean, following.params[1] != job.params[1]) == (True, True)
            assert await refused(connection, job, solution) == (21, "job not found")

    run(test)
