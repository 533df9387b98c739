"""The templates as a web process sees them: read again at most every 0.25 s, with extranonces leased in blocks."""

from __future__ import annotations

import threading
import time
import typing as t
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, or_, select, update

from flask_ticketminer.clock import Clock
from flask_ticketminer.database import Database
from flask_ticketminer.errors import DatabaseBusy
from flask_ticketminer.forks import Shared
from flask_ticketminer.work.extranonce import capacity
from flask_ticketminer.work.stratum.jobs import HeaderJob
from flask_ticketminer.work.template import Template, template_of_row

REREAD = 0.25
"""Seconds for which one look at the database is good."""
REREAD_UNKNOWN = 0.02
"""The same where a template is asked for that was not there at the last look."""
REST = 1.0
"""Seconds for which a database that did not answer is left alone, so that requests do not queue up for it."""
GRACE = 30
"""Seconds for which a template that upstream has voided is still paid."""
LEASE, SMALL_LEASE = 4096, 64
"""Numbers that a process leases at once; and of a template with at most 2 bytes of extranonce2."""
CHOICE = ""
"""In place of a coin's name: the lease of the bridge that chooses among coins; its row's ``detail`` names the coin."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """One look: by coin the template to cut from and the end of its bridge's lease, when each living template was voided, and the coin
    that was chosen with the end of the lease of whoever chose it.
    """

    at: float = float("-inf")
    current: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    voided: dict[bytes, int] = field(default_factory=dict)
    chosen: tuple[str, int] = ("", 0)


class Templates(Shared):
    """What the bridge has published.

    :param reread: seconds for which one look is good.
    :param monotonic: seconds that only move forward.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        reread: float = REREAD,
        monotonic: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._reread = reread
        self._monotonic = monotonic
        super().__init__()

    def _begin_process(self) -> None:
        self._lock = threading.Lock()
        self._seen = _Seen()
        self._rest_until = float("-inf")
        self._known: dict[bytes, Template] = {}
        self._leases: dict[bytes, tuple[int, int]] = {}

    def current(self, coin: str) -> Template | None:
        """Return what jobs of `coin` are cut from now; None while no bridge talks to its upstream.

        :raises DatabaseBusy: the database cannot be asked.
        """
        seen = self._look()
        template_id, lease_until = seen.current.get(coin, (b"", 0))
        return self._known.get(template_id) if lease_until >= self._clock.now() else None

    def chosen(self) -> str:
        """Return the name of the coin that is worth most, as a bridge finds; empty where none does."""
        name, lease_until = self._look().chosen
        return name if lease_until >= self._clock.now() else ""

    def standing(self, template_id: bytes) -> tuple[Template | None, int]:
        """Return the template with this id while its work is paid, and when upstream voided it (Unix seconds, 0: it has not)."""
        seen = self._look()
        if template_id not in seen.voided:
            seen = self._look(REREAD_UNKNOWN)  # another process may have cut the job from what is new
        voided = seen.voided.get(template_id)
        if voided is None or (voided and self._clock.now() > voided + GRACE):
            return None, 0
        return self._known.get(template_id), voided

    def lease(self, template: Template) -> int | None:
        """Return a number of `template`, below its capacity, that nobody else gets; None when all are gone.

        :raises DatabaseBusy: the database cannot be asked.
        """
        with self._lock:
            following, end = self._leases.get(template.template_id, (0, 0))
            if following == end:
                leased = self._database.transaction(lambda connection: self._lease(connection, template))
                if leased is None:
                    return None
                following, end = leased
            self._leases[template.template_id] = following + 1, end
            return following % capacity(template.job)

    def _lease(self, connection: Connection, template: Template) -> tuple[int, int] | None:
        table, job = self._database.tables.template, template.job
        small = isinstance(job, HeaderJob) and job.extranonce2_size <= 2
        size, most = SMALL_LEASE if small else LEASE, capacity(job)
        of_template = table.c.template_id == template.template_id
        while True:
            first = connection.execute(select(table.c.next_counter).where(of_template)).scalar()
            if first is None or first >= template.first + most:
                return None
            end = min(first + size, template.first + most)
            taken = update(table).where(of_template, table.c.next_counter == first).values(next_counter=end)
            if connection.execute(taken).rowcount == 1:
                return first, end

    def _look(self, age: float | None = None) -> _Seen:
        """Return a look at the database that is at most `age` seconds old, or as old as looks may be.

        :raises DatabaseBusy: it cannot be asked, or could not a moment ago.
        """
        age = self._reread if age is None else age
        if self._monotonic() - self._seen.at >= age:
            with self._lock:
                if self._monotonic() - self._seen.at >= age:
                    self._seen = self._look_again()
        return self._seen

    def _look_again(self) -> _Seen:
        if self._monotonic() < self._rest_until:
            raise DatabaseBusy(
                "The site's database did not answer a moment ago. Send the same request again later."
            )
        try:
            return self._database.read(self._read)
        except DatabaseBusy:
            self._rest_until = self._monotonic() + REST
            raise

    def _read(self, connection: Connection) -> _Seen:
        at = self._monotonic()  # before the database answers: what it says is no newer
        upstream, table = self._database.tables.upstream, self._database.tables.template
        rows = connection.execute(
            select(upstream.c.coin, upstream.c.template_id, upstream.c.lease_until, upstream.c.detail)
        ).all()
        alive = or_(table.c.voided == 0, table.c.voided >= self._clock.now() - GRACE)
        voided = {
            row.template_id: row.voided
            for row in connection.execute(select(table.c.template_id, table.c.voided).where(alive))
        }
        self._fetch(connection, voided.keys() - self._known.keys())
        for gone in self._known.keys() - voided.keys():
            del self._known[gone]
            self._leases.pop(gone, None)
        current = {row.coin: (row.template_id, row.lease_until) for row in rows if row.template_id}
        chosen = next(((row.detail, row.lease_until) for row in rows if row.coin == CHOICE), ("", 0))
        return _Seen(at, current, voided, chosen)

    def _fetch(self, connection: Connection, wanted: t.Collection[bytes]) -> None:
        table = self._database.tables.template
        kept = [column for column in table.c if column.name != "body"]
        for row in connection.execute(select(*kept).where(and_(table.c.template_id.in_(list(wanted))))):
            self._known[row.template_id] = template_of_row(row)
