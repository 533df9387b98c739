"""How the talks with pools and nodes go, as their bridges have written it down, for the operator to see."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from flask_ticketminer.database import Database
from flask_ticketminer.work.templates import CHOICE
from flask_ticketminer.work.upstreams import CONNECTING, WAITING, WORKING

NO_BRIDGE = "no bridge"
"""The state of a coin that no bridge talks for; the others are those of :mod:`flask_ticketminer.work.upstreams`."""


@dataclass(frozen=True, slots=True)
class Bridged:
    """One coin.

    :ivar holder: the bridge that has the lease; empty: none.
    :ivar since: seconds that it has been in this state; None: it never was in any.
    :ivar detail: where work comes from, or what is wrong, in the bridge's words.
    :ivar template_age: seconds since the work of the moment came; None: there is none.
    :ivar outbox: rows by state, those of fates as far as they are kept.
    """

    coin: str
    state: str
    holder: str
    since: int | None
    detail: str
    template_age: int | None
    outbox: Mapping[str, int]

    @property
    def works(self) -> bool:
        return self.template_age is not None


def overview(database: Database, now: int, names: Sequence[str]) -> tuple[list[Bridged], str | None]:
    """Return the coins called `names`, and the one that a bridge has chosen as the most profitable.

    :param now: Unix seconds by the database's clock.
    :raises DatabaseBusy: the database did not answer in time.
    """
    upstream, template, share = (
        getattr(database.tables, name) for name in ("upstream", "template", "upstream_share")
    )

    def read(connection: Connection) -> tuple[list[Bridged], str | None]:
        joined = select(upstream, template.c.created).join_from(
            upstream, template, template.c.template_id == upstream.c.template_id, isouter=True
        )
        rows = {row.coin: row for row in connection.execute(joined)}
        outbox: dict[str, dict[str, int]] = {}
        counted = select(share.c.coin, share.c.state, func.count()).group_by(share.c.coin, share.c.state)
        for coin, state, number in connection.execute(counted):
            outbox.setdefault(coin, {})[state] = int(number)
        choice = rows.get(CHOICE)
        chosen = choice.detail if choice is not None and choice.lease_until >= now else None
        return [_bridged(name, rows.get(name), now, outbox.get(name, {})) for name in names], chosen or None

    return database.read(read, snapshot=True)


def _bridged(name: str, row: t.Any, now: int, outbox: Mapping[str, int]) -> Bridged:
    if row is None:
        return Bridged(name, NO_BRIDGE, "", None, "", None, outbox)
    held = row.lease_until >= now
    age = None if not held or row.created is None else max(0, now - row.created)
    state = row.state if held else NO_BRIDGE
    if state == WORKING and age is None:
        state = CONNECTING
    holder = row.holder if held else ""
    died = state == NO_BRIDGE and row.state != WAITING
    detail = "The bridge has ended without giving its lease back." if died else row.detail
    began = row.changed if held else max(row.changed, row.lease_until)
    return Bridged(name, state, holder, max(0, now - began), detail, age, outbox)
