"""Tickets in the making: counters, blinding, and the signature that turns an output into a ticket."""

from __future__ import annotations

import sqlite3

from miner.service import TicketKey
from miner.tokens import Token, blind, finalize
from miner.wallet.records import Output
from miner.wallet.seed import seed_id, ticket_secrets

SCAN_GAP = 64
"""Unsigned counters in a row after which a restoring wallet stops looking."""
REUSE_GAP = 48
"""Unsigned counters in a row after which refused outputs are asked for again instead of using up new counters."""


def derive(seed: bytes, key: TicketKey, counter: int) -> Output:
    """Return output number `counter` of `key`; the same number gives the same output.

    :raises ValueError: the blinding factor of this number is not invertible (chance 2^-1000).
    """
    secrets = ticket_secrets(seed, key.public_key, counter)
    message = Token.input(secrets.nonce, key.challenge_digest, key.key_id)
    blinded, inverse = blind(key.public_key, message, salt=secrets.salt, r=secrets.r)
    return Output(key, counter, blinded, secrets.nonce, inverse)


def complete(output: Output, blind_signature: bytes) -> Token:
    """Return the ticket that `blind_signature` makes of `output`, verified.

    :raises CodecError: the site did not sign what was asked.
    """
    key = output.key
    message = Token.input(output.nonce, key.challenge_digest, key.key_id)
    signature = finalize(key.public_key, message, blind_signature, output.inverse)
    return Token(output.nonce, key.challenge_digest, key.key_id, signature)


def reserve(
    connection: sqlite3.Connection, origin: str, seed: bytes, key: TicketKey, *, request: int, position: int
) -> Output:
    """Return a fresh output of `key` for request number `request`, and write it down.

    The counter advances in the caller's transaction. An output that a site has refused to sign is never used for another
    message; but when so many were refused that a restore could stop before reaching later ones, the refused output
    itself (same message, same blinding) is asked for again.
    """
    name = seed_id(seed)
    row = connection.execute(
        "SELECT next, signed FROM counters WHERE seed_id = ? AND key_id = ?", (name, key.key_id)
    ).fetchone()
    counter, signed = (0, 0) if row is None else (row["next"], row["signed"])
    if counter - signed >= REUSE_GAP:
        refused = connection.execute(
            "SELECT id, counter FROM outputs WHERE request IS NULL AND seed_id = ? AND key_id = ? ORDER BY counter LIMIT 1",
            (name, key.key_id),
        ).fetchone()
        if refused is not None:
            connection.execute(
                "UPDATE outputs SET request = ?, position = ?, origin = ? WHERE id = ?",
                (request, position, origin, refused["id"]),
            )
            return derive(seed, key, refused["counter"])
    output = derive(seed, key, counter)
    advance(connection, seed, key, counter + 1)
    connection.execute(
        "INSERT INTO outputs (request, position, origin, seed_id, key_id, counter, nonce, inverse, blinded)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request,
            position,
            origin,
            name,
            key.key_id,
            counter,
            output.nonce,
            output.inverse.to_bytes(256, "big"),
            output.blinded_message,
        ),
    )
    return output


def advance(
    connection: sqlite3.Connection, seed: bytes, key: TicketKey, following: int, signed: int = 0
) -> None:
    """Let the counter of `key` continue at `following` or later; `signed` is one above the highest signed number."""
    connection.execute(
        "INSERT INTO counters (seed_id, key_id, next, signed) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " next = max(next, excluded.next), signed = max(signed, excluded.signed)",
        (seed_id(seed), key.key_id, following, signed),
    )


def note_signed(connection: sqlite3.Connection, request: int) -> None:
    """Forget the outputs of `request`, all of which have become tickets, and remember that their counters were signed."""
    connection.execute(
        "UPDATE counters SET signed = max(signed, (SELECT max(o.counter) + 1 FROM outputs o WHERE o.request = ?"
        " AND o.seed_id = counters.seed_id AND o.key_id = counters.key_id)) WHERE EXISTS (SELECT 1 FROM outputs o"
        " WHERE o.request = ? AND o.seed_id = counters.seed_id AND o.key_id = counters.key_id)",
        (request, request),
    )
    connection.execute("DELETE FROM outputs WHERE request = ?", (request,))
