"""Let visitors pay for pages with computing time they choose to give, without accounts, and without knowing who paid."""

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
