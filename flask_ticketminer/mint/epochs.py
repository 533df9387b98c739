"""Epochs: the fixed grid of whole UTC days on which ticket keys change."""

from __future__ import annotations

from dataclasses import dataclass

from flask_ticketminer.config import Settings

DAY = 86400
"""Seconds."""
ANNOUNCED = 2 * DAY
"""Seconds before an epoch in which its keys are already published."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One period of issue; all times are Unix seconds."""

    starts: int
    ends: int
    """When the next one starts."""
    signs_until: int
    """Later than `ends`, by the longest life of what can be in flight."""
    redeem_until: int


def epoch_from(starts: int, grid: int, settings: Settings) -> Epoch:
    """Return the epoch that begins at `starts` and lasts until the next line after `grid`.

    The two differ only where the length of epochs was changed meanwhile: a new key begins where the last one ended.
    """
    ends = grid + settings.epoch_days * DAY
    return Epoch(
        starts=starts,
        ends=ends,
        signs_until=ends + max(settings.job_life, settings.challenge_life) + settings.lease,
        redeem_until=ends + settings.redeem_days * DAY,
    )


def grid_line(now: int, epoch_days: int) -> int:
    """Return the last multiple of `epoch_days` whole days since 1970 that is not after `now`."""
    length = epoch_days * DAY
    return now // length * length
