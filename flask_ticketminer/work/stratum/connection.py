"""One connection to a pool: its session from the first request to the end, whatever ends it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import re
import secrets
import socket
import ssl
import typing as t
from dataclasses import dataclass
from decimal import Decimal

from flask_ticketminer.work.stratum.dialects import Ask, Dialect, Solution, UpstreamJob
from flask_ticketminer.work.stratum.errors import Disconnected, Misbehaved, Mute, NotSent, Refused
from flask_ticketminer.work.stratum.messages import MAX_LINE, Call, Reply, decode, encode, line, printable

log = logging.getLogger(__name__)

MAX_UNANSWERED = 4096
"""Shares that may wait for an answer; a pool that answers none is hung up on."""
MAX_MESSAGES = 20
"""Words of a pool to its miners that are logged in a session."""
_UNKNOWN_METHOD = -3
_FAREWELL = 1.0
"""Seconds in which a pool may take the last of what it was sent."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a pool listens."""

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        scheme = "stratum+ssl" if self.tls else "stratum+tcp"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait for a pool: for the connection, for an answer, and for any word at all."""

    connect: float = 10.0
    answer: float = 30.0
    silence: float = 300.0


class Reconnect(Disconnected):
    """The pool asks us to come to another port of the same host.

    :ivar wait: seconds to wait before.
    """

    def __init__(self, port: int | None, wait: float) -> None:
        super().__init__("The pool asked for a new connection.")
        self.port = port
        self.wait = wait


class Connection:
    """A session with a pool. :meth:`run` reads until it ends; meanwhile :meth:`next_job` and :meth:`submit` are awaited beside it.

    :ivar where: the pool's address for people, without user and password.
    :ivar session: tells this session from all others; shares of an ended session are stale.
    :ivar host: where the pool is, as it was configured.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        dialect: Dialect,
        *,
        where: str,
        patience: Patience,
        host: str = "",
    ) -> None:
        self.where = where
        self.session = secrets.token_hex(8)
        self.host = host
        self.dialect = dialect
        self._reader = reader
        self._writer = writer
        self._patience = patience
        self._last_id = self._heard = 0
        self._waiting: dict[int, tuple[Ask, asyncio.Future[t.Any]]] = {}
        self._news = asyncio.Event()
        self._clean = True
        self._ended: BaseException | None = None

    @classmethod
    async def open(
        cls, endpoint: Endpoint, dialect: Dialect, *, patience: Patience, tls: ssl.SSLContext | None = None
    ) -> t.Self:
        """Connect.

        :param tls: of an endpoint with TLS; None: the system's certificates.
        :raises Disconnected: nobody answers there.
        """
        context = (tls or ssl.create_default_context()) if endpoint.tls else None
        try:
            async with asyncio.timeout(patience.connect):
                reader, writer = await asyncio.open_connection(
                    endpoint.host, endpoint.port, ssl=context, limit=MAX_LINE
                )
        except (OSError, TimeoutError) as error:
            raise Disconnected(
                f"{endpoint} cannot be reached: {_why(error)}. Check its address and port."
            ) from error
        return cls(reader, writer, dialect, where=str(endpoint), patience=patience, host=endpoint.host)

    async def run(self) -> t.NoReturn:
        """Open the session and read until it ends.

        :raises Disconnected: the pool hung up or was silent; Reconnect, a subclass: it asked for that.
        :raises Misbehaved: it sent what the protocol does not have.
        :raises Refused: it does not take the worker.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                for ask in self.dialect.opening():
                    tasks.create_task(self._asked(ask))
                tasks.create_task(self._read())
        except* (Disconnected, Misbehaved, Refused) as group:
            self._ended = self._ended or group.exceptions[0]
        finally:
            self._ended = self._ended or Disconnected("The connection was closed.")
            await self._close()
        raise self._ended

    @property
    def is_open(self) -> bool:
        """Whether the session goes on."""
        return self._ended is None

    def hang_up(self, reason: str, kind: type[Disconnected] = Disconnected) -> None:
        """End the session; :meth:`run` raises `kind` with `reason`."""
        if self._ended is None:
            self._ended = kind(reason)
            self._writer.transport.abort()

    async def next_job(self) -> tuple[UpstreamJob, bool]:
        """Wait for a job that was not returned yet, and return the latest with whether any since the last voids those before.

        :raises Disconnected: the session has ended.
        """
        await self._news.wait()
        if self._ended is not None:
            raise Disconnected("The session with the pool has ended.") from self._ended
        self._news.clear()
        job, clean = self.dialect.job, self._clean
        self._clean = False
        assert job is not None
        return job, clean

    async def submit(self, job: UpstreamJob, solution: Solution) -> None:
        """Send a share, and return when the pool has accepted it. A pool that does not answer in time is hung up on.

        :raises Refused: it did not.
        :raises NotSent: the session had ended before.
        :raises Disconnected: it did not say; whether it took the share is unknown.
        """
        try:
            answer = await self._ask(self.dialect.submission(job, solution))
        except TimeoutError as error:
            # What it does not judge it does not pay: another pool, or a new session, may.
            self.hang_up("The pool has not answered a share.", Mute)
            raise Disconnected("The pool has not answered a share.") from error
        if answer is not True and answer not in ("OK", "ok"):
            raise Refused("The pool answered neither yes nor why not.")

    async def suggest(self, difficulty: Decimal) -> None:
        """Ask the pool for shares of `difficulty`. It may do so or not, and some never answer, so nothing is waited for.

        :raises Disconnected: the session has ended.
        """
        ask = self.dialect.suggestion(difficulty)
        if ask is not None:
            self._last_id += 1
            await self._send(encode(ask.method, ask.params, id=self._last_id))

    async def _asked(self, ask: Ask) -> None:
        try:
            await self._ask(ask)
        except Refused as refused:
            if not ask.optional:
                raise Refused(f"The pool refuses {ask.method}: {refused}", refused.code) from refused
        except TimeoutError as error:
            if not ask.optional:
                raise Disconnected(f"The pool did not answer {ask.method}.") from error
        if ask.purpose == "authorize" and not self.dialect.authorized:
            raise Refused("The pool does not take this worker. Check the user name and the password.", 24)

    async def _ask(self, ask: Ask) -> t.Any:
        if len(self._waiting) >= MAX_UNANSWERED:
            self.hang_up("The pool answers no more.", Mute)
        if self._ended is not None:
            raise NotSent("The session with the pool has ended.") from self._ended
        self._last_id += 1
        number = self._last_id
        answer: asyncio.Future[t.Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = ask, answer
        try:
            await self._send(encode(ask.method, ask.params, id=number))
            async with asyncio.timeout(self._patience.answer):
                return await answer
        finally:
            self._waiting.pop(number, None)

    async def _send(self, text: bytes) -> None:
        self._writer.write(text)
        try:
            async with asyncio.timeout(self._patience.answer):
                await self._writer.drain()
        except TimeoutError as error:
            self.hang_up("The pool does not read what it is sent.", Mute)
            raise Disconnected("The pool does not read what it is sent.") from error
        except OSError as error:
            raise Disconnected("The pool hung up.") from error

    async def _read(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._patience.silence):
                    text = await self._reader.readuntil(b"\n")
            except TimeoutError as error:
                raise Disconnected(f"The pool said nothing for {self._patience.silence:g} s.") from error
            except asyncio.LimitOverrunError as error:
                raise Misbehaved(f"The pool sent a line of more than {MAX_LINE} bytes.") from error
            except (asyncio.IncompleteReadError, OSError) as error:
                raise Disconnected("The pool hung up.") from error
            if text.strip():
                await self._take(decode(text))
                await asyncio.sleep(0)  # a burst takes turns with all else

    async def _take(self, message: Call | Reply) -> None:
        if isinstance(message, Reply):
            self._answered(message)
        elif message.method == "client.reconnect":
            raise _reconnect(message.params)
        elif message.method == "client.get_version":
            await self._send(line({"id": message.id, "result": self.dialect.agent, "error": None}))
        elif message.method == "client.show_message":
            self._heard += 1
            if self._heard <= MAX_MESSAGES:
                log.warning("The pool says: %s", printable((message.params or [""])[0]))
        elif self.dialect.call(message):
            self._tell()
        elif message.id is not None and not message.method.startswith("mining."):
            unknown = [_UNKNOWN_METHOD, "Method not found", None]
            await self._send(line({"id": message.id, "result": None, "error": unknown}))

    def _answered(self, reply: Reply) -> None:
        ask, answer = self._waiting.pop(reply.id or 0, (None, None))
        if ask is None or answer is None:
            # The answer to nothing: pushed work, or one that comes too late.
            if reply.error is None and self.dialect.pushed(reply.result):
                self._tell()
        elif answer.done():
            return
        elif reply.error is not None:
            answer.set_exception(reply.error)
        else:
            # At once, for what follows in the same packet may rest on it.
            if ask.purpose != "submit" and self.dialect.answer(ask.purpose, reply.result):
                self._tell()
            answer.set_result(reply.result)

    def _tell(self) -> None:
        job = self.dialect.job
        self._clean = self._clean or (job is not None and job.clean)
        self._news.set()

    async def _close(self) -> None:
        for _, answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(Disconnected("The session ended before the pool answered."))
                answer.exception()  # seen, whether or not somebody still waits
        self._news.set()
        self._writer.close()
        try:
            with contextlib.suppress(OSError, ssl.SSLError):
                async with asyncio.timeout(_FAREWELL):
                    await self._writer.wait_closed()
        finally:
            self._writer.transport.abort()  # of a pool that does not read, closing would never end


def _why(error: Exception) -> str:
    """Return why nobody was reached, for people."""
    # Where a name has several addresses, asyncio puts several errors into the text of one without a number.
    numbers = set(re.findall(r"\[Errno ([0-9]+)\]", str(error)))
    if numbers == {str(errno.ECONNREFUSED)}:
        return "nothing listens there"
    if isinstance(error, socket.gaierror):
        return f"its name is not found ({error.strerror})"
    return printable(error) or "no answer in time"


def _reconnect(params: list[t.Any]) -> Reconnect:
    """Read host, port and seconds; the host is not followed, for whoever could name another would have all later work."""
    _, port, wait = [*params, None, None, None][:3]
    number = int(port) if isinstance(port, int | str) and str(port).isdecimal() and len(str(port)) < 6 else 0
    seconds = (
        float(wait) if isinstance(wait, int) and not isinstance(wait, bool) and 0 <= wait <= 600 else 0.0
    )
    return Reconnect(number if 0 < number < 1 << 16 else None, seconds)
