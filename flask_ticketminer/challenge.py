"""Challenges of the "Payment" HTTP authentication scheme, server side (draft-httpauth-payment-01).

A challenge is stateless: its id is an HMAC over the draft's slots, so a site recognises its own challenge when a
credential echoes it.
"""

from __future__ import annotations

import datetime as dt
import os
import typing as t
from dataclasses import dataclass

from flask_ticketminer.binding import Binding
from flask_ticketminer.errors import ChallengeAltered, MalformedCredential
from flask_ticketminer.secrets import Secrets
from miner.tokens import CodecError, b64url, decode_json, jcs, parse_amount, unb64url

METHOD = "ticket"
INTENT = "charge"
CURRENCY = "ticket"
OTHER_HEADER = "Payment-Authorization"

_PURPOSE = "payment challenge"
_ECHO = ("id", "realm", "method", "intent", "request", "expires", "digest", "opaque", "header", "description")
_SLOTS = ("realm", "method", "intent", "request", "expires", "digest", "opaque")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One request for payment, as sent and as echoed.

    :ivar amount: tickets.
    :ivar expires: Unix seconds.
    :ivar method, resource: the request that it is for (:class:`~flask_ticketminer.binding.Binding`).
    :ivar binding: 32 bytes.
    :ivar parameters: the authentication parameters, in the order in which they are sent.
    """

    amount: int
    expires: int
    method: str
    resource: str
    binding: bytes
    parameters: t.Mapping[str, str]

    @property
    def id(self) -> str:
        return self.parameters["id"]

    def header(self) -> str:
        """Return the value of ``WWW-Authenticate``."""
        # The values are base64url, dates and a site name without quotes or control characters: nothing to escape but \ and ".
        return "Payment " + ", ".join(f'{name}="{_quote(value)}"' for name, value in self.parameters.items())

    def echo(self) -> dict[str, str]:
        """Return what a credential repeats."""
        return dict(self.parameters)


def new_challenge(
    secrets: Secrets,
    binding: Binding,
    *,
    amount: int,
    site_name: str,
    expires: int,
    details: t.Mapping[str, str],
    uses_authorization: bool = False,
    randomness: t.Callable[[int], bytes] = os.urandom,
) -> Challenge:
    """Return a fresh challenge for the request that `binding` names.

    :param details: the method's own members of ``request``.
    :param uses_authorization: ask for the credential in ``Payment-Authorization``.
    """
    request = {
        "amount": str(amount),
        "currency": CURRENCY,
        "recipient": site_name,
        "methodDetails": dict(details),
    }
    opaque = {
        "nonce": b64url(randomness(16)),
        "method": binding.method,
        "resource": binding.resource,
        "binding": b64url(binding.digest),
    }
    parameters = {
        "realm": site_name,
        "method": METHOD,
        "intent": INTENT,
        "request": b64url(jcs(request)),
        "expires": _timestamp(expires),
        "digest": binding.body_digest,
        "opaque": b64url(jcs(opaque)),
        "header": OTHER_HEADER if uses_authorization else None,
    }
    present = {name: value for name, value in parameters.items() if value is not None}
    challenge_id = b64url(secrets.mac(_PURPOSE, _slots(present)))
    return Challenge(
        amount, expires, binding.method, binding.resource, binding.digest, {"id": challenge_id, **present}
    )


def read_challenge(secrets: Secrets, echo: object) -> Challenge:
    """Return the challenge that `echo` (a credential's ``challenge`` member) repeats, expired or not.

    Parameters that the draft does not know are ignored; of those it knows, only ``description`` is beyond the MAC.

    :raises MalformedCredential: it is not an object, lacks ``id``, or a parameter is no string.
    :raises ChallengeAltered: this site did not make it.
    """
    parameters = {name: echo[name] for name in _ECHO if name in echo} if isinstance(echo, dict) else {}
    if "id" not in parameters or not all(isinstance(value, str) for value in parameters.values()):
        raise MalformedCredential(
            "The credential's challenge must repeat the parameters of WWW-Authenticate."
        )
    try:
        tag = unb64url(parameters["id"], size=32)
    except CodecError as error:
        raise ChallengeAltered(
            "This challenge was not made by this site: request the resource again."
        ) from error
    if not secrets.mac_matches(_PURPOSE, _slots(parameters), tag):
        raise ChallengeAltered(
            "This challenge was not made by this site, or was altered: request the resource again for a fresh one."
        )
    try:
        request, opaque = (
            decode_json(unb64url(parameters["request"])),
            decode_json(unb64url(parameters["opaque"])),
        )
        return Challenge(
            parse_amount(request["amount"]),
            int(dt.datetime.fromisoformat(parameters["expires"]).timestamp()),
            opaque["method"],
            opaque["resource"],
            unb64url(opaque["binding"]),
            parameters,
        )
    except (CodecError, KeyError, ValueError) as error:
        # The MAC joins the slots by "|", so text can be moved from one to the next; it then makes no sense there.
        raise ChallengeAltered(
            "This challenge was altered: request the resource again for a fresh one."
        ) from error


def _slots(parameters: t.Mapping[str, str]) -> bytes:
    slots = [parameters.get(name, "") for name in _SLOTS]
    if "header" in parameters:
        slots.append(parameters["header"])
    return "|".join(slots).encode("utf-8", "surrogatepass")


def _timestamp(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _quote(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
