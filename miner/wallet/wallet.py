"""The wallet: tickets of many sites in one private file, from which nothing is sent that is not written down first."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

from miner.errors import NotEnoughTickets, WalletDamaged, WalletError, WrongWords
from miner.service import TicketKey
from miner.tokens import Token
from miner.transport import origin_of
from miner.wallet import journal, requests
from miner.wallet.outputs import advance, complete
from miner.wallet.records import (
    HeldTicket,
    PendingRequest,
    RequestKind,
)
from miner.wallet.seed import (
    MASTER_SIZE,
    SITE_SEED_SIZE,
    from_words,
    seed_id,
    seed_name,
    site_seed,
    to_words,
)
from miner.wallet.selection import choose
from miner.wallet.sitebook import SiteBook
from miner.wallet.store import Store, default_path
from miner.wallet.transfer import encode_tickets

BACKUP_PROMPT = 8
"""Tickets from which on the visitor is asked to write the words down."""


class Wallet(SiteBook):
    """An open wallet. Threads may share it, and several processes may have the same file open.

    Every method raises :class:`~miner.errors.WalletError` when the file fails it (full disk, damage, lock), and then
    nothing has changed.
    """

    def __init__(
        self, store: Store, randomness: t.Callable[[int], bytes], clock: t.Callable[[], float]
    ) -> None:
        super().__init__(store, clock)
        if store.rows("SELECT 1 FROM secrets WHERE name = 'master'"):
            return
        with store.write() as connection:
            # Another process may have been first; its master stands.
            connection.execute(
                "INSERT INTO secrets (name, value) VALUES ('master', ?) ON CONFLICT DO NOTHING",
                (randomness(MASTER_SIZE),),
            )

    @classmethod
    def open(
        cls,
        path: Path | str | None = None,
        *,
        randomness: t.Callable[[int], bytes] = os.urandom,
        clock: t.Callable[[], float] = time.time,
    ) -> t.Self:
        """Open the wallet at `path` (:func:`~miner.wallet.store.default_path`), made now if there is none.

        :param randomness: source of the 16 secret bytes of a new wallet.
        :param clock: Unix seconds.
        """
        store = Store(default_path() if path is None else Path(path))
        try:
            return cls(store, randomness, clock)
        except BaseException:
            store.close()
            raise

    @classmethod
    def create_from_words(
        cls,
        path: Path | str | None,
        words: str,
        site: str | None = None,
        *,
        clock: t.Callable[[], float] = time.time,
    ) -> t.Self:
        """Make a wallet from backup `words`; a damaged file in its place is kept beside it, renamed.

        :param site: origin, for the 24 words of one site.
        :raises WrongWords: the words are not a backup, or a wallet with other words is in use there.
        """
        from_words(words)
        path = default_path() if path is None else Path(path)
        try:
            wallet = cls.open(path, clock=clock)
        except WalletDamaged:
            _set_aside(path)
            wallet = cls.open(path, clock=clock)
        try:
            wallet.restore_words(words, site)
        except BaseException:
            wallet.close()
            raise
        return wallet

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def path(self) -> Path:
        return self._store.path

    # Words

    def words(self) -> str:
        """Return the 12 words that restore this wallet, given the addresses of its sites.

        A site that was taken over by its own 24 words (:meth:`restore_words`) keeps those; :meth:`apart` names it.
        """
        return to_words(self._master())

    def apart(self) -> list[str]:
        """Return the origins whose tickets the 12 words do not bring back: they have 24 words from elsewhere."""
        return [site.origin for site in self.sites() if self._is_apart(site.origin)]

    def _is_apart(self, origin: str) -> bool:
        own = self._own_seed(origin)
        names = {seed_name(origin, key.issuer_name) for key in self.keys(origin)}
        return own is not None and own not in {site_seed(self._master(), name) for name in names}

    def site_words(self, origin: str) -> str:
        """Return the 24 words of the one site at `origin`; they restore it here or in its page, and nothing else.

        :raises WalletError: the site's directory has never been seen.
        """
        keys = self.keys(origin)
        if not keys and self._own_seed(origin) is None:
            raise WalletError(f"{origin} is not known here. Mine there once, or check the address.")
        with self._store.read() as connection:
            return to_words(self._seed(connection, origin, keys[-1].issuer_name if keys else ""))

    def needs_backup_prompt(self) -> bool:
        """Return whether there is something to lose and the words were never shown."""
        return self.setting("backup-seen") is None and self.balance() >= BACKUP_PROMPT

    def backup_seen(self) -> None:
        """Note that the visitor has seen the words."""
        self.set_setting("backup-seen", str(self.now()))

    def restore_words(self, words: str, site: str | None = None) -> None:
        """Take over backup `words`: 12 for this whole wallet, 24 for the one site at origin `site`.

        The tickets themselves come from the sites afterwards (``SiteClient.restore``).

        :raises WrongWords: not a backup, a site is missing, or this wallet is already in use with other words.
        """
        secret = from_words(words)
        if len(secret) == SITE_SEED_SIZE:
            if site is None:
                raise WrongWords(
                    "24 words belong to one site: say which, with --site URL. A whole wallet is 12 words."
                )
            origin = origin_of(site)
            with self._store.write() as connection:
                self._add_site(connection, origin)
                connection.execute("UPDATE sites SET seed = ? WHERE origin = ?", (secret, origin))
            return
        with self._store.write() as connection:
            master = connection.execute("SELECT value FROM secrets WHERE name = 'master'").fetchone()[0]
            if master == secret:
                return
            used = connection.execute("SELECT 1 FROM counters UNION ALL SELECT 1 FROM tickets").fetchone()
            if used:
                raise WrongWords(
                    f"{self.path} is in use with other words. Restore into a new file with --wallet FILE, and move its "
                    "tickets over with send and receive."
                )
            connection.execute("UPDATE secrets SET value = ? WHERE name = 'master'", (secret,))

    # Tickets

    def balance(self, origin: str | None = None) -> int:
        """Return how many tickets can be spent now, at `origin` or anywhere."""
        return sum(ticket.value for ticket in self.tickets(origin) if ticket.state == "available")

    def tickets(self, origin: str | None = None) -> list[HeldTicket]:
        """Return all tickets that are known, spent and given ones included."""
        where, values = ("1", ()) if origin is None else ("origin = ?", (origin,))
        with self._store.read() as connection:
            return requests.tickets(connection, where, *values, now=self.now())

    def deposit(
        self, origin: str, key: TicketKey, sign: t.Callable[[bytes], bytes], count: int
    ) -> list[HeldTicket]:
        """Make `count` tickets of `key` with a signer at hand (blinded message in, blind signature out)."""
        self.pin(origin, [key])
        request = self.begin(
            requests.Draft("submit", origin, origin, label="deposit"),
            lambda _: ((), (key,) * count),
            lambda _inputs, _outputs: b"",
        )
        return self.settle(request, [sign(output.blinded_message) for output in request.outputs])

    def send(self, origin: str, amount: int) -> str:
        """Return text that carries tickets worth exactly `amount` to somebody else, and mark them given.

        :raises NotEnoughTickets: too few, or none fit exactly (``SiteClient.send`` exchanges first).
        """
        with self._store.write() as connection:
            now = self.now()
            free = requests.tickets(
                connection, "origin = ? AND state = 'available' AND redeem_until > ?", origin, now
            )
            selection = choose(free, amount)
            if selection.change or not selection.inputs:
                raise NotEnoughTickets(
                    f"No tickets add up to exactly {amount}; the site has to split one first. Go online and repeat.",
                    needed=amount,
                    available=sum(ticket.value for ticket in free),
                )
            for ticket in selection.inputs:
                connection.execute(
                    "UPDATE tickets SET state = 'given' WHERE key_id = ? AND nonce = ?",
                    (ticket.key_id, ticket.nonce),
                )
            journal.note(connection, now, origin, "sent", amount)
        return encode_tickets(origin, [ticket.token for ticket in selection.inputs])

    def receive(self, text: str, client: t.Any) -> int:
        """Take over tickets that somebody has sent, by exchanging them at once through the site's `client`.

        Until then the giver could spend them too, so this needs the site. Returns their value.
        """
        return t.cast(int, client.receive(text))

    # Requests

    def begin(
        self,
        draft: requests.Draft,
        plan: requests.Plan,
        compose: requests.Compose,
        *,
        adopt: bool = False,
        now: int | None = None,
    ) -> PendingRequest:
        """Write a request down (:func:`miner.wallet.requests.begin`); send its body only after this returns.

        :param now: Unix seconds, where the wallet's own clock is known to be wrong.
        """
        when = self.now() if now is None else now
        with self._store.write() as connection:
            return requests.begin(
                connection, draft, plan, compose, self._seed, when, created=self.now(), adopt=adopt
            )

    def settle(self, request: PendingRequest, signatures: t.Sequence[bytes]) -> list[HeldTicket]:
        """Verify the blind `signatures` of the outputs of `request`, file the tickets, and close it.

        :raises miner.tokens.CodecError: a signature does not verify; the request stays open.
        """
        tokens = [
            complete(output, signed) for output, signed in zip(request.outputs, signatures, strict=True)
        ]
        with self._store.write() as connection:
            if requests.settle(connection, request, tokens, self.now(), "settled"):
                made = sum(output.key.value for output in request.outputs)
                kind = "paid" if request.kind == "payment" else request.label or "mined"
                amount = request.amount or made
                journal.note(connection, self.now(), request.origin, kind, amount, request.resource or "")
            return requests.tickets(connection, "source = ?", request.id)

    def release(
        self,
        request: PendingRequest,
        cause: str,
        *,
        spent: t.Collection[bytes] = (),
        signed: t.Collection[bytes] = (),
    ) -> None:
        """Close a request that the site has refused, and free its tickets but those with a nonce in `spent`.

        :param signed: blinded messages of outputs that the site has signed for something else.
        """
        with self._store.write() as connection:
            requests.release(connection, request, cause, self.now(), spent=spent, signed=signed)

    def unanswered(self, origin: str | None = None, kind: RequestKind | None = None) -> list[PendingRequest]:
        """Return the requests without an answer, oldest first."""
        where, values = ("1", ()) if origin is None else ("origin = ?", (origin,))
        with self._store.read() as connection:
            found = requests.unanswered(connection, where, *values)
        return [request for request in found if kind in (None, request.kind)]

    def file_restored(
        self,
        origin: str,
        seed: bytes,
        key: TicketKey,
        found: t.Mapping[int, Token],
        following: int,
        spent: t.Callable[[bytes], bool],
    ) -> tuple[int, int]:
        """File the tickets that a restore has found, by counter; return the number of new and of spent ones.

        :param following: the lowest counter to go on with.
        :param spent: whether the ticket with this nonce has been spent.
        """
        new = gone = 0
        with self._store.write() as connection:
            advance(connection, seed, key, following, max(found, default=-1) + 1)
            for token in found.values():
                used = spent(token.nonce)
                gone += used
                new += (
                    requests.add(connection, origin, key, token, state="spent" if used else "available")
                    and not used
                )
            worth = new * key.value
            if worth:
                journal.note(connection, self.now(), origin, "restored", worth)
        return new, gone

    def mark_spent(self, origin: str, key: TicketKey, spent: t.Callable[[bytes], bool]) -> int:
        """Mark the free tickets of `key` at `origin`, which has them on its list, as spent; return how many."""
        with self._store.write() as connection:
            free = requests.tickets(
                connection, "origin = ? AND key_id = ? AND state = 'available'", origin, key.key_id
            )
            gone = [ticket for ticket in free if spent(ticket.nonce)]
            for ticket in gone:
                connection.execute(
                    "UPDATE tickets SET state = 'spent' WHERE key_id = ? AND nonce = ?",
                    (ticket.key_id, ticket.nonce),
                )
        return len(gone)

    def counter(self, seed: bytes, key: TicketKey) -> int:
        """Return the next counter of `key` under `seed`."""
        rows = self._store.rows(
            "SELECT next FROM counters WHERE seed_id = ? AND key_id = ?", seed_id(seed), key.key_id
        )
        return rows[0]["next"] if rows else 0


def _set_aside(path: Path) -> None:
    for number in range(1, 1000):
        kept = path.with_name(f"{path.name}.damaged-{number}")
        if not kept.exists():
            path.rename(kept)
            for suffix in ("-wal", "-shm"):
                side = path.with_name(path.name + suffix)
                if side.exists():
                    side.rename(kept.with_name(kept.name + suffix))
            return
    raise WalletError(f"There are already 999 damaged files beside {path}; remove some.")
