"""Let visitors pay for pages with computing time they choose to give, without accounts, and without knowing who paid.

The names below are loaded when they are first used: pytest imports this package in every run, for its plugin.
"""

from __future__ import annotations

import importlib
import typing as t

from flask_ticketminer.neighbour import check_miner

if t.TYPE_CHECKING:
    from flask_ticketminer.current import Payment, current_payment
    from flask_ticketminer.extension import TicketMiner
    from flask_ticketminer.gate import ticket_required
    from flask_ticketminer.signals import (
        donation_received,
        keys_rotated,
        payment_released,
        share_accepted,
        share_refused,
        ticket_issued,
        tickets_redeemed,
    )

__all__ = [
    "Payment",
    "TicketMiner",
    "current_payment",
    "donation_received",
    "keys_rotated",
    "payment_released",
    "share_accepted",
    "share_refused",
    "ticket_issued",
    "ticket_required",
    "tickets_redeemed",
]

_HOMES = {
    "Payment": "current",
    "TicketMiner": "extension",
    "current_payment": "current",
    "ticket_required": "gate",
}


def __getattr__(name: str) -> t.Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    check_miner()
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'signals')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
