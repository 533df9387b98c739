"""After an interruption: what was sent without an answer is sent again, and what the site says is booked."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from miner import answers
from miner.dialogue.booking import book, settle_payment
from miner.dialogue.conversation import Conversation
from miner.dialogue.restore import scan_key, spent_file, stored_signatures
from miner.errors import SiteError, SiteProtocolError, SiteRefused
from miner.transport import Steps
from miner.wallet import HeldTicket, Output, PendingRequest

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
    return (yield from reconcile(talk, request, refused))


def reconcile(
    talk: Conversation, request: PendingRequest, refused: SiteRefused
) -> Steps[list[HeldTicket] | None]:
    """Find out what became of `request`, which the site has `refused`, and book that.

    A site forgets its answers after a day, so a refusal alone does not say that nothing happened: `request` went through
    when all it handed over is on the lists of spent tickets, and all it asked for is signed. Otherwise what is spent or
    signed is so by another copy of this wallet: the spent tickets are written off, the signed ones taken in, and all else
    stays as it was. Returns the tickets of a request that went through, else None.

    :raises SiteError: that cannot be found out now, or the site calls tickets spent which it does not list; the request
        stays open.
    """
    # The lists first: a site spends and signs in one step, so what is spent there was signed before we ask for it.
    spent = yield from spent_inputs(talk, request)
    if refused.cause == "ticket-spent" and request.inputs and not spent:
        raise refused
    signatures = yield from _signed(talk, request.outputs)
    if _went_through(request, spent, signatures):
        return (yield from _settle(talk, request, signatures))
    ahead = [
        output for output, signature in zip(request.outputs, signatures, strict=True) if signature is not None
    ]
    talk.wallet.release(
        request, refused.cause, spent=spent, signed=[output.blinded_message for output in ahead]
    )
    for key in {output.key.key_id: output.key for output in ahead}.values():
        yield from scan_key(talk, key, start=min(output.counter for output in ahead if output.key == key))
    return None


def look_up(talk: Conversation, request: PendingRequest) -> Steps[list[HeldTicket] | None]:
    """Book the payment `request` if it went through by other hands; None when it has not, and the request stays open."""
    spent = yield from spent_inputs(talk, request)
    signatures = yield from _signed(talk, request.outputs)
    if not _went_through(request, spent, signatures):
        return None
    return (yield from _settle(talk, request, signatures))


def _settle(
    talk: Conversation, request: PendingRequest, signatures: t.Sequence[bytes | None]
) -> Steps[list[HeldTicket]]:
    """Book `request` as gone through; of its tickets, those that another copy of this wallet has spent are so marked."""
    lists = []
    for key in {output.key.key_id: output.key for output in request.outputs}.values():
        lists.append((key, (yield from spent_file(talk, key))))
    talk.wallet.settle(request, [signature for signature in signatures if signature is not None])
    for key, spent in lists:
        talk.wallet.mark_spent(request.origin, key, spent)
    made = {output.nonce for output in request.outputs}
    held = talk.wallet.tickets(request.origin)
    return [ticket for ticket in held if ticket.nonce in made and ticket.state == "available"]


def _went_through(
    request: PendingRequest, spent: t.Collection[bytes], signatures: t.Sequence[bytes | None]
) -> bool:
    """Return whether all that `request` hands over is spent and all that it asks for is signed."""
    something = bool(request.inputs or request.outputs)
    return something and len(spent) == len(request.inputs) and None not in signatures


def _signed(talk: Conversation, outputs: t.Sequence[Output]) -> Steps[list[bytes | None]]:
    """Return the stored signature of each of `outputs`, None where the site has not signed it."""
    if not outputs:
        return []
    most = (yield from talk.service()).limits.restore
    found: dict[bytes, bytes | None] = {}
    for key in {output.key.key_id: output.key for output in outputs}.values():
        blinded = [output.blinded_message for output in outputs if output.key == key]
        for start in range(0, len(blinded), most):
            batch = blinded[start : start + most]
            found.update(zip(batch, (yield from stored_signatures(talk, key, batch)), strict=True))
    return [found[output.blinded_message] for output in outputs]


def spent_inputs(talk: Conversation, request: PendingRequest) -> Steps[set[bytes]]:
    """Return the nonces of those tickets of `request` that the site lists as spent."""
    spent: set[bytes] = set()
    for key_id in sorted({ticket.key_id for ticket in request.inputs}):
        key = yield from talk.key(key_id)
        if key is None:
            raise SiteProtocolError(
                f"{talk.origin} no longer knows the key of tickets that are to be checked."
            )
        looked_up = yield from spent_file(talk, key)
        spent |= {
            ticket.nonce for ticket in request.inputs if ticket.key_id == key_id and looked_up(ticket.nonce)
        }
    return spent
