"""What a wallet holds, as its callers see it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from miner.service import TicketKey
from miner.tokens import Token
from miner.transport import origin_of

TicketState = t.Literal["available", "pending", "spent", "given", "expired"]
RequestKind = t.Literal["submit", "payment", "exchange"]


@dataclass(frozen=True, slots=True)
class Site:
    """One origin that tickets are filed under. `balance` and `pending` (in unanswered requests) are in tickets."""

    origin: str
    site_name: str
    balance: int
    pending: int
    service_path: str


@dataclass(frozen=True, slots=True)
class HeldTicket:
    """A ticket in the wallet: worth `value`, until `redeem_until` (Unix seconds). `token` is what pays: 354 bytes."""

    origin: str
    value: int
    redeem_until: int
    state: TicketState
    key_id: bytes
    nonce: bytes
    token: bytes = field(repr=False)

    @classmethod
    def from_token(
        cls, origin: str, key: TicketKey, token: Token, state: TicketState = "available"
    ) -> t.Self:
        return cls(origin, key.value, key.redeem_until, state, token.key_id, token.nonce, token.to_bytes())


@dataclass(frozen=True, slots=True)
class Output:
    """A ticket asked for: its key, its counter, and the 256-byte blinded message to be signed."""

    key: TicketKey
    counter: int
    blinded_message: bytes
    nonce: bytes = field(repr=False)
    inverse: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A request as it was written down before it was sent.

    :ivar url: where it goes when it is repeated.
    :ivar body: exactly the bytes that were, or will be, sent.
    :ivar amount: tickets it pays; 0 for an exchange or a share.
    :ivar resource: what a payment is for: method, path and query, body digest.
    """

    id: int
    kind: RequestKind
    origin: str
    url: str
    amount: int
    resource: str | None
    label: str
    created: int
    body: bytes = field(repr=False)
    inputs: tuple[HeldTicket, ...] = field(repr=False, default=())
    outputs: tuple[Output, ...] = field(repr=False, default=())

    @property
    def origin_of_url(self) -> str:
        """The origin that it is sent to; `origin` is where its tickets are filed."""
        return origin_of(self.url)


@dataclass(frozen=True, slots=True)
class StoredPass:
    """What a payment left to open its resource with: once, or until `expires` (Unix seconds; None: whenever)."""

    id: int
    origin: str
    resource: str
    scope: str | None
    expires: int | None
    single_use: bool
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Something that happened: ``mined``, ``donated``, ``paid``, ``exchanged``, ``sent``, ``received``, ``restored``, …"""

    at: int
    origin: str
    kind: str
    amount: int
    detail: str


@dataclass(frozen=True, slots=True)
class MiningRun:
    """One stretch of mining, for ``ticketminer jobs``. Times are Unix seconds, `seconds` is time spent hashing."""

    id: int
    origin: str
    algorithm: str
    donation: bool
    state: str
    started: int
    updated: int
    hashes: int
    seconds: int
    accepted: int
    refused: int
    tickets: int
