"""When to ask a site again that did not answer, and when not to."""

from __future__ import annotations

from collections.abc import Callable

from miner.errors import MinerError, SiteProtocolError, SiteRefused, SiteUnreachable, WalletBusy

MAX_BACKOFF = 60.0
"""Seconds; a site may ask for longer waits."""
TOO_MUCH_NONSENSE = 3


class Backoff:
    """Counts the failures in a row at one site.

    :param jitter: returns a number from 0 to 1.
    :ivar at: when to try again.
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        self.failures = 0
        self.at = 0.0
        self._jitter = jitter

    def answered(self) -> None:
        """The site can be reached."""
        self.failures, self.at = 0, 0.0

    def failed(self, error: MinerError, now: float) -> float | None:
        """Return the seconds after which trying again may help; None when it cannot."""
        least = _retry_after(error)
        self.failures += 1
        if least is None or (isinstance(error, SiteProtocolError) and self.failures >= TOO_MUCH_NONSENSE):
            return None
        seconds = max(min(MAX_BACKOFF, 2.0 ** (self.failures - 1)) * (0.75 + self._jitter() / 2), least)
        self.at = now + seconds
        return seconds


def _retry_after(error: MinerError) -> float | None:
    if isinstance(error, SiteUnreachable | SiteProtocolError | WalletBusy):
        return 0.0
    if isinstance(error, SiteRefused) and not error.definite:
        return float(error.retry_after or 0)
    return None
