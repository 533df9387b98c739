"""Pruning: forgets what a repeat can no longer need, and closes the epochs whose tickets have expired.

Retirement never reverses: the key's rows and its private key go, its totals and its id stay. Because a wrong clock would
therefore destroy value, nothing is pruned after the database's clock has jumped.
"""

from __future__ import annotations

import functools
import time
import typing as t
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Text,
    and_,
    cast,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from flask_ticketminer.clock import Clock
from flask_ticketminer.config import Settings
from flask_ticketminer.database import Database
from flask_ticketminer.errors import ClockJumped
from flask_ticketminer.mint import holdings
from flask_ticketminer.mint.epochs import DAY
from flask_ticketminer.mint.orders import FAILED, LAPSED, PAID, RESERVED, SETTLED, USED, USING
from flask_ticketminer.tables import COUNTERS, Tables

GRACE = DAY
"""Seconds after its last day for which a key is kept, so that no request that began before is still at work on it."""
BACKWARD = 60
"""Seconds that the clock may go back between two prunes."""
FORWARD = 30 * DAY
"""Seconds after the last prune from which a jump is suspected."""
BATCH = 500
"""Rows deleted in one transaction, so that no visitor waits long for another's lock."""
SLICE = 0.25
"""Seconds after which :func:`tidy` begins nothing new."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows of each kind went, or would go."""

    released: int
    shares: int
    payments: int
    retired: int


def prune(database: Database, settings: Settings, clock: Clock, *, force: bool = False) -> Pruned:
    """Release overdue reservations, drop old replay rows, retire expired keys; safe at any time and from any process.

    On PostgreSQL the issued rows are also written anew in the order of their hashes, where tickets were issued since the last time.

    :param force: believe the clock although it has jumped.
    :raises ClockJumped: it went back, or more than 30 days have passed since the last prune.
    """
    now, tables = clock.now(), database.tables
    _check_clock(database, now, force)
    pruned = Pruned(
        released=sum(_until_done(lambda: _release_overdue(database, now))),
        shares=sum(_until_done(lambda: _drop(database, tables.share, _old_shares(database, settings, now)))),
        payments=sum(
            _until_done(lambda: _drop(database, tables.payment, _old_payments(database, settings, now)))
        ),
        retired=_retire(database, now),
    )
    if database.dialect == "postgresql":
        _forget_order(database)
    _remember(database, now)
    return pruned


def tidy(
    database: Database,
    settings: Settings,
    clock: Clock,
    *,
    monotonic: t.Callable[[], float] = time.monotonic,
) -> bool:
    """Do a part of :func:`prune` that takes a fraction of a second, retiring no key; return whether nothing of it is left.

    :raises ClockJumped: as there.
    """
    now, tables = clock.now(), database.tables
    _check_clock(database, now, force=False)
    steps: tuple[t.Callable[[], int], ...] = (
        lambda: _release_overdue(database, now),
        lambda: _drop(database, tables.payment, _old_payments(database, settings, now)),
        lambda: _drop(database, tables.share, _old_shares(database, settings, now)),
    )
    until = monotonic() + SLICE
    done = all(_done_before(step, until, monotonic) for step in steps)
    _remember(database, now)
    return done


def prunable(database: Database, settings: Settings, clock: Clock, *, force: bool = False) -> Pruned:
    """Return what :func:`prune` would do now, changing nothing. Parameters and errors as there."""
    now, tables = clock.now(), database.tables
    _check_clock(database, now, force)
    # What is overdue for so long is released and forgotten at once.
    overdue_and_old = and_(_overdue(database, now), _dead(database, settings, now))
    wanted = (
        (tables.payment, _overdue(database, now)),
        (tables.share, _old_shares(database, settings, now)),
        (tables.payment, or_(_old_payments(database, settings, now), overdue_and_old)),
        (tables.key, _expired(database, now)),
    )

    def work(connection: Connection) -> Pruned:
        counts = (select(func.count()).select_from(table).where(which) for table, which in wanted)
        return Pruned(*(connection.execute(count).scalar_one() for count in counts))

    return database.read(work, snapshot=True)


def _overdue(database: Database, now: int) -> ColumnElement[bool]:
    payment = database.tables.payment
    return and_(payment.c.state == RESERVED, payment.c.lease_until <= now)


def _old_shares(database: Database, settings: Settings, now: int) -> ColumnElement[bool]:
    # A share may come again as long as its job lives.
    return database.tables.share.c.created < now - max(settings.replay_kept, 2 * settings.job_life)


def _old_payments(database: Database, settings: Settings, now: int) -> ColumnElement[bool]:
    payment = database.tables.payment
    replay, passes = now - settings.replay_kept, now - max(settings.replay_kept, settings.redeem_days * DAY)
    return or_(
        and_(payment.c.state.in_((SETTLED, USED)), payment.c.settled_at < replay),
        and_(payment.c.state.in_((LAPSED, FAILED)), _dead(database, settings, now)),
        # A pass that was paid for and not used is kept as long as tickets are.
        and_(payment.c.state.in_((PAID, USING)), payment.c.settled_at < passes),
    )


def _dead(database: Database, settings: Settings, now: int) -> ColumnElement[bool]:
    """Whether a payment that was given back cannot come again: its challenge was made before its last lease began."""
    return database.tables.payment.c.lease_until < now - settings.challenge_life


def _expired(database: Database, now: int) -> ColumnElement[bool]:
    return database.tables.key.c.redeem_until <= now - GRACE


def _check_clock(database: Database, now: int, force: bool) -> None:
    schema = database.tables.schema
    last = database.read(lambda connection: connection.execute(select(func.max(schema.c.pruned_at))).scalar())
    if force or last is None or last - BACKWARD <= now <= last + FORWARD:
        return
    how = "back" if now < last else "forward"
    raise ClockJumped(
        f"The database's clock went {how} by {abs(now - last) // 3600} hours since the last prune, and pruning by a wrong clock "
        "destroys tickets. Set the clock right; if it is right, run 'flask ticketminer prune --force'."
    )


def _remember(database: Database, now: int) -> None:
    schema = database.tables.schema
    database.transaction(lambda connection: connection.execute(update(schema).values(pruned_at=now)))


def _until_done(step: t.Callable[[], int]) -> t.Iterator[int]:
    """Repeat `step`, which does a batch, until one is not full; yield how many rows each did."""
    while True:
        rows = step()
        yield rows
        if rows < BATCH:
            return


def _done_before(step: t.Callable[[], int], until: float, monotonic: t.Callable[[], float]) -> bool:
    """Repeat `step` as :func:`_until_done` does, beginning nothing after `until`; return whether all is done."""
    while monotonic() < until:
        if step() < BATCH:
            return True
    return False


def _release_overdue(database: Database, now: int) -> int:
    payment = database.tables.payment
    statement = select(payment.c.payment_id).where(_overdue(database, now)).limit(BATCH)
    overdue = database.read(lambda connection: connection.execute(statement).scalars().all())
    return sum(_release(database, payment_id, now) for payment_id in overdue)


def _release(database: Database, payment_id: bytes, now: int) -> bool:
    return database.transaction(
        lambda connection: holdings.lapse(connection, database.tables, payment_id, now)
    )


def _drop(database: Database, table: Table, old: ColumnElement[bool]) -> int:
    """Delete a batch of the rows of `table` that are `old`; return how many were found."""
    (key,) = table.primary_key.columns
    found = database.read(
        lambda connection: connection.execute(select(key).where(old).limit(BATCH)).scalars().all()
    )
    if found:
        # Still old: a payment may have been reserved again since.
        statement = delete(table).where(key.in_(found), old)
        return database.transaction(lambda connection: connection.execute(statement).rowcount)
    return 0


def _retire(database: Database, now: int) -> int:
    key = database.tables.key
    statement = select(key.c.key_id).where(_expired(database, now)).order_by(key.c.redeem_until)
    expired = database.read(lambda connection: connection.execute(statement).scalars().all())
    return sum(_close(database, key_id) for key_id in expired)


def _forget_order(database: Database) -> None:
    """Write each key's issued rows anew, sorted, by one transaction a key.

    PostgreSQL keeps rows in the order of insertion, and with each the number of its transaction, which ties change to what it was
    change for. The other databases store rows in the order of their keys. Without the order of issue that of spending says nothing.
    """
    key = database.tables.key
    keys = database.read(lambda connection: connection.execute(select(key.c.key_id)).scalars().all())
    for key_id in keys:
        database.transaction(functools.partial(_rewrite, database.tables, key_id))


def _rewrite(tables: Tables, key_id: bytes, connection: Connection) -> None:
    key, issued, held = tables.key, tables.issued, tables.payment_output
    # Retirement waits for this, or this sees it; what is held may still be released, and is left for the next time.
    if connection.execute(
        select(key.c.key_id).where(key.c.key_id == key_id).with_for_update(read=True)
    ).first():
        settled = and_(
            issued.c.key_id == key_id,
            ~exists().where(held.c.key_id == issued.c.key_id, held.c.blinded_hash == issued.c.blinded_hash),
        )
        writer = cast(literal_column(f"{issued.name}.xmin"), Text)
        first, last = connection.execute(select(func.min(writer), func.max(writer)).where(settled)).one()
        if first != last:
            gone = delete(issued).where(settled).returning(*issued.c).cte("gone")
            rows = select(*gone.c).order_by(gone.c.blinded_hash)
            connection.execute(insert(issued).from_select([column.name for column in issued.c], rows))


def _close(database: Database, key_id: bytes) -> bool:
    """Put the tombstone of one key up and delete everything else of it, in one transaction."""
    tables = database.tables
    kept = ("key_id", "value", "starts", "ends", "redeem_until", "issuer_name")

    def work(connection: Connection) -> bool:
        row = connection.execute(
            select(*(tables.key.c[name] for name in kept))
            .where(tables.key.c.key_id == key_id)
            .with_for_update()
        ).first()
        if row is None:  # another process was faster
            return False
        counter = tables.counter
        sums = connection.execute(
            select(counter.c.kind, func.sum(counter.c.total))
            .where(counter.c.key_id == key_id)
            .group_by(counter.c.kind)
        )
        totals = dict.fromkeys(COUNTERS, 0) | {kind: int(total) for kind, total in sums}
        connection.execute(insert(tables.retired_key), dict(row._mapping) | totals)
        for table in (
            tables.payment_input,
            tables.payment_output,
            tables.issued,
            tables.spent,
            counter,
            tables.key,
        ):
            connection.execute(delete(table).where(table.c.key_id == key_id))
        return True

    return database.transaction(work)
