"""What a payment is before, while and after it is made.

::

    (new) ──reserve──▶ reserved ──settle──▶ settled                    the resource was delivered
                       │ │  ▲         └───▶ paid ──begin_use──▶ using ──finish_use──▶ used
                       │ │  │                 ▲                   │     a pass for one use
                       │ │ reserve            └────abandon_use────┘
                       │ ▼  │
                       │ lapsed             its lease ended: nobody was told what became of its view
                    release
                       ▼
                     failed                 its view failed, and whoever paid was told: it is over

Every step compares the state and the fencing number that it read and raises the number when the payment changes hands, so
whoever lost a payment to another process cannot write it any more.
"""

from __future__ import annotations

import functools
import hashlib
import typing as t
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask_ticketminer.mint.counters import Counter, FundTotal, KeyCounter, Total
from flask_ticketminer.mint.denominations import Kind
from flask_ticketminer.mint.keys import MintKey
from miner.tokens import MODULUS_SIZE, Token

RESERVED, LAPSED, FAILED, SETTLED = "reserved", "lapsed", "failed", "settled"
PAID, USING, USED = "paid", "using", "used"


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """What a visitor asks the ledger to do.

    :ivar payment_id: 32 bytes that digest the whole credential, outputs included.
    :ivar tokens: the tickets handed in.
    :ivar outputs: key and blinded message (256 bytes) of each ticket asked for.
    :ivar price: what the site keeps, in tickets; 0 exactly for an exchange.
    :ivar binding: 32 bytes, what is paid for.
    :ivar single_use: once settled, the payment is a pass for one use rather than delivered.
    """

    payment_id: bytes
    tokens: Sequence[Token]
    outputs: Sequence[tuple[MintKey, bytes]]
    price: int
    kind: Kind = "pay"
    binding: bytes | None = None
    fund: str | None = None
    single_use: bool = False

    @property
    def final_state(self) -> str:
        return PAID if self.single_use else SETTLED


@dataclass(frozen=True, slots=True)
class StoredPayment:
    """A payment as the database has it; times are Unix seconds, `change` the blind signatures in the order asked for."""

    payment_id: bytes
    kind: str
    state: str
    fence: int
    lease_until: int
    price: int
    input_value: int
    change_value: int
    change: tuple[bytes, ...] = field(repr=False)
    binding: bytes | None
    fund: str | None
    created: int
    settled_at: int | None
    #: Whether it was found, not made by this call.
    replayed: bool = field(default=True, compare=False)

    @classmethod
    def from_row(cls, row: Mapping[str, t.Any]) -> StoredPayment:
        joined = row["change"]
        parts = tuple(joined[at : at + MODULUS_SIZE] for at in range(0, len(joined), MODULUS_SIZE))
        return cls(**{**row, "change": parts})

    @property
    def is_settled(self) -> bool:
        """Whether the tickets are spent for good."""
        return self.state in (SETTLED, PAID, USING, USED)

    @property
    def pass_unused(self) -> bool:
        """Whether it is a pass for one use that has not been used up."""
        return self.state in (PAID, USING)


@dataclass(frozen=True, slots=True)
class Reservation:
    """Tickets held for one payment until its lease ends; hand it to ``settle`` or ``release``."""

    payment_id: bytes
    fence: int
    plan: Plan = field(repr=False, compare=False)
    taken_over: bool = False

    @property
    def signatures(self) -> tuple[bytes, ...]:
        """The change: nobody may learn it before the payment is settled."""
        return self.plan.signatures


@dataclass(frozen=True, slots=True)
class PassUse:
    """One use of a pass under way; hand it to ``finish_use`` or ``abandon_use``."""

    payment_id: bytes
    fence: int
    payment: StoredPayment


@dataclass(frozen=True)
class Plan:
    """A checked order and the rows that it writes, in the order in which everyone writes them.

    :ivar sign_all: signs every output, or none; what it returned is kept.
    """

    order: PaymentOrder
    keys: tuple[MintKey, ...]
    sign_all: t.Callable[[Sequence[tuple[MintKey, bytes]]], tuple[bytes, ...]] = field(
        repr=False, compare=False
    )

    @functools.cached_property
    def signatures(self) -> tuple[bytes, ...]:
        """The change, signed when it is first needed."""
        return self.sign_all(self.order.outputs)

    @functools.cached_property
    def blinded_hashes(self) -> tuple[tuple[bytes, bytes], ...]:
        """Key id and hash of the blinded message (32 bytes each) of the outputs, in the order asked for."""
        return tuple((key.key_id, hashlib.sha256(blinded).digest()) for key, blinded in self.order.outputs)

    def payment_row(self, state: str, now: int, lease: int) -> dict[str, t.Any]:
        order = self.order
        settled = state != RESERVED
        return {
            "payment_id": order.payment_id,
            "kind": order.kind,
            "state": state,
            "fence": 1,
            "lease_until": now if settled else now + lease,
            "price": order.price,
            "input_value": sum(key.value for key in self.keys),
            "change_value": sum(key.value for key, _ in order.outputs),
            "change": b"".join(self.signatures),
            "binding": order.binding,
            "fund": order.fund,
            "created": now,
            "settled_at": now if settled else None,
        }

    def inputs(self) -> list[dict[str, t.Any]]:
        rows = [{"key_id": token.key_id, "nonce": token.nonce} for token in self.order.tokens]
        return sorted(rows, key=lambda row: (row["key_id"], row["nonce"]))

    def outputs(self) -> list[dict[str, t.Any]]:
        """The issued rows, each with its place in the order."""
        rows = [
            {
                "position": position,
                "key_id": key_id,
                "blinded_hash": blinded_hash,
                "blind_signature": signature,
            }
            for position, ((key_id, blinded_hash), signature) in enumerate(
                zip(self.blinded_hashes, self.signatures, strict=True)
            )
        ]
        return sorted(rows, key=lambda row: (row["key_id"], row["blinded_hash"]))

    def deltas(self) -> dict[Counter, int]:
        """What settling it adds to the counters."""
        order, exchange = self.order, self.order.kind == "exchange"
        deltas: Tally[Counter] = Tally()
        for key in self.keys:
            deltas[KeyCounter(key.key_id, "spent_exchange" if exchange else "spent_payment")] += 1
        for key, _ in order.outputs:
            deltas[KeyCounter(key.key_id, "issued_exchange" if exchange else "issued_change")] += 1
        deltas[Total("exchanges" if exchange else "payments")] += 1
        deltas[Total("paid")] += order.price
        if order.kind == "donation":
            deltas[Total("donated")] += order.price
            deltas[FundTotal(order.fund or "")] += order.price
        return deltas

    def settled(self, settled_at: int, fence: int) -> StoredPayment:
        """Return the payment as it is once it has been settled."""
        row = self.payment_row(self.order.final_state, settled_at, 0)
        row.update(change=self.signatures, fence=fence)
        return StoredPayment(**row, replayed=False)
