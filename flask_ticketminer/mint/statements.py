"""The statements that every share and every payment runs, prepared."""

from __future__ import annotations

from sqlalchemy import Delete, Table, bindparam, delete, insert, update

from flask_ticketminer.prepared import Prepared
from flask_ticketminer.tables import Tables


class Statements:
    """Prepared statements on one set of tables; the rows they take are named as the columns unless said otherwise."""

    def __init__(self, tables: Tables) -> None:
        self.insert_share = Prepared(insert(tables.share))
        self.insert_upstream_share = Prepared(insert(tables.upstream_share))
        self.insert_issued = Prepared(insert(tables.issued))
        self.insert_spent = Prepared(insert(tables.spent))
        self.insert_payment = Prepared(insert(tables.payment))
        self.insert_input = Prepared(insert(tables.payment_input))
        self.insert_output = Prepared(insert(tables.payment_output))
        #: Forget what ties rows to the payment ``at_payment``.
        self.delete_inputs = Prepared(_of_payment(tables.payment_input))
        self.delete_outputs = Prepared(_of_payment(tables.payment_output))
        payment = tables.payment
        #: Settle the payment ``at_payment`` if it is in state ``at_state`` with fencing number ``at_fence``.
        self.settle = Prepared(
            update(payment)
            .where(
                payment.c.payment_id == bindparam("at_payment"),
                payment.c.fence == bindparam("at_fence"),
                payment.c.state == bindparam("at_state"),
            )
            .values(
                state=bindparam("new_state"),
                settled_at=bindparam("new_settled_at"),
                lease_until=bindparam("new_settled_at"),
            )
        )
        #: Add ``delta`` to the counter with the key ``at_…`` by the columns of its primary key.
        counted = (tables.counter, tables.totals, tables.fund_total, tables.coin_total)
        self.count = {table: _adding(table) for table in counted}


def _of_payment(table: Table) -> Delete:
    return delete(table).where(table.c.payment_id == bindparam("at_payment"))


def _adding(table: Table) -> Prepared:
    where = [column == bindparam(f"at_{column.name}") for column in table.primary_key]
    return Prepared(update(table).where(*where).values(total=table.c.total + bindparam("delta")))
