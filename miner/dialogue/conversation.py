"""A conversation with one site: its address, service document, pinned keys and clock."""

from __future__ import annotations

import json
import logging
import typing as t

from miner import answers
from miner.errors import SiteProtocolError
from miner.service import Links, Service, TicketKey, read_directory, read_service
from miner.transport import MAX_REPLY, Call, Reply, Steps, check_transport, origin_of
from miner.wallet import Wallet
from miner.wallet.sitebook import DEFAULT_SERVICE

CLOCK_TOLERANCE = 300
"""Seconds by which this machine's clock may differ from a site's before it is said."""

_logger = logging.getLogger("miner")


class Conversation:
    """What is known of one site while talking to it.

    :ivar origin: where requests go.
    :ivar purse: the origin under which the tickets are filed: the same, unless that one's own document lists `origin`.
    :ivar clock_offset: seconds that the site's clock is ahead of this machine's.
    """

    def __init__(
        self,
        wallet: Wallet,
        origin: str,
        *,
        allow_http: bool = False,
        service_path: str | None = None,
        purse: str | None = None,
    ) -> None:
        self.wallet = wallet
        self.origin = origin_of(origin)
        check_transport(self.origin, allow_http=allow_http)
        self.purse = purse or self.origin
        self.service_path = service_path or wallet.service_path(self.origin) or DEFAULT_SERVICE
        self.clock_offset = 0
        self._service: Service | None = None
        self._refreshed = False

    def url(self, path: str) -> str:
        return self.origin + path

    def now(self) -> int:
        """Return Unix seconds: this machine's, corrected by the site's where they differ too much."""
        wrong = abs(self.clock_offset) > CLOCK_TOLERANCE
        return self.wallet.now() + (self.clock_offset if wrong else 0)

    @property
    def links(self) -> Links | None:
        """The links of the service document, where that has been read."""
        return None if self._service is None else self._service.links

    @property
    def clock_warning(self) -> str | None:
        """A sentence about this machine's clock, when it differs from the site's by more than five minutes."""
        if abs(self.clock_offset) <= CLOCK_TOLERANCE:
            return None
        direction = "behind" if self.clock_offset > 0 else "ahead of"
        return (
            f"This machine's clock is {abs(self.clock_offset)} s {direction} the clock of {self.origin}. Set it right: "
            "tickets, challenges and https depend on the date. The site's time is used meanwhile."
        )

    def observe(self, reply: Reply) -> None:
        """Compare clocks by the ``Date`` of `reply`."""
        if reply.date is None:
            return
        said = self.clock_warning is not None
        self.clock_offset = reply.date - self.wallet.now()
        if not said and self.clock_warning is not None:
            _logger.warning("%s", self.clock_warning)

    def get(
        self, path: str, *, limit: int = MAX_REPLY, headers: t.Mapping[str, str] | None = None
    ) -> Steps[Reply]:
        reply = yield Call("GET", self.url(path), headers=headers or {}, limit=limit)
        self.observe(reply)
        return reply

    def post(self, url: str, body: bytes) -> Steps[Reply]:
        reply = yield Call("POST", url, body)
        self.observe(reply)
        return reply

    def service(self, *, refresh: bool = False) -> Steps[Service]:
        """Return the site's service document, asked for once.

        :raises SiteProtocolError, SiteRefused, SiteUnreachable: it cannot be had.
        """
        if self._service is None or refresh:
            reply = yield from self.get(self.service_path)
            self._service = read_service(answers.read(reply, name="The service document"))
            self.wallet.add_site(self.origin, self._service, self.service_path)
        return self._service

    def keys(self, *, refresh: bool = False) -> Steps[list[TicketKey]]:
        """Return the pinned keys, after looking at the directory if that has not been done or `refresh`.

        :raises KeyMismatch: the directory contradicts what is pinned.
        """
        if refresh or not self._refreshed:
            service = yield from self.service()
            reply = yield from self.get(service.links.keys)
            keys = read_directory(answers.read(reply, name="The key directory"))
            self.wallet.pin(self.purse, keys, now=self.now())
            self._refreshed = True
        return self.wallet.keys(self.purse)

    def key(self, key_id: bytes) -> Steps[TicketKey | None]:
        """Return the pinned key `key_id`; the directory is asked once when it is unknown."""
        found = self._pinned(key_id)
        if found is None:
            yield from self.keys(refresh=True)
            found = self._pinned(key_id)
        return found

    def issuing(self, values: t.Iterable[int]) -> Steps[list[TicketKey]]:
        """Return, for each of `values`, the key with which the site makes new tickets now.

        :raises SiteProtocolError: the directory has none.
        """
        wanted = list(values)
        current = self._current()
        if not current.keys() >= set(wanted):
            yield from self.keys(refresh=True)
            current = self._current()
        missing = sorted(set(wanted) - current.keys())
        if missing:
            clock = f" {self.clock_warning}" if self.clock_warning else ""
            raise SiteProtocolError(
                f"{self.origin} has no current key for tickets of value {missing[0]}. Try again later, or tell the "
                f"site's operator.{clock}"
            )
        return [current[value] for value in wanted]

    def issuer_names(self) -> set[str]:
        """Return the names under which the site has issued, as pinned."""
        return {key.issuer_name for key in self.wallet.keys(self.purse)}

    def _pinned(self, key_id: bytes) -> TicketKey | None:
        return next((key for key in self.wallet.keys(self.purse) if key.key_id == key_id), None)

    def _current(self) -> dict[int, TicketKey]:
        now = self.now()
        return {key.value: key for key in self.wallet.keys(self.purse) if key.issues(now)}


def encode(members: t.Mapping[str, t.Any]) -> bytes:
    """Return the JSON that travels."""
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()
