"""What the funds have received, for pages that ask at every view and must not fail with the tickets' database."""

from __future__ import annotations

import time
import typing as t

from flask_ticketminer.database import Database
from flask_ticketminer.errors import Unavailable
from flask_ticketminer.mint.statistics import fund_total

KEPT = 1.0
"""Seconds for which a total is shown without asking again."""
RESTED = 10.0
"""Seconds for which a database that did not answer is left alone."""


class FundTotals:
    """The totals of the funds as this process last saw them.

    :param monotonic: seconds that only move forward.
    """

    def __init__(self, database: Database, *, monotonic: t.Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._kept: dict[str | None, tuple[int | None, float]] = {}

    def total(self, fund: str | None) -> int | None:
        """Return the tickets donated to `fund`; None when the database has never told."""
        total, until = self._kept.get(fund, (None, 0.0))
        if self._monotonic() >= until:
            try:
                total, rest = fund_total(self._database, fund, attempts=1), KEPT
            except Unavailable:
                rest = RESTED
            self._kept[fund] = total, self._monotonic() + rest
        return total

    def forget(self, fund: str | None) -> None:
        """Ask the database next time: `fund` has just received something."""
        self._kept.pop(fund, None)
