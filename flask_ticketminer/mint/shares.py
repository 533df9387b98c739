"""Work paid in tickets: a share is accepted and its ticket signed in one transaction, exactly once."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, select
from sqlalchemy.exc import IntegrityError

from flask_ticketminer.clock import Clock
from flask_ticketminer.config import Settings
from flask_ticketminer.database import Database
from flask_ticketminer.errors import DatabaseBusy, DuplicateShare, OutputAlreadySigned, RetiredKey
from flask_ticketminer.mint.counters import CoinTotal, Counter, Counters, FundTotal, KeyCounter, Total
from flask_ticketminer.mint.keys import KeyRing, MintKey
from flask_ticketminer.mint.statements import Statements

CONFLICTS = 5
"""Times that a unit is tried again after whatever stood in its way was gone when it was looked for."""


@dataclass(frozen=True, slots=True)
class ShareResult:
    """What a share earned: a blind signature (256 bytes), or None when it was donated."""

    signature: bytes | None = field(repr=False)
    replayed: bool


class Outgoing(t.Protocol):
    """A share that goes upstream: its first state, its row of the outbox, and what is counted with it."""

    @property
    def state(self) -> str: ...

    def row(self, share_id: bytes, now: int) -> dict[str, t.Any]: ...

    def deltas(self) -> dict[Counter, int]: ...


@dataclass(frozen=True, slots=True)
class Origin:
    """The coin that a share was computed for, the effort of one ticket (expected hashes), and what goes upstream if anything does."""

    coin: str
    effort: int
    forward: Outgoing | None = None

    def deltas(self, value: int) -> dict[Counter, int]:
        """Return what the transaction that pays the share with `value` tickets counts."""
        paid: dict[Counter, int] = {
            CoinTotal(self.coin, "paid_shares"): 1,
            CoinTotal(self.coin, "paid_value"): value,
            CoinTotal(self.coin, "paid_hashes"): value * self.effort,
        }
        return paid | ({} if self.forward is None else self.forward.deltas())


class Shares:
    """The half of the ledger that takes work in."""

    def __init__(self, database: Database, settings: Settings, clock: Clock, keys: KeyRing) -> None:
        self._database = database
        self._tables = database.tables
        self._settings = settings
        self._clock = clock
        self._keys = keys
        self._statements = Statements(database.tables)
        self._counters = Counters(database, self._statements)

    def find_share(self, share_id: bytes, request_digest: bytes) -> ShareResult | None:
        """Return what the same request got before, or None when the share is new.

        :param share_id: 32 bytes, what was hashed.
        :param request_digest: 32 bytes, over everything else that was asked.
        :raises DuplicateShare: the share was paid to another request.
        :raises RetiredKey: so long ago that its signature is gone.
        """
        share, issued = self._tables.share, self._tables.issued
        statement = (
            select(share.c.request_digest, share.c.key_id, issued.c.blind_signature)
            .join_from(
                share,
                issued,
                and_(issued.c.key_id == share.c.key_id, issued.c.blinded_hash == share.c.blinded_hash),
                isouter=True,
            )
            .where(share.c.share_id == share_id)
        )
        row = self._database.read(lambda connection: connection.execute(statement).first())
        if row is None:
            return None
        if row.request_digest != request_digest:
            raise DuplicateShare(
                "This share was already paid, to another token request. Search for another nonce."
            )
        if row.key_id is not None and row.blind_signature is None:
            raise RetiredKey(
                "This share's ticket belonged to an epoch that is closed.", key_id=row.key_id.hex()
            )
        return ShareResult(row.blind_signature, replayed=True)

    def accept_share(
        self,
        share_id: bytes,
        request_digest: bytes,
        *,
        value: int,
        key: MintKey | None = None,
        blinded: bytes | None = None,
        fund: str | None = None,
        origin: Origin | None = None,
    ) -> ShareResult:
        """Pay a share that was checked: sign `blinded` (256 bytes) with `key`, or credit `fund` when there is no key.

        :param origin: of upstream work; the share enters the outbox in the same transaction if it is good enough for that.
        :raises DuplicateShare: the share was paid to another request.
        :raises OutputAlreadySigned: the blinded message was signed for something else; the share is not used up.
        :raises KeyNotSigning, BlindedMessageRange, MintUnavailable: as :meth:`KeyRing.sign` does.
        """
        if (key is None) != (blinded is None) or (key is not None and key.value != value):
            raise ValueError("A share is paid either by a key of its value or as a donation.")
        signature = blinded_hash = None
        if key is not None and blinded is not None:
            blinded_hash = hashlib.sha256(blinded).digest()
            if self._keys.budgets.signatures_scarce:
                paid = self._paid_before(share_id, request_digest, key, blinded_hash)
                if paid is not None:
                    return paid
            signature = self._keys.sign(key, blinded)
        now = self._clock.now()
        row = {
            "share_id": share_id,
            "request_digest": request_digest,
            "key_id": None if key is None else key.key_id,
            "blinded_hash": blinded_hash,
            "value": value,
            "fund": fund,
            "created": now,
        }
        output = {"key_id": row["key_id"], "blinded_hash": blinded_hash, "blind_signature": signature}
        outgoing = None
        if origin is not None and origin.forward is not None:
            outgoing = origin.forward.row(share_id, now)
        deltas = _deltas(value, key, fund) | ({} if origin is None else origin.deltas(value))

        def work(connection: Connection) -> bool:
            self._statements.insert_share.run(connection, row)
            if outgoing is not None:
                self._statements.insert_upstream_share.run(connection, outgoing)
            if signature is not None:
                self._statements.insert_issued.run(connection, output)
            return True

        for _ in range(CONFLICTS):
            try:
                self._counters.transaction(deltas, work)
            except IntegrityError:
                paid = self._paid_before(share_id, request_digest, key, blinded_hash)
                if paid is not None:
                    return paid
            else:
                if signature is not None:
                    self._keys.budgets.share_signed()
                return ShareResult(signature, replayed=False)
        raise DatabaseBusy("Too many requests want the same ticket. Send the same request again later.")

    def upstream_state(self, share_id: bytes) -> str | None:
        """Return what has become of a share on its way upstream; None when it did not go there, or so long ago that nobody knows."""
        outgoing = self._tables.upstream_share
        statement = select(outgoing.c.state).where(outgoing.c.share_id == share_id)
        state: str | None = self._database.read(lambda connection: connection.execute(statement).scalar())
        return state

    def _paid_before(
        self, share_id: bytes, request_digest: bytes, key: MintKey | None, blinded_hash: bytes | None
    ) -> ShareResult | None:
        """Return what the same request got before; None when nothing stands in its way.

        :raises DuplicateShare, OutputAlreadySigned: as :meth:`accept_share` does.
        """
        result = self.find_share(share_id, request_digest)
        if result is None and key is not None and self._is_signed(key.key_id, blinded_hash or b""):
            raise OutputAlreadySigned(
                "This blinded message was signed before. Skip its counter and send the share with another one."
            )
        return result

    def _is_signed(self, key_id: bytes, blinded_hash: bytes) -> bool:
        issued = self._tables.issued
        statement = select(issued.c.key_id).where(
            issued.c.key_id == key_id, issued.c.blinded_hash == blinded_hash
        )
        return self._database.read(lambda connection: connection.execute(statement).first()) is not None


def _deltas(value: int, key: MintKey | None, fund: str | None) -> dict[Counter, int]:
    if key is None:
        return {Total("donated_shares"): 1, Total("donated_share_value"): value, FundTotal(fund or ""): value}
    return {KeyCounter(key.key_id, "issued_share"): 1, Total("shares"): 1, Total("share_value"): value}
