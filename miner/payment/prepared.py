"""A payment that has been written down: its form as header field, as body, and in print."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from miner.payment.challenge import HEADERS, body_digest
from miner.service import Limits
from miner.tokens import b64url, jcs
from miner.wallet import PendingRequest

PRINTED_PREFIX = "ticketminer-payment-1."

_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class PreparedPayment:
    """A payment that has been written down and can be sent, and sent again.

    :ivar header_name, header_value: the header form; `header_value` is None when it would be too large for a header.
    :ivar redeem_url, redeem_body: the same payment for ``POST …/redeem``, which answers with a pass.
    """

    request: PendingRequest
    header_name: str
    header_value: str | None = field(repr=False)
    redeem_url: str
    redeem_body: bytes = field(repr=False)

    @property
    def amount(self) -> int:
        return self.request.amount


def prepared_payment(request: PendingRequest, *, header: bool = True) -> PreparedPayment:
    """Return the forms of `request`; no header form unless `header`, and unless it is small enough for one."""
    members = json.loads(request.body)
    value = "Payment " + b64url(jcs(members))
    fits = (
        header
        and len(value) - len("Payment ") <= _LIMITS.header_credential
        and len(request.outputs) <= _LIMITS.header_outputs
    )
    return PreparedPayment(
        request,
        members["challenge"].get("header", HEADERS[0]),
        value if fits else None,
        request.url,
        request.body,
    )


def payment_code(prepared: PreparedPayment) -> str:
    """Return ``ticketminer-payment-1.…``, which the form of a 402 page takes."""
    return PRINTED_PREFIX + b64url(jcs(json.loads(prepared.redeem_body)))


def resource_name(method: str, url: str, body: bytes | None = None) -> str:
    """Return what a payment or pass is for: method (HEAD as GET), path and query, and the digest of a body."""
    rest = url[url.index("://") + 3 :].partition("#")[0]
    path = rest[rest.index("/") :] if "/" in rest else "/"
    verb = "GET" if method.upper() == "HEAD" else method.upper()
    return f"{verb} {path}" if verb == "GET" else f"{verb} {path} {body_digest(body or b'')}"
