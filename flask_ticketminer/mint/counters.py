"""Counters that are advanced in the transaction they count, spread over slots so that no row is hot.

Transactions that run at the same moment in one process use different slots, and every process begins with another one.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import typing as t
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from sqlalchemy import Connection, Table, insert, literal, select
from sqlalchemy.exc import IntegrityError

from flask_ticketminer.database import Database
from flask_ticketminer.errors import RetiredKey
from flask_ticketminer.mint.statements import Statements

T = t.TypeVar("T")

SLOTS = 32


class KeyCounter(t.NamedTuple):
    """Tickets of one key; `kind` is one of :data:`flask_ticketminer.tables.COUNTERS`."""

    key_id: bytes
    kind: str


class Total(t.NamedTuple):
    """A sum over the whole site: ``shares`` and ``donated_shares`` (numbers) with ``share_value`` and ``donated_share_value``,
    ``payments`` and ``exchanges`` (numbers), ``paid`` (the prices of all payments) and ``donated`` (those of donations).
    """

    name: str


class FundTotal(t.NamedTuple):
    """Donated tickets of one fund; the empty name collects donations to no fund in particular."""

    fund: str


class CoinTotal(t.NamedTuple):
    """A sum of one coin: ``paid_shares`` (a number), ``paid_value`` (tickets) and ``paid_hashes`` (their efforts) are what the site
    paid; ``forwarded`` is how many of these shares entered the outbox, and the fates of :mod:`flask_ticketminer.work.outbox`, with
    ``credited_hashes`` (the efforts of shares that upstream took), are what became of them.
    """

    coin: str
    name: str


Counter = KeyCounter | Total | FundTotal | CoinTotal


class Counters:
    """The counters of one database."""

    def __init__(self, database: Database, statements: Statements) -> None:
        self._database = database
        self._statements = statements
        tables = database.tables
        self._tables: dict[type, Table] = {
            KeyCounter: tables.counter,
            Total: tables.totals,
            FundTotal: tables.fund_total,
            CoinTotal: tables.coin_total,
        }
        self._present: set[tuple[int, Counter]] = set()
        self._slots: deque[int] = deque()
        self._pid = 0

    def transaction(self, deltas: Mapping[Counter, int], work: Callable[[Connection], T | None]) -> T | None:
        """Run `work` in a transaction that also adds `deltas`; when it returns None nothing is added.

        Errors as for :meth:`flask_ticketminer.database.Database.transaction`.
        """
        by_table: dict[type, list[tuple[Counter, int]]] = {}
        for kind in self._tables:
            if rows := sorted((c, delta) for c, delta in deltas.items() if type(c) is kind and delta):
                by_table[kind] = rows

        def unit(connection: Connection) -> T | None:
            result = work(connection)
            if result is not None:
                for kind, rows in by_table.items():
                    self._add(connection, kind, slot, rows)
            return result

        with self._slot() as slot:
            while True:
                self._ensure(slot, [counter for rows in by_table.values() for counter, _ in rows])
                try:
                    return self._database.transaction(unit)
                except _Missing:
                    self._present.clear()

    def _add(self, connection: Connection, kind: type, slot: int, deltas: list[tuple[Counter, int]]) -> None:
        names = t.cast(t.Any, kind)._fields
        rows = [
            {"at_slot": slot, "delta": delta, **{f"at_{n}": v for n, v in zip(names, counter, strict=True)}}
            for counter, delta in deltas
        ]
        if self._statements.count[self._tables[kind]].run(connection, rows) != len(rows):
            raise _Missing

    def _ensure(self, slot: int, counters: list[Counter]) -> None:
        """Make rows that do not exist, before and apart from the transaction, where a duplicate decides nothing else.

        :raises RetiredKey: a key's rows went with its epoch. This is what stops a process that does not know yet, or whose
            clock was set back, from issuing or spending tickets of a closed epoch.
        """
        for counter in counters:
            if (slot, counter) not in self._present:
                make = functools.partial(self._make, slot, counter)
                with contextlib.suppress(IntegrityError):  # somebody else made it
                    self._database.transaction(make)
                self._present.add((slot, counter))

    def _make(self, slot: int, counter: Counter, connection: Connection) -> None:
        table = self._tables[type(counter)]
        if not isinstance(counter, KeyCounter):
            connection.execute(insert(table).values(**counter._asdict(), slot=slot, total=0))
            return
        key = self._database.tables.key
        row = select(key.c.key_id, literal(slot), literal(counter.kind), literal(0))
        # The shared lock makes a retirement of the key wait for this row, or this row see the retirement.
        row = row.where(key.c.key_id == counter.key_id).with_for_update(read=True)
        statement = insert(table).from_select(["key_id", "slot", "kind", "total"], row)
        if connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount != 1:
            raise RetiredKey(
                "The key's epoch is closed for good; fetch the key directory.", key_id=counter.key_id.hex()
            )

    @contextlib.contextmanager
    def _slot(self) -> Iterator[int]:
        if self._pid != os.getpid():
            first = random.randrange(SLOTS)
            self._slots = deque((first + step) % SLOTS for step in range(SLOTS))
            self._pid = os.getpid()
        slots = self._slots
        try:
            slot, own = slots.popleft(), True
        except IndexError:  # more threads than slots: two share one
            slot, own = random.randrange(SLOTS), False
        try:
            yield slot
        finally:
            if own:
                slots.appendleft(slot)


class _Missing(Exception):
    """A counter's row is not there; it is made and the unit repeated."""
