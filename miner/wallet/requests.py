"""Requests written down before they are sent, and what their answers change: the part that must never lose a ticket."""

from __future__ import annotations

import sqlite3
import typing as t

from miner.errors import TicketsTaken
from miner.service import TicketKey
from miner.tokens import Token
from miner.wallet import keyring
from miner.wallet.outputs import note_signed, reserve
from miner.wallet.records import HeldTicket, Output, PendingRequest, RequestKind, TicketState

Plan = t.Callable[[list[HeldTicket]], tuple[t.Sequence[HeldTicket], t.Sequence[TicketKey]]]
"""Chooses, from the available tickets, what a request hands over and which keys it wants tickets of."""
Compose = t.Callable[[t.Sequence[HeldTicket], t.Sequence[Output]], bytes]
"""Writes the body."""
SeedFor = t.Callable[[sqlite3.Connection, str, str], bytes]
"""Returns the seed for (origin, issuer name)."""

_REQUEST = "id, kind, origin, url, amount, resource, label, created, body"
_TICKET = "origin, value, redeem_until, state, key_id, nonce, token"


class Draft(t.NamedTuple):
    """What a request is about, apart from tickets and outputs."""

    kind: RequestKind
    origin: str
    url: str
    amount: int = 0
    resource: str | None = None
    label: str = ""


def tickets(
    connection: sqlite3.Connection, where: str, *values: t.Any, now: int | None = None
) -> list[HeldTicket]:
    """Return the tickets that `where` selects, by value and expiry; with `now`, expired ones are called so."""
    rows = connection.execute(
        f"SELECT {_TICKET} FROM tickets WHERE {where} ORDER BY value, redeem_until, nonce",  # noqa: S608
        values,
    )
    held = (HeldTicket(*row) for row in rows)
    if now is None:
        return list(held)
    return [_dated(ticket, now) for ticket in held]


def begin(
    connection: sqlite3.Connection,
    draft: Draft,
    plan: Plan,
    compose: Compose,
    seed_for: SeedFor,
    now: int,
    *,
    created: int,
    adopt: bool = False,
) -> PendingRequest:
    """Write a request down: choose its tickets, make its outputs, compose its body.

    :param now: Unix seconds by which tickets are valid, perhaps the site's; `created` is this machine's own, so that
        no site's clock decides when the request is taken up again.
    :param adopt: the tickets come from somebody else, or were given away and return.
    :raises TicketsTaken: a ticket is not free.
    """
    available = tickets(
        connection, "origin = ? AND state = 'available' AND redeem_until > ?", draft.origin, now
    )
    inputs, keys = plan(available)
    cursor = connection.execute(
        "INSERT INTO requests (kind, origin, url, body, amount, resource, label, state, created)"
        " VALUES (?, ?, ?, x'', ?, ?, ?, 'sent', ?)",
        (draft.kind, draft.origin, draft.url, draft.amount, draft.resource, draft.label, created),
    )
    number = t.cast(int, cursor.lastrowid)
    for ticket in inputs:
        _take(connection, ticket, number, adopt=adopt)
    outputs = tuple(
        reserve(
            connection,
            draft.origin,
            seed_for(connection, draft.origin, key.issuer_name),
            key,
            request=number,
            position=position,
        )
        for position, key in enumerate(keys)
    )
    body = compose(inputs, outputs)
    connection.execute("UPDATE requests SET body = ? WHERE id = ?", (body, number))
    return PendingRequest(number, *draft, created, body, tuple(inputs), outputs)


def unanswered(connection: sqlite3.Connection, where: str = "1", *values: t.Any) -> list[PendingRequest]:
    """Return the requests that still wait for an answer, oldest first."""
    rows = connection.execute(
        f"SELECT {_REQUEST} FROM requests WHERE state = 'sent' AND {where} ORDER BY id",  # noqa: S608
        values,
    ).fetchall()
    return [
        PendingRequest(
            **row,
            inputs=tuple(tickets(connection, "request = ?", row["id"])),
            outputs=tuple(_outputs(connection, row["id"])),
        )
        for row in map(dict, rows)
    ]


def settle(
    connection: sqlite3.Connection, request: PendingRequest, tokens: t.Sequence[Token], now: int, cause: str
) -> bool:
    """File `tokens`, the finished outputs of `request`, and mark what it handed over as spent.

    Returns whether this call did it; another process may have been first.
    """
    if not _finish(connection, request, "settled", cause, now):
        return False
    for output, token in zip(request.outputs, tokens, strict=True):
        add(connection, request.origin, output.key, token, source=request.id)
    note_signed(connection, request.id)
    connection.execute("UPDATE tickets SET state = 'spent', request = NULL WHERE request = ?", (request.id,))
    return True


def release(
    connection: sqlite3.Connection,
    request: PendingRequest,
    cause: str,
    now: int,
    *,
    spent: t.Collection[bytes] = (),
    signed: t.Collection[bytes] = (),
) -> bool:
    """Free the tickets of a refused request, except those whose nonce is in `spent`.

    :param signed: blinded messages that the site has signed for something else; they are not asked for again.
    """
    if not _finish(connection, request, "refused", cause, now):
        return False
    for ticket in request.inputs:
        state: TicketState = "spent" if ticket.nonce in spent else "available"
        connection.execute(
            "UPDATE tickets SET state = ?, request = NULL WHERE request = ? AND key_id = ? AND nonce = ?",
            (state, request.id, ticket.key_id, ticket.nonce),
        )
    for blinded in signed:
        connection.execute("DELETE FROM outputs WHERE request = ? AND blinded = ?", (request.id, blinded))
    connection.execute("UPDATE outputs SET request = NULL WHERE request = ?", (request.id,))
    return True


def add(
    connection: sqlite3.Connection,
    origin: str,
    key: TicketKey,
    token: Token,
    *,
    state: TicketState = "available",
    source: int | None = None,
) -> bool:
    """File a ticket; return whether it is new. One that is here already keeps its state."""
    cursor = connection.execute(
        "INSERT INTO tickets (key_id, nonce, origin, value, redeem_until, token, state, source)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (key.key_id, token.nonce, origin, key.value, key.redeem_until, token.to_bytes(), state, source),
    )
    return cursor.rowcount == 1


def _take(connection: sqlite3.Connection, ticket: HeldTicket, request: int, *, adopt: bool) -> None:
    cursor = connection.execute(
        "UPDATE tickets SET state = 'pending', request = ? WHERE key_id = ? AND nonce = ? AND state IN ('available', ?)",
        (request, ticket.key_id, ticket.nonce, "given" if adopt else "available"),
    )
    if cursor.rowcount == 1:
        return
    known = connection.execute(
        "SELECT 1 FROM tickets WHERE key_id = ? AND nonce = ?", (ticket.key_id, ticket.nonce)
    ).fetchone()
    if known or not adopt:
        raise TicketsTaken(
            "This wallet knows one of these tickets already: it is being spent by another request, or has been spent. "
            "Look at the balance before you repeat."
        )
    connection.execute(
        f"INSERT INTO tickets ({_TICKET}, request) VALUES (?, ?, ?, 'pending', ?, ?, ?, ?)",  # noqa: S608
        (
            ticket.origin,
            ticket.value,
            ticket.redeem_until,
            ticket.key_id,
            ticket.nonce,
            ticket.token,
            request,
        ),
    )


def _finish(
    connection: sqlite3.Connection, request: PendingRequest, state: str, cause: str, now: int
) -> bool:
    cursor = connection.execute(
        "UPDATE requests SET state = ?, cause = ?, finished = ?, body = x'' WHERE id = ? AND state = 'sent'",
        (state, cause, now, request.id),
    )
    return cursor.rowcount == 1


def _outputs(connection: sqlite3.Connection, request: int) -> t.Iterator[Output]:
    rows = connection.execute(
        "SELECT origin, key_id, counter, blinded, nonce, inverse FROM outputs WHERE request = ? ORDER BY position",
        (request,),
    ).fetchall()
    for row in rows:
        key = keyring.find(connection, row["origin"], row["key_id"])
        if key is not None:
            yield Output(
                key, row["counter"], row["blinded"], row["nonce"], int.from_bytes(row["inverse"], "big")
            )


def _dated(ticket: HeldTicket, now: int) -> HeldTicket:
    if ticket.state == "available" and ticket.redeem_until <= now:
        return HeldTicket(
            ticket.origin,
            ticket.value,
            ticket.redeem_until,
            "expired",
            ticket.key_id,
            ticket.nonce,
            ticket.token,
        )
    return ticket
