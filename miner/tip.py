"""What a site tells of upstream: the tip, of which a job is or is not any more, asked for or read from a stream of events."""

from __future__ import annotations

import contextlib
import functools
import re
import typing as t
from collections.abc import Generator
from dataclasses import dataclass

import httpx

from miner import answers
from miner.answers import Members, nonsense
from miner.deadline import HeadDeadline
from miner.errors import SiteUnreachable
from miner.eventstream import event_data
from miner.service import Links
from miner.tokens import CodecError, decode_json
from miner.transport import Call, Reply, check_coding, lower_headers, sender, unreachable

MAX_DOCUMENT = 4096
"""Bytes of a tip document."""
MAX_SPREAD = 60
SILENCE = 60.0
"""Seconds without a byte after which a stream of events counts as broken; sites send a comment every 15 s or so."""

Connect = t.Callable[[], contextlib.AbstractContextManager[httpx.Client]]
_ETAG = re.compile(r'(?:W/)?"[!#-~]{0,200}"')


@dataclass(frozen=True, slots=True)
class Tip:
    """``GET /ticketminer/tip/<algorithm>``.

    :ivar name: stands for what upstream builds on now; a job that carries another is outdated.
    :ivar poll: seconds between two looks, 1 to 3600.
    :ivar spread: seconds over which miners spread their requests for a new job, 0 to 60.
    """

    name: str
    poll: int
    spread: float


def read_tip(members: Members) -> Tip:
    """Return the tip in `members`.

    :raises SiteProtocolError: it is none, or out of bounds.
    """
    spread = members.get("spread")
    if type(spread) not in (int, float) or not 0 <= t.cast(float, spread) <= MAX_SPREAD:
        raise nonsense(f"tip.spread is not a number from 0 to {MAX_SPREAD}.")
    return Tip(
        answers.text(members, "tip", name="tip", limit=255),
        answers.integer(members, "poll", name="tip", low=1, high=3600),
        float(t.cast(float, spread)),
    )


class SiteTips:
    """The tips of one site, for one thread, which may be another than that of its jobs and shares.

    :param links: returns the links of the service document, None before that was read.
    :param connect: opens what requests go over, at the first of them.
    """

    def __init__(
        self,
        origin: str,
        links: t.Callable[[], Links | None],
        connect: Connect,
    ) -> None:
        self._origin = origin
        self._links = links
        self._connect = connect
        self._stack = contextlib.ExitStack()
        self._deadline = HeadDeadline()
        self._known: dict[str, tuple[str, Tip]] = {}

    def poll(self, algorithm: str) -> Tip:
        """Ask for the present tip.

        :raises SiteRefused: with cause ``no-tip``: there is no upstream work in `algorithm` (any more).
        :raises SiteUnreachable, SiteProtocolError: it cannot be had.
        """
        links = self._links()
        if links is None or links.tip is None:
            raise nonsense("a job has a tip, and links.tip is missing in the service document.")
        etag, known = self._known.get(algorithm, ("", None))
        headers = {"If-None-Match": etag} if etag else {}
        url = self._origin + links.tip.replace("{algorithm}", algorithm)
        reply = self._send(Call("GET", url, headers=headers, limit=MAX_DOCUMENT))
        if reply.status == 304 and known is not None:
            return known
        tip = read_tip(answers.read(reply, name="The tip", fractions=True))
        etag = reply.get("etag") or ""
        self._known = {algorithm: (etag, tip)} if _ETAG.fullmatch(etag) else {}
        return tip

    def events(self, algorithm: str) -> Generator[Tip | None] | None:
        """Return the tips as they come, None between them as a sign of life; None alone where the site streams nothing.

        The generator does not end by itself: it raises SiteUnreachable, SiteRefused or SiteProtocolError.
        """
        links = self._links()
        if links is None or links.tip_events is None:
            return None
        return self._stream(self._origin + links.tip_events.replace("{algorithm}", algorithm))

    def hang_up(self) -> None:
        """End a request under way. From any thread."""
        self._deadline.hang_up()

    def close(self) -> None:
        """Close what was opened."""
        self._stack.close()

    @functools.cached_property
    def _http(self) -> httpx.Client:
        return self._stack.enter_context(self._connect())

    @functools.cached_property
    def _send(self) -> t.Callable[[Call], Reply]:
        return sender(self._http, deadline=self._deadline)

    def _stream(self, url: str) -> Generator[Tip | None]:
        try:
            with self._http.stream(
                "GET",
                url,
                headers={"Accept": "text/event-stream", "Accept-Encoding": "identity"},
                follow_redirects=False,
                timeout=httpx.Timeout(20.0, read=SILENCE),
                extensions={"trace": self._deadline},
            ) as response:
                head = Reply(response.status_code, lower_headers(response))
                if head.status != 200:
                    raise answers.refusal(head)
                if head.media_type != "text/event-stream":
                    raise nonsense("what links.tip_events leads to is no stream of events.")
                check_coding(response)
                for data in event_data(response.iter_bytes(), limit=MAX_DOCUMENT):
                    yield None if data is None else read_tip(_decoded(data))
        except httpx.HTTPError as error:
            raise unreachable(url, error) from error
        raise SiteUnreachable(f"{self._origin} has ended its stream of tips; it is asked again later.")


def _decoded(data: bytes) -> Members:
    try:
        return decode_json(data, fractions=True)
    except CodecError as error:
        raise nonsense(f"The tip: {error}") from error
