"""The rows of payments: inserting what a payment holds, giving it back, and finding out who holds it.

These functions run inside a transaction of their caller. Rows go in sorted, payment first, so that transactions wait for each
other in one order and cannot deadlock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, delete, or_, select, update

from flask_ticketminer.errors import OutputAlreadySigned, TicketInUse, TicketSpent
from flask_ticketminer.mint.orders import FAILED, LAPSED, RESERVED, Plan
from flask_ticketminer.mint.statements import Statements
from flask_ticketminer.tables import Tables


def insert_rows(connection: Connection, statements: Statements, plan: Plan, *, held: bool) -> None:
    """Insert the spent and issued rows of `plan`, and the rows that tie them to it while it is only reserved.

    :raises sqlalchemy.exc.IntegrityError: a ticket is spent or in use, or an output is signed.
    """
    inputs, outputs = plan.inputs(), plan.outputs()
    statements.insert_spent.run(connection, inputs)
    if outputs:
        statements.insert_issued.run(connection, outputs)
    if held:
        mark = {"payment_id": plan.order.payment_id}
        statements.insert_input.run(connection, [row | mark for row in inputs])
        if outputs:
            statements.insert_output.run(connection, [row | mark for row in outputs])


def delete_holds(connection: Connection, statements: Statements, payment_id: bytes, *, outputs: bool) -> None:
    """Delete the rows that tie spent and issued rows to a payment: it is settled, and they are everyone's past.

    :param outputs: whether it has any.
    """
    statements.delete_inputs.run(connection, {"at_payment": payment_id})
    if outputs:
        statements.delete_outputs.run(connection, {"at_payment": payment_id})


def fail(connection: Connection, tables: Tables, payment_id: bytes, fence: int) -> bool:
    """End a payment whose view has failed, if it is in these hands or has lapsed in them; return whether this call did."""
    payment = tables.payment
    ours = and_(payment.c.state.in_((RESERVED, LAPSED)), payment.c.fence == fence)
    return _give_back(connection, tables, payment_id, ours, FAILED)


def lapse(connection: Connection, tables: Tables, payment_id: bytes, now: int) -> bool:
    """Let go of a payment whose lease is over; the same credential may still pay. Return whether this call did."""
    payment = tables.payment
    overdue = and_(payment.c.state == RESERVED, payment.c.lease_until <= now)
    return _give_back(connection, tables, payment_id, overdue, LAPSED)


def _give_back(
    connection: Connection, tables: Tables, payment_id: bytes, condition: ColumnElement[bool], state: str
) -> bool:
    """Move a payment that meets `condition` to `state`, give its tickets back and forget its outputs; return whether it did."""
    payment = tables.payment
    moved = update(payment).where(payment.c.payment_id == payment_id, condition)
    if connection.execute(moved.values(state=state, change=b"")).rowcount != 1:
        return False
    for links, rows, column in (
        (tables.payment_input, tables.spent, "nonce"),
        (tables.payment_output, tables.issued, "blinded_hash"),
    ):
        found = connection.execute(
            select(links.c.key_id, links.c[column])
            .where(links.c.payment_id == payment_id)
            .order_by(links.c.key_id, links.c[column])
        ).all()
        if found:
            statement = delete(rows).where(
                rows.c.key_id == bindparam("at_key"), rows.c[column] == bindparam("at_column")
            )
            connection.execute(statement, [{"at_key": key, "at_column": value} for key, value in found])
    for links in (tables.payment_input, tables.payment_output):
        connection.execute(delete(links).where(links.c.payment_id == payment_id))
    return True


def overdue_holders(connection: Connection, tables: Tables, plan: Plan, now: int) -> set[bytes]:
    """Return the payments whose lease is over and that hold what `plan` wants; run it on a snapshot.

    An empty set means that nothing is in the way any more.

    :raises TicketSpent: some tickets are spent for good; ``tickets`` lists their positions.
    :raises TicketInUse: another payment holds some.
    :raises OutputAlreadySigned: some outputs were signed before; ``outputs`` lists their positions.
    """
    tokens = [(token.key_id, token.nonce) for token in plan.order.tokens]
    spent = _existing(connection, tables.spent, "nonce", tokens)
    held = _holders(connection, tables, tables.payment_input, "nonce", spent)
    gone = sorted(tokens.index(ticket) for ticket in spent - held.keys())
    if gone:
        raise TicketSpent(
            f"{len(gone)} of the tickets are already spent: those at positions {_listed(gone)}. Drop them and pay with others.",
            tickets=gone,
        )
    busy = {ticket: lease for ticket, (_, lease) in held.items() if lease > now}
    if busy:
        raise TicketInUse(
            "Another payment holds some of these tickets. Keep them and try again when it has ended.",
            tickets=sorted(tokens.index(ticket) for ticket in busy),
            retry_after=max(busy.values()) - now,
        )
    outputs = plan.blinded_hashes
    signed = _existing(connection, tables.issued, "blinded_hash", outputs)
    holders = _holders(connection, tables, tables.payment_output, "blinded_hash", signed)
    taken = sorted(
        outputs.index(output) for output in signed if output not in holders or holders[output][1] > now
    )
    if taken:
        raise OutputAlreadySigned(
            f"The outputs at positions {_listed(taken)} were signed before. Nothing was spent; skip their counters and ask again.",
            outputs=taken,
        )
    return {payment_id for payment_id, _ in (*held.values(), *holders.values())}


def any_spent(connection: Connection, tables: Tables, plan: Plan) -> bool:
    """Return whether some tickets of `plan` are spent or in use."""
    return bool(
        _existing(connection, tables.spent, "nonce", [(t.key_id, t.nonce) for t in plan.order.tokens])
    )


def any_signed(connection: Connection, tables: Tables, plan: Plan) -> bool:
    """Return whether some outputs of `plan` are signed."""
    return bool(_existing(connection, tables.issued, "blinded_hash", plan.blinded_hashes))


def _existing(
    connection: Connection, table: Table, column: str, wanted: Collection[tuple[bytes, bytes]]
) -> set[tuple[bytes, bytes]]:
    if not wanted:
        return set()
    found = connection.execute(select(table.c.key_id, table.c[column]).where(_any(table, column, wanted)))
    return {(key_id, value) for key_id, value in found}


def _holders(
    connection: Connection, tables: Tables, links: Table, column: str, wanted: Collection[tuple[bytes, bytes]]
) -> dict[tuple[bytes, bytes], tuple[bytes, int]]:
    if not wanted:
        return {}
    payment = tables.payment
    found = connection.execute(
        select(links.c.key_id, links.c[column], payment.c.payment_id, payment.c.lease_until)
        .join_from(links, payment, links.c.payment_id == payment.c.payment_id)
        .where(_any(links, column, wanted))
    )
    return {(key_id, value): (payment_id, lease) for key_id, value, payment_id, lease in found}


def _any(table: Table, column: str, wanted: Iterable[tuple[bytes, bytes]]) -> ColumnElement[bool]:
    by_key: dict[bytes, list[bytes]] = {}
    for key_id, value in wanted:
        by_key.setdefault(key_id, []).append(value)
    return or_(*(and_(table.c.key_id == key, table.c[column].in_(values)) for key, values in by_key.items()))


def _listed(positions: Iterable[int]) -> str:
    return ", ".join(map(str, positions))
