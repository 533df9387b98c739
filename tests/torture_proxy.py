"""A TCP proxy in front of PostgreSQL that reads along, and stops or cuts a connection at a byte, a statement or a COMMIT."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import typing as t

from torture_moments import Transaction

CUTS = ("write", "commit", "commit-split", "commit-during", "committed")
"""How a transaction is cut: after a write; before COMMIT is passed on; after half of its bytes; right after it was passed on;
after it was carried out, before the answer is passed on."""


class Proxy:
    """Listens on a port of its own; runs in a thread.

    :ivar reached: set when the armed moment has come. With ``stop`` everything waits there until the client is gone; with
        ``cut`` both ends of the connection are closed.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.reached = threading.Event()
        self.connections: set[_Connection] = set()
        self._armed: tuple[str, str] | None = None
        self._bytes: int | None = None
        self._outage = 0.0
        self._closed_until = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._thread.start()
        self._ready.wait()

    def arm(self, moment: str, action: str, *, outage: float = 0.0) -> None:
        """Wait for `moment` (``<transaction>/<cut>``), once.

        :param action: ``stop`` or ``cut``.
        :param outage: seconds after a cut in which nobody gets a new connection.
        """
        self.reached.clear()
        self._outage = outage
        self._armed = (moment, action)

    def arm_bytes(self, count: int, *, outage: float = 0.0) -> None:
        """Cut the connection that carries the byte number `count` from now on, in either direction."""
        self.reached.clear()
        self._outage = outage
        self._bytes = count

    def disarm(self) -> None:
        self._armed = self._bytes = None

    def ports(self) -> list[int]:
        """Return the ports by which PostgreSQL knows the connections."""
        return [connection.port for connection in list(self.connections)]

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # In the thread

    def claims(self, moment: str) -> str | None:
        """Return the action when `moment` is the armed one, which it then is no more."""
        if self._armed is None or self._armed[0] != moment:
            return None
        action, self._armed = self._armed[1], None
        return action

    def passes(self, size: int) -> int | None:
        """Count `size` bytes; return how many of them still pass when the cut falls among them."""
        if self._bytes is None:
            return None
        self._bytes -= size
        if self._bytes > 0:
            return None
        left, self._bytes = size + self._bytes, None
        return left

    def happened(self, *, cut: bool) -> None:
        if cut:
            self._closed_until = time.monotonic() + self._outage
        self.reached.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = int(server.sockets[0].getsockname()[1])
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if time.monotonic() < self._closed_until:
            writer.transport.abort()
            return
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(self, reader, writer, *upstream)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)


class _Connection:
    def __init__(
        self,
        proxy: Proxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._client, self._to_client = reader, writer
        self._server, self._to_server = up_reader, up_writer
        self._statements: dict[bytes, str] = {}
        self._transaction = Transaction()
        self._committing: str | None = None
        self.port = int(up_writer.get_extra_info("sockname")[1])

    async def run(self) -> None:
        pumps = [asyncio.ensure_future(self._forward()), asyncio.ensure_future(self._back())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for pump in pumps:
                with contextlib.suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
                    await pump
            self._abort()

    def _abort(self) -> None:
        self._to_client.transport.abort()
        self._to_server.transport.abort()

    async def _forward(self) -> None:
        """Carry what the client says, message by message."""
        first = await self._client.readexactly(4)
        await self._send(
            self._to_server, first + await self._client.readexactly(int.from_bytes(first, "big") - 4)
        )
        while True:
            message = await self._message(self._client)
            moment = self._moment(message)
            if moment is not None and await self._interrupted(moment, message):
                return
            await self._send(self._to_server, message)

    async def _back(self) -> None:
        """Carry what the server says."""
        while True:
            message = await self._message(self._server)
            if self._committing is not None and message[:1] == b"C" and message[5:] == b"COMMIT\0":
                kind, self._committing = self._committing, None
                action = self._proxy.claims(f"{kind}/committed")
                if action is not None:
                    self._proxy.happened(cut=action == "cut")
                    if action == "stop":
                        # The other pump sees the client go, and ends this one.
                        await asyncio.Event().wait()
                    return
            await self._send(self._to_client, message)

    @staticmethod
    async def _message(reader: asyncio.StreamReader) -> bytes:
        head = await reader.readexactly(5)
        return head + await reader.readexactly(int.from_bytes(head[1:], "big") - 4)

    def _moment(self, message: bytes) -> str | None:
        kind, body = message[:1], message[5:]
        if kind == b"P":
            name, text = body.split(b"\0")[:2]
            self._statements[name] = text.decode("utf-8", "replace")
            return None
        if kind == b"Q":
            return self._transaction.saw(body.rstrip(b"\0").decode("utf-8", "replace"))
        if kind == b"B":
            return self._transaction.saw(self._statements.get(body.split(b"\0")[1], ""))
        return None

    async def _interrupted(self, moment: str, message: bytes) -> bool:
        transaction, _, what = moment.partition("/")
        if what == "write":
            action = self._proxy.claims(moment)
            if action is None:
                return False
            await self._send(self._to_server, message)
            await self._end(action)
            return True
        for cut, passed in (
            ("commit", 0),
            ("commit-split", len(message) // 2),
            ("commit-during", len(message)),
        ):
            action = self._proxy.claims(f"{transaction}/{cut}")
            if action is not None:
                await self._send(self._to_server, message[:passed])
                await self._end(action)
                return True
        self._committing = transaction
        return False

    async def _end(self, action: str) -> None:
        self._proxy.happened(cut=action == "cut")
        if action == "stop":
            # The server that asked is about to be killed.
            while await self._client.read(65536):
                pass
        self._abort()

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        left = self._proxy.passes(len(data))
        writer.write(data if left is None else data[:left])
        await writer.drain()
        if left is not None:
            self._proxy.happened(cut=True)
            self._abort()
            raise ConnectionResetError


def names(kinds: t.Iterable[str]) -> list[str]:
    """Return the moments at which transactions of `kinds` are cut."""
    return [f"{kind}/{cut}" for kind in kinds for cut in CUTS]
