"""What an engine reports while it runs."""

from __future__ import annotations

import enum
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


class EventKind(enum.StrEnum):
    """The kinds of :class:`Event`, with the members of their `data`."""

    JOB = "job"  # value, algorithm, expected_hashes, expires_in
    SHARE = "share"  # value
    ACCEPTED = "accepted"  # value, count, won
    REFUSED = "refused"  # reason
    MOVED = "moved"  # upstream has moved on; algorithm
    WAITING = "waiting"  # reason, seconds
    PAUSED = "paused"  # reasons
    RESUMED = "resumed"
    FINISHED = "finished"  # reason
    FAILED = "failed"  # reason


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened; `text` is a sentence without the site's name."""

    kind: EventKind
    text: str
    site: str | None = None
    data: Mapping[str, t.Any] = field(default_factory=dict)


Listener = Callable[[Event], object]
