"""One coin's talk with its upstream, while this process holds the lease on it."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import logging
import os
import time
import typing as t
from collections.abc import Callable
from dataclasses import dataclass

from flask_ticketminer.clock import Clock
from flask_ticketminer.database import Database
from flask_ticketminer.errors import DatabaseBusy, LeaseLost, OutcomeUnknown
from flask_ticketminer.work.coins import Coin
from flask_ticketminer.work.extranonce import effort_trouble
from flask_ticketminer.work.outbox import Fate, Outbox, Parcel
from flask_ticketminer.work.stratum.dialects import UpstreamJob
from flask_ticketminer.work.stratum.errors import UpstreamError
from flask_ticketminer.work.template import Template
from flask_ticketminer.work.upstreams import CONNECTING, Upstream

log = logging.getLogger(__name__)

T = t.TypeVar("T")
P = t.ParamSpec("P")

LOOK = 0.1
"""Seconds between two looks at the outbox."""
IN_FLIGHT = 64
"""Shares of a coin that are on their way at one time."""
_TIDY = 30.0
"""Seconds between two rounds of tidying up."""
_RETRY = 1.0
"""Seconds after which a database that was away is tried again."""
_AWAY = "The site's database does not answer, or stores nothing: it is tried again until it does."


@dataclass(frozen=True, slots=True)
class Parts:
    """What a talk works with.

    :ivar effort: returns the expected hashes a ticket of work on a job of a coin.
    :ivar holder: names this process for people.
    :ivar lease: seconds.
    :ivar job_life: seconds that a job of upstream work lasts.
    :ivar kept: seconds for which fates are kept.
    """

    database: Database
    clock: Clock
    effort: Callable[[Coin, UpstreamJob], int]
    holder: str
    lease: int
    job_life: int
    kept: int


class Talk(abc.ABC):
    """Holds the lease and forwards shares; subclasses bring templates and know how a share is sent.

    :cvar repeatable: whether upstream takes a share twice and counts it once.
    """

    repeatable: t.ClassVar[bool]

    def __init__(self, coin: Coin, parts: Parts) -> None:
        self.coin = coin
        self.parts = parts
        self.upstream = Upstream(
            parts.database, parts.clock, coin.name, holder=parts.holder, seconds=parts.lease
        )
        self.outbox = Outbox(parts.database, parts.clock, coin.name, self.upstream.hold)
        self.stopping = asyncio.Event()
        self._fates: dict[bytes, Fate] = {}
        self._back: set[bytes] = set()
        self._lost = self._away = False
        self._rival: str | None = None

    async def run(self) -> None:
        """Talk until :attr:`stopping` is set, whoever else may hold the lease meanwhile."""
        while not self.stopping.is_set():
            if not await self._acquire():
                continue
            try:
                async with asyncio.TaskGroup() as tasks:
                    keeping = tasks.create_task(self._keep())
                    await self.talk()
                    keeping.cancel()
            except* LeaseLost as lost:
                log.warning("%s", first(lost))
            else:
                with contextlib.suppress(LeaseLost):
                    await self.store(self.upstream.release)

    @abc.abstractmethod
    async def talk(self) -> None:
        """Bring templates and forward shares until :attr:`stopping` is set; the lease is ours.

        :raises LeaseLost: it is not ours any more.
        """

    @abc.abstractmethod
    async def send(self, parcel: Parcel) -> Fate | None:
        """Send a share; return its fate, or None when it is to wait.

        Where :attr:`repeatable` is false, it is written before anything is awaited.
        """

    @abc.abstractmethod
    async def sweep(self) -> None:
        """Give shares a fate that upstream does not wait for any more."""

    def effort(self, job: UpstreamJob) -> int:
        """Return the expected hashes a ticket of work on `job`.

        :raises UpstreamError: it has too few nonces for a share of so many.
        """
        effort = self.parts.effort(self.coin, job)
        trouble = effort_trouble(job, self.coin.algorithm, effort)
        if trouble is not None:
            raise UpstreamError(trouble)
        return effort

    async def publish(self, template: Template, *, source: str, body: bytes | None = None) -> None:
        """Let jobs be cut from `template`, which came from `source`."""
        await self.store(lambda: self.upstream.publish(template, source=source, body=body))

    async def forward(self, session: str, goes_on: Callable[[], bool]) -> None:
        """Send the shares of `session` for as long as it `goes_on`, and write down what becomes of them."""
        under_way: dict[asyncio.Task[None], bytes] = {}
        try:
            await self._forward(session, goes_on, under_way)
        finally:
            for task in under_way:
                task.cancel()

    async def _forward(
        self, session: str, goes_on: Callable[[], bool], under_way: dict[asyncio.Task[None], bytes]
    ) -> None:
        fence = self.upstream.fence
        while goes_on():
            room = IN_FLIGHT - len(under_way)
            ready = room and self.upstream.is_held
            parcels = await self._take(session, room, under_way.values()) if ready else []
            for parcel in parcels:
                under_way[asyncio.create_task(self._sent(parcel))] = parcel.share_id
            done, _ = await asyncio.wait(under_way, timeout=LOOK) if under_way else (set(), None)
            if not under_way:
                await asyncio.sleep(LOOK)
            for task in done:
                del under_way[task]
            await self._write_down(fence)
        if under_way:
            await asyncio.wait(under_way)
        await self._write_down(fence)

    async def store(self, act: Callable[[], T]) -> T:
        """Run `act` as :func:`stored` does."""
        return await stored(act, self.stopping)

    async def _take(self, session: str, room: int, held: t.Collection[bytes]) -> list[Parcel]:
        fence, lost = self.upstream.fence, self._lost
        known = {*held, *self._fates, *self._back} if lost else set()
        try:
            taken = await asyncio.to_thread(self.outbox.take, session, fence, room, known if lost else None)
        except OutcomeUnknown:
            self._lost = True  # what was marked as sending was not sent, and is found again
            return []
        except DatabaseBusy:
            if not self._away:
                log.warning(_AWAY)
                self._away = True
            return []
        self._lost = self._away = False
        return taken

    async def _sent(self, parcel: Parcel) -> None:
        # Nothing is awaited between this look and the write.
        fate = await self.send(parcel) if self.upstream.is_held else None
        if fate is None:
            self._back.add(parcel.share_id)
        else:
            self._fates[parcel.share_id] = fate

    async def _write_down(self, fence: int) -> None:
        fates, back = dict(self._fates), set(self._back)
        if fates:
            await self.store(lambda: self.outbox.settle(fates, fence))
        if back:
            await self.store(lambda: self.outbox.put_back(back, fence))
        for share_id in fates:
            del self._fates[share_id]
        self._back -= back

    async def _acquire(self) -> bool:
        holder = await self.store(self.upstream.acquire)
        told, self._rival = self._rival, holder
        if holder is not None:
            if holder != told:
                log.info("%s: waiting, since %s talks to the upstream.", self.coin.name, holder)
            await self.pause(min(1.0, self.parts.lease / 2))
            return False
        fence = self.upstream.fence
        try:
            left = await self.store(lambda: self.outbox.recover(fence, repeatable=self.repeatable))
            if left:
                fate = "is sent again" if self.repeatable else "stays unknown"
                log.warning("%s: what an earlier bridge was sending %s: %d.", self.coin.name, fate, left)
            await self.store(lambda: self.upstream.tell(CONNECTING))
        except LeaseLost as lost:
            log.warning("%s", lost)
            return False
        return True

    async def pause(self, seconds: float) -> None:
        """Sleep, but no longer than until :attr:`stopping` is set."""
        await pause(self.stopping, seconds)

    async def _keep(self) -> None:
        """Renew the lease in time, and tidy up."""
        tidied = float("-inf")
        while True:
            await self.store(self.upstream.renew)
            await self.sweep()
            if time.monotonic() - tidied >= _TIDY:
                fence = self.upstream.fence
                # Among several servers that take writes, an earlier bridge's mark may come after the lease has changed hands.
                await self.store(lambda: self.outbox.recover(fence, repeatable=self.repeatable))  # noqa: B023
                await self.store(lambda: self.upstream.prune(self.parts.job_life))
                if await self._prune():
                    tidied = time.monotonic()
            await asyncio.sleep(self.parts.lease / 3)

    async def _prune(self) -> bool:
        """Delete old fates for a moment that the lease can spare; return whether none is left."""
        until = time.monotonic() + self.parts.lease / 10
        while await self.store(lambda: self.outbox.prune(self.parts.clock.now() - self.parts.kept)):
            if time.monotonic() >= until:
                return False
        return True


async def stored(act: Callable[[], T], stopping: asyncio.Event) -> T:
    """Run `act`, which uses the database, beside the event loop, and again for as long as the database is away.

    :raises DatabaseBusy, OutcomeUnknown: it was away still when `stopping` was set: a bridge ends without its database, too.
    """
    told = False
    while True:
        last = stopping.is_set()
        try:
            return await asyncio.to_thread(act)
        except (DatabaseBusy, OutcomeUnknown):
            if last:
                raise
            if not told:
                log.warning(_AWAY)
                told = True
            await asyncio.sleep(_RETRY)


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until `stopping` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return


async def undisturbed(awaited: t.Coroutine[t.Any, t.Any, T]) -> T:
    """Return what `awaited` does; when the caller is cancelled meanwhile, it is finished all the same, and then that is raised."""
    task, cancelled = asyncio.ensure_future(awaited), None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.result()
        raise cancelled
    return task.result()


def first(group: BaseExceptionGroup[t.Any]) -> BaseException:
    """Return the first exception in `group`, however deep."""
    found = group.exceptions[0]
    return first(found) if isinstance(found, BaseExceptionGroup) else found


def new_template_id() -> bytes:
    """Return 16 bytes that no other template has."""
    return os.urandom(16)
