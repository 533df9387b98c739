"""Shares on their way upstream, each with its fate. The visitor has the ticket in every case.

A share enters the outbox in the transaction that pays it::

    pending ── sending ──┬── accepted   upstream took it
       │                 ├── block      and it was a block
       │                 ├── refused    upstream would not, and says why
       ├─────────────────┼── stale      upstream had moved on, or the session it was for had ended
       │                 └── unknown    written to a pool that never answered, or the bridge died: not sent again

``sending`` is written down before the share is. What was sending when a bridge died is unknown for a pool, which would count it
twice, and is sent again to a node, which would not.

A bridge that was stopped for longer than its lease does not know that another has taken over. All that it marks or gives up it does in
transactions that hold the lease; and right before each write it looks whether its lease can have ended. What is left is the moment between
that look and the write, and what the network has already: a pool knows nothing of leases. A share that reaches it so is unknown here, and
nobody else sends it.
"""

from __future__ import annotations

import json
import typing as t
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from flask_ticketminer.clock import Clock
from flask_ticketminer.database import Database
from flask_ticketminer.mint.counters import CoinTotal, Counter, Counters
from flask_ticketminer.mint.statements import Statements
from flask_ticketminer.tables import FATES
from flask_ticketminer.work.stratum.dialects import Solution

PENDING, SENDING = "pending", "sending"
ACCEPTED, REFUSED, STALE, BLOCK, UNKNOWN = FATES
OUTDATED = "The work was outdated when the share came."
ENDED = "The session with the pool that it was for has ended."
DIED = "The bridge ended between sending it and an answer."
_BATCH = 500
_MAX_REASON = 255


@dataclass(frozen=True, slots=True)
class Forward:
    """A share to be sent upstream, as the visitor's request makes it.

    :ivar outdated: upstream has moved on: it is only recorded.
    :ivar is_block: its digest meets the coin's own target.
    """

    coin: str
    session: str
    template_id: bytes
    solution: Solution
    is_block: bool
    outdated: bool

    @property
    def state(self) -> str:
        """Its first state."""
        return STALE if self.outdated else PENDING

    def row(self, share_id: bytes, now: int) -> dict[str, t.Any]:
        """Return the row of the outbox."""
        return {
            "share_id": share_id,
            "coin": self.coin,
            "talk": self.session,
            "template_id": self.template_id,
            "solution": json.dumps(asdict(self.solution), separators=(",", ":")).encode(),
            "is_block": int(self.is_block),
            "state": self.state,
            "reason": OUTDATED if self.outdated else "",
            "fence": 0,
            "created": now,
            "changed": now,
        }

    def deltas(self) -> dict[Counter, int]:
        """Return what the transaction that inserts the row counts."""
        counted: dict[Counter, int] = {CoinTotal(self.coin, "forwarded"): 1}
        if self.outdated:
            counted[CoinTotal(self.coin, STALE)] = 1
        return counted


@dataclass(frozen=True, slots=True)
class Parcel:
    """A share that the bridge has taken out to send."""

    share_id: bytes
    template_id: bytes
    solution: Solution
    is_block: bool


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a share; `hashes` is the effort that upstream credits."""

    state: str
    reason: str = ""
    hashes: int = 0


class Outbox:
    """The bridge's side of the outbox of one coin.

    :param hold: called in a transaction, keeps the bridge's lease until its end, or raises.
    """

    def __init__(
        self, database: Database, clock: Clock, coin: str, hold: Callable[[Connection], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._coin = coin
        self._hold = hold
        self._table = database.tables.upstream_share
        self._counters = Counters(database, Statements(database.tables))

    def take(
        self, session: str, fence: int, most: int, held: t.Collection[bytes] | None = None
    ) -> list[Parcel]:
        """Mark up to `most` pending shares of `session` as sending, and return them.

        :param held: after a commit whose outcome was not known: the shares that the bridge has in hand. Others that it marked
            were never sent, and are returned again.
        """
        table = self._table
        waiting = and_(table.c.coin == self._coin, table.c.state == PENDING, table.c.talk == session)
        if held is not None:
            ours = and_(table.c.coin == self._coin, table.c.state == SENDING, table.c.fence == fence)
            again = update(table).where(ours, table.c.share_id.not_in(list(held))).values(state=PENDING)
            self._database.transaction(lambda connection: connection.execute(again))
        wanted = select(table).where(waiting).order_by(table.c.created).limit(most)
        if not (rows := self._database.read(lambda connection: connection.execute(wanted).all())):
            return []

        def work(connection: Connection) -> list[Parcel]:
            self._hold(connection)
            mark = (
                update(table)
                .where(table.c.share_id == bindparam("at"), table.c.state == PENDING)
                .values(state=SENDING, fence=fence, changed=self._clock.now())
            )
            return [
                Parcel(
                    row.share_id, row.template_id, Solution(**json.loads(row.solution)), bool(row.is_block)
                )
                for row in rows
                if connection.execute(mark, {"at": row.share_id}).rowcount == 1
            ]

        return self._database.transaction(work)

    def settle(self, fates: Mapping[bytes, Fate], fence: int) -> None:
        """Write down what became of shares that this bridge was sending."""
        self._end(list(fates.items()), and_(self._table.c.state == SENDING, self._table.c.fence == fence))

    def put_back(self, share_ids: Iterable[bytes], fence: int) -> None:
        """Let shares that a node did not answer wait again."""
        table = self._table
        change = (
            update(table)
            .where(table.c.share_id == bindparam("at"), table.c.state == SENDING, table.c.fence == fence)
            .values(state=PENDING)
        )
        rows = [{"at": share_id} for share_id in share_ids]
        if rows:
            self._database.transaction(lambda connection: connection.execute(change, rows))

    def recover(self, fence: int, *, repeatable: bool) -> int:
        """Decide about what a bridge before this one left sending; return how many there were.

        :param repeatable: upstream takes a share twice without counting it twice: send it again.
        """
        table = self._table
        left = and_(table.c.coin == self._coin, table.c.state == SENDING, table.c.fence < fence)
        if repeatable:
            again = update(table).where(left).values(state=PENDING)

            def work(connection: Connection) -> int:
                self._hold(connection)
                return connection.execute(again).rowcount

            return self._database.transaction(work)
        return self._end_all(left, Fate(UNKNOWN, DIED))

    def end_others(self, session: str) -> int:
        """Make stale what waits for another session than `session`; return how many there were."""
        table = self._table
        other = and_(table.c.coin == self._coin, table.c.state == PENDING, table.c.talk != session)
        return self._end_all(other, Fate(STALE, ENDED))

    def prune(self, before: int) -> int:
        """Delete a batch of rows whose fate was known before this moment; return how many."""
        table = self._table
        old = and_(table.c.coin == self._coin, table.c.state.in_(FATES), table.c.changed < before)
        found = self._ids(old)
        if not found:
            return 0
        statement = delete(table).where(table.c.share_id.in_(found))
        return self._database.transaction(lambda connection: connection.execute(statement).rowcount)

    def _ids(self, which: t.Any) -> Sequence[bytes]:
        wanted = select(self._table.c.share_id).where(which).limit(_BATCH)
        return self._database.read(lambda connection: connection.execute(wanted).scalars().all())

    def _end_all(self, which: t.Any, fate: Fate) -> int:
        ended = 0
        while found := self._ids(which):
            ended += self._end([(share_id, fate) for share_id in found], which, self._hold)
        return ended

    def _end(
        self,
        fates: Sequence[tuple[bytes, Fate]],
        which: t.Any,
        first: Callable[[Connection], None] = lambda _: None,
    ) -> int:
        """Give each share its fate if it is one of `which` still, and count exactly those; return how many there were."""
        table, now = self._table, self._clock.now()
        statement = (
            update(table)
            .where(table.c.share_id == bindparam("at"), which)
            .values(state=bindparam("new_state"), reason=bindparam("new_reason"), changed=now)
        )

        def work(connection: Connection) -> int | None:
            first(connection)
            rows = [
                {"at": share_id, "new_state": fate.state, "new_reason": fate.reason[:_MAX_REASON]}
                for share_id, fate in fates
            ]
            moved = sum(connection.execute(statement, row).rowcount for row in rows)
            if moved == len(rows):
                return moved
            if len(rows) > 1:
                raise _Divided
            return None

        try:
            return self._counters.transaction(self._deltas(fates), work) or 0
        except _Divided:
            return sum(self._end([fate], which, first) for fate in fates)

    def _deltas(self, fates: Sequence[tuple[bytes, Fate]]) -> dict[Counter, int]:
        deltas: Tally[Counter] = Tally()
        for _, fate in fates:
            deltas[CoinTotal(self._coin, fate.state)] += 1
            if fate.hashes:
                deltas[CoinTotal(self._coin, "credited_hashes")] += fate.hashes
        return dict(deltas)


class _Divided(Exception):
    """Some of the shares were given a fate by another bridge: each is decided about by itself."""
