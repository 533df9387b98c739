"""Budgets: how much of one process strangers may use before they are told to wait (503 with ``Retry-After``).

Every check and every signature is charged before it is made. What turns out to be paid for, an accepted share or a settled
payment, gets its charge back: that load limits itself by its price, so an honest crowd never meets a budget, however large it is.
Garbage, replays, failing views and exchanges are what a budget is left with. A process forgets its budgets with its end, and a
forked one begins with full ones.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
import typing as t

from flask_ticketminer.config import Settings
from flask_ticketminer.errors import Busy
from flask_ticketminer.forks import Shared

if t.TYPE_CHECKING:
    from flask_ticketminer.mint.keys import MintKey

SHARE_COST: t.Mapping[str, int] = {
    "sha256d": 3,
    "scrypt": 400,
    "neoscrypt": 400,
    "yespower": 600,
    "ethash": 3000,
}
"""Microseconds of one core to check a share, measured on a 2026 server core and rounded up."""
TICKET_COST = 30
"""Microseconds to verify one ticket: RSA-2048 with exponent 65537."""
RESTORE_COST = 10
"""Microseconds a hash that a wallet asks about when it restores: it is decoded, looked up and, when found, encoded."""
BURST = 2
"""Seconds of signing and of verification that a rested process may do at once."""
EXCHANGE_BURST = 10
"""Minutes of exchanges that a rested process takes at once."""
LONGEST_WAIT = 60
"""Seconds; nobody is told to wait longer."""


class Bucket(Shared):
    """A token bucket: holds at most `burst` units and fills by `rate` units a second. Threads may share it.

    :param purpose: completes the sentence "This site … no faster", e.g. ``signs tickets``.
    :param monotonic: seconds that only move forward.
    """

    def __init__(
        self,
        purpose: str,
        rate: float,
        burst: float,
        *,
        monotonic: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self.rate = rate
        self.burst = float(burst)
        self._purpose = purpose
        self._monotonic = monotonic
        super().__init__()

    def _begin_process(self) -> None:
        self._lock = threading.Lock()
        self._level = self.burst
        self._at = self._monotonic()

    def take(self, units: float, *, leave: float = 0.0) -> None:
        """Take `units` out, or nothing. More than the bucket holds is taken from a full one, which then is in debt.

        :param leave: units that must remain, for what matters more.
        :raises Busy: there are not enough; ``retry_after`` says when there will be.
        """
        # On the path of every share and payment: no call that an operator can stand for.
        with self._lock:
            now = self._monotonic()
            level = self._level + (now - self._at) * self.rate
            if level > self.burst:
                level = self.burst
            self._at = now
            if level >= units + leave or level >= self.burst:
                self._level = level - units
                return
            self._level = level
        short = min(units + leave, self.burst) - level
        wait = min(LONGEST_WAIT, max(1, math.ceil(short / self.rate)))
        raise Busy(
            f"This site {self._purpose} no faster than it allows itself. Nothing was spent and nothing is lost: send the same "
            f"request again in {wait} s.",
            retry_after=wait,
        )

    def give_back(self, units: float) -> None:
        """Put back `units` that were taken for something that has paid for itself."""
        with self._lock:
            level = self._level + units
            self._level = level if level < self.burst else self.burst

    @property
    def level(self) -> float:
        """Units that could be taken now."""
        with self._lock:
            return min(self.burst, self._level + (self._monotonic() - self._at) * self.rate)


class Places(Shared):
    """Counts what is under way, at most `most`; ``with places:`` takes a place and gives it back. Threads may share it.

    :raises Busy: on entry, all places are taken.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__()

    def _begin_process(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        return self._taken

    def __enter__(self) -> None:
        with self._lock:
            if self._taken < self.most:
                self._taken += 1
                return
        raise Busy(
            "This site has as many payments under way as it allows itself. Nothing was spent: send the same request again.",
            retry_after=2,
        )

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._taken -= 1


class Budgets:
    """The budgets of one application in one process.

    :ivar signing: RSA private operations.
    :ivar verification: microseconds of checking tickets, shares and hashes to restore.
    :ivar exchanges: splits and joins of tickets, which cost a visitor nothing and the ledger rows.
    :ivar reservations: payments whose view is running.
    """

    def __init__(self, settings: Settings, *, monotonic: t.Callable[[], float] = time.monotonic) -> None:
        signing, checking = settings.signing_budget, 1000 * settings.verification_budget
        exchanges = settings.exchange_budget
        self.signing = Bucket("signs tickets", signing, BURST * signing, monotonic=monotonic)
        self.verification = Bucket(
            "checks tickets and shares", checking, BURST * checking, monotonic=monotonic
        )
        self.exchanges = Bucket(
            "exchanges tickets", exchanges / 60, EXCHANGE_BURST * exchanges, monotonic=monotonic
        )
        self.reservations = Places(settings.max_reservations)
        # Shares can be made up by the thousand, tickets only repeated: shares must not use up what payments need.
        self._kept = self.verification.burst / 4

    @property
    def signatures_scarce(self) -> bool:
        """Whether so many signatures led to nothing that it pays to ask the database first whether the next one would."""
        return self.signing.level < self.signing.burst / 2

    def check_share(self, algorithm: str) -> None:
        """Charge one share, before it is hashed.

        :raises Busy: too many were wrong.
        """
        self.verification.take(SHARE_COST[algorithm], leave=self._kept)

    def check_ticket(self) -> None:
        """Charge one ticket, before its signature is verified.

        :raises Busy: too many led to nothing.
        """
        self.verification.take(TICKET_COST)

    def check_restore(self, hashes: int) -> None:
        """Charge a request to restore, before the database is asked.

        :raises Busy: too many were asked about.
        """
        self.verification.take(hashes * RESTORE_COST, leave=self._kept)

    def share_checked(self, algorithm: str) -> None:
        """Give back the check of a share that was accepted: its work has paid for it."""
        self.verification.give_back(SHARE_COST[algorithm])

    def share_signed(self) -> None:
        """Give back the signature on the ticket that an accepted share earned."""
        self.signing.give_back(1)

    def payment_settled(self, tickets: int, outputs: int) -> None:
        """Give back what a settled payment was charged: its price has paid for it."""
        self.verification.give_back(tickets * TICKET_COST)
        self.signing.give_back(outputs)

    @contextlib.contextmanager
    def exchange(self, keys: t.Collection[MintKey], outputs: int, now: int) -> t.Iterator[None]:
        """Charge one exchange of tickets of `keys` for so many `outputs`; one that fails is given back.

        A renewal, where none of `keys` signs any more, is free: what comes out cannot be renewed in this epoch again, so
        nobody goes round in circles. Splits and joins could, for ever, with a single ticket.

        :raises Busy: on entry, there were too many.
        """
        renewal = not any(key.signs_at(now) for key in keys)
        charge = 0 if renewal else 1
        self.exchanges.take(charge)
        try:
            yield
        except BaseException:
            self.exchanges.give_back(charge)
            raise
        if renewal:
            self.payment_settled(len(keys), outputs)
