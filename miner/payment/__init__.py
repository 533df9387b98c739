"""Paying for what a site asks tickets for."""

from __future__ import annotations

import typing as t

from miner.payment.auth import TicketAuth
from miner.payment.budget import Budget
from miner.payment.challenge import Challenge, find_challenge, parse_challenges
from miner.payment.payer import (
    PASS_FIELD,
    Payer,
    Send,
    Wait,
)
from miner.payment.prepared import PreparedPayment, payment_code
from miner.transport import Call, Reply

__all__ = [
    "PASS_FIELD",
    "Budget",
    "Challenge",
    "Payer",
    "PreparedPayment",
    "Send",
    "TicketAuth",
    "Wait",
    "find_challenge",
    "parse_challenges",
    "pay",
    "payment_code",
]


def pay(
    steps: t.Generator[Call | Send | Wait, Reply, None],
    *,
    send: t.Callable[[t.Mapping[str, str]], Reply],
    call: t.Callable[[Call], Reply],
    sleep: t.Callable[[int], None],
) -> None:
    """Carry out :meth:`Payer.steps` over any transport.

    :param send: sends the visitor's own request with these headers added.
    :param call: sends one of ours.
    """
    try:
        step = next(steps)
        while True:
            if isinstance(step, Wait):
                sleep(step.seconds)
                step = next(steps)
            else:
                step = steps.send(send(step.headers) if isinstance(step, Send) else call(step))
    except StopIteration:
        return
