"""A site whose work comes from upstream, with its bridge and a visitor, in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import time
import typing as t
from collections.abc import AsyncIterator, Callable, Coroutine

from flask import Flask
from scripted_pool import ScriptedPool
from sites import SECRET
from sqlalchemy import select
from visitor import Visitor

from flask_ticketminer import TicketMiner
from flask_ticketminer.clock import Clock
from flask_ticketminer.mint.audit import audit
from flask_ticketminer.site import Site
from flask_ticketminer.work.bridge.pool import PoolTalk
from flask_ticketminer.work.bridge.service import Bridge
from flask_ticketminer.work.stratum.connection import Patience
from flask_ticketminer.work.stratum.pools import Backoff

T = t.TypeVar("T")

COIN = "testcoin"
EASY = 4 / 65536
"""A pool's difficulty at which a share of scrypt takes four hashes."""
HARD = "1d00ffff"
"""Bits of a network on which no test finds a block."""
PATIENCE = 45.0


def coin(**changes: t.Any) -> dict[str, t.Any]:
    """Return an entry of ``TICKETMINER_COINS``."""
    return {"symbol": "TST", "algorithm": "scrypt", "block_time": 150, **changes}


def pool_url(port: int) -> str:
    return f"stratum+tcp://site.1:x@127.0.0.1:{port}"


class Ahead:
    """A clock that runs as all do, `ahead` seconds in front of them."""

    def __init__(self) -> None:
        self.ahead = 0

    def now(self) -> int:
        return int(time.time()) + self.ahead


def mining_app(folder: pathlib.Path, *, clock: Clock | None = None, **config: t.Any) -> Flask:
    """Return an application with tickets by the database's own clock, unless `clock` is another."""
    app = Flask("mine", instance_path=str(folder))
    app.config.update(
        SECRET_KEY=SECRET,
        TESTING=True,
        TICKETMINER_DATABASE_URI=f"sqlite:///{folder}/tickets.sqlite",
        TICKETMINER_EFFORT={"scrypt": 2, "sha256d": 2},
    )
    app.config.update(config)
    TicketMiner(app, clock=clock)
    return app


class Mine:
    """The site at work."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.site: Site = app.extensions["ticketminer"]
        self.visitor = Visitor(app)
        self.bridge: Bridge | None = None

    @property
    def tables(self) -> t.Any:
        return self.site.database.tables

    async def ask(self, act: Callable[..., T], *args: t.Any, **options: t.Any) -> T:
        """Run what a visitor does beside the bridge."""
        return await asyncio.to_thread(act, *args, **options)

    async def job(self, **members: t.Any) -> dict[str, t.Any]:
        """Return a job as soon as there is work."""
        request = self.visitor.job_request(**members)
        reply = await self.until(
            lambda: reply if (reply := self.visitor.post("/job", request)).status_code == 200 else None
        )
        return t.cast("dict[str, t.Any]", reply.json)

    async def share(self, job: dict[str, t.Any], nonce: str | None = None) -> dict[str, t.Any]:
        """Submit a share that upstream wants, unless `nonce` says which; return the answer."""
        body = await self.ask(self._share, job, nonce)
        reply = await self.ask(self.visitor.post, "/submit", body)
        assert reply.status_code == 200, reply.json
        return t.cast("dict[str, t.Any]", reply.json)

    def _share(self, job: dict[str, t.Any], nonce: str | None) -> dict[str, t.Any]:
        if nonce is None:
            template, _ = self.site.templates.standing(self.origin(job).template_id)
            assert template is not None
            nonce = next(self.visitor.nonces({**job, "target": f"{template.job.target:064x}"}))
        return self.visitor.share(job, self.visitor.output(key_id=job["key_id"]), nonce=nonce)

    def origin(self, job: dict[str, t.Any]) -> t.Any:
        from flask_ticketminer.work.job import read_job

        return read_job(job["job"], self.site.jobs).upstream

    def fates(self) -> dict[str, int]:
        """Return how many shares of the outbox are in each state."""
        return self._count(self.tables.upstream_share.c.state)

    def blocks(self) -> dict[str, int]:
        return self._count(self.tables.block.c.state)

    def _count(self, column: t.Any) -> dict[str, int]:
        found: dict[str, int] = {}
        for state in self.site.database.read(lambda c: c.execute(select(column)).scalars().all()):
            found[state] = found.get(state, 0) + 1
        return found

    async def until(self, holds: Callable[[], T | None], what: str = "it") -> T:
        """Wait until `holds` returns something true."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    if found := await self.ask(holds):
                        return found
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{what} did not happen; the outbox has {self.fates()}") from None

    async def settled(self, **fates: int) -> None:
        """Wait until the outbox has these states and no others."""
        await self.until(lambda: self.fates() == fates, f"the outbox having {fates}")

    def balanced(self) -> bool:
        return audit(self.site.database).balanced


@contextlib.asynccontextmanager
async def bridge_of(
    mine: Mine,
    *,
    patience: Patience | None = None,
    backoff: Backoff | None = None,
    listen: tuple[str, int] | None = None,
) -> AsyncIterator[Bridge]:
    """Let a bridge run for as long as the context lasts."""
    bridge = mine.bridge = Bridge(mine.site, list(mine.site.settings.coins.values()), listen=listen)
    for talk in bridge.talks:
        if isinstance(talk, PoolTalk):
            talk._patience = patience or Patience(connect=5, answer=5, silence=60)
            talk._backoff = backoff or Backoff(first=0.05, most=0.2)
    running = asyncio.create_task(bridge.run())
    try:
        yield bridge
    finally:
        bridge.stop()
        await asyncio.wait_for(running, PATIENCE)


@contextlib.asynccontextmanager
async def mining(
    folder: pathlib.Path, *pools: ScriptedPool, listen: tuple[str, int] | None = None, **config: t.Any
) -> AsyncIterator[Mine]:
    """A site with a bridge to scripted pools; `listen` is where its event stream is."""
    async with contextlib.AsyncExitStack() as stack:
        for pool in pools:
            await stack.enter_async_context(pool)
        entry = coin(pools=[pool_url(pool.port) for pool in pools])
        mine = Mine(mining_app(folder, **{"TICKETMINER_COINS": {COIN: entry}, **config}))
        await stack.enter_async_context(bridge_of(mine, listen=listen))
        try:
            yield mine
        finally:
            assert mine.balanced()


def run(test: Callable[[], Coroutine[t.Any, t.Any, None]], seconds: float = 120) -> None:
    """Run an asynchronous test, for two minutes at most."""
    asyncio.run(asyncio.wait_for(test(), seconds))
