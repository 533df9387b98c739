"""The audit: counts the rows again and compares them with the counters and with the ledger's identities.

Counters are kept in the transactions that they count, so the two agree at every moment; that they do is what this proves.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Table, func, select

from flask_ticketminer.database import Database
from flask_ticketminer.mint.orders import RESERVED
from flask_ticketminer.tables import COUNTERS, FATES, Tables


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One comparison; `expected` and `found` are tickets, values or numbers of rows, as `name` says."""

    name: str
    expected: int
    found: int
    at_most: bool = False

    @property
    def holds(self) -> bool:
        return self.found <= self.expected if self.at_most else self.found == self.expected


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Every comparison of one audit."""

    lines: tuple[AuditLine, ...]

    @property
    def balanced(self) -> bool:
        """Whether all of them hold."""
        return all(line.holds for line in self.lines)


def audit(database: Database) -> AuditReport:
    """Recompute the ledger's sums from one snapshot of its rows.

    Comparisons: for each key, issued and spent rows (without those that reserved payments hold) equal their counters, and spent ≤
    issued; over the site, value spent = paid + change, value exchanged in = out, value issued for shares = value of accepted
    undonated shares, funds = donations; each payment's inputs = price + change; reserved payments hold exactly their tickets. For each
    coin, shares that went upstream = those that wait + those of each fate; rows of a fate are pruned, so they are at most its counter.

    :raises DatabaseBusy: the database did not answer in time.
    """
    lines = database.read(lambda connection: tuple(_lines(connection, database.tables)), snapshot=True)
    return AuditReport(lines)


def _lines(connection: Connection, tables: Tables) -> t.Iterator[AuditLine]:
    values = _map(connection, select(tables.key.c.key_id, tables.key.c.value))
    counted = {kind: _counted(connection, tables, kind) for kind in COUNTERS}
    issued, held_out = _rows(connection, tables.issued), _rows(connection, tables.payment_output)
    spent, held_in = _rows(connection, tables.spent), _rows(connection, tables.payment_input)
    for key_id, value in sorted(values.items()):
        name = f"key {key_id.hex()[:16]} (value {value})"
        issues = sum(counted[kind].get(key_id, 0) for kind in COUNTERS if kind.startswith("issued"))
        spends = sum(counted[kind].get(key_id, 0) for kind in COUNTERS if kind.startswith("spent"))
        yield AuditLine(f"{name}: issued rows", issues, issued.get(key_id, 0) - held_out.get(key_id, 0))
        yield AuditLine(f"{name}: spent rows", spends, spent.get(key_id, 0) - held_in.get(key_id, 0))
        yield AuditLine(f"{name}: spent at most issued", issues, spent.get(key_id, 0), at_most=True)
    named = issued.keys() | spent.keys() | {key_id for counts in counted.values() for key_id in counts}
    yield AuditLine("keys that rows name but that are not there", 0, len(named - values.keys()))
    yield from _site_lines(connection, tables, values, counted)
    yield from _payment_lines(connection, tables, values)
    yield from _coin_lines(connection, tables)


def _site_lines(
    connection: Connection,
    tables: Tables,
    values: Mapping[bytes, int],
    counted: Mapping[str, Mapping[bytes, int]],
) -> t.Iterator[AuditLine]:
    retired = tables.retired_key
    total = _map(
        connection,
        select(tables.totals.c.name, func.sum(tables.totals.c.total)).group_by(tables.totals.c.name),
    )
    funds = connection.execute(select(func.coalesce(func.sum(tables.fund_total.c.total), 0))).scalar_one()

    def value(kind: str) -> int:
        closed = select(func.coalesce(func.sum(retired.c[kind] * retired.c.value), 0))
        live = sum(values.get(key_id, 0) * count for key_id, count in counted[kind].items())
        return live + int(connection.execute(closed).scalar_one())

    yield AuditLine("value issued for shares", total.get("share_value", 0), value("issued_share"))
    yield AuditLine(
        "value spent = paid + change", total.get("paid", 0) + value("issued_change"), value("spent_payment")
    )
    yield AuditLine("value exchanged out = in", value("spent_exchange"), value("issued_exchange"))
    donated = total.get("donated", 0) + total.get("donated_share_value", 0)
    yield AuditLine("funds = donations", donated, int(funds))
    everything_in = sum(value(kind) for kind in COUNTERS if kind.startswith("issued"))
    everything_out = sum(value(kind) for kind in COUNTERS if kind.startswith("spent"))
    yield AuditLine("value spent at most issued", everything_in, everything_out, at_most=True)


def _payment_lines(
    connection: Connection, tables: Tables, values: Mapping[bytes, int]
) -> t.Iterator[AuditLine]:
    payment = tables.payment
    unequal = select(func.count()).where(payment.c.input_value != payment.c.price + payment.c.change_value)
    yield AuditLine(
        "payments whose inputs differ from price + change", 0, connection.execute(unequal).scalar_one()
    )
    reserved = select(
        func.coalesce(func.sum(payment.c.input_value), 0), func.coalesce(func.sum(payment.c.change_value), 0)
    ).where(payment.c.state == RESERVED)
    inputs, outputs = connection.execute(reserved).one()
    for name, expected, table in (
        ("value held by reserved payments", inputs, tables.payment_input),
        ("value promised by reserved payments", outputs, tables.payment_output),
    ):
        found = sum(values.get(key_id, 0) * count for key_id, count in _rows(connection, table).items())
        yield AuditLine(name, int(expected), found)


def _coin_lines(connection: Connection, tables: Tables) -> t.Iterator[AuditLine]:
    table, share = tables.coin_total, tables.upstream_share
    totals = _by_coin(
        connection,
        select(table.c.coin, table.c.name, func.sum(table.c.total)).group_by(table.c.coin, table.c.name),
    )
    rows = _by_coin(
        connection, select(share.c.coin, share.c.state, func.count()).group_by(share.c.coin, share.c.state)
    )
    for coin in sorted(totals | rows):
        counted, found = totals.get(coin, {}), rows.get(coin, {})
        forwarded, paid = counted.get("forwarded", 0), counted.get("paid_shares", 0)
        ended = sum(counted.get(fate, 0) for fate in FATES)
        waiting = sum(number for state, number in found.items() if state not in FATES)
        yield AuditLine(f"{coin}: forwarded at most paid shares", paid, forwarded, at_most=True)
        yield AuditLine(f"{coin}: forwarded = waiting + fates", forwarded, waiting + ended)
        for fate in FATES:
            limit, number = counted.get(fate, 0), found.get(fate, 0)
            yield AuditLine(f"{coin}: {fate} rows at most counted", limit, number, at_most=True)


def _by_coin(connection: Connection, statement: t.Any) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for coin, name, number in connection.execute(statement):
        found.setdefault(coin, {})[name] = int(number)
    return found


def _rows(connection: Connection, table: Table) -> dict[bytes, int]:
    return _map(connection, select(table.c.key_id, func.count()).group_by(table.c.key_id))


def _counted(connection: Connection, tables: Tables, kind: str) -> dict[bytes, int]:
    counter = tables.counter
    statement = (
        select(counter.c.key_id, func.sum(counter.c.total))
        .where(counter.c.kind == kind)
        .group_by(counter.c.key_id)
    )
    return _map(connection, statement)


def _map(connection: Connection, statement: t.Any) -> dict[t.Any, int]:
    return {name: int(number) for name, number in connection.execute(statement)}
