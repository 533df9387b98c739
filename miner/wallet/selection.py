"""Which tickets pay an amount: a pure function over values and expiry dates."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from miner.errors import NotEnoughTickets
from miner.tokens import DENOMINATIONS

MAX_INPUTS = 64
"""Tickets in one request."""


class Coin(t.Protocol):
    """What choosing needs to know of a ticket."""

    @property
    def value(self) -> int: ...

    @property
    def redeem_until(self) -> int: ...


C = t.TypeVar("C", bound=Coin)


@dataclass(frozen=True, slots=True)
class Selection(t.Generic[C]):
    """Tickets to hand over, by value, and the values of the change to ask for, ascending.

    ``sum(inputs) == amount + sum(change)``.
    """

    inputs: tuple[C, ...]
    change: tuple[int, ...]


def choose(
    tickets: t.Iterable[C],
    amount: int,
    *,
    max_inputs: int = MAX_INPUTS,
    denominations: t.Sequence[int] = DENOMINATIONS,
) -> Selection[C]:
    """Return the tickets that pay `amount`: exactly if any choice does, else with change; then as few as possible.

    Of tickets with the same value those that expire first go first. Values are powers of two, so taking the largest
    that fits is both exact when anything is, and fewest.

    :raises NotEnoughTickets: too little, or not within `max_inputs` tickets.
    """
    if amount < 0:
        raise ValueError("An amount is not negative.")
    ordered = sorted(tickets, key=lambda ticket: (-ticket.value, ticket.redeem_until))
    available = sum(ticket.value for ticket in ordered)
    if available < amount:
        raise NotEnoughTickets(
            f"This takes {amount} of the site's tickets and the wallet holds {available}; mine {amount - available} more.",
            needed=amount,
            available=available,
        )
    inputs = _exact(ordered, amount)
    if inputs is None or len(inputs) > max_inputs:
        inputs = _covering(ordered, amount)
    if len(inputs) > max_inputs:
        raise NotEnoughTickets(
            f"{amount} would take {len(inputs)} small tickets, and a request carries at most {max_inputs}; join them "
            "into larger ones first.",
            needed=amount,
            available=sum(ticket.value for ticket in ordered[:max_inputs]),
        )
    rest = sum(ticket.value for ticket in inputs) - amount
    inputs.sort(key=lambda ticket: (ticket.value, ticket.redeem_until))
    return Selection(tuple(inputs), tuple(make(rest, denominations)))


def make(value: int, denominations: t.Sequence[int] = DENOMINATIONS) -> list[int]:
    """Return the fewest of `denominations` (powers of two, any number of each), ascending, that add up to `value`.

    :raises NotEnoughTickets: the site issues nothing small enough.
    """
    parts: list[int] = []
    for denomination in sorted(denominations, reverse=True):
        count, value = divmod(value, denomination)
        parts += [denomination] * count
    if value:
        raise NotEnoughTickets(
            f"The site issues no ticket that is worth {value}, so this amount cannot be made; choose another amount."
        )
    return parts[::-1]


def _exact(ordered: t.Sequence[C], amount: int) -> list[C] | None:
    taken = []
    for ticket in ordered:
        if ticket.value <= amount:
            taken.append(ticket)
            amount -= ticket.value
    return taken if amount == 0 else None


def _covering(ordered: t.Sequence[C], amount: int) -> list[C]:
    """The fewest that reach `amount`, then each, smallest first, replaced by the smallest that still does."""
    taken: list[C] = []
    total = 0
    for ticket in ordered:
        if total >= amount:
            break
        taken.append(ticket)
        total += ticket.value
    unused = list(ordered[len(taken) :])
    for i in reversed(range(len(taken))):
        needed = amount - (total - taken[i].value)
        fitting = [ticket for ticket in unused if needed <= ticket.value < taken[i].value]
        if fitting:
            best = min(fitting, key=lambda ticket: (ticket.value, ticket.redeem_until))
            unused.remove(best)
            unused.append(taken[i])
            total += best.value - taken[i].value
            taken[i] = best
    return taken
