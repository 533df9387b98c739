"""Ticket keys: one RSA-2048 key pair for each (denomination, epoch), made at first use.

The unique constraints on (value, starts) and on the last byte of the key id decide between processes that make a key at the
same moment; the loser uses the winner's.
"""

from __future__ import annotations

import logging
import threading
import time
import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from flask_ticketminer.budgets import Budgets
from flask_ticketminer.clock import Clock
from flask_ticketminer.config import Settings
from flask_ticketminer.database import Database
from flask_ticketminer.errors import KeyNotSigning, MintUnavailable, RetiredKey, UnknownKey
from flask_ticketminer.forks import Shared
from flask_ticketminer.mint.epochs import ANNOUNCED, Epoch, epoch_from, grid_line
from flask_ticketminer.mint.signer import Signer
from flask_ticketminer.mint.wrapping import unwrap, wrap
from miner.tokens import (
    Token,
    TokenChallenge,
    public_key_from_spki,
    spki_from_public_key,
    token_key_id,
    verify,
)

_log = logging.getLogger(__name__)

RELOAD_EVERY = 2.0
"""Seconds before the keys are read again for an id that is not among them."""
_DRAWS = 200


class WrappingKeys(t.Protocol):
    """Holds the 32-byte keys that wrap private keys, newest first; :class:`flask_ticketminer.secrets.Secrets` does."""

    @property
    def wrapping_keys(self) -> list[bytes]: ...


@dataclass(frozen=True, slots=True)
class MintKey:
    """A ticket key as everyone may know it; times are Unix seconds. Keys are equal when their ids are."""

    key_id: bytes
    value: int = field(compare=False)
    starts: int = field(compare=False)
    ends: int = field(compare=False)
    signs_until: int = field(compare=False)
    redeem_until: int = field(compare=False)
    issuer_name: str = field(compare=False)
    challenge_digest: bytes = field(compare=False, repr=False)
    spki: bytes = field(compare=False, repr=False)
    public_key: rsa.RSAPublicKey = field(compare=False, repr=False)

    def signs_at(self, now: int) -> bool:
        return self.starts <= now < self.signs_until

    def expired_at(self, now: int) -> bool:
        return now >= self.redeem_until


@dataclass(frozen=True, slots=True)
class _Known:
    """The keys as one read of the database showed them."""

    live: dict[bytes, MintKey]
    retired: frozenset[bytes]
    latest_end: dict[int, int]
    read_at: float

    def covering(self, value: int, now: int) -> MintKey | None:
        return next((k for k in self.live.values() if k.value == value and k.starts <= now < k.ends), None)

    def starting(self, value: int, starts: int) -> MintKey | None:
        return next((k for k in self.live.values() if k.value == value and k.starts == starts), None)


def generate_rsa() -> rsa.RSAPrivateKey:
    """Return a new RSA key of 2048 bits with exponent 65537; takes some tenths of a second."""
    return rsa.generate_private_key(65537, 2048)


class KeyRing(Shared):
    """The keys of one application.

    :param generate: draws a private key.
    :param on_new_keys: called with the keys that this process made, after they are stored.
    :param budgets: what signing and verifying are charged to; by default the settings' own.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        clock: Clock,
        secrets: WrappingKeys,
        *,
        generate: Callable[[], rsa.RSAPrivateKey] = generate_rsa,
        on_new_keys: Callable[[list[MintKey]], None] | None = None,
        reload_every: float = RELOAD_EVERY,
        budgets: Budgets | None = None,
    ) -> None:
        self.clock = clock
        self.budgets = budgets or Budgets(settings)
        self._database = database
        self._table = database.tables.key
        self._settings = settings
        self._secrets = secrets
        self._generate = generate
        self._on_new_keys = on_new_keys
        self._reload_every = reload_every
        # Known keys are read again too, since another process may have retired them.
        self._refresh_every = 30 * reload_every
        self._known: _Known | None = None
        super().__init__()

    def _begin_process(self) -> None:
        # Re-entrant: making a key reads the keys, and both are done by one thread at a time.
        self._lock = threading.RLock()
        # OpenSSL has a lock in each private key, held for a part of every signature.
        self._signers: dict[bytes, Signer] = {}

    def current(self, value: int) -> MintKey:
        """Return the key that signs tickets worth `value` now, making it if nobody did.

        :raises MintUnavailable: it cannot be unwrapped, or the clock is before keys that were already used.
        """
        key = self._current(value)
        # Before any work is asked for: a key that cannot sign must not be promised.
        self._signer(key)
        return key

    def ensure_epoch(self) -> list[MintKey]:
        """Make what is missing of the current epoch and, from two days before its end, of the next; return the new keys."""
        before = self._keys().live.keys()
        for value in self._settings.denominations:
            key = self._current(value)
            if self.clock.now() >= key.ends - ANNOUNCED:
                self._next(key)
        return [key for key in self._keys().live.values() if key.key_id not in before]

    def rotate(self) -> list[MintKey]:
        """Make the keys of the current and of the next epoch now; return the new ones. Nothing is deleted."""
        before = self._keys().live.keys()
        for value in self._settings.denominations:
            self._next(self._current(value))
        return [key for key in self._keys().live.values() if key.key_id not in before]

    def find(self, key_id: bytes) -> MintKey:
        """Return the key with the full id `key_id`, expired or not.

        :raises RetiredKey: its epoch is closed.
        :raises UnknownKey: this site has no such key. A stranger's guesses read the database every two seconds at most.
        """
        for known in (self._keys(self._refresh_every), self._keys(self._reload_every)):
            if key_id in known.live:
                return known.live[key_id]
            if key_id in known.retired:
                raise RetiredKey(
                    "The ticket's epoch is closed for good; throw the ticket away.", key_id=key_id.hex()
                )
        raise UnknownKey(
            "This site has no such key. Fetch its key directory again; the ticket may be another site's.",
            key_id=key_id.hex(),
        )

    def live_keys(self) -> list[MintKey]:
        """Return every key that is not retired, by start and value."""
        keys = self._keys(self._reload_every).live.values()
        return sorted(keys, key=lambda key: (key.starts, key.value))

    def directory_keys(self) -> list[MintKey]:
        """Return the keys to publish: current ones by value, then the rest by start and value, without expired ones."""
        self.ensure_epoch()
        now = self.clock.now()
        keys = [key for key in self.live_keys() if not key.expired_at(now)]
        current = [key for key in keys if key.starts <= now < key.ends]
        return sorted(current, key=lambda key: key.value) + [key for key in keys if key not in current]

    def sign(self, key: MintKey, blinded_message: bytes) -> bytes:
        """Return the blind signature on `blinded_message` (256 bytes).

        :raises KeyNotSigning: before the key's epoch, or after it and all that was in flight.
        :raises BlindedMessageRange: wrong length, or not below the modulus.
        :raises MintUnavailable: the key cannot be unwrapped.
        :raises Busy: this process signs too much for nothing.
        """
        (signature,) = self.sign_all([(key, blinded_message)])
        return signature

    def sign_all(self, outputs: Sequence[tuple[MintKey, bytes]]) -> tuple[bytes, ...]:
        """Return the blind signatures on all `outputs`, keys with blinded messages (256 bytes); all are charged or none is.

        Errors as for :meth:`sign`.
        """
        signers = []
        for key, blinded in outputs:
            self.check_signing(key)
            signers.append(self._signer(key))
            signers[-1].number(blinded)
        self.budgets.signing.take(len(outputs))
        return tuple(signer.sign(blinded) for signer, (_, blinded) in zip(signers, outputs, strict=True))

    def verify(self, key: MintKey, token: Token) -> bool:
        """Return whether `key` signed `token`.

        :raises Busy: this process verifies too much that leads to nothing.
        """
        self.budgets.check_ticket()
        return verify(key.public_key, token.signed_bytes, token.authenticator)

    def check_signing(self, key: MintKey) -> None:
        """:raises KeyNotSigning: as :meth:`sign` would."""
        if not key.signs_at(self.clock.now()):
            raise KeyNotSigning(
                "This key does not sign now. Fetch the key directory and blind for a current key.",
                key_id=key.key_id.hex(),
            )

    def rewrap(self) -> int:
        """Wrap every private key under the newest wrapping key; return how many there are.

        :raises MintUnavailable: one cannot be unwrapped; then none is changed.
        """

        def work(connection: Connection) -> int:
            rows = connection.execute(select(self._table.c.key_id, self._table.c.wrapped_private)).all()
            for key_id, wrapped in rows:
                fresh = wrap(self._unwrap(key_id, wrapped), key_id, self._secrets.wrapping_keys[0])
                connection.execute(
                    update(self._table).where(self._table.c.key_id == key_id).values(wrapped_private=fresh)
                )
            return len(rows)

        return self._database.transaction(work)

    def _current(self, value: int) -> MintKey:
        if value not in self._settings.denominations:
            raise ValueError(f"{value} is not a denomination.")
        now = self.clock.now()
        key = self._keys(self._refresh_every).covering(value, now)
        if key is not None:
            return key
        with self._lock:
            known = self._keys(0)
            grid = grid_line(now, self._settings.epoch_days)
            epoch = epoch_from(max(grid, known.latest_end.get(value, 0)), grid, self._settings)
            key = known.covering(value, now)
            if key is None and epoch.starts > now:
                raise self._unavailable(
                    "The clock is before keys that were already in use. Set the database's clock right."
                )
            return key or self._make(value, epoch)

    def _next(self, key: MintKey) -> MintKey:
        following = self._keys().starting(key.value, key.ends)
        if following is not None:
            return following
        with self._lock:
            grid = grid_line(key.ends, self._settings.epoch_days)
            epoch = epoch_from(key.ends, grid, self._settings)
            return self._keys(0).starting(key.value, key.ends) or self._make(key.value, epoch)

    def _make(self, value: int, epoch: Epoch) -> MintKey:
        for _ in range(_DRAWS):
            private_key = self._generate()
            key_id = token_key_id(private_key.public_key())
            known = self._keys()
            if key_id in known.retired or any(other[-1] == key_id[-1] for other in known.live):
                continue
            row = {
                "key_id": key_id,
                "value": value,
                "starts": epoch.starts,
                "ends": epoch.ends,
                "signs_until": epoch.signs_until,
                "redeem_until": epoch.redeem_until,
                "issuer_name": self._settings.site_name,
                "challenge_digest": TokenChallenge(self._settings.site_name).digest,
                "spki": spki_from_public_key(private_key.public_key()),
                "wrapped_private": wrap(private_key, key_id, self._secrets.wrapping_keys[0]),
                "last_byte": key_id[-1],
            }
            made = self._store(row)
            key = self._keys(0).starting(value, epoch.starts)
            if key is not None:
                if made and self._on_new_keys is not None:
                    self._on_new_keys([key])
                return key
        raise self._unavailable(
            "No ticket key with an unused last byte was found. Run 'flask ticketminer prune'."
        )

    def _store(self, row: dict[str, t.Any]) -> bool:
        try:
            self._database.transaction(lambda connection: connection.execute(insert(self._table), row))
        except IntegrityError:
            return False
        return True

    def _signer(self, key: MintKey) -> Signer:
        signer = self._signers.get(key.key_id)
        if signer is None:
            wrapped = self._database.read(
                lambda connection: connection.execute(
                    select(self._table.c.wrapped_private).where(self._table.c.key_id == key.key_id)
                ).scalar()
            )
            if wrapped is None:
                raise RetiredKey("This key was retired. Fetch the key directory.", key_id=key.key_id.hex())
            signer = self._signers[key.key_id] = Signer(self._unwrap(key.key_id, wrapped))
        return signer

    def _unwrap(self, key_id: bytes, wrapped: bytes) -> rsa.RSAPrivateKey:
        private_key = unwrap(wrapped, key_id, self._secrets.wrapping_keys)
        if private_key is None:
            raise self._unavailable(
                f"Ticket key {key_id.hex()[:16]} cannot be unwrapped: it was stored under another TICKETMINER_KEY_SECRET or "
                "SECRET_KEY. Give that secret back (SECRET_KEY_FALLBACKS takes old ones), then run 'flask ticketminer keys rewrap'."
            )
        return private_key

    def _unavailable(self, detail: str) -> MintUnavailable:
        _log.error("%s", detail)
        return MintUnavailable(detail, retry_after=60)

    def _keys(self, max_age: float | None = None) -> _Known:
        """Return the known keys, read again when they were read more than `max_age` seconds ago."""
        known = self._known
        if known is not None and (max_age is None or time.monotonic() - known.read_at < max_age):
            return known
        with self._lock:
            if self._known is known:
                self._known = self._read({} if known is None else known.live)
            return t.cast(_Known, self._known)

    def _read(self, loaded: dict[bytes, MintKey]) -> _Known:
        read_at = time.monotonic()
        names = (
            "key_id",
            "value",
            "starts",
            "ends",
            "signs_until",
            "redeem_until",
            "issuer_name",
            "challenge_digest",
            "spki",
        )
        retired = self._database.tables.retired_key

        def work(connection: Connection) -> tuple[Sequence[t.Any], Sequence[t.Any]]:
            live = connection.execute(select(*(self._table.c[name] for name in names))).all()
            return live, connection.execute(select(retired.c.key_id, retired.c.value, retired.c.ends)).all()

        rows, tombstones = self._database.read(work)
        live = {
            row.key_id: loaded.get(row.key_id)
            or MintKey(**row._mapping, public_key=public_key_from_spki(row.spki))
            for row in rows
        }
        latest: dict[int, int] = {}
        for entry in (*rows, *tombstones):
            latest[entry.value] = max(latest.get(entry.value, 0), entry.ends)
        return _Known(live, frozenset(row.key_id for row in tombstones), latest, read_at)
