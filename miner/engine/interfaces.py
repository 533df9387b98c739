"""What the engine needs of a site; :class:`miner.client.SiteClient` provides it, tests script it."""

from __future__ import annotations

import typing as t
from collections.abc import Generator, Sequence

from miner.tip import Tip


class Job(t.Protocol):
    """Work a site offers (``docs/protocol.md``, ``POST /ticketminer/job``)."""

    @property
    def algorithm(self) -> str: ...
    @property
    def blob(self) -> bytes: ...
    @property
    def nonce_offset(self) -> int: ...
    @property
    def nonce_size(self) -> int: ...
    @property
    def target(self) -> int: ...
    @property
    def expected_hashes(self) -> int: ...
    @property
    def value(self) -> int: ...
    @property
    def expires_in(self) -> int: ...
    @property
    def seed(self) -> bytes | None: ...
    @property
    def epoch(self) -> int | None: ...
    @property
    def epoch_length(self) -> int | None: ...
    @property
    def tip(self) -> str | None: ...
    @property
    def poll(self) -> int | None: ...


class Submission(t.Protocol):
    """A site's answer to a share."""

    @property
    def accepted(self) -> bool: ...
    @property
    def value(self) -> int: ...
    @property
    def next_job(self) -> t.Any: ...
    @property
    def upstream(self) -> str | None: ...


class Tips(t.Protocol):
    """One site's tips, for one thread; see :class:`miner.tip.SiteTips`."""

    def poll(self, algorithm: str) -> Tip:
        """Ask for the present tip."""

    def events(self, algorithm: str) -> Generator[Tip | None] | None:
        """Return the tips as they come, None between them as a sign of life; None alone where nothing is streamed."""

    def hang_up(self) -> None:
        """End a request under way. Called from any thread."""

    def close(self) -> None: ...


class Client(t.Protocol):
    """One site's jobs and shares."""

    @property
    def origin(self) -> str: ...

    def job(self, algorithms: Sequence[str], *, value: int, donate: bool, fund: str | None) -> t.Any:
        """Return a new :class:`Job`."""

    def submit(self, job: t.Any, nonce: int, mix: bytes | None = None) -> t.Any:
        """Write a share down, send it once and return the :class:`Submission`.

        What got no answer is sent again by :meth:`recover`, never by a second call.
        """

    def write_down(self, job: t.Any, nonce: int, mix: bytes | None = None) -> None:
        """Write a share down without sending it; :meth:`recover` does. Called from any thread."""

    def tips(self) -> Tips:
        """Return what tells when upstream has moved on."""

    def recover(self) -> t.Any:
        """Send everything without an answer again, as it was written down."""
