"""Exit codes of ``ticketminer``, in one place."""

from __future__ import annotations

import enum

from miner.errors import (
    BudgetExceeded,
    ConfigError,
    ConsentMissing,
    MinerError,
    NotEnoughTickets,
    PaymentFailed,
    SecurityError,
    SiteProtocolError,
    SiteRefused,
    SiteUnreachable,
    WalletError,
)


class Status(enum.IntEnum):
    """What a script can tell from the exit code.

    ===  ==========================================================
    0    done
    1    failed for another reason
    2    the command line or the configuration is wrong
    3    the site cannot be reached or answers nonsense
    4    not enough tickets, or the price is above the budget
    5    the site refused
    6    the wallet is damaged, busy, full or of a later version
    7    refused for safety: plain http, changed keys, foreign request
    8    consent was not given
    130  interrupted; nothing is lost
    ===  ==========================================================
    """

    OK = 0
    FAILURE = 1
    USAGE = 2
    SITE = 3
    NOT_ENOUGH = 4
    REFUSED = 5
    WALLET = 6
    SECURITY = 7
    NO_CONSENT = 8
    INTERRUPTED = 130


# The first class that fits decides: subclasses stand before their parents.
_BY_ERROR: tuple[tuple[type[MinerError], Status], ...] = (
    (ConsentMissing, Status.NO_CONSENT),
    (ConfigError, Status.USAGE),
    (NotEnoughTickets, Status.NOT_ENOUGH),
    (BudgetExceeded, Status.NOT_ENOUGH),
    (SiteUnreachable, Status.SITE),
    (SiteProtocolError, Status.SITE),
    (SiteRefused, Status.REFUSED),
    (PaymentFailed, Status.REFUSED),
    (WalletError, Status.WALLET),
    (SecurityError, Status.SECURITY),
)


def status_of(error: MinerError) -> Status:
    """Return the exit code for `error`."""
    return next((status for kind, status in _BY_ERROR if isinstance(error, kind)), Status.FAILURE)


HELP = "\n".join(
    [
        "\b",
        "Exit codes:",
        *(
            "  " + line.strip()
            for line in (Status.__doc__ or "").splitlines()
            if line.strip() and line.strip()[0].isdigit()
        ),
    ]
)
"""The table as ``--help`` shows it."""
