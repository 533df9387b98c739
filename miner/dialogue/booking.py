"""Booking what a site answered: signatures become tickets, receipts close payments, passes are kept."""

from __future__ import annotations

import re
import typing as t

from miner import answers
from miner.answers import Members, nonsense
from miner.dialogue.conversation import Conversation
from miner.tokens import MODULUS_SIZE, CodecError, parse_amount, unb64url
from miner.transport import Reply
from miner.wallet import HeldTicket, PendingRequest, StoredPass

_PASS = re.compile(r"[\x21-\x7e]{1,4096}")


def book(talk: Conversation, request: PendingRequest, reply: Reply) -> list[HeldTicket]:
    """Book the 2xx `reply` to `request`, whatever kind it is, and return the tickets that it brought.

    :raises SiteProtocolError: the answer is not one; the request stays open.
    """
    if request.kind == "submit":
        return settle_share(talk, request, answers.read(reply, name="The answer to a share"))
    if request.kind == "payment":
        return settle_payment(talk, request, answers.read(reply, name="The answer to a payment"))
    return settle_change(talk, request, answers.read(reply, name="The answer to an exchange"))


def settle_share(talk: Conversation, request: PendingRequest, members: Members) -> list[HeldTicket]:
    """File the ticket that `members` bring for the share in `request`."""
    if not answers.boolean(members, "accepted", name="submit"):
        talk.wallet.release(request, "not-accepted")
        return []
    response = members.get("token_response")
    if not request.outputs:
        if response is not None:
            raise nonsense("a donated share was answered with a ticket.")
        return talk.wallet.settle(request, [])
    try:
        return talk.wallet.settle(request, [unb64url(response, size=MODULUS_SIZE, name="token_response")])
    except CodecError as error:
        raise nonsense(str(error)) from error


def settle_change(talk: Conversation, request: PendingRequest, members: Members) -> list[HeldTicket]:
    """File the change in `members` and close `request`."""
    change = answers.items(members, "change", name="answer", most=64)
    if len(change) != len(request.outputs):
        raise nonsense(f"{len(request.outputs)} tickets were asked for as change, and {len(change)} came.")
    try:
        signatures = [unb64url(item, size=MODULUS_SIZE, name="change") for item in change]
        return talk.wallet.settle(request, signatures)
    except CodecError as error:
        raise nonsense(str(error)) from error


def settle_payment(talk: Conversation, request: PendingRequest, members: Members) -> list[HeldTicket]:
    """File change and pass of a receipt (header form) or of redeem's answer, and close `request`."""
    receipt = answers.nested(members, "receipt", name="answer") if "receipt" in members else members
    try:
        paid = parse_amount(receipt.get("amount"))
    except CodecError as error:
        raise nonsense(str(error)) from error
    if receipt.get("status") != "success" or receipt.get("method") != "ticket" or paid != request.amount:
        raise nonsense("the receipt is not for this payment.")
    access = read_pass(request, members)
    if access is not None:
        # Before the payment is closed: a process that dies in between finds both again.
        talk.wallet.add_pass(access)
    return settle_change(talk, request, members)


def read_pass(request: PendingRequest, members: Members) -> StoredPass | None:
    """Return the pass in `members` for what `request` pays, if there is one; its number is 0 until it is kept."""
    if members.get("pass") is None or request.resource is None:
        return None
    document = answers.nested(members, "pass", name="answer")
    token = answers.text(document, "token", name="pass")
    if not _PASS.fullmatch(token):
        raise nonsense("the pass cannot be sent in a header.")
    expires: t.Any = document.get("expires")
    if expires is not None:
        expires = answers.integer(document, "expires", name="pass")
    scope = document.get("scope")
    return StoredPass(
        0,
        request.origin_of_url,
        request.resource,
        scope if isinstance(scope, str) else None,
        expires,
        answers.boolean(document, "single_use", name="pass"),
        token,
    )
