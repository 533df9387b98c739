"""The bridge of one site: a talk for each of its coins, and the event stream, in one process, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Sequence

from flask_ticketminer.site import Site
from flask_ticketminer.work.bridge.events import LOOK, Events, Tips
from flask_ticketminer.work.bridge.market import Market
from flask_ticketminer.work.bridge.node import NodeTalk
from flask_ticketminer.work.bridge.pool import PoolTalk
from flask_ticketminer.work.bridge.talk import Parts, Talk, first
from flask_ticketminer.work.coins import Coin
from flask_ticketminer.work.source import UpstreamSource
from flask_ticketminer.work.templates import Templates

log = logging.getLogger(__name__)


class Bridge:
    """Talks to the upstreams of `coins`. Opens nothing before :meth:`run`.

    :param listen: host and port of the event stream, which is there only where this is given.
    """

    def __init__(self, site: Site, coins: Sequence[Coin], *, listen: tuple[str, int] | None = None) -> None:
        settings = site.settings
        holder = f"{socket.gethostname()[:40]}:{os.getpid()}"
        self.market = Market(settings, site.database, site.clock, site.templates, holder=holder)
        parts = Parts(
            database=site.database,
            clock=site.clock,
            effort=self.market.effort,
            holder=holder,
            lease=settings.bridge_lease,
            job_life=settings.upstream_job_life,
            kept=settings.replay_kept,
        )
        self.talks: list[Talk] = [
            PoolTalk(coin, parts) if coin.pools else NodeTalk(coin, parts) for coin in coins
        ]
        self.events = None if listen is None else Events(_tips(site), listen)
        self._stopping = asyncio.Event()

    async def serve(self) -> None:
        """Talk until SIGINT or SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self.stop)
        await self.run()
        log.info("The bridge was stopped.")

    async def run(self) -> None:
        """Talk until :meth:`stop`.

        :raises ConfigurationError: the address to listen at cannot be had, or the database lacks the tables.
        :raises DatabaseBusy, OutcomeUnknown: the database is away at the end, so the last fates are not written down.
        """
        if self.events is not None:
            self.events.open()
            log.info("The event stream is served at %s, port %d.", *self.events.address)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.market.run())
                for talk in self.talks:
                    tasks.create_task(talk.run())
                if self.events is not None:
                    tasks.create_task(self.events.run(self._stopping))
        except BaseExceptionGroup as group:
            raise first(group) from group

    def stop(self) -> None:
        """End, once the shares that are on their way are answered or a few seconds have passed."""
        self._stopping.set()
        self.market.stopping.set()
        for talk in self.talks:
            talk.stopping.set()


def _tips(site: Site) -> Tips:
    """Return the tips that the web processes answer with, looked at more often than they do."""
    coins = site.settings.offered_coins
    source = UpstreamSource(site.settings, coins, Templates(site.database, site.clock, reread=LOOK))
    return Tips(source.tip, list(dict.fromkeys(coin.algorithm for coin in coins)))
