"""One bridge per upstream: the lease that it holds, and what it publishes under it.

Every write names the lease's fencing number, so that a bridge that has lost its lease without noticing changes nothing.
"""

from __future__ import annotations

import contextlib
import sys
import time
import typing as t

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.exc import IntegrityError

from flask_ticketminer.clock import Clock
from flask_ticketminer.database import Database
from flask_ticketminer.errors import LeaseLost
from flask_ticketminer.work.extranonce import capacity
from flask_ticketminer.work.outbox import PENDING, SENDING
from flask_ticketminer.work.template import Template, job_to_bytes, template_of_row
from flask_ticketminer.work.templates import GRACE

WAITING, CONNECTING, WORKING = "waiting", "connecting", "working"
"""What a bridge is doing: waiting for another's lease to end, for upstream, or having work."""
_MAX_DETAIL = 255
_MARGIN = 1 << 20
MOST_LEASE = 600
"""Seconds that a lease lasts at most, by ``TICKETMINER_BRIDGE_LEASE``."""
SKEW = 1
"""Seconds by which two bridges may differ about the time: each reads the database's clock to the second."""


def elapsed() -> float:
    """Return seconds that also pass while this process, or the machine, is stopped."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Upstream:
    """The row of one coin, as its bridge writes it.

    :param holder: names the bridge for people, such as ``host:1234``.
    :param seconds: how long the lease lasts unless it is renewed.
    """

    def __init__(self, database: Database, clock: Clock, coin: str, *, holder: str, seconds: int) -> None:
        self._database = database
        self._clock = clock
        self._row = database.tables.upstream
        self._templates = database.tables.template
        self.coin = coin
        self.holder = holder[:64]
        self.seconds = seconds
        self.fence = 0
        self._held_until = float("-inf")
        self._watched = (0, 0, 0.0)
        self._state = ""

    @property
    def is_held(self) -> bool:
        """Whether no other bridge can have the lease at this moment, however long this process was stopped before."""
        return elapsed() < self._held_until

    def acquire(self) -> str | None:
        """Take the lease if nobody has it; return None then, else who has."""
        row, began, now = self._row, elapsed(), self._clock.now()
        found = self._database.read(
            lambda connection: connection.execute(select(row).where(row.c.coin == self.coin)).first()
        )
        self._state = CONNECTING
        values = {"holder": self.holder, "lease_until": now + self.seconds, "changed": now}
        news = {"template_id": None, "state": CONNECTING, "detail": ""}
        if found is None:
            first = {"coin": self.coin, "fence": 1, **values, **news}
            try:
                self._database.transaction(lambda connection: connection.execute(insert(row), first) and None)
            except IntegrityError:
                return "another bridge"
            self.fence, self._held_until = 1, began + self.seconds
            return None
        if found.lease_until + SKEW >= now and not self._is_abandoned(found.fence, found.lease_until, now):
            return str(found.holder)
        fence = found.fence + 1
        take = (
            update(row)
            .where(
                row.c.coin == self.coin, row.c.fence == found.fence, row.c.lease_until == found.lease_until
            )
            .values(fence=fence, **values, **news)
        )
        if self._database.transaction(lambda connection: connection.execute(take).rowcount) != 1:
            return "another bridge"
        self.fence, self._held_until = fence, began + self.seconds
        return None

    def _is_abandoned(self, fence: int, until: int, now: int) -> bool:
        """Return whether a lease that ends later than any can, since the clock went back, was not renewed for as long as any lasts."""
        if until <= now + MOST_LEASE + SKEW:
            return False
        if self._watched[:2] != (fence, until):
            self._watched = fence, until, elapsed()
        return elapsed() - self._watched[2] > MOST_LEASE + SKEW

    def renew(self) -> None:
        """Hold the lease for its full length again.

        :raises LeaseLost: it is another's.
        """
        began = elapsed()
        self._database.transaction(
            lambda connection: self._change(connection, lease_until=self._clock.now() + self.seconds)
        )
        self._held_until = began + self.seconds

    def hold(self, connection: Connection) -> None:
        """Keep the lease from changing hands until the transaction ends.

        :raises LeaseLost: it has.
        """
        fence = select(self._row.c.fence).where(self._row.c.coin == self.coin).with_for_update()
        if connection.execute(fence).scalar() != self.fence:
            raise self._lost()

    def release(self) -> None:
        """End the lease now, so that the next bridge need not wait."""
        gone = {"template_id": None, "detail": "The bridge was stopped.", "lease_until": 0}

        def work(connection: Connection) -> None:
            self._change(connection, **gone, **self._news(WAITING))

        self._database.transaction(work)

    def tell(self, state: str, detail: str = "") -> None:
        """Let people know how the talk with upstream goes.

        :raises LeaseLost: it is not ours any more.
        """
        self._database.transaction(
            lambda connection: self._change(connection, detail=detail[:_MAX_DETAIL], **self._news(state))
        )
        self._state = state

    def publish(self, template: Template, *, source: str = "", body: bytes | None = None) -> None:
        """Let jobs be cut from `template`. Templates of this coin with another tip are void from now on.

        :param source: where it came from, for people.
        :param body: what a block needs beside its header and coinbase.
        :raises LeaseLost: the lease is not ours any more; nothing was published.
        """
        now = self._clock.now()
        made = {
            "template_id": template.template_id,
            "coin": template.coin,
            "talk": template.session,
            "algorithm": template.algorithm,
            "tip_id": template.tip,
            "effort": template.effort,
            "body": body,
            "created": now,
            "voided": 0,
        }

        def work(connection: Connection) -> None:
            first = self._following(connection, template)
            detail = f"Work comes from {source}."[:_MAX_DETAIL] if source else ""
            news = {"template_id": template.template_id, "detail": detail, **self._news(WORKING)}
            self._change(connection, **news)
            self._void(connection, now, self._templates.c.tip_id != template.tip)
            document = job_to_bytes(template.job, epoch_length=template.epoch_length, first=first)
            numbered = made | {"document": document, "next_counter": first}
            connection.execute(insert(self._templates), numbered)

        with contextlib.suppress(IntegrityError):  # an earlier try was committed, and its answer was lost
            self._database.transaction(work)
        self._state = WORKING

    def void(self) -> None:
        """Upstream is gone: nothing of it is worth anything now, and it is to be reached again.

        :raises LeaseLost: as :meth:`publish` does.
        """

        def work(connection: Connection) -> None:
            self._change(connection, template_id=None, detail="", **self._news(CONNECTING))
            self._void(connection, self._clock.now(), true())

        self._database.transaction(work)
        self._state = CONNECTING

    def _following(self, connection: Connection, template: Template) -> int:
        """Return the first number of `template`, behind all that were leased and that processes may lease at this moment.

        Of a new session too: a pool that gives it the same work and the same extranonce1 would have it searched twice.
        """
        table, row, most = self._templates, self._row, capacity(template.job)
        before = and_(row.c.coin == self.coin, row.c.template_id == table.c.template_id)
        last = connection.execute(select(table.c.next_counter).where(before)).scalar()
        if last is None:
            kept = select(func.max(table.c.next_counter)).where(table.c.coin == self.coin)
            last = connection.execute(kept).scalar()
        return 0 if last is None else (last + min(_MARGIN, most // 16)) % most

    def body(self, template_id: bytes) -> tuple[Template, bytes] | None:
        """Return a template of this coin with its body; None when it is not kept any more."""
        table = self._templates
        row = self._database.read(
            lambda connection: connection.execute(
                select(table).where(table.c.template_id == template_id)
            ).first()
        )
        if row is None or row.body is None:
            return None
        return template_of_row(row), row.body

    def prune(self, job_life: int) -> int:
        """Delete templates that no job or share needs any more; return how many."""
        table, share, now = self._templates, self._database.tables.upstream_share, self._clock.now()
        waiting = exists().where(
            share.c.template_id == table.c.template_id, share.c.state.in_((PENDING, SENDING))
        )
        over: ColumnElement[bool] = or_(
            and_(table.c.voided > 0, table.c.voided < now - 2 * GRACE),
            table.c.created < now - 2 * job_life - GRACE,
        )
        row = self._row
        current = exists().where(row.c.template_id == table.c.template_id)
        old = delete(table).where(table.c.coin == self.coin, over, ~waiting, ~current)
        return self._database.transaction(lambda connection: connection.execute(old).rowcount)

    def _void(self, connection: Connection, now: int, which: ColumnElement[bool]) -> None:
        table = self._templates
        alive = and_(table.c.coin == self.coin, table.c.voided == 0, which)
        connection.execute(update(table).where(alive).values(voided=now))

    def _news(self, state: str) -> dict[str, t.Any]:
        """Return what is written down of a state, with the time when it is another one than before."""
        return {"state": state} | ({} if state == self._state else {"changed": self._clock.now()})

    def _change(self, connection: Connection, **values: t.Any) -> None:
        ours = and_(self._row.c.coin == self.coin, self._row.c.fence == self.fence)
        if connection.execute(update(self._row).where(ours).values(**values)).rowcount != 1:
            raise self._lost()

    def _lost(self) -> LeaseLost:
        self._held_until = float("-inf")
        return LeaseLost(
            f"Another bridge talks to the upstream of {self.coin} now; this one was away for too long."
        )
