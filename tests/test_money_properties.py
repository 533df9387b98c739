"""Money in the ledger: whatever is tried in whatever order, value is neither made nor lost, and nothing is spent twice.

``TICKETMINER_EXAMPLES=2000 python -m pytest tests/test_money_properties.py`` tries more of it.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from mints import START, Mint
from spoiling import holds_for

from flask_ticketminer.clock import ManualClock
from flask_ticketminer.errors import (
    InProgress,
    OutputAlreadySigned,
    PaymentProblem,
    Problem,
    RetiredKey,
    TicketInUse,
)
from flask_ticketminer.mint.audit import audit
from flask_ticketminer.mint.denominations import check_amounts
from flask_ticketminer.mint.ledger import PaymentOrder, Reservation, StoredPayment
from flask_ticketminer.mint.retirement import prune
from flask_ticketminer.mint.statistics import statistics
from miner.tokens import DENOMINATIONS, Token, finalize, split

EXAMPLES = int(os.environ.get("TICKETMINER_EXAMPLES", "50"))
STEPS = 40
LEASE = 120
T = t.TypeVar("T")

values = st.lists(st.sampled_from(DENOMINATIONS), max_size=20)


@holds_for(
    st.sampled_from(("pay", "donation", "exchange")), st.integers(0, 600), values, values, examples=300
)
def test_amounts_are_accepted_when_they_add_up(
    kind: t.Any, price: int, inputs: list[int], outputs: list[int]
) -> None:
    price = 0 if kind == "exchange" else price
    allowed = max(16, len(inputs)) if kind == "exchange" else 32
    fits = bool(inputs) and sum(inputs) == price + sum(outputs) and len(outputs) <= allowed
    assert accepted(kind, price, inputs, outputs) == fits


@holds_for(values.filter(bool), st.integers(0, 600), examples=200)
def test_change_made_of_denominations_is_accepted(inputs: list[int], price: int) -> None:
    rest = sum(inputs) - price
    if rest >= 0:
        assert accepted("pay", price, inputs, split(rest))
        assert not accepted("pay", price, inputs, [*split(rest), 1])
        assert not accepted("pay", price + 1, inputs, split(rest))


def accepted(kind: t.Any, price: int, inputs: list[int], outputs: list[int]) -> bool:
    try:
        check_amounts(kind, price, inputs, outputs, max_inputs=64, max_outputs=32)
    except PaymentProblem:
        return False
    return True


@dataclasses.dataclass(eq=False)
class Try:
    """One order that was given to the ledger, and how its outputs become tickets."""

    order: PaymentOrder
    secrets: list[tuple[bytes, int]]
    reservations: list[Reservation] = dataclasses.field(default_factory=list)
    lease_until: int = 0
    settled: bool = False
    uses: int = 0

    @property
    def inputs(self) -> list[bytes]:
        return [token.nonce for token in self.order.tokens]


def often(one: T, other: T) -> st.SearchStrategy[T]:
    """Draw mostly `one`."""
    return st.sampled_from((one, one, one, one, one, other))


class Books(RuleBasedStateMachine):
    """A ledger, and beside it what its books have to say."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(START)
        self.mint = Mint("sqlite://", self.clock)
        self.tickets: list[Token] = []
        self.worth: dict[bytes, int] = {}
        self.spent: set[bytes] = set()
        self.tries: list[Try] = []
        self.earned = self.paid = 0
        for value in (8, 2, 1, 1):
            self.earn(value)

    def teardown(self) -> None:
        self.mint.database.dispose()

    # What visitors do

    @rule(value=st.sampled_from((1, 2, 4, 8)))
    def earn(self, value: int) -> None:
        self.keep(self.mint.ticket(value), value)
        self.earned += value

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), at_once=st.booleans(), single_use=st.booleans())
    def pay(self, data: st.DataObject, at_once: bool, single_use: bool) -> None:
        """Pay with any tickets, spent and held ones among them, at a price and with change that may not fit."""
        chosen = self.choose(data)
        worth = sum(self.worth[token.nonce] for token in chosen)
        price = data.draw(st.integers(1, worth)) + data.draw(often(0, 1))
        change = split(max(0, worth - price)) + data.draw(often([], [1]))
        self.attempt(self.new_try(chosen, price, change, kind="pay", single_use=single_use), at_once)

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def exchange(self, data: st.DataObject) -> None:
        chosen = self.choose(data)
        worth = sum(self.worth[token.nonce] for token in chosen)
        wanted = data.draw(st.sampled_from((split(worth), [1] * min(worth, 16), [*split(worth), 1])))
        self.attempt(self.new_try(chosen, 0, wanted, kind="exchange"), at_once=True)

    @precondition(lambda self: self.tries)
    @rule(data=st.data(), at_once=st.booleans())
    def repeat(self, data: st.DataObject, at_once: bool) -> None:
        """Send an order again: settled, released, held, refused or overdue."""
        self.attempt(data.draw(st.sampled_from(self.tries)), at_once)

    @precondition(lambda self: self.tries and self.tickets)
    @rule(data=st.data())
    def ask_for_a_used_output(self, data: st.DataObject) -> None:
        """Ask for outputs of an earlier order with other tickets."""
        earlier = data.draw(st.sampled_from(self.tries))
        token = data.draw(st.sampled_from(self.tickets))
        price = self.worth[token.nonce] - sum(key.value for key, _ in earlier.order.outputs)
        if price > 0:
            order = PaymentOrder(os.urandom(32), [token], earlier.order.outputs, price)
            self.attempt(Try(order, earlier.secrets), at_once=True)

    # What happens to the site

    @precondition(lambda self: any(each.reservations for each in self.tries))
    @rule(data=st.data(), delivered=st.booleans())
    def end_of_a_view(self, data: st.DataObject, delivered: bool) -> None:
        """A view ends, perhaps long after its lease, when others may have taken its payment over."""
        each = data.draw(st.sampled_from([each for each in self.tries if each.reservations]))
        reservation = each.reservations.pop(data.draw(st.integers(0, 9)) % len(each.reservations))
        if delivered:
            stored = self.mint.ledger.settle(reservation)
            if stored is not None and not each.settled:
                self.book(each, stored)
        else:
            self.mint.ledger.release(reservation)

    @precondition(lambda self: any(each.reservations and not each.settled for each in self.tries))
    @rule(data=st.data(), delivered=st.booleans())
    def take_over(self, data: st.DataObject, delivered: bool) -> None:
        """A view outlives its lease while the same credential comes again: the old view can neither settle nor release."""
        each = data.draw(
            st.sampled_from([each for each in self.tries if each.reservations and not each.settled])
        )
        old = each.reservations.pop()
        each.reservations.clear()
        self.clock.advance(LEASE + 1)
        self.attempt(each, at_once=False)
        if each.reservations:
            ledger, new = self.mint.ledger, each.reservations.pop()
            assert ledger.settle(old) is None if delivered else not ledger.release(old)
            stored = ledger.settle(new)
            assert stored is not None, "the new holder lost a payment to the old one"
            self.book(each, stored)

    @precondition(lambda self: any(each.settled and each.order.single_use for each in self.tries))
    @rule(data=st.data(), delivered=st.booleans())
    def use_a_pass(self, data: st.DataObject, delivered: bool) -> None:
        each = data.draw(
            st.sampled_from([each for each in self.tries if each.settled and each.order.single_use])
        )
        for _ in range(2):
            use = self.mint.ledger.begin_use(each.order.payment_id)
            if use is not None:
                assert each.uses == 0, "a pass was used twice"
                each.uses += self.mint.ledger.finish_use(use) if delivered else 0
                self.mint.ledger.abandon_use(use)

    @rule(seconds=st.sampled_from((1, LEASE - 1, LEASE + 1, 3600, 86401)))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def tidy(self) -> None:
        prune(self.mint.database, self.mint.settings, self.clock, force=True)

    # The books

    def choose(self, data: st.DataObject) -> list[Token]:
        """Draw tickets, mostly some that nobody has spent or holds, sometimes one twice."""
        busy = self.spent.union(*(each.inputs for each in self.tries if each.lease_until > self.clock.now()))
        free = [token for token in self.tickets if token.nonce not in busy]
        among = free if free and data.draw(often(True, False)) else self.tickets
        return data.draw(
            st.lists(st.sampled_from(among), min_size=1, max_size=3, unique=data.draw(often(True, False)))
        )

    def new_try(self, chosen: list[Token], price: int, change: list[int], **members: t.Any) -> Try:
        made = [self.mint.blinded(value) for value in change]
        outputs = [(key, blinded) for key, blinded, _, _ in made]
        order = PaymentOrder(os.urandom(32), chosen, outputs, price, binding=bytes(32), **members)
        return Try(order, [(nonce, inverse) for _, _, nonce, inverse in made])

    def attempt(self, each: Try, at_once: bool) -> None:
        """Give an order to the ledger, and check that it was right to take or refuse it."""
        if each not in self.tries:
            self.tries.append(each)
        ledger = self.mint.ledger
        outcome: Reservation | StoredPayment | Problem
        try:
            outcome = ledger.pay_at_once(each.order) if at_once else ledger.reserve(each.order)
        except Problem as problem:
            outcome = problem
        if isinstance(outcome, InProgress | TicketInUse):
            assert self.held(each.order), "tickets that nobody holds were called in use"
        elif isinstance(outcome, Problem):
            signed_before = isinstance(outcome, OutputAlreadySigned)
            assert signed_before or not self.payable(each.order), f"a good order was refused: {outcome}"
        elif isinstance(outcome, Reservation):
            assert self.payable(each.order), "a bad order was taken"
            each.reservations.append(outcome)
            each.lease_until = self.clock.now() + LEASE
        elif not each.settled:
            assert self.payable(each.order), "a bad order was settled"
            self.book(each, outcome)

    def payable(self, order: PaymentOrder) -> bool:
        """Return whether the tickets of `order` are distinct, good and unspent, its sums right and its outputs' keys signing."""
        nonces, now = [token.nonce for token in order.tokens], self.clock.now()
        worth, change = sum(self.worth[nonce] for nonce in nonces), sum(key.value for key, _ in order.outputs)
        try:
            expired = any(self.mint.keys.find(token.key_id).expired_at(now) for token in order.tokens)
        except RetiredKey:
            expired = True
        distinct = len(set(nonces)) == len(nonces) and not set(nonces) & self.spent
        signing = all(key.signs_at(now) for key, _ in order.outputs)
        return distinct and not expired and signing and worth == order.price + change

    def held(self, order: PaymentOrder) -> bool:
        """Return whether some of the tickets may be held by a reservation."""
        wanted, now = {token.nonce for token in order.tokens}, self.clock.now()
        return any(wanted & set(each.inputs) and each.lease_until > now for each in self.tries)

    def book(self, each: Try, stored: StoredPayment) -> None:
        """Note a payment that was settled: its tickets are gone, and its change has come."""
        assert not set(each.inputs) & self.spent, "a ticket was spent twice"
        each.settled = True
        self.spent |= set(each.inputs)
        self.paid += each.order.price
        for (key, _), (nonce, inverse), signed in zip(
            each.order.outputs, each.secrets, stored.change, strict=True
        ):
            message = Token.input(nonce, key.challenge_digest, key.key_id)
            signature = finalize(key.public_key, message, signed, inverse)
            self.keep(Token(nonce, key.challenge_digest, key.key_id, signature), key.value)

    def keep(self, token: Token, value: int) -> None:
        assert token.nonce not in self.worth, "one output became two tickets"
        self.tickets.append(token)
        self.worth[token.nonce] = value

    @invariant()
    def books_agree(self) -> None:
        value = statistics(self.mint.database, self.clock.now())["value"]
        held = sum(self.worth[nonce] for nonce in self.worth.keys() - self.spent)
        assert value["issued"] - value["spent"] == held == self.earned - self.paid
        assert value["paid"] == self.paid

    @invariant()
    def the_audit_finds_nothing(self) -> None:
        assert [line for line in audit(self.mint.database).lines if not line.holds] == []


def test_no_order_of_payments_crashes_and_repeats_makes_or_loses_value() -> None:
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize="TICKETMINER_EXAMPLES" not in os.environ,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
