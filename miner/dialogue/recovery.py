"""After an interruption: what was sent without an answer is sent again, and what the site says is booked."""

from __future__ import annotations

from dataclasses import dataclass

from miner import answers
from miner.dialogue.booking import book, settle_payment
from miner.dialogue.conversation import Conversation
from miner.dialogue.restore import spent_file, stored_signatures
from miner.errors import SiteError, SiteProtocolError
from miner.transport import Steps
from miner.wallet import HeldTicket, PendingRequest

PRINTED = "printed"
"""Label of a payment that was printed, to be handed in by other means."""
PRINTED_LIFE = 960
"""Seconds for which such a payment is left alone: its challenge lives 15 minutes."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of unanswered requests.

    :ivar settled, released, pending: numbers of requests that went through, were refused, are still open.
    :ivar value: tickets that came in.
    :ivar problems: sentences about the open ones.
    """

    settled: int
    released: int
    pending: int
    value: int
    problems: tuple[str, ...] = ()


def recover_steps(talk: Conversation, *, older_than: int = 0) -> Steps[Recovered]:
    """Send every unanswered request to this site again, exactly as it was written down.

    :param older_than: leave requests alone that were written down less than this many seconds ago.
    """
    settled = released = pending = value = 0
    problems: list[str] = []
    now, own = talk.wallet.now(), talk.purse
    for request in talk.wallet.unanswered():
        if request.origin_of_url != talk.origin or request.created > now - older_than:
            continue
        printed = request.label == PRINTED and request.created > now - PRINTED_LIFE
        try:
            # The tickets of this request may be filed under another origin of the same site.
            talk.purse = request.origin
            filed = yield from (look_up(talk, request) if printed else repeat(talk, request))
        except SiteError as error:
            pending += 1
            problems.append(str(error))
        else:
            if filed is None and printed:
                pending += 1
                left = -(-(request.created + PRINTED_LIFE - now) // 60)
                problems.append(
                    f"A printed code holds tickets worth {sum(ticket.value for ticket in request.inputs)}; "
                    f"if it is not used, they come back in {left} min."
                )
            elif filed is None:
                released += 1
            else:
                settled += 1
                value += sum(ticket.value for ticket in filed)
        finally:
            talk.purse = own
    return Recovered(settled, released, pending, value, tuple(problems))


def repeat(talk: Conversation, request: PendingRequest) -> Steps[list[HeldTicket] | None]:
    """Send `request` again and book the outcome; return the tickets it brought, or None when it was refused.

    :raises SiteError: the outcome is still unknown, and the request stays open.
    """
    reply = yield from talk.post(request.url, request.body)
    if 200 <= reply.status < 300:
        return book(talk, request, reply)
    refused = answers.refusal(reply)
    receipt = refused.body.get("receipt")
    if refused.cause == "already-delivered" and isinstance(receipt, dict):
        return settle_payment(talk, request, receipt)
    if not refused.definite:
        raise refused
    return (yield from reconcile(talk, request, refused.cause))


def reconcile(talk: Conversation, request: PendingRequest, cause: str) -> Steps[list[HeldTicket] | None]:
    """Find out whether the refused `request` had gone through before, and book that.

    A site forgets its answers after a day, so a refusal alone does not say that nothing happened: signed outputs, or
    its tickets on the list of spent ones, do.
    """
    signatures = yield from _signed(talk, request)
    if signatures:
        return talk.wallet.settle(request, signatures)
    spent = yield from _spent(talk, request)
    if request.inputs and not request.outputs and len(spent) == len(request.inputs):
        return talk.wallet.settle(request, [])
    talk.wallet.release(request, cause, spent=spent, burn=cause == "output-already-signed")
    return None


def look_up(talk: Conversation, request: PendingRequest) -> Steps[list[HeldTicket] | None]:
    """Book the payment `request` if it went through by other hands; None when it has not, and the request stays open."""
    if request.outputs:
        signatures = yield from _signed(talk, request)
        return talk.wallet.settle(request, signatures) if signatures else None
    spent = yield from _spent(talk, request)
    return talk.wallet.settle(request, []) if len(spent) == len(request.inputs) else None


def _signed(talk: Conversation, request: PendingRequest) -> Steps[list[bytes]]:
    """Return the stored signatures of all outputs of `request`, or none where one is missing."""
    signatures: list[bytes] = []
    for output in request.outputs:
        [signature] = yield from stored_signatures(talk, output.key, [output.blinded_message])
        if signature is None:
            return []
        signatures.append(signature)
    return signatures


def _spent(talk: Conversation, request: PendingRequest) -> Steps[set[bytes]]:
    """Return the nonces of those tickets of `request` that the site lists as spent."""
    spent: set[bytes] = set()
    for key_id in sorted({ticket.key_id for ticket in request.inputs}):
        key = yield from talk.key(key_id)
        if key is None:
            raise SiteProtocolError(
                f"{talk.origin} no longer knows the key of tickets that are to be checked."
            )
        looked_up = yield from spent_file(talk, key)
        spent |= {t.nonce for t in request.inputs if t.key_id == key_id and looked_up(t.nonce)}
    return spent
