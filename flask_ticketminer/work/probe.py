"""A look at one pool or node: whether it is there, takes us, and what it asks for. No lease, no database, nothing is submitted."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ssl
import typing as t
from dataclasses import dataclass
from fractions import Fraction

from flask_ticketminer.work.bridge.node import TAG, output_script
from flask_ticketminer.work.bridge.pool import dialect_of
from flask_ticketminer.work.coins import Coin, PoolAddress
from flask_ticketminer.work.difficulty import expected_hashes
from flask_ticketminer.work.node.client import NodeClient
from flask_ticketminer.work.node.template import read_template
from flask_ticketminer.work.stratum.connection import Connection, Patience, Reconnect
from flask_ticketminer.work.stratum.dialects import UpstreamJob
from flask_ticketminer.work.stratum.errors import Disconnected, Misbehaved, Refused, UpstreamError
from flask_ticketminer.work.stratum.messages import printable

PAGE_RATES: t.Mapping[str, int] = {
    "sha256d": 2_500_000,
    "scrypt": 5_000,
    "neoscrypt": 4_000,
    "ethash": 900,
}
"""Hashes a second of one visitor's page at the default manners (one worker, half of the time), as ``docs/pools.md`` has them."""
_SETTLE = 0.5
"""Seconds in which a pool may follow its first job with one of another difficulty."""
_RECONNECTS = 3
_STARTING = {
    -28: "It is starting: try again when it has.",
    -10: "It is still catching up with the chain: try again when it has.",
    -9: "It has no connection to other nodes: without, it makes no templates.",
    -8: "Check the coin's rules: the node wants others.",
    -32601: "Is this the RPC of a full node, and is mining part of it?",
}
"""What to do about a node's errors, by the codes of Bitcoin Core's ``rpc/protocol.h``."""

_NO_WORK = "It took the worker, but gave no work: its own node may be catching up. See the pool's page, or wait longer with --timeout."
_SILENT = (
    "It was reached, but answers nothing. Is this a port for miners of this coin? If it is one for TLS, begin the URL with "
    "stratum+ssl://."
)


@dataclass(frozen=True, slots=True)
class Sight:
    """What one pool or node has shown.

    :ivar upstream: its address, without user and password.
    :ivar trouble: why work cannot come from it, and what to check; None: it can.
    :ivar reached: whether anybody answered there.
    :ivar worker: whether a pool took the worker; None: it was not asked, or said nothing.
    :ivar chain, height: of a node.
    """

    upstream: str
    trouble: str | None = None
    reached: bool = False
    worker: bool | None = None
    job: UpstreamJob | None = None
    chain: str | None = None
    height: int | None = None


def upstreams_of(coin: Coin, seconds: float) -> list[t.Coroutine[t.Any, t.Any, Sight]]:
    """Return a look at each pool of `coin`, or at its node, to be awaited; each takes `seconds` at most, or little more."""
    if coin.node is not None:
        return [look_at_node(coin, seconds)]
    return [look_at_pool(coin, pool, seconds) for pool in coin.pools]


async def look_at_pool(coin: Coin, pool: PoolAddress, seconds: float) -> Sight:
    """Open a session and wait for a job."""
    # Answers are waited for as long as work is, so that silence is told from refusal.
    sight, patience = Sight(str(pool.endpoint)), Patience(seconds, 2 * seconds, 2 * seconds)
    connection: Connection | None = None
    try:
        async with asyncio.timeout(1.5 * seconds):
            for _ in range(_RECONNECTS):
                try:
                    connection = await Connection.open(
                        pool.endpoint, dialect_of(coin, pool), patience=patience
                    )
                except Disconnected as error:
                    return dataclasses.replace(sight, trouble=f"{error}{_about_tls(pool, error.__cause__)}")
                sight = dataclasses.replace(sight, reached=True)
                try:
                    return await _work(connection, sight)
                except Reconnect as wish:
                    port = wish.port or pool.endpoint.port
                    pool = dataclasses.replace(pool, endpoint=dataclasses.replace(pool.endpoint, port=port))
                except Refused as refused:
                    # What else it refuses, it refused before it came to the worker.
                    worker = False if refused.code == 24 or "authorize" in str(refused) else None
                    return dataclasses.replace(sight, worker=worker, trouble=_refused(refused))
                except Misbehaved as error:
                    return dataclasses.replace(
                        sight,
                        trouble=f"{error} Is this the pool's port for {coin.algorithm}, and the coin's dialect right?",
                    )
                except Disconnected as error:
                    return dataclasses.replace(sight, trouble=f"{error} {_hung_up(pool)}")
    except TimeoutError:
        took = connection is not None and connection.dialect.authorized
        trouble = _NO_WORK if took else _SILENT
        return dataclasses.replace(sight, worker=took or None, trouble=trouble)
    return dataclasses.replace(sight, trouble="It sends us from port to port, and never gives work.")


async def _work(connection: Connection, sight: Sight) -> Sight:
    """Return `sight` with the first job, once the pool has taken the worker; raises as :meth:`Connection.run` does."""
    running = asyncio.ensure_future(connection.run())
    getting = asyncio.ensure_future(_first_job(connection))
    try:
        await asyncio.wait({running, getting}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        return dataclasses.replace(sight, worker=True, job=getting.result())
    finally:
        connection.hang_up("That was all.")
        getting.cancel()
        await asyncio.gather(running, getting, return_exceptions=True)


async def _first_job(connection: Connection) -> UpstreamJob:
    job, _ = await connection.next_job()
    while not connection.dialect.authorized:
        await asyncio.sleep(0.05)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SETTLE):
            job, _ = await connection.next_job()
    return job


async def look_at_node(coin: Coin, seconds: float) -> Sight:
    """Ask a node for a template."""
    async with NodeClient(t.cast("str", coin.node)) as client:
        sight = Sight(client.address)
        try:
            async with asyncio.timeout(seconds):
                found = await client.call("getblockchaininfo")
                sight = dataclasses.replace(sight, reached=True)
                if isinstance(found, dict):
                    sight = dataclasses.replace(sight, chain=printable(found.get("chain", "")))
                script = await output_script(client, coin)
                template = read_template(await client.template(coin.rules), script, job_id="test", tag=TAG)
        except TimeoutError:
            return dataclasses.replace(sight, trouble=f"It does not answer within {seconds:g} s.")
        except Refused as refused:
            advice = _STARTING.get(refused.code, "")
            return dataclasses.replace(sight, reached=True, trouble=f"{refused} {advice}".rstrip())
        except UpstreamError as error:
            reached = sight.reached or not isinstance(error, Disconnected)
            return dataclasses.replace(sight, reached=reached, trouble=str(error))
    return dataclasses.replace(sight, job=template.job, height=template.height)


def share_hashes(job: UpstreamJob, effort: int) -> int:
    """Return how many hashes it takes visitors on average to find a share that goes upstream.

    :param effort: expected hashes of the least that they submit: one ticket's.
    """
    return max(expected_hashes(job.target), effort)


def seconds_to(hashes: int | Fraction, algorithm: str, visitors: int) -> float:
    """Return how long `visitors` take for so many hashes in their pages."""
    return float(Fraction(hashes) / (PAGE_RATES[algorithm] * visitors))


def _refused(refused: Refused) -> str:
    text = str(refused)
    if "user name" in text:
        return text
    return f"{text.rstrip('.')}. Check the user name and the password; many pools want account.worker, or an address of the coin."


def _about_tls(pool: PoolAddress, cause: BaseException | None) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return " Its certificate is not one for this name: write the host as the pool's own page does."
    if isinstance(cause, ssl.SSLError) or (pool.endpoint.tls and isinstance(cause, TimeoutError)):
        return " Where a port has no TLS, the URL begins with stratum+tcp://."
    return ""


def _hung_up(pool: PoolAddress) -> str:
    if pool.endpoint.tls:
        return "Is this a port for miners, and for this coin?"
    return "Is this a port for miners of this coin? If it is one for TLS, begin the URL with stratum+ssl://."
