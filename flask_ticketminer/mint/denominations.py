"""The arithmetic of a payment: what goes in equals what is paid and what comes back, all in whole tickets."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from flask_ticketminer.errors import AmountMismatch, NotEnough, TooManyOutputs, TooManyTickets
from miner.tokens import MAX_AMOUNT

Kind = t.Literal["pay", "exchange", "donation"]

EXCHANGE_OUTPUTS = 16
"""Outputs an exchange may have even with fewer inputs, so that one large ticket can be split."""


def check_amounts(
    kind: Kind,
    price: int,
    inputs: Sequence[int],
    outputs: Sequence[int],
    *,
    max_inputs: int,
    max_outputs: int,
) -> None:
    """Refuse a payment whose amounts are not in order.

    :param price: what the site keeps; 0 exactly for an exchange.
    :param inputs: the values of the tickets handed in.
    :param outputs: the values of the tickets asked for.
    :raises TooManyTickets: more than `max_inputs`.
    :raises TooManyOutputs: more than `max_outputs`, or in an exchange more than max(16, number of inputs).
    :raises NotEnough: the tickets do not cover the price, or there are none.
    :raises AmountMismatch: inputs differ from price plus outputs.
    """
    if kind == "exchange" and price != 0:
        raise ValueError("An exchange has no price.")
    if not 0 <= price <= MAX_AMOUNT:
        raise ValueError(f"A price is a whole number of tickets from 0 to {MAX_AMOUNT}.")
    if len(inputs) > max_inputs:
        raise TooManyTickets(
            f"A payment takes at most {max_inputs} tickets, not {len(inputs)}; exchange some for larger ones first.",
            limit=max_inputs,
        )
    most = min(max_outputs, max(EXCHANGE_OUTPUTS, len(inputs))) if kind == "exchange" else max_outputs
    if len(outputs) > most:
        raise TooManyOutputs(f"Ask for at most {most} tickets, not {len(outputs)}.", limit=most)
    given, wanted = sum(inputs), sum(outputs)
    if not inputs or given < price:
        raise NotEnough(f"The price is {price}, but the tickets are worth {given}.", price=price, given=given)
    if given != price + wanted:
        raise AmountMismatch(
            f"Tickets worth {given} must equal the price {price} plus outputs worth {wanted}.",
            price=price,
            given=given,
            outputs=wanted,
        )
