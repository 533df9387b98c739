"""What goes wrong between the bridge and a pool.

::

    TicketMinerError
    └── UpstreamError            the pool or node; what was to be sent is kept
        ├── Disconnected         it hung up, or was silent for too long
        │   ├── NotSent          before a share was written
        │   ├── Reconnect        it asks for a new connection (`connection`)
        │   └── Mute             it answers no shares
        ├── Misbehaved           it sent what the protocol does not have; the connection is closed
        │   └── BadJob           a job that cannot be hashed
        └── Refused              it answered with an error: to a share, or to the worker's name
"""

from __future__ import annotations

from flask_ticketminer.errors import TicketMinerError


class UpstreamError(TicketMinerError):
    """A pool or node failed; the message says what to look at."""


class Disconnected(UpstreamError):
    """The connection ended; the next pool in the list, or the same one after a pause, takes over."""


class NotSent(Disconnected):
    """The session had ended before the share was written: the pool knows nothing of it."""


class Mute(Disconnected):
    """The pool gives work and does not answer shares, so what is computed for it is lost: another pool is better."""


class Misbehaved(UpstreamError):
    """A message that the protocol does not have."""


class BadJob(Misbehaved):
    """A job from which no header can be built."""


class Refused(UpstreamError):
    """The pool answered with an error.

    :ivar code: Stratum's number (20 other, 21 stale, 22 duplicate, 23 low difficulty, 24 unauthorized, 25 not subscribed), else 20.
    """

    def __init__(self, message: str, code: int = 20) -> None:
        super().__init__(message)
        self.code = code
