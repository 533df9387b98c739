"""A list of pools, of which one is talked to at a time: the first that works, and after a session the list from its beginning."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from flask_ticketminer.work.stratum.connection import Connection, Endpoint, Patience, Reconnect
from flask_ticketminer.work.stratum.dialects import Dialect
from flask_ticketminer.work.stratum.errors import Mute, UpstreamError

log = logging.getLogger(__name__)

STEADY = 60.0
"""Seconds after which a session was one that works: what fails then begins a new count."""
MOST_WISHES = 5
"""How often in a row a pool's wish for another connection is followed after a session that was not steady."""
LONGEST_WISH = 30.0
"""Seconds that a pool may have us wait before its new connection while there are other pools."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between rounds through the list: doubled from `first` to `most`, with a quarter of jitter either way."""

    first: float = 1.0
    most: float = 60.0

    def pause(self, rounds: int, draw: float) -> float:
        """Return the pause after so many rounds (from 1 on) without a steady session; `draw` is uniform in [0, 1)."""
        return min(self.most, self.first * float(1 << min(rounds - 1, 32))) * (0.75 + draw / 2)


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool and how to talk to it: `dialect` makes the state of a new session."""

    endpoint: Endpoint
    dialect: Callable[[], Dialect]


class Pools:
    """Keeps one session open.

    :param session: awaited beside each session, from its first moment; what it awaits of the connection raises when that ends, and
        when it returns the connection is closed.
    :param failed: is told why each session ended that a pool did not end by asking for another; None: it is logged.
    :param sleep: seconds; a test's may be shorter.
    """

    def __init__(
        self,
        pools: Sequence[Pool],
        session: Callable[[Connection], Awaitable[None]],
        *,
        patience: Patience | None = None,
        backoff: Backoff | None = None,
        tls: ssl.SSLContext | None = None,
        failed: Callable[[str], Awaitable[None]] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not pools:
            raise ValueError("A list of pools has at least one.")
        self._pools = pools
        self._session = session
        self._patience = patience or Patience()
        self._backoff = backoff or Backoff()
        self._tls = tls
        self._failed = failed
        self._sleep = sleep
        self._monotonic = monotonic

    async def run(self) -> None:
        """Talk to the pools until the session beside returns; what it raises is raised."""
        rounds = 0
        with contextlib.suppress(_Finished):
            while True:
                for pool in self._pools:
                    if await self._steady(pool):
                        rounds = 0
                        break
                else:
                    rounds += 1
                await self._sleep(self._backoff.pause(max(rounds, 1), random.random()))

    async def _steady(self, pool: Pool) -> bool:
        """Hold sessions with `pool` for as long as it asks for new ones; return whether the last was steady."""
        wishes = 0
        while True:
            began = self._monotonic()
            try:
                await self._hold(pool)
            except Reconnect as wish:
                log.info("%s asked for a new connection.", pool.endpoint)
                port = wish.port or pool.endpoint.port
                pool = dataclasses.replace(pool, endpoint=dataclasses.replace(pool.endpoint, port=port))
                lasted = self._monotonic() - began
                wishes = 0 if lasted >= STEADY else wishes + 1
                if lasted < self._backoff.first or wishes > MOST_WISHES:
                    return False  # it would have us run in circles
                if wish.wait > LONGEST_WISH and len(self._pools) > 1:
                    return False
                await self._sleep(wish.wait)
            except UpstreamError as error:
                steady = not isinstance(error, Mute) and self._monotonic() - began >= STEADY
                reason, where = str(error), str(pool.endpoint)
                if not reason.startswith(where):
                    reason = f"{where}: {reason}"
                if self._failed is None:
                    log.warning("%s", reason)
                else:
                    await self._failed(reason)
                return steady

    async def _hold(self, pool: Pool) -> None:
        connection = await Connection.open(
            pool.endpoint, pool.dialect(), patience=self._patience, tls=self._tls
        )
        running = asyncio.ensure_future(connection.run())
        beside = asyncio.ensure_future(self._session(connection))
        try:
            await asyncio.wait({running, beside}, return_when=asyncio.FIRST_COMPLETED)
            finished = not running.done()
        finally:
            # The session beside is told first: what it has under way is to hear from the connection how that ends.
            running.cancel()
            ended = (await asyncio.gather(running, return_exceptions=True))[0]
            beside.cancel()
            failed = (await asyncio.gather(beside, return_exceptions=True))[0]
        if isinstance(failed, Exception) and (finished or not isinstance(failed, UpstreamError)):
            raise failed
        if finished:
            raise _Finished
        assert isinstance(ended, Exception)
        raise ended


class _Finished(Exception):
    """The session beside has returned: that was all."""
