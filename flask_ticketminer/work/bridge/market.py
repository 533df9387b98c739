"""The market as a bridge sees it: the effort of a ticket where that follows prices, and the coin that is worth most."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from decimal import Decimal

from flask_ticketminer.clock import Clock
from flask_ticketminer.config import Settings
from flask_ticketminer.database import Database
from flask_ticketminer.errors import LeaseLost
from flask_ticketminer.work.bridge.talk import pause, stored
from flask_ticketminer.work.coins import MOST_PROFITABLE, Coin
from flask_ticketminer.work.extranonce import most_effort
from flask_ticketminer.work.market import BlockWork, coin_worth, market_effort, most_profitable
from flask_ticketminer.work.prices import current_prices
from flask_ticketminer.work.stratum.dialects import UpstreamJob
from flask_ticketminer.work.stratum.jobs import HeaderJob
from flask_ticketminer.work.templates import CHOICE, Templates
from flask_ticketminer.work.upstreams import WORKING, Upstream

log = logging.getLogger(__name__)

LOOK = 5.0
"""Seconds between two looks at prices and work."""


class Market:
    """Asks for prices where a setting needs them. Of several bridges one chooses the coin, under a lease.

    :param templates: work of all coins, whichever bridge brings it.
    :param holder: names this process for people.
    """

    def __init__(
        self, settings: Settings, database: Database, clock: Clock, templates: Templates, *, holder: str
    ) -> None:
        self._settings = settings
        self._coins = list(settings.coins.values())
        self._templates = templates
        self._lease = Upstream(database, clock, CHOICE, holder=holder, seconds=settings.bridge_lease)
        self._prices: dict[str, Decimal] = {}
        self._unpriced: set[str] = set()
        self._efforts: dict[str, int] = {}
        self._chosen: str | None = None
        self.look = min(LOOK, settings.bridge_lease / 3)
        self.stopping = asyncio.Event()

    def effort(self, coin: Coin, job: UpstreamJob) -> int:
        """Return the expected hashes a ticket of work on `job`: the table's, unless tickets have a worth and this work has one, too."""
        table, wanted = self._settings.effort[coin.algorithm], self._settings.ticket_worth
        work = work_of(job)
        if wanted is None or work is None:
            return table
        worth = coin_worth(coin, {coin.name: work}, self._prices)
        if worth is None:
            return table
        found = market_effort(wanted, worth, table, current=self._efforts.get(coin.name))
        effort = min(found, max(table, most_effort(job)))
        if effort != self._efforts.get(coin.name, table):
            log.info("%s: a ticket takes %s hashes from now on.", coin.name, f"{effort:,}")
        self._efforts[coin.name] = effort
        return effort

    async def run(self) -> None:
        """Follow the market until :attr:`stopping` is set."""
        chooses = self._settings.coin == MOST_PROFITABLE and len(self._coins) > 1
        if self._settings.prices is None or not (chooses or self._settings.ticket_worth is not None):
            asked = None
        else:
            asked = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(self._ask(asked)) if asked else None
            if chooses:
                await self._hold(asked)
            await self.stopping.wait()
            if asking:
                asking.cancel()

    async def _ask(self, asked: asyncio.Event) -> None:
        """Learn prices, beside everything else: a service may take its time."""
        source, symbols = self._settings.prices, {coin.symbol for coin in self._coins}
        assert source is not None
        while True:
            found = await current_prices(source, symbols)
            self._prices = {symbol: price.amount for symbol, price in found.items()}
            unpriced = symbols - found.keys()
            if unpriced - self._unpriced:
                log.warning(
                    "TICKETMINER_PRICES has no price of %s now: a coin without one is not compared with others, and its tickets "
                    "take the hashes of TICKETMINER_EFFORT.",
                    ", ".join(sorted(unpriced)),
                )
            self._unpriced = unpriced
            asked.set()
            await asyncio.sleep(self.look)

    async def _hold(self, asked: asyncio.Event | None) -> None:
        """Choose under the lease, or wait for it, until :attr:`stopping` is set."""
        held = told = False
        while not self.stopping.is_set():
            try:
                if held:
                    await stored(self._lease.renew, self.stopping)
                else:
                    held, told = await stored(self._lease.acquire, self.stopping) is None, False
                if held and (asked is None or asked.is_set()):
                    told = await self._choose(told)
            except LeaseLost:
                held = False
            await pause(self.stopping, self.look)
        if held:
            with contextlib.suppress(LeaseLost):
                await stored(self._lease.release, self.stopping)

    async def _choose(self, told: bool) -> bool:
        """Write down which coin is worth most, unless that has been `told`; return whether it has."""
        work = await stored(self._work, self.stopping)
        settings = self._settings
        best = most_profitable(
            self._coins,
            work,
            self._prices,
            settings.effort,
            current=self._chosen,
            margin=settings.switch_margin,
        )
        if best is None or (told and best == self._chosen):
            return told
        await stored(lambda: self._lease.tell(WORKING, best), self.stopping)
        if best != self._chosen:
            log.info(
                "Work is made of %s now%s.", best, f"; before, of {self._chosen}" if self._chosen else ""
            )
        self._chosen = best
        return True

    def _work(self) -> dict[str, BlockWork]:
        """Return the work that there is, by the coin's name, as far as it says what it is worth."""
        found = {}
        for coin in self._coins:
            template = self._templates.current(coin.name)
            work = None if template is None else work_of(template.job)
            if work is not None:
                found[coin.name] = work
        return found


def work_of(job: UpstreamJob) -> BlockWork | None:
    """Return what a block of `job` takes and brings; None where the job does not say."""
    if not isinstance(job, HeaderJob):
        return None
    try:
        return BlockWork.of(job)
    except ValueError:
        return None
