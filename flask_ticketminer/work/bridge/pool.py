"""The talk with a coin's mining pools."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import OrderedDict

from flask_ticketminer.work.bridge.talk import Parts, Talk, new_template_id, undisturbed
from flask_ticketminer.work.coins import Coin, PoolAddress
from flask_ticketminer.work.difficulty import expected_hashes
from flask_ticketminer.work.market import share_warning, suggested_difficulty
from flask_ticketminer.work.outbox import ACCEPTED, BLOCK, ENDED, REFUSED, STALE, UNKNOWN, Fate, Parcel
from flask_ticketminer.work.stratum.connection import Connection, Patience
from flask_ticketminer.work.stratum.dialects import (
    BitcoinDialect,
    Dialect,
    GetworkDialect,
    NicehashDialect,
    UpstreamJob,
    Worker,
)
from flask_ticketminer.work.stratum.errors import Disconnected, Misbehaved, NotSent, Refused, UpstreamError
from flask_ticketminer.work.stratum.jobs import EthashJob
from flask_ticketminer.work.stratum.pools import Backoff, Pool, Pools
from flask_ticketminer.work.template import Template, epoch_of
from flask_ticketminer.work.upstreams import CONNECTING, elapsed
from miner.pow import PowError, ethash

log = logging.getLogger(__name__)

AGENT = "Flask-TicketMiner/1"
_STALE_CODE = 21
_KEPT_JOBS = 512
"""Templates of a session whose shares can still be sent: those of a job's life, however fast they come."""
_CLEAN_PAUSE, _PAUSE = 0.1, 1.0
"""Seconds between two templates at least: where the second voids the first, and else."""
_MOST_EPOCHS, _EPOCHS_KEPT = 4, 86400.0
"""Epochs of ethash that a pool may name, and the seconds in which."""
_LAST_ANSWERS = 5.0
"""Seconds that a bridge which is stopped waits for answers to its last shares."""


class PoolTalk(Talk):
    """Keeps one session with the first pool that works."""

    repeatable = False

    def __init__(
        self, coin: Coin, parts: Parts, *, patience: Patience | None = None, backoff: Backoff | None = None
    ) -> None:
        super().__init__(coin, parts)
        self._patience = patience
        self._backoff = backoff
        self._jobs: OrderedDict[bytes, UpstreamJob] = OrderedDict()
        self._connection: Connection | None = None
        self._epochs: dict[str, dict[int, float]] = {}
        self._warned = False

    async def talk(self) -> None:
        await self.store(self.upstream.void)  # the sessions of other bridges have ended
        await self.store(lambda: self.outbox.end_others(""))
        pools = [
            Pool(each.endpoint, functools.partial(dialect_of, self.coin, each)) for each in self.coin.pools
        ]
        running = asyncio.create_task(
            Pools(
                pools, self._session, patience=self._patience, backoff=self._backoff, failed=self._failed
            ).run()
        )
        stop = asyncio.create_task(self.stopping.wait())
        try:
            await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
            if self._connection is not None and self._connection.is_open:
                await asyncio.wait({running}, timeout=_LAST_ANSWERS)
        finally:
            for task in (stop, running):
                task.cancel()
            ended = (await asyncio.gather(running, return_exceptions=True))[0]
        if isinstance(ended, Exception):
            raise ended

    async def sweep(self) -> None:
        await self.store(lambda: self.outbox.end_others(self._live()))

    def _live(self) -> str:
        """Return the session that shares can be sent in; empty where there is none."""
        connection = self._connection
        return connection.session if connection is not None and connection.is_open else ""

    async def send(self, parcel: Parcel) -> Fate | None:
        job, connection = self._jobs.get(parcel.template_id), self._connection
        if job is None or connection is None:
            return Fate(STALE, ENDED)
        try:
            await connection.submit(job, parcel.solution)
        except Refused as refused:
            return Fate(STALE if refused.code == _STALE_CODE else REFUSED, str(refused))
        except NotSent:
            return Fate(STALE, ENDED)
        except Disconnected as lost:
            return Fate(UNKNOWN, str(lost))
        credited = min(expected_hashes(job.target), (1 << 62))
        return Fate(BLOCK if parcel.is_block else ACCEPTED, hashes=credited)

    async def _failed(self, reason: str) -> None:
        log.warning("%s: %s", self.coin.name, reason)
        await self.store(lambda: self.upstream.tell(CONNECTING, reason))

    async def _session(self, connection: Connection) -> None:
        self._jobs.clear()
        self._connection, self._warned = connection, False
        log.info("%s: connected to %s; waiting for work.", self.coin.name, connection.where)
        forwarding = asyncio.create_task(self.forward(connection.session, lambda: self._is_on(connection)))
        stop = asyncio.create_task(self.stopping.wait())
        templates = asyncio.create_task(self._templates(connection))
        try:
            await asyncio.wait({templates, stop, forwarding}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            templates.cancel()
            if not self.stopping.is_set():
                connection.hang_up(_reason(templates))
            await undisturbed(self._end(templates, forwarding))
        if not self.stopping.is_set():
            await asyncio.Event().wait()  # the connection says why it ended

    async def _end(self, *tasks: asyncio.Task[None]) -> None:
        """Void what the session was about, once its `tasks` have ended."""
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await self.store(self.upstream.void)
        await self.store(lambda: self.outbox.end_others(""))
        for failure in ended:
            if isinstance(failure, Exception) and not isinstance(failure, Disconnected):
                raise failure

    def _is_on(self, connection: Connection) -> bool:
        return connection.is_open and not self.stopping.is_set()

    async def _templates(self, connection: Connection) -> None:
        """Publish each job of the session; of a burst, the last."""
        tip = ""
        while True:
            job, clean = await connection.next_job()
            template_id = new_template_id()
            if clean or not tip:
                tip = template_id[:8].hex()
            effort = self.effort(job)
            await self._advise(connection, job, effort)
            if isinstance(job, EthashJob):
                await self._prepare(job, connection.host)
            self._jobs[template_id] = job
            while len(self._jobs) > _KEPT_JOBS:
                self._jobs.popitem(last=False)
            await self.publish(
                Template(
                    template_id,
                    self.coin.name,
                    connection.session,
                    self.coin.algorithm,
                    tip,
                    effort,
                    job,
                    self.coin.epoch_length,
                ),
                source=connection.where,
            )
            log.info("%s: new work%s.", self.coin.name, "; jobs of the work before are void" if clean else "")
            await asyncio.sleep(_CLEAN_PAUSE if clean else _PAUSE)

    async def _prepare(self, job: EthashJob, host: str) -> None:
        """Build the cache that web processes check shares with, before the first job of a new epoch is handed out."""
        length = self.coin.epoch_length

        def prepare() -> None:
            epoch = epoch_of(job, length)
            self._count_epoch(epoch, host)
            ethash.prepare(epoch, epoch_length=length)

        try:
            await asyncio.to_thread(prepare)
        except PowError as error:
            raise Misbehaved(f"The pool's work cannot be searched: {error}") from error
        except (OSError, MemoryError) as error:
            raise UpstreamError(
                f"The cache for the pool's work cannot be built: {error or 'no memory'}"
            ) from error

    def _count_epoch(self, epoch: int, host: str) -> None:
        """Let a pool have few epochs a day: a chain takes days for one, and each leaves a cache of up to 272 MiB on the disk."""
        now = elapsed()
        known = {
            each: since for each, since in self._epochs.get(host, {}).items() if now - since < _EPOCHS_KEPT
        }
        if len(known | {epoch: now}) > _MOST_EPOCHS:
            raise Misbehaved(f"The pool has had more than {_MOST_EPOCHS} epochs of ethash in a day.")
        self._epochs[host] = {epoch: now} | known

    async def _advise(self, connection: Connection, job: UpstreamJob, effort: int) -> None:
        """Say once a session that the pool's shares are too easy, and ask it for harder ones."""
        warning = share_warning(self.coin, job.target, effort)
        if warning is not None and not self._warned:
            self._warned = True
            log.warning("%s", warning)
            await connection.suggest(suggested_difficulty(self.coin, effort))


def _reason(templates: asyncio.Task[None]) -> str:
    """Return why the bridge ends a session: what the last job lacked, if that is why its `templates` have ended."""
    failure = templates.exception() if templates.done() and not templates.cancelled() else None
    return str(failure) if isinstance(failure, UpstreamError) else "The bridge has ended this session."


def dialect_of(coin: Coin, pool: PoolAddress) -> Dialect:
    """Return a new session's state with one of the coin's pools."""
    worker = Worker(pool.user, pool.password)
    if coin.dialect == "nicehash":
        return NicehashDialect(worker, AGENT)
    if coin.dialect == "getwork":
        return GetworkDialect(worker, AGENT)
    return BitcoinDialect(coin.algorithm, worker, AGENT)
