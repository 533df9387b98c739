"""Credentials: the tickets that answer a challenge, and the blinded outputs that the change comes back in."""

from __future__ import annotations

import functools
import hashlib
import typing as t
from dataclasses import dataclass

from flask import request

from flask_ticketminer.challenge import OTHER_HEADER, Challenge, read_challenge
from flask_ticketminer.config import Settings
from flask_ticketminer.errors import MalformedCredential, TooManyOutputs, TooManyTickets
from flask_ticketminer.secrets import Secrets
from miner.tokens import MODULUS_SIZE, CodecError, Token, decode_json, hex_bytes, unb64url

MAX_HEADER = 7000
"""Characters of a credential in a header field: gunicorn refuses fields over 8,190 bytes."""
MAX_HEADER_OUTPUTS = 3
"""Change outputs of a credential in a header, since their signatures return in one."""

_LABEL = b"ticketminer payment v1\n"


@dataclass(frozen=True, slots=True)
class Output:
    """A blinded message to be signed: 32-byte key id and 256-byte blinded message."""

    key_id: bytes
    blinded_message: bytes


@dataclass(frozen=True)
class Credential:
    """What a visitor pays with.

    :ivar challenge: None for an exchange.
    """

    challenge: Challenge | None
    tickets: tuple[Token, ...]
    outputs: tuple[Output, ...]

    @functools.cached_property
    def payment_id(self) -> bytes:
        """32 bytes that name the payment: a digest over the decoded fields, so equal for every spelling of them."""
        digest = hashlib.sha256(_LABEL)
        for part in self._fields():
            digest.update(len(part).to_bytes(4, "big"))
            digest.update(part)
        return digest.digest()

    def _fields(self) -> t.Iterator[bytes]:
        yield b"" if self.challenge is None else self.challenge.id.encode()
        yield len(self.tickets).to_bytes(4, "big")
        for ticket in self.tickets:
            yield ticket.to_bytes()
        for output in self.outputs:
            yield output.key_id
            yield output.blinded_message


def header_credential(settings: Settings, secrets: Secrets) -> Credential | None:
    """Return the Payment credential in the header fields of the current request, if there is one.

    :raises PaymentProblem: it is malformed, too large for a header, or echoes a foreign challenge.
    """
    name = OTHER_HEADER if settings.uses_authorization else "Authorization"
    for field, other in ((name, False), (OTHER_HEADER, True), ("Authorization", True)):
        value = request.headers.get(field, "")
        scheme, _, text = value.partition(" ")
        if scheme.lower() != "payment":
            continue
        if other and field != name:
            raise MalformedCredential(f"Send the Payment credential in the {name} header field.")
        return _decode_header(field, text.strip(" "), settings, secrets)
    return None


def _decode_header(field: str, text: str, settings: Settings, secrets: Secrets) -> Credential:
    if len(text) > MAX_HEADER:
        raise MalformedCredential(
            f"A credential over {MAX_HEADER} characters does not fit a header: POST it to {settings.url_prefix}/redeem.",
            cause="wrong-size",
        )
    credential = decode_credential(
        text, settings, secrets, name=f"The Payment credential in the {field} header field"
    )
    if len(credential.outputs) > MAX_HEADER_OUTPUTS:
        raise TooManyOutputs(
            f"A credential in a header has at most {MAX_HEADER_OUTPUTS} outputs: POST it to {settings.url_prefix}/redeem."
        )
    return credential


def decode_credential(
    text: str, settings: Settings, secrets: Secrets, *, name: str = "The credential"
) -> Credential:
    """Return the credential in base64url `text`.

    :param name: what the text is, at the beginning of a sentence.
    :raises PaymentProblem: as :func:`read_credential` does.
    """
    try:
        members = decode_json(unb64url(text, name=name), name=name)
    except CodecError as error:
        raise MalformedCredential(str(error), cause=error.cause) from error
    return read_credential(members, settings, secrets, exchange=False)


def read_credential(
    members: dict[str, t.Any], settings: Settings, secrets: Secrets, *, exchange: bool
) -> Credential:
    """Return the credential in the JSON object `members`.

    Members that the draft may gain are ignored (its section "Versioning") and are no part of the payment's identity; the payload
    is ours, and has no others.

    :param exchange: whether a credential without challenge is meant.
    :raises PaymentProblem: a member is missing, malformed or too long, or the challenge is not ours.
    """
    if not ({"payload"} if exchange else {"challenge", "payload"}) <= set(members):
        raise MalformedCredential("A credential has the members challenge and payload.")
    payload = members["payload"]
    if not isinstance(payload, dict) or not {"tickets"} <= set(payload) <= {"tickets", "outputs"}:
        raise MalformedCredential("The payload has the members tickets and outputs.")
    tickets, outputs = payload["tickets"], payload.get("outputs", [])
    if not isinstance(tickets, list) or not isinstance(outputs, list):
        raise MalformedCredential("The payload's tickets and outputs are lists.")
    if len(tickets) > settings.max_inputs:
        raise TooManyTickets(
            f"At most {settings.max_inputs} tickets a request: join some by an exchange first."
        )
    if len(outputs) > settings.max_outputs:
        raise TooManyOutputs(f"At most {settings.max_outputs} outputs a request: ask for fewer, larger ones.")
    try:
        tokens = tuple(Token.from_bytes(unb64url(ticket, name="A ticket")) for ticket in tickets)
        blinded = tuple(_output(output) for output in outputs)
    except CodecError as error:
        raise MalformedCredential(str(error), cause=error.cause) from error
    challenge = None if exchange else read_challenge(secrets, members["challenge"])
    return Credential(challenge, tokens, blinded)


def _output(member: object) -> Output:
    if not isinstance(member, dict) or set(member) != {"key_id", "blinded_message"}:
        raise CodecError("missing-member", "An output has the members key_id and blinded_message.")
    return Output(
        hex_bytes(member["key_id"], size=32, name="key_id"),
        unb64url(member["blinded_message"], size=MODULUS_SIZE, name="blinded_message"),
    )
