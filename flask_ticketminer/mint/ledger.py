"""The ledger: every share is paid once, every ticket is spent once, and value neither appears nor disappears.

Signatures are checked before a transaction, and everything is written in one. Who may spend is decided by the unique
constraints alone; a failed insert is explained afterwards.
"""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, Select, select, update
from sqlalchemy.exc import IntegrityError

from flask_ticketminer.errors import (
    BadSignature,
    DatabaseBusy,
    ExpiredKey,
    ForeignTicket,
    InProgress,
    OutputRepeated,
    PaymentReleased,
    RetiredKey,
    TicketRepeated,
    TooManyTickets,
)
from flask_ticketminer.mint import holdings
from flask_ticketminer.mint.denominations import check_amounts
from flask_ticketminer.mint.keys import MintKey
from flask_ticketminer.mint.orders import (
    FAILED,
    LAPSED,
    PAID,
    RESERVED,
    USED,
    USING,
    PassUse,
    PaymentOrder,
    Plan,
    Reservation,
    StoredPayment,
)
from flask_ticketminer.mint.shares import CONFLICTS, ShareResult, Shares
from miner.tokens import Token

__all__ = ["Ledger", "PassUse", "PaymentOrder", "Reservation", "ShareResult", "StoredPayment"]


class Ledger(Shares):
    """The ledger of one application; threads and processes may share its database."""

    def verify(self, tokens: Sequence[Token]) -> None:
        """Check what needs no database: number, distinctness, keys and signatures.

        Expired and retired keys pass: a repeat of an old request is still to be answered. :meth:`reserve` refuses them.

        :raises TooManyTickets, TicketRepeated, UnknownKey, BadSignature, Busy:
        """
        self._check_distinct(tokens)
        for position, token in enumerate(tokens):
            try:
                key = self._keys.find(token.key_id)
            except RetiredKey:
                continue
            self._check_signature(position, token, key)

    def find_payment(self, payment_id: bytes) -> StoredPayment | None:
        """Return the payment with this id (32 bytes) in whatever state, or None."""
        statement = self._payment_with(payment_id)
        row = self._database.read(lambda connection: connection.execute(statement).mappings().first())
        return None if row is None else StoredPayment.from_row(dict(row))

    def reserve(self, order: PaymentOrder, *, verified: bool = False) -> Reservation | StoredPayment:
        """Hold the tickets of `order` for the length of a lease, or return the payment if it is settled already.

        :param verified: :meth:`verify` has passed on these very tickets.
        :raises PaymentProblem: something is wrong with the order; nothing was spent.
        :raises InProgress: the same credential is under way elsewhere.
        :raises PaymentReleased: what it paid for has failed.
        :raises TicketInUse: another payment holds some tickets.
        :raises OutputAlreadySigned: an output was signed before; nothing was spent.
        """
        plan = self._plan(order, verified)

        def work(connection: Connection, row: dict[str, t.Any]) -> None:
            self._statements.insert_payment.run(connection, row)
            holdings.insert_rows(connection, self._statements, plan, held=True)

        def insert() -> None:
            row = plan.payment_row(RESERVED, self._clock.now(), self._settings.lease)
            # A reservation lost to a power failure is one that was released: it need not reach the disk before the
            # settlement that follows it there.
            self._database.transaction(functools.partial(work, row=row), durable=False)

        for _ in range(CONFLICTS):
            if self._inserted(plan, insert):
                return Reservation(order.payment_id, 1, plan)
            outcome = self._resolve(plan)
            if outcome is not None:
                return outcome
        raise _crowded()

    def pay_at_once(self, order: PaymentOrder, *, verified: bool = False) -> StoredPayment:
        """Reserve and settle in one transaction; a repeat gets the stored payment, marked as ``replayed``.

        Parameters and errors as for :meth:`reserve`.
        """
        plan, now = self._plan(order, verified), self._clock.now()

        def work(connection: Connection, row: dict[str, t.Any]) -> bool:
            self._statements.insert_payment.run(connection, row)
            holdings.insert_rows(connection, self._statements, plan, held=False)
            return True

        def insert() -> None:
            row = plan.payment_row(order.final_state, now, 0)
            self._counters.transaction(plan.deltas(), functools.partial(work, row=row))

        for _ in range(CONFLICTS):
            if self._inserted(plan, insert):
                return plan.settled(now, 1)
            outcome = self._resolve(plan)
            if isinstance(outcome, Reservation):
                outcome = self.settle(outcome)
            if outcome is not None:
                return outcome
        raise _crowded()

    def settle(self, reservation: Reservation) -> StoredPayment | None:
        """Spend the tickets for good and count them; None when the reservation was lost to somebody else."""
        plan, now = reservation.plan, self._clock.now()
        payment_id, fence = reservation.payment_id, reservation.fence
        change = {
            "at_payment": payment_id,
            "at_fence": fence,
            "at_state": RESERVED,
            "new_state": plan.order.final_state,
            "new_settled_at": now,
        }

        def work(connection: Connection) -> StoredPayment | None:
            if self._statements.settle.run(connection, change) != 1:
                return None
            outputs = bool(plan.order.outputs)
            holdings.delete_holds(connection, self._statements, payment_id, outputs=outputs)
            if not reservation.taken_over:
                return plan.settled(now, fence)
            found = connection.execute(self._payment_with(payment_id)).mappings().one()
            return replace(StoredPayment.from_row(dict(found)), replayed=False)

        settled = self._counters.transaction(plan.deltas(), work)
        if settled is None:
            stored = self.find_payment(reservation.payment_id)
            # An earlier try of this very call may have been committed before its answer was lost.
            if stored is not None and stored.is_settled and stored.fence == reservation.fence:
                return stored
        return settled

    def release(self, reservation: Reservation) -> bool:
        """Give the tickets back and forget the outputs: what was paid for has failed.

        Returns whether the reservation was still ours. The payment is over, so that a late copy of its request cannot
        pay for what its sender has been told was not delivered.
        """
        return self._database.transaction(
            lambda connection: holdings.fail(
                connection, self._tables, reservation.payment_id, reservation.fence
            )
        )

    def begin_use(self, payment_id: bytes) -> PassUse | None:
        """Start the one use of a pass; None when there is no unused pass of this payment.

        :raises InProgress: it is being used, and its lease is not over.
        """
        stored = self.find_payment(payment_id)
        if stored is None or not stored.pass_unused:
            return None
        now = self._clock.now()
        if stored.state == USING and stored.lease_until > now:
            raise _in_progress(stored, now)
        change = {"state": USING, "fence": stored.fence + 1, "lease_until": now + self._settings.lease}
        if not self._moved(payment_id, stored.fence, stored.state, change):
            raise _in_progress(stored, now)
        return PassUse(payment_id, stored.fence + 1, stored)

    def finish_use(self, use: PassUse) -> bool:
        """Use the pass up; return whether this use still had it."""
        if self._moved(use.payment_id, use.fence, USING, {"state": USED}):
            return True
        stored = self.find_payment(use.payment_id)
        return stored is not None and (stored.state, stored.fence) == (USED, use.fence)

    def abandon_use(self, use: PassUse) -> bool:
        """Leave the pass unused; return whether this use still had it."""
        return self._moved(use.payment_id, use.fence, USING, {"state": PAID})

    def _plan(self, order: PaymentOrder, verified: bool) -> Plan:
        """Check `order` in the order of cost."""
        settings, now = self._settings, self._clock.now()
        self._check_distinct(order.tokens)
        keys = tuple(self._accepted(position, token, now) for position, token in enumerate(order.tokens))
        check_amounts(
            order.kind,
            order.price,
            [key.value for key in keys],
            [key.value for key, _ in order.outputs],
            max_inputs=settings.max_inputs,
            max_outputs=settings.max_outputs,
        )
        if len({(key.key_id, blinded) for key, blinded in order.outputs}) != len(order.outputs):
            raise OutputRepeated("An output stands twice in this request; use a new counter for each.")
        for key, _ in order.outputs:
            self._keys.check_signing(key)
        if not verified:
            for position, (token, key) in enumerate(zip(order.tokens, keys, strict=True)):
                self._check_signature(position, token, key)
        return Plan(order, keys, self._keys.sign_all)

    def _check_distinct(self, tokens: Sequence[Token]) -> None:
        limit = self._settings.max_inputs
        if len(tokens) > limit:
            raise TooManyTickets(
                f"A payment takes at most {limit} tickets, not {len(tokens)}; exchange some for larger ones first.",
                limit=limit,
            )
        if len({(token.key_id, token.nonce) for token in tokens}) != len(tokens):
            raise TicketRepeated("A ticket stands twice in this request; each can be spent once.")

    def _check_signature(self, position: int, token: Token, key: MintKey) -> None:
        if not self._keys.verify(key, token):
            raise BadSignature(
                f"The ticket at position {position} was not signed by this site; throw it away.",
                tickets=[position],
            )

    def _accepted(self, position: int, token: Token, now: int) -> MintKey:
        key = self._keys.find(token.key_id)
        if key.expired_at(now):
            raise ExpiredKey("The ticket has expired; throw it away and pay with others.", tickets=[position])
        if token.challenge_digest != key.challenge_digest:
            raise ForeignTicket(
                "The ticket was made for another site's name. Pay with this site's.", tickets=[position]
            )
        return key

    def _payment_with(self, payment_id: bytes) -> Select[t.Any]:
        payment = self._tables.payment
        return select(payment).where(payment.c.payment_id == payment_id)

    def _inserted(self, plan: Plan, insert: t.Callable[[], None]) -> bool:
        """Run `insert`, which writes the rows of `plan`; return whether nothing stood in their way."""
        if self._in_the_way(plan):
            return False
        try:
            insert()
        except IntegrityError:
            return False
        return True

    def _in_the_way(self, plan: Plan) -> bool:
        """Look whether it is worth while to sign the outputs of `plan`: what is refused anyway shall not buy signatures.

        What is found decides nothing; the constraints do.
        """
        if not plan.order.outputs:
            return False
        scarce = self._keys.budgets.signatures_scarce
        return self._database.read(
            lambda connection: (
                holdings.any_spent(connection, self._tables, plan)
                or (scarce and holdings.any_signed(connection, self._tables, plan))
            )
        )

    def _resolve(self, plan: Plan) -> Reservation | StoredPayment | None:
        """Say what to do after a constraint refused the rows of `plan`; None to try again."""
        stored = self.find_payment(plan.order.payment_id)
        if stored is None:
            self._clear_the_way(plan)
            return None
        if stored.is_settled:
            return stored
        if stored.state == FAILED:
            raise PaymentReleased(
                "The page failed under this payment, and its tickets were given back. Nothing was spent; pay anew."
            )
        now = self._clock.now()
        if stored.state == RESERVED and stored.lease_until > now:
            raise _in_progress(stored, now)
        fence = stored.fence + 1
        change = {"state": RESERVED, "fence": fence, "lease_until": now + self._settings.lease}

        if stored.state == RESERVED:
            if not self._moved(stored.payment_id, stored.fence, RESERVED, change):
                return None
            return Reservation(stored.payment_id, fence, plan, taken_over=True)
        if self._in_the_way(plan):
            self._clear_the_way(plan)
            return None
        full = plan.payment_row(RESERVED, now, self._settings.lease) | change

        def again(connection: Connection) -> bool:
            if not self._move(connection, stored.payment_id, stored.fence, LAPSED, full):
                return False
            holdings.insert_rows(connection, self._statements, plan, held=True)
            return True

        try:
            reserved = self._database.transaction(again)
        except IntegrityError:
            self._clear_the_way(plan)
            return None
        return Reservation(stored.payment_id, fence, plan) if reserved else None

    def _clear_the_way(self, plan: Plan) -> None:
        """Raise what stands in the way of `plan`, or let overdue payments lapse that do."""
        now = self._clock.now()
        overdue = self._database.read(
            lambda connection: holdings.overdue_holders(connection, self._tables, plan, now), snapshot=True
        )
        for payment_id in sorted(overdue - {plan.order.payment_id}):
            self._database.transaction(
                lambda connection, payment_id=payment_id: holdings.lapse(  # type: ignore[misc]
                    connection, self._tables, payment_id, now
                )
            )

    def _move(
        self, connection: Connection, payment_id: bytes, fence: int, state: str, change: dict[str, object]
    ) -> bool:
        payment = self._tables.payment
        statement = (
            update(payment)
            .where(payment.c.payment_id == payment_id, payment.c.fence == fence, payment.c.state == state)
            .values(**change)
        )
        return connection.execute(statement).rowcount == 1

    def _moved(self, payment_id: bytes, fence: int, state: str, change: dict[str, object]) -> bool:
        return self._database.transaction(
            lambda connection: self._move(connection, payment_id, fence, state, change)
        )


def _in_progress(stored: StoredPayment, now: int) -> InProgress:
    return InProgress(
        "This payment is under way. Send the same request again shortly.",
        retry_after=max(1, stored.lease_until - now),
    )


def _crowded() -> DatabaseBusy:
    return DatabaseBusy("Too many requests want the same tickets. Send the same request again later.")
