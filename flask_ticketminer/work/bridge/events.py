"""The tip as an event stream, for coins with fast blocks: ``GET …/tip/<algorithm>/events``, served by the bridge.

Each waiting miner holds one connection here, and none in a web process. What the stream says is what ``tip/<algorithm>`` answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import socket
import sys
import time
import typing as t
from collections.abc import Callable, Sequence
from http import HTTPStatus

from flask_ticketminer.errors import ConfigurationError, DatabaseBusy, NoWork
from flask_ticketminer.work.bridge.http import HEADER_LIMIT, Exchange, Refusal
from flask_ticketminer.work.source import NO_WORK_RETRY
from flask_ticketminer.work.templates import REREAD

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

LOOK = 0.05
"""Seconds between two looks at the database."""
HEARTBEAT = 15.0
"""Seconds between two comments, which show proxies and miners that the stream lives."""
MOST_LISTENERS = 4096
_PATIENCE = 10.0
"""Seconds within which a request has to be here."""
_WAITING = 256
"""Connections beside those of listeners: requests that are read or refused."""
_OWN_FILES = 128
"""Files that this process may need open beside all connections: for pools, nodes and the database."""
_BACKLOG = 1024
_SEND_BUFFER = 4096
"""Bytes that the system keeps for a listener: dozens of events. Who has not taken them is dropped."""
_UNHEARD = 60_000
"""Milliseconds after which a listener whose machine confirms nothing is gone."""
_PATH = re.compile(r"(?:/[^/]+)*/tip/([^/]+)/events")
_METHODS = "GET, HEAD, OPTIONS"
_STREAM = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
_PREFLIGHT = {
    "Allow": _METHODS,
    "Access-Control-Allow-Methods": _METHODS,
    "Access-Control-Allow-Headers": "Accept, Cache-Control, Last-Event-ID",
    "Access-Control-Max-Age": "86400",
}
_BEAT = b":\n\n"

Tip = t.Mapping[str, t.Any]


class Tips:
    """The present tip of each algorithm, as all web processes of the site know it.

    A change is told only after `hold` seconds: until then a process may still cut jobs from what it read before, and a miner who
    is told asks for its job at once.

    :param ask: returns the tip of an algorithm, or raises :class:`NoWork` or :class:`DatabaseBusy`.
    :param monotonic: seconds that only move forward.
    """

    def __init__(
        self,
        ask: Callable[[str], Tip],
        algorithms: Sequence[str],
        *,
        hold: float = REREAD,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._hold = hold
        self._monotonic = monotonic
        self._seen: dict[str, tuple[Tip | None, float]] = {}
        #: By algorithm; None where there is no work.
        self.present: dict[str, Tip | None] = dict.fromkeys(algorithms)

    def look(self) -> list[str]:
        """Ask for all; return the algorithms whose present tip has changed."""
        return [algorithm for algorithm in self.present if self._changed(algorithm)]

    def _changed(self, algorithm: str) -> bool:
        try:
            tip: Tip | None = self._ask(algorithm)
        except NoWork:
            tip = None
        except DatabaseBusy:
            return False
        now = self._monotonic()
        before = self._seen.get(algorithm)
        if before is None or before[0] != tip:
            self._seen[algorithm] = before = (tip, now)
        if tip == self.present[algorithm] or now - before[1] < self._hold:
            return False
        self.present[algorithm] = tip
        return True


class Events:
    """Serves the stream.

    :ivar address: host and port.
    :param most: listeners at one time.
    """

    def __init__(
        self,
        tips: Tips,
        address: tuple[str, int],
        *,
        most: int = MOST_LISTENERS,
        heartbeat: float = HEARTBEAT,
        patience: float = _PATIENCE,
    ) -> None:
        self._tips = tips
        self.address = address
        self._most = most
        self._heartbeat = heartbeat
        self._patience = patience
        self._listeners: dict[Exchange, str] = {}
        self._tasks: set[asyncio.Task[t.Any]] = set()
        self._socket: socket.socket | None = None

    @property
    def port(self) -> int:
        """The port that is listened at, once it is open."""
        assert self._socket is not None
        return int(self._socket.getsockname()[1])

    def open(self) -> None:
        """Take the address.

        :raises ConfigurationError: it cannot be listened at.
        """
        host, port = self.address
        try:
            family, *_, found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self._socket = socket.create_server(found[:2], family=family, backlog=_BACKLOG)
        except OSError as error:
            number = error.errno or 0
            # Of the system's own errors, whose numbers are positive, socket makes a text that repeats the address.
            reason = os.strerror(number) if number > 0 else error.strerror or error
            raise ConfigurationError(
                f"The bridge cannot listen at {host}, port {port} ({reason}): choose another address."
            ) from error
        self._most = places(self._most)

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until `stopping` is set; :meth:`open` was called."""
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(
            self._serve, sock=self._socket, limit=HEADER_LIMIT, backlog=_BACKLOG
        )
        beat = loop.time() + self._heartbeat
        try:
            while not stopping.is_set():
                for algorithm in await asyncio.to_thread(self._tips.look):
                    self._announce(algorithm)
                if loop.time() >= beat:
                    beat += self._heartbeat
                    self._say(list(self._listeners), _BEAT)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK):
                        await stopping.wait()
        finally:
            server.close()
            for listener in self._listeners:
                listener.finish()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _announce(self, algorithm: str) -> None:
        tip = self._tips.present[algorithm]
        if tip is not None:
            self._say([one for one, wanted in self._listeners.items() if wanted == algorithm], _event(tip))

    def _say(self, listeners: Sequence[Exchange], data: bytes) -> None:
        for listener in listeners:
            if not listener.say(data):
                listener.drop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        exchange = Exchange(reader, writer)
        try:
            try:
                await self._answer(exchange, writer)
            except Refusal as refusal:
                await exchange.refuse(refusal)
        except asyncio.CancelledError:
            pass  # the bridge ends
        except OSError:
            exchange.drop()
        finally:
            self._listeners.pop(exchange, None)
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, exchange: Exchange, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) > self._most + _WAITING:
            exchange.drop()  # an answer takes time, in which the files of this process might run out
            return
        _spare(writer.get_extra_info("socket"))
        try:
            async with asyncio.timeout(self._patience):
                if not await exchange.read():
                    return
        except TimeoutError as error:
            raise Refusal(
                HTTPStatus.REQUEST_TIMEOUT, "request-timeout", "The request took too long to arrive."
            ) from error
        if exchange.method == "OPTIONS":
            await exchange.answer(HTTPStatus.NO_CONTENT, _PREFLIGHT)
            return
        algorithm = self._wanted(exchange)
        tip = self._tips.present[algorithm]
        if tip is None:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                NoWork.cause,
                "There is no work at the moment: the site has lost its mining pool. Ask again soon.",
                {"Retry-After": str(NO_WORK_RETRY)},
            )
        if exchange.method == "HEAD":
            await exchange.answer(HTTPStatus.OK, _STREAM)
            return
        if len(self._listeners) >= self._most:
            raise _full()
        exchange.stream(_STREAM)
        exchange.say(_event(tip))
        self._listeners[exchange] = algorithm
        await exchange.gone()

    def _wanted(self, exchange: Exchange) -> str:
        """Return the algorithm that a request is about.

        :raises Refusal: it is not about any.
        """
        found = _PATH.fullmatch(exchange.path)
        if found is None or found[1] not in self._tips.present:
            have = ", ".join(self._tips.present)
            raise Refusal(
                HTTPStatus.NOT_FOUND,
                "no-tip",
                f"Here is only tip/<algorithm>/events, for {have or 'no algorithm: this work is local'}.",
            )
        if exchange.method not in ("GET", "HEAD"):
            raise Refusal(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "An event stream is only read: use GET.",
                {"Allow": _METHODS},
            )
        return found[1]


def places(most: int) -> int:
    """Return how many may listen, of `most`, with files left for all else; the process's limit is raised as far as that takes."""
    if sys.platform == "win32":
        return most
    files, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + _WAITING + _OWN_FILES
    if files == resource.RLIM_INFINITY or files >= wanted:
        return most
    raised = wanted if highest == resource.RLIM_INFINITY else min(wanted, highest)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, highest))
        files = raised
    if files < wanted:
        most = max(1, files - _WAITING - _OWN_FILES)
        log.warning(
            "Only %d miners can listen to the tip: let the bridge open %d files (ulimit -n).", most, wanted
        )
    return most


def read_address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, ``[IPv6]:PORT``, or ``PORT``, which is at 127.0.0.1.

    :raises ValueError: it is none of these.
    """
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address stands in brackets, as in [::1]:8090")
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError("write HOST:PORT, such as 127.0.0.1:8090")
    return host or "127.0.0.1", int(port)


def _event(tip: Tip) -> bytes:
    return b"data: %b\n\n" % json.dumps(tip, separators=(",", ":")).encode()


def _full() -> Refusal:
    return Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "busy",
        "Too many listen to this stream: poll the tip instead.",
        {"Retry-After": "60"},
    )


def _spare(connection: t.Any) -> None:
    """Keep little for this connection, and not for long after its other end has vanished."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD)
