"""From a credential to a settled payment: the checks, their order, and what the visitor is told.

Order of work: sizes and the challenge's MAC (both done when the credential was read), signatures, then the database. A
repeat is answered whatever has become of expiry, price or keys, so that whoever lost an answer always gets it; it is looked up
when something stands in the way, which for a repeat is at the latest the unique constraint.
"""

from __future__ import annotations

import time
import typing as t

from flask_ticketminer.binding import Binding
from flask_ticketminer.credential import Credential
from flask_ticketminer.errors import (
    AlreadyDelivered,
    ChallengeExpired,
    NotEnough,
    PriceChanged,
    Problem,
    WrongBody,
    WrongResource,
)
from flask_ticketminer.forsale import Sale
from flask_ticketminer.mint.ledger import PaymentOrder, StoredPayment
from flask_ticketminer.passes import AccessPass
from flask_ticketminer.signals import donation_received, tell, tickets_redeemed
from flask_ticketminer.site import Site
from flask_ticketminer.wording import plural
from miner.tokens import b64url


def check_binding(credential: Credential, binding: Binding) -> None:
    """Refuse a payment that was made for something else than the current request.

    :raises WrongResource, WrongBody: nothing was spent.
    """
    challenge = credential.challenge
    if challenge is None:
        raise WrongResource("A payment for a page repeats the challenge of that page: request it again.")
    if challenge.binding == binding.digest:
        return
    if (challenge.method, challenge.resource) == (binding.method, binding.resource):
        raise WrongBody(
            "This payment was made for another request body. Send that body, or pay for this one."
        )
    raise WrongResource("This payment was made for another page. Nothing was spent; pay for this one.")


def make_order(
    site: Site, credential: Credential, sale: Sale, *, single_use: bool, donate_rest: bool = False
) -> PaymentOrder:
    """Return the order that `credential` fills, checked against the server's own price and time.

    :param donate_rest: whether a form visitor agreed that what exceeds the price is a gift.
    :raises PaymentProblem: nothing was spent.
    """
    challenge = credential.challenge
    if challenge is None:
        raise WrongResource("A payment repeats the challenge that it answers.")
    if site.clock.now() >= challenge.expires:
        raise ChallengeExpired(
            "This offer has expired. Nothing was spent; request the page again and pay anew."
        )
    if sale.price != challenge.amount:
        raise PriceChanged(
            f"The price is now {plural(sale.price, 'ticket')}, not {challenge.amount}. Nothing was spent; request the page again."
        )
    outputs = [(site.keys.find(output.key_id), output.blinded_message) for output in credential.outputs]
    total = sum(site.keys.find(token.key_id).value for token in credential.tickets)
    change = sum(key.value for key, _ in outputs)
    if total < sale.price + change:
        raise NotEnough(
            f"The tickets are worth {total}, but price and change need {sale.price + change}. Nothing was spent.",
            amount=str(sale.price),
        )
    price = total - change if donate_rest else sale.price
    return PaymentOrder(
        payment_id=credential.payment_id,
        tokens=list(credential.tickets),
        outputs=outputs,
        price=price,
        kind="donation" if sale.donation else "pay",
        binding=challenge.binding,
        fund=sale.fund,
        single_use=single_use,
    )


def exchange_order(site: Site, credential: Credential) -> PaymentOrder:
    """Return the order that swaps tickets for others of the same total value."""
    return PaymentOrder(
        payment_id=credential.payment_id,
        tokens=list(credential.tickets),
        outputs=[(site.keys.find(output.key_id), output.blinded_message) for output in credential.outputs],
        price=0,
        kind="exchange",
        binding=None,
        fund=None,
        single_use=False,
    )


def access_pass(stored: StoredPayment, sale: Sale) -> AccessPass | None:
    """Return the pass that `stored` gives, or None when it has been used up or gives none."""
    if stored.binding is None or stored.settled_at is None:
        return None
    area = sale.area(stored.binding)
    if sale.valid_for is not None:
        return AccessPass(stored.payment_id, area, stored.price, stored.settled_at + sale.valid_for)
    if stored.pass_unused:
        return AccessPass(stored.payment_id, area, stored.price, None)
    return None


def receipt(stored: StoredPayment) -> dict[str, t.Any]:
    """Return the receipt of a settled payment (draft-httpauth-payment-01, "Payment-Receipt Header")."""
    return {
        "status": "success",
        "method": "ticket",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(stored.settled_at or 0)),
        "reference": stored.payment_id.hex(),
        "amount": str(stored.price),
    }


def full_receipt(stored: StoredPayment, pass_document: dict[str, t.Any] | None) -> dict[str, t.Any]:
    """Return the receipt with change and pass, as the header form carries it."""
    return {
        **receipt(stored),
        "change": [b64url(signature) for signature in stored.change],
        "pass": pass_document,
    }


def settled_before(site: Site, credential: Credential, problem: Problem) -> StoredPayment:
    """Return the payment of `credential` if it is settled already, whatever stands in its way by now.

    :raises Problem: it is not; then `problem` is the answer.
    """
    stored = site.ledger.find_payment(credential.payment_id) if problem.status < 500 else None
    if stored is None or not stored.is_settled:
        raise problem
    return stored


def already_delivered(stored: StoredPayment) -> AlreadyDelivered:
    """Return the answer to a credential whose one delivery is over; the change comes with it."""
    return AlreadyDelivered(
        "This payment was already delivered, and it opens the page once. Its change is in the receipt; to see the page "
        "again, pay again.",
        receipt=full_receipt(stored, None),
    )


def announce(site: Site, order: PaymentOrder, endpoint: str | None) -> None:
    """Send the signals of a payment that was just settled."""
    app = site.app
    if order.kind == "exchange":
        return
    site.budgets.payment_settled(len(order.tokens), len(order.outputs))
    tell(tickets_redeemed, app, amount=order.price, endpoint=endpoint, payment_id=order.payment_id.hex())
    if order.kind == "donation":
        site.funds.forget(order.fund)
        tell(donation_received, app, amount=order.price, fund=order.fund)
