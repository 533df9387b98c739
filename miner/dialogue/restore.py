"""Tickets from words: asking the site which numbered outputs it has signed, and the file of spent nonces."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass

from miner import answers
from miner.answers import nonsense
from miner.dialogue.conversation import Conversation, encode
from miner.service import TicketKey
from miner.tokens import MODULUS_SIZE, CodecError, Token, unb64url
from miner.transport import MAX_SPENT_FILE, Steps
from miner.wallet.outputs import SCAN_GAP, complete, derive

RESUME_GAP = SCAN_GAP // 2
"""Counters left free above the last one found.

Continuing above everything that was probed would open a gap as wide as the one at which the next restore stops.
"""
ENTRY_SIZE = 8


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore brought: tickets new to this wallet and their value, and how many found ones had been spent."""

    value: int
    tickets: int
    spent: int


def restore_steps(
    talk: Conversation,
    progress: t.Callable[[TicketKey], None] | None = None,
    *,
    earned_at: t.Sequence[str] = (),
) -> Steps[Restored]:
    """Look for this wallet's tickets under every key of the site, and mark held ones that have been spent.

    :param earned_at: other origins of the same site, whose tickets are looked for too and filed here.
    """
    value = tickets = spent = 0
    for key in (yield from talk.keys(refresh=True)):
        if key.redeem_until <= talk.now():
            continue
        if progress is not None:
            progress(key)
        new, gone = yield from scan_key(talk, key, earned_at=earned_at)
        value, tickets, spent = value + new * key.value, tickets + new, spent + gone
    return Restored(value, tickets, spent)


def scan_key(
    talk: Conversation, key: TicketKey, *, start: int = 0, earned_at: t.Sequence[str] = ()
) -> Steps[tuple[int, int]]:
    """Look for tickets of `key` from counter `start` on; return the numbers of new and of spent ones."""
    new = gone = 0
    for seed in talk.wallet.seeds(talk.purse, key.issuer_name, earned_at):
        found, last = yield from _scan(talk, key, seed, start)
        spent: t.Callable[[bytes], bool] = _none
        held = any(
            ticket.key_id == key.key_id and ticket.state == "available"
            for ticket in talk.wallet.tickets(talk.purse)
        )
        if found or held:
            spent = yield from spent_file(talk, key)
            talk.wallet.mark_spent(talk.purse, key, spent)
        following = last + 1 + RESUME_GAP
        added, used = talk.wallet.file_restored(talk.purse, seed, key, found, following, spent)
        new, gone = new + added, gone + used
    return new, gone


def spent_file(talk: Conversation, key: TicketKey) -> Steps[t.Callable[[bytes], bool]]:
    """Download the whole list of spent tickets of `key`; return a function that looks a nonce up in it.

    No single nonce is ever asked for, since that would join a ticket's making to its spending.
    """
    service = yield from talk.service()
    path = service.links.spent.replace("{key_id}", key.key_id.hex())
    # Caches on the way may keep it; here it has to be as new as it can be.
    reply = yield from talk.get(path, limit=MAX_SPENT_FILE, headers={"Cache-Control": "no-cache"})
    if not 200 <= reply.status < 300:
        raise answers.refusal(reply)
    if reply.media_type != "application/octet-stream" or len(reply.body) % ENTRY_SIZE:
        raise nonsense("the file of spent tickets is not a list of 8-byte entries.")
    entries = {reply.body[i : i + ENTRY_SIZE] for i in range(0, len(reply.body), ENTRY_SIZE)}
    return lambda nonce: hashlib.sha256(nonce).digest()[:ENTRY_SIZE] in entries


def stored_signatures(
    talk: Conversation, key: TicketKey, blinded: t.Sequence[bytes]
) -> Steps[list[bytes | None]]:
    """Ask for the signatures that the site has made on `blinded` messages under `key`; None where it has not."""
    service = yield from talk.service()
    members = {"key_id": key.key_id.hex(), "hashes": [hashlib.sha256(item).hexdigest() for item in blinded]}
    reply = yield from talk.post(talk.url(service.links.restore), encode(members))
    signatures = answers.items(
        answers.read(reply, name="The answer to a restore"), "signatures", name="restore", most=len(blinded)
    )
    if len(signatures) != len(blinded):
        raise nonsense(f"{len(blinded)} outputs were asked for and {len(signatures)} answered.")
    try:
        return [
            None if item is None else unb64url(item, size=MODULUS_SIZE, name="signatures")
            for item in signatures
        ]
    except CodecError as error:
        raise nonsense(str(error)) from error


def _scan(talk: Conversation, key: TicketKey, seed: bytes, start: int) -> Steps[tuple[dict[int, Token], int]]:
    """Return the tickets found by counter, and the highest counter found (`start` - 1 if none)."""
    service = yield from talk.service()
    batch = min(SCAN_GAP, service.limits.restore)
    found: dict[int, Token] = {}
    last = start - 1
    position = start
    while position <= last + SCAN_GAP:
        # Never more than the misses that are left, so that nothing is probed that need not be.
        count = min(batch, last + SCAN_GAP + 1 - position)
        outputs = [derive(seed, key, counter) for counter in range(position, position + count)]
        signatures = yield from stored_signatures(talk, key, [output.blinded_message for output in outputs])
        for output, signature in zip(outputs, signatures, strict=True):
            if signature is None:
                continue
            try:
                found[output.counter] = complete(output, signature)
            except CodecError as error:
                raise nonsense(str(error)) from error
            last = output.counter
        position += count
    return found, last


def _none(_: bytes) -> bool:
    return False
