"""As much of an HTTP server (RFC 9112) as an event stream needs: one request a connection, read within limits, and its answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import typing as t
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus

import h11

HEADER_LIMIT = 8192
"""Bytes of the longest request, up to its empty line; a body is not read."""
_LINGER, _LINGER_BYTES = 1.0, 65536
"""For how long, and for how many bytes, a refused client is listened to: closing at once would take the answer away from it."""
_OF_HTTP = frozenset({"method-not-allowed", "request-timeout", "header-too-large"})
"""Causes that say no more than the status does."""
_EVERYWHERE = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}


class Refusal(Exception):
    """A request is answered with a problem document (RFC 9457)."""

    def __init__(
        self, status: HTTPStatus, cause: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.cause = cause
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        return json.dumps(
            {
                "type": "about:blank" if self.cause in _OF_HTTP else f"urn:ticketminer:problem:{self.cause}",
                "title": self.status.phrase,
                "status": self.status.value,
                "detail": str(self),
                "cause": self.cause,
            },
            separators=(",", ":"),
        ).encode()


class Exchange:
    """One connection: a request, then its answer.

    :ivar method, path: of the request, once it is read; the path without its query.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_LIMIT)
        self.method = self.path = ""

    async def read(self) -> bool:
        """Read the request; return whether there is one.

        :raises Refusal: it is too long, or none.
        :raises OSError: the client is gone.
        """
        room = HEADER_LIMIT + 1
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                data = await self._reader.read(room)
                room -= len(data)
                self._http.receive_data(data)
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
                raise Refusal(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    "header-too-large",
                    f"A request may have at most {HEADER_LIMIT} bytes of header: send fewer.",
                ) from error
            raise Refusal(
                HTTPStatus.BAD_REQUEST, "malformed-request", f"This is not a request of HTTP/1.1: {error}."
            ) from error
        if not isinstance(event, h11.Request):
            return False
        self.method, self.path = event.method.decode(), _path(event.target.decode())
        return True

    async def answer(
        self, status: HTTPStatus, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> None:
        """Send a whole answer, after which the connection ends."""
        sized = {} if status == HTTPStatus.NO_CONTENT else {"Content-Length": str(len(body))}
        self._begin(status, {**sized, "Connection": "close", **(headers or {})})
        if self.method != "HEAD":  # which is told the size of what it does not get
            self._send(h11.Data(data=body))
        self._send(h11.EndOfMessage())
        await self._linger()

    async def refuse(self, refusal: Refusal) -> None:
        """Send a problem document, after which the connection ends."""
        headers = {"Content-Type": "application/problem+json", **refusal.headers}
        await self.answer(refusal.status, headers, refusal.body())

    def stream(self, headers: Mapping[str, str]) -> None:
        """Begin an answer that goes on until :meth:`finish`."""
        self._begin(HTTPStatus.OK, headers)

    def say(self, data: bytes) -> bool:
        """Send some more of the stream; return False to a client that has not taken what was sent before."""
        if self._writer.transport.get_write_buffer_size():
            return False
        self._send(h11.Data(data=data))
        return True

    def finish(self) -> None:
        """End the stream as HTTP ends one that is complete."""
        if not self._writer.transport.get_write_buffer_size():
            self._send(h11.EndOfMessage())
            self._writer.close()
        else:
            self.drop()

    def drop(self) -> None:
        """End the connection without another byte."""
        self._writer.transport.abort()

    async def gone(self) -> None:
        """Return when the client has ended the connection, or says something out of turn."""
        with contextlib.suppress(OSError):
            await self._reader.read(1)

    def _begin(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        sent = {"Date": formatdate(usegmt=True), **_EVERYWHERE, **headers}
        self._send(
            h11.Response(status_code=status.value, reason=status.phrase.encode(), headers=list(sent.items()))
        )

    def _send(self, event: t.Any) -> None:
        data = self._http.send(event)
        if data and not self._writer.is_closing():
            self._writer.write(data)

    async def _linger(self) -> None:
        left = _LINGER_BYTES
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LINGER):
                await self._writer.drain()
                self._writer.write_eof()
                while left > 0 and (data := await self._reader.read(left)):
                    left -= len(data)


def _path(target: str) -> str:
    """Return the path of a request's target in origin or absolute form (RFC 9112, 3.2)."""
    if not target.startswith("/"):
        _, mark, rest = target.partition("://")
        target = "/" + rest.partition("/")[2] if mark else target
    return target.partition("?")[0]
