"""Paying for what a site asks tickets for."""

from miner.payment.auth import TicketAuth
from miner.payment.budget import Budget
from miner.payment.challenge import Challenge, find_challenge, parse_challenges
from miner.payment.payer import PASS_FIELD, Payer
from miner.payment.prepared import PreparedPayment, payment_code
from miner.payment.steps import Send, Wait, pay

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
