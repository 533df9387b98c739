"""What can go wrong for a visitor; every message says what to do about it.

::

    MinerError
    ├── WalletError                the wallet's own file or contents
    │   ├── WalletDamaged          the file is not readable as a wallet; it is kept
    │   ├── WalletTooNew           a later version wrote it
    │   ├── WalletFull             the disk is full; nothing was lost
    │   ├── WalletBusy             another process holds the wallet
    │   ├── TicketsTaken           tickets chosen for a request are not free any more
    │   ├── WrongWords             backup words that are misspelt, incomplete or of the other kind
    │   └── NotEnoughTickets       the balance, or what can be made of it, does not cover the amount
    ├── SiteError                  the other side
    │   ├── SiteUnreachable        no answer; what was sent is kept and repeated
    │   ├── SiteProtocolError      an answer that makes no sense
    │   ├── NoCommonAlgorithm      the site's work is of a kind that is not computed here
    │   └── SiteRefused            a problem document: status, cause, detail
    ├── SecurityError              going on would cost money or anonymity
    │   ├── InsecureTransport      plain http to a site that is not this machine or an onion service
    │   ├── KeyMismatch            the site's keys changed, or look like a tag on visitors
    │   └── ForeignRequest         a site asks for another site's tickets, or payment would leave the site
    ├── BudgetExceeded             the price is above what the caller allowed
    ├── ConsentMissing             the visitor has not agreed to the site's text
    ├── ConfigError                the command line's configuration file cannot be used
    ├── FileError                  a download cannot be written where it should go
    └── PaymentFailed              the site took no payment, or took it and does not deliver
        ├── AlreadyDelivered       paid and delivered once before; the change is in the wallet
        └── FarBehind              more has to be asked of the site than one request may become; recovering does it

Apart from these, ``miner.tokens`` raises ``CodecError``, a ``ValueError``, for what is not encoded as it must be.
"""

from __future__ import annotations

import typing as t

UNDECIDED = (
    "in-progress",
    "ticket-in-use",
    "outcome-unknown",
    "busy",
    "database-busy",
    "mint-unavailable",
    "unavailable",
)
"""Causes with which a site says that it is busy with a request or cannot tell what became of it: repeat it."""


class MinerError(Exception):
    """Root of everything this package raises on purpose."""


class WalletError(MinerError):
    """The wallet refuses; its contents are as before."""


class WalletDamaged(WalletError):
    """The file cannot be read as a wallet. It is kept as it is."""


class WalletTooNew(WalletError):
    """A later version of the program wrote this wallet."""


class TicketsTaken(WalletError):
    """Tickets that were chosen are not free any more: another request of this wallet has them, or they are spent."""


class WalletFull(WalletError):
    """The disk is full. The step that failed was undone; nothing was sent."""


class WalletBusy(WalletError):
    """Another process has held the wallet's lock for too long."""


class WrongWords(WalletError):
    """Backup words that do not name a seed."""


class NotEnoughTickets(WalletError):
    """The tickets at hand do not cover the amount.

    :attr needed: the amount asked for, in tickets.
    :attr available: what could be used, in tickets.
    """

    def __init__(self, message: str, *, needed: int = 0, available: int = 0) -> None:
        super().__init__(message)
        self.needed = needed
        self.available = available


class SiteError(MinerError):
    """The site did not do its part."""


class SiteUnreachable(SiteError):
    """The site gave no complete answer."""


class SiteProtocolError(SiteError):
    """The site answered something that the protocol does not allow."""


class NoCommonAlgorithm(SiteError):
    """The site's work is of a kind that this installation cannot compute, or was told not to."""


class SiteRefused(SiteError):
    """The site answered with an error.

    :attr status: the HTTP status.
    :attr cause: the stable name of the problem (``docs/protocol.md``), or ``http-<status>``.
    :attr detail: the site's own sentence, without control characters.
    :attr retry_after: seconds to wait before repeating, when the site said so.
    :attr body: the whole problem document.
    """

    def __init__(
        self,
        status: int,
        cause: str,
        detail: str,
        retry_after: int | None = None,
        body: t.Mapping[str, t.Any] | None = None,
    ) -> None:
        super().__init__(f"The site refused ({cause}): {detail}")
        self.status = status
        self.cause = cause
        self.detail = detail
        self.retry_after = retry_after
        self.body = dict(body or {})

    @property
    def definite(self) -> bool:
        """Whether the site has decided: repeating the same request will not be answered otherwise.

        Server errors, rate limits and the causes in :data:`UNDECIDED` leave the outcome open.
        """
        if self.cause in UNDECIDED:
            return False
        return self.retry_after is None and 400 <= self.status < 500 and self.status not in (408, 425, 429)


class SecurityError(MinerError):
    """Refused on the visitor's behalf."""


class InsecureTransport(SecurityError):
    """Tickets would travel in the clear."""


class KeyMismatch(SecurityError):
    """The site's directory contradicts what this wallet has pinned."""


class ForeignRequest(SecurityError):
    """The request would spend tickets outside the site they belong to."""


class BudgetExceeded(MinerError):
    """The price is above what is left of the budget; nothing was paid.

    :attr price: tickets asked for.
    :attr left: tickets left in the budget.
    """

    def __init__(self, message: str, *, price: int = 0, left: int = 0) -> None:
        super().__init__(message)
        self.price = price
        self.left = left


class ConsentMissing(MinerError):
    """The visitor has not agreed to this site's consent text."""


class ConfigError(MinerError):
    """The configuration file cannot be used as it is."""


class FileError(MinerError):
    """The download cannot be written where it should go."""


class PaymentFailed(MinerError):
    """The payment did not lead to the resource.

    :attr cause: the site's name for the problem.
    """

    def __init__(self, message: str, *, cause: str = "") -> None:
        super().__init__(message)
        self.cause = cause


class AlreadyDelivered(PaymentFailed):
    """This payment was used for its one delivery; its change has been filed."""


class FarBehind(PaymentFailed):
    """The wallet has more to ask of the site than fits into one request; ``SiteClient.recover`` has no such bound."""
