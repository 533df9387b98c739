"""Bodies that explain a failure, or answer a request of ours: read within bounds, whatever the site sends."""

from __future__ import annotations

import time
import typing as t

import httpx

from miner.errors import SiteProtocolError, SiteUnreachable
from miner.transport import DEADLINE, MAX_REPLY, check_coding

MAX_COMPRESSED = 64 * 1024
"""Bytes of a compressed body, which may become a thousand times as many."""


def bound(response: httpx.Response) -> None:
    """Let the body of `response`, which is not read yet, be read only within size and time.

    :raises SiteProtocolError: it is compressed in a way that no bound holds for. Reading raises it when the body is
        too large, and SiteUnreachable after :data:`~miner.transport.DEADLINE`.
    """
    check_coding(response)
    if not response.is_stream_consumed and not response.is_closed:
        limit = MAX_COMPRESSED if "Content-Encoding" in response.headers else MAX_REPLY
        response.stream = _Bounded(response.stream, limit, str(response.url))


class _Bounded(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The bytes of `inner`, which is one or both of the two kinds."""

    def __init__(self, inner: t.Any, limit: int, url: str) -> None:
        self._inner = inner
        self._left = limit
        self._url = url
        self._end = time.monotonic() + DEADLINE

    def __iter__(self) -> t.Iterator[bytes]:
        for chunk in self._inner:
            self._count(chunk)
            yield chunk

    async def __aiter__(self) -> t.AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._count(chunk)
            yield chunk

    def close(self) -> None:
        self._inner.close()

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _count(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            raise SiteProtocolError(
                f"{self._url} explains itself in too many bytes; that is not a ticket site's answer. Check the address."
            )
        if time.monotonic() > self._end:
            raise SiteUnreachable(f"{self._url} took more than {DEADLINE:.0f} s to answer; try again later.")
