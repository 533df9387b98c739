"""What a site may want to hear about. The sender is always the application object.

Signals are sent after the database has committed, in the process that did the work. They tell amounts, never who: no
signal carries a ticket, a signature or anything that links earning to spending. What a receiver raises is logged: the visitor
has paid by then, and gets what was paid for.
"""

from __future__ import annotations

import typing as t

from blinker import NamedSignal, Namespace
from flask import Flask

_signals = Namespace()

#: A share was paid. Keyword arguments: ``algorithm``, ``value`` (tickets), ``donated`` (bool), ``fund`` (name or None).
share_accepted = _signals.signal("share-accepted")

#: A share was refused. Keyword arguments: ``cause``, as in the problem document.
share_refused = _signals.signal("share-refused")

#: A ticket was signed for a share. Keyword arguments: ``value``.
ticket_issued = _signals.signal("ticket-issued")

#: A payment was settled. Keyword arguments: ``amount`` (tickets), ``endpoint`` (name or None), ``payment_id``.
tickets_redeemed = _signals.signal("tickets-redeemed")

#: A payment was given back because its view failed. Keyword arguments: ``amount``, ``endpoint``, ``payment_id``.
payment_released = _signals.signal("payment-released")

#: A donation arrived, as tickets or as work. Keyword arguments: ``amount`` (tickets), ``fund`` (name or None).
donation_received = _signals.signal("donation-received")

#: New ticket keys exist. Keyword arguments: ``keys``, a list of ``(value, not_before)``.
keys_rotated = _signals.signal("keys-rotated")


def tell(signal: NamedSignal, app: Flask, **news: t.Any) -> None:
    """Send `signal`; an error of a receiver is logged and goes no further."""
    try:
        signal.send(app, **news)
    except Exception:
        app.logger.exception("A receiver of the signal %r failed.", signal.name)
