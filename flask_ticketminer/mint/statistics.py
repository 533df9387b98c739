"""Public sums: what a site has paid out, what came back, and what was donated. No row of it is about one visitor.

Everything is read from counters that the ledger keeps in its own transactions; the cost does not grow with the tickets.
"""

from __future__ import annotations

import threading
import time
import typing as t

from sqlalchemy import Connection, Table, func, select

from flask_ticketminer.clock import Clock
from flask_ticketminer.database import ATTEMPTS, Database
from flask_ticketminer.forks import Shared
from flask_ticketminer.tables import BLOCK_STATES, COUNTERS, FATES

ISSUED = ("share", "change", "exchange")
"""Why tickets are issued."""
SPENT = ("payment", "exchange")
"""What tickets are spent on."""
PAID = ("shares", "value", "hashes")
"""What is counted of the work that was paid for a coin."""
UPSTREAM = ("forwarded", "waiting", *FATES, "credited_hashes")
"""What is counted of the shares that were good enough for upstream."""
KEPT = 1.0
"""Seconds for which sums are shown without asking again."""

_SITE_FUND = ""  # what the ledger calls donations to no fund in particular


def statistics(database: Database, now: int) -> dict[str, t.Any]:
    """Return the sums over the whole life of the site, and those of each live key, all integers, ready for JSON.

    ::

        {"at": Unix seconds,
         "shares": {"accepted", "value", "donated_value"},
         "tickets": {"issued": {"share", "change", "exchange"}, "spent": {"payment", "exchange"}},
         "payments": number, "exchanges": number,
         "value": {"issued", "spent", "paid", "donated"},
         "funds": [{"fund": name or None, "donated": tickets}],
         "coins": [{"coin": name, "paid": {"shares", "value", "hashes"},
                    "upstream": {"forwarded", "waiting", "accepted", "refused", "stale", "block", "unknown", "credited_hashes"},
                    "blocks": {"found", "confirmed", "orphaned"}, "rewards": {"found", "confirmed", "orphaned"}}],
         "keys": [{"key_id": hex, "value", "not_before", "issue_until", "redeem_until", "issued", "spent"}]}

    ``tickets`` and the keys' ``issued`` and ``spent`` count tickets; whatever is called value is in tickets of value 1. Accepted
    shares include donated ones. ``value.donated``, the part of ``value.paid`` that was given away, is what was donated in
    tickets; ``shares.donated_value`` was donated in work, and the funds count both. Of a coin ``paid`` is what this site gave for
    work, hashes being the efforts of the shares; ``upstream`` is what became of those that were good enough for a pool or node, and
    the effort that was credited for them; blocks and their rewards, in the coin's smallest unit, are those that a node of the site's
    own took. The two accounts are never netted.

    :raises DatabaseBusy: the database did not answer in time.
    """
    return database.read(lambda connection: _Reader(database, connection).everything(now), snapshot=True)


def fund_total(database: Database, fund: str | None, *, attempts: int = ATTEMPTS) -> int:
    """Return the tickets donated to `fund` (None: the site itself), by payment and by work.

    :param attempts: times the database is asked at most.
    :raises DatabaseBusy: it did not answer.
    """
    table = database.tables.fund_total
    wanted = _SITE_FUND if fund is None else fund

    def work(connection: Connection) -> int:
        return _integer(
            connection.execute(select(func.sum(table.c.total)).where(table.c.fund == wanted)).scalar()
        )

    return database.read(work, attempts=attempts)


class KeptStatistics(Shared):
    """The statistics as this process last read them, for pages that anyone may ask for at any rate.

    :param monotonic: seconds that only move forward.
    """

    def __init__(
        self, database: Database, clock: Clock, *, monotonic: t.Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._numbers: dict[str, t.Any] = {}
        self._until = monotonic()
        super().__init__()

    def _begin_process(self) -> None:
        # New numbers with the old time are only read again.
        self._lock = threading.Lock()

    def current(self) -> dict[str, t.Any]:
        """Return what :func:`statistics` did at most a second ago. Errors as there."""
        with self._lock:
            if not self._numbers or self._monotonic() >= self._until:
                self._numbers = statistics(self._database, self._clock.now())
                self._until = self._monotonic() + KEPT
            return self._numbers


class _Reader:
    """Reads one snapshot."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self.tables = database.tables
        self.connection = connection

    def everything(self, now: int) -> dict[str, t.Any]:
        totals = self.sums(self.tables.totals, "name")
        counters = self.counters()
        keys = self.connection.execute(
            select(self.tables.key).order_by(self.tables.key.c.starts, self.tables.key.c.value)
        ).all()
        retired = self.connection.execute(select(self.tables.retired_key)).all()
        counted = [(row.value, counters.get(row.key_id, {})) for row in keys]
        counted += [(row.value, {name: getattr(row, name) for name in COUNTERS}) for row in retired]
        return {
            "at": now,
            "shares": {
                "accepted": totals.get("shares", 0) + totals.get("donated_shares", 0),
                "value": totals.get("share_value", 0) + totals.get("donated_share_value", 0),
                "donated_value": totals.get("donated_share_value", 0),
            },
            "tickets": {
                "issued": {kind: _total(counted, f"issued_{kind}") for kind in ISSUED},
                "spent": {kind: _total(counted, f"spent_{kind}") for kind in SPENT},
            },
            "payments": totals.get("payments", 0),
            "exchanges": totals.get("exchanges", 0),
            "value": {
                "issued": sum(value * _issued(numbers) for value, numbers in counted),
                "spent": sum(value * _spent(numbers) for value, numbers in counted),
                "paid": totals.get("paid", 0),
                "donated": totals.get("donated", 0),
            },
            "funds": [
                {"fund": fund or None, "donated": total}
                for fund, total in sorted(self.sums(self.tables.fund_total, "fund").items())
            ],
            "coins": self.coins(),
            "keys": [
                {
                    "key_id": row.key_id.hex(),
                    "value": row.value,
                    "not_before": row.starts,
                    "issue_until": row.ends,
                    "redeem_until": row.redeem_until,
                    "issued": _issued(counters.get(row.key_id, {})),
                    "spent": _spent(counters.get(row.key_id, {})),
                }
                for row in keys
            ],
        }

    def sums(self, table: Table, name: str) -> dict[str, int]:
        """Return the totals of `table` by `name`, over all slots."""
        column = table.c[name]
        rows = self.connection.execute(select(column, func.sum(table.c.total)).group_by(column))
        return {key: _integer(total) for key, total in rows}

    def coins(self) -> list[dict[str, t.Any]]:
        """Return the two accounts of each coin that anything was computed for."""
        table, block = self.tables.coin_total, self.tables.block
        totals: dict[str, dict[str, int]] = {}
        for coin, name, total in self.connection.execute(
            select(table.c.coin, table.c.name, func.sum(table.c.total)).group_by(table.c.coin, table.c.name)
        ):
            totals.setdefault(coin, {})[name] = _integer(total)
        blocks: dict[str, dict[str, tuple[int, int]]] = {}
        for coin, state, number, reward in self.connection.execute(
            select(block.c.coin, block.c.state, func.count(), func.sum(block.c.reward)).group_by(
                block.c.coin, block.c.state
            )
        ):
            blocks.setdefault(coin, {})[state] = int(number), _integer(reward)
        return [_coin(coin, totals.get(coin, {}), blocks.get(coin, {})) for coin in sorted(totals | blocks)]

    def counters(self) -> dict[bytes, dict[str, int]]:
        """Return the counters of each key, over all slots."""
        table = self.tables.counter
        rows = self.connection.execute(
            select(table.c.key_id, table.c.kind, func.sum(table.c.total)).group_by(
                table.c.key_id, table.c.kind
            )
        )
        found: dict[bytes, dict[str, int]] = {}
        for key_id, kind, total in rows:
            found.setdefault(key_id, {})[kind] = _integer(total)
        return found


def _coin(
    name: str, totals: t.Mapping[str, int], blocks: t.Mapping[str, tuple[int, int]]
) -> dict[str, t.Any]:
    fates = {fate: totals.get(fate, 0) for fate in FATES}
    forwarded = totals.get("forwarded", 0)
    return {
        "coin": name,
        "paid": {each: totals.get(f"paid_{each}", 0) for each in PAID},
        "upstream": {
            "forwarded": forwarded,
            "waiting": forwarded - sum(fates.values()),
            **fates,
            "credited_hashes": totals.get("credited_hashes", 0),
        },
        "blocks": {state: blocks.get(state, (0, 0))[0] for state in BLOCK_STATES},
        "rewards": {state: blocks.get(state, (0, 0))[1] for state in BLOCK_STATES},
    }


def _issued(numbers: t.Mapping[str, int]) -> int:
    return sum(numbers.get(f"issued_{kind}", 0) for kind in ISSUED)


def _spent(numbers: t.Mapping[str, int]) -> int:
    return sum(numbers.get(f"spent_{kind}", 0) for kind in SPENT)


def _total(counted: t.Iterable[tuple[int, t.Mapping[str, int]]], name: str) -> int:
    return sum(numbers.get(name, 0) for _, numbers in counted)


def _integer(total: t.Any) -> int:
    # PostgreSQL and MariaDB sum integers to NUMERIC.
    return int(total or 0)
