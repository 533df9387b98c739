"""What the view that is running has been paid with."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from flask import has_request_context, request
from werkzeug.local import LocalProxy


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as a gated view sees it; false when nothing was paid.

    :ivar id: names the payment, the same each time its view runs, so that a view with effects can store it under a unique
        constraint. 64 hex digits, empty when nothing was paid.
    :ivar amount: tickets.
    :ivar by_pass: whether an earlier payment's pass opened the view.
    """

    id: str = ""
    amount: int = 0
    by_pass: bool = False

    def __bool__(self) -> bool:
        return bool(self.id)


UNPAID = Payment()
_PAYMENT = "ticketminer.payment"
"""Where it is kept in the WSGI environment: ``flask.g`` may outlive a request."""


def _current() -> Payment:
    return t.cast("Payment", request.environ.get(_PAYMENT, UNPAID)) if has_request_context() else UNPAID


current_payment: Payment = t.cast("Payment", LocalProxy(_current))
"""The :class:`Payment` of the running view."""


def set_current(payment: Payment) -> None:
    """Make `payment` the current one for the rest of this request."""
    request.environ[_PAYMENT] = payment
