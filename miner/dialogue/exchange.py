"""Swapping tickets with the site that made them: split, join, renew, and taking over a gift."""

from __future__ import annotations

import functools
import typing as t

from miner import answers
from miner.dialogue.booking import settle_change
from miner.dialogue.conversation import Conversation, encode
from miner.dialogue.recovery import reconcile
from miner.errors import ForeignRequest, SiteRefused, TicketsTaken, WalletError
from miner.service import TicketKey
from miner.tokens import Token, b64url, verify
from miner.transport import Steps
from miner.wallet import Draft, HeldTicket, Output, choose
from miner.wallet.selection import make
from miner.wallet.transfer import decode_tickets

RENEW_WITHIN = 7 * 86_400
"""Seconds before its end from which on a ticket is exchanged for a new one."""
CHUNK = 32
"""Tickets of one exchange; their value never needs more outputs than that."""
CHOICES = 3
"""Times tickets are chosen when others are faster: another program with this wallet, or a copy of it."""
_P = t.ParamSpec("_P")
_T = t.TypeVar("_T")


def exchange_steps(
    talk: Conversation,
    tickets: t.Sequence[HeldTicket],
    values: t.Sequence[int],
    *,
    label: str = "exchanged",
    adopt: bool = False,
) -> Steps[list[HeldTicket]]:
    """Swap `tickets` for new ones of `values`, which add up to the same.

    :raises SiteRefused: the site did not; the tickets are free again unless it has no decision yet.
    :raises TicketsTaken: some were not free, or had been spent by another copy of this wallet.
    """
    if sum(ticket.value for ticket in tickets) != sum(values):
        raise ValueError("An exchange keeps the value.")
    service = yield from talk.service()
    if len(tickets) > service.limits.inputs or len(values) > min(
        service.limits.outputs, max(16, len(tickets))
    ):
        raise WalletError("That is too much for one exchange; swap fewer tickets at a time.")
    for attempt in range(3):
        keys = yield from talk.issuing(sorted(values))
        request = talk.wallet.begin(
            Draft("exchange", talk.purse, talk.url(service.links.redeem), label=label),
            _fixed(tickets, keys),
            lambda inputs, outputs: encode({"payload": payload(inputs, outputs)}),
            adopt=adopt,
            now=talk.now(),
        )
        reply = yield from talk.post(request.url, request.body)
        if 200 <= reply.status < 300:
            members = answers.read(reply, name="The answer to an exchange")
            return settle_change(talk, request, members)
        refused = answers.refusal(reply)
        if not refused.definite:
            raise refused
        filed = yield from reconcile(talk, request, refused)
        if filed is not None:
            return filed
        if refused.cause == "ticket-spent" and not adopt:
            raise TicketsTaken(
                "Another copy of this wallet has spent some of these tickets; they are marked as spent. Look at the balance "
                "before you repeat."
            ) from refused
        if attempt == 2 or refused.cause not in ("output-already-signed", "key-not-signing"):
            raise refused
        yield from talk.keys(refresh=True)
    raise AssertionError("The loop returns or raises.")


def _chosen_again(step: t.Callable[_P, Steps[_T]]) -> t.Callable[_P, Steps[_T]]:
    """Let `step` choose tickets again when those it had chosen are not free any more, and the wallet knows it."""

    @functools.wraps(step)
    def steps(*args: _P.args, **kwargs: _P.kwargs) -> Steps[_T]:
        for _ in range(CHOICES - 1):
            try:
                return (yield from step(*args, **kwargs))
            except TicketsTaken:
                continue
        return (yield from step(*args, **kwargs))

    return steps


@_chosen_again
def exact_steps(talk: Conversation, amount: int) -> Steps[None]:
    """Make sure that some tickets add up to exactly `amount`."""
    selection = choose(_free(talk), amount)
    if selection.change:
        service = yield from talk.service()
        change = make(sum(selection.change), service.denominations)
        yield from exchange_steps(talk, selection.inputs, make(amount, service.denominations) + change)


def join_steps(talk: Conversation) -> Steps[int]:
    """Swap many small tickets for few large ones; return by how many they became fewer."""
    before = len(_free(talk))
    while (yield from _join_some(talk)):
        pass
    return before - len(_free(talk))


@_chosen_again
def _join_some(talk: Conversation) -> Steps[bool]:
    """Swap the first tickets that can become fewer; return whether there were any."""
    service = yield from talk.service()
    free = _free(talk)
    for start in range(0, len(free), CHUNK):
        chunk = free[start : start + CHUNK]
        values = make(sum(ticket.value for ticket in chunk), service.denominations)
        if len(values) < len(chunk):
            yield from exchange_steps(talk, chunk, values)
            return True
    return False


def renew_steps(talk: Conversation) -> Steps[int]:
    """Swap the tickets that near their end for new ones; return their value."""
    yield from talk.service()
    # No ticket twice: what a site hands out could near its end at once.
    old, renewed = _near_their_end(talk), 0
    for start in range(0, len(old), CHUNK):
        renewed += yield from _renew(talk, {ticket.nonce for ticket in old[start : start + CHUNK]})
    return renewed


@_chosen_again
def _renew(talk: Conversation, nonces: t.Collection[bytes]) -> Steps[int]:
    """Swap those of the tickets `nonces` that are still free; return their value."""
    service = yield from talk.service()
    old = [ticket for ticket in _near_their_end(talk) if ticket.nonce in nonces]
    value = sum(ticket.value for ticket in old)
    if old:
        yield from exchange_steps(talk, old, make(value, service.denominations), label="renewed")
    return value


def _near_their_end(talk: Conversation) -> list[HeldTicket]:
    horizon = talk.now() + RENEW_WITHIN
    keys = {key.key_id: key for key in talk.wallet.keys(talk.purse)}
    return [
        ticket
        for ticket in _free(talk)
        if ticket.redeem_until <= horizon and not keys[ticket.key_id].issues(talk.now())
    ]


def receive_steps(talk: Conversation, text: str) -> Steps[int]:
    """Take over the tickets in `text` by swapping them at once; return their value.

    :raises ForeignRequest: they belong to another site.
    :raises WalletError: they are not genuine, have expired, or the giver has spent them.
    """
    origin, tokens = decode_tickets(text)
    if origin not in (talk.origin, talk.purse):
        raise ForeignRequest(
            f"These are tickets of {origin}, not of {talk.origin}. Receive them for the site that they belong to."
        )
    service = yield from talk.service()
    # Asking the directory first also shows that the site can be reached, before anything is written down.
    keys = {key.key_id: key for key in (yield from talk.keys(refresh=True))}
    held = [_genuine(talk, token, keys.get(token.key_id)) for token in tokens]
    held.sort(key=lambda ticket: (ticket.value, ticket.nonce))
    for start in range(0, len(held), CHUNK):
        chunk = held[start : start + CHUNK]
        values = make(sum(ticket.value for ticket in chunk), service.denominations)
        try:
            yield from exchange_steps(talk, chunk, values, label="received", adopt=True)
        except SiteRefused as error:
            if error.cause != "ticket-spent":
                raise
            raise WalletError(
                "The giver has already spent some of these tickets, so they were not taken. Ask for others."
            ) from error
    return sum(ticket.value for ticket in held)


def payload(inputs: t.Sequence[HeldTicket], outputs: t.Sequence[Output]) -> dict[str, t.Any]:
    """Return the payload of a credential."""
    return {
        "tickets": [b64url(ticket.token) for ticket in inputs],
        "outputs": [
            {"key_id": output.key.key_id.hex(), "blinded_message": b64url(output.blinded_message)}
            for output in outputs
        ],
    }


def _free(talk: Conversation) -> list[HeldTicket]:
    now = talk.now()
    return [
        ticket
        for ticket in talk.wallet.tickets(talk.purse)
        if ticket.state in ("available", "expired") and ticket.redeem_until > now
    ]


def _fixed(
    tickets: t.Sequence[HeldTicket], keys: t.Sequence[TicketKey]
) -> t.Callable[[list[HeldTicket]], tuple[t.Sequence[HeldTicket], t.Sequence[TicketKey]]]:
    return lambda _: (tickets, keys)


def _genuine(talk: Conversation, token: Token, key: TicketKey | None) -> HeldTicket:
    if key is None:
        raise WalletError(
            "A ticket's key is not in the site's directory: it has expired or is of another site."
        )
    if key.redeem_until <= talk.now():
        raise WalletError("A ticket has expired; it was not taken.")
    if token.challenge_digest != key.challenge_digest or not verify(
        key.public_key, token.signed_bytes, token.authenticator
    ):
        raise WalletError("A ticket is not genuine: the site has not signed it. None was taken.")
    return HeldTicket.from_token(talk.purse, key, token)
