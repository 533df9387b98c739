"""A line between a bridge and its pool that remembers every byte the bridge wrote, also when it dies while it is answered."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import Counter

from judging_pool import Share, share_of


class Wiretap:
    """Listens at :attr:`port` and passes everything on to and from `upstream_port` of loopback.

    What comes is read to its end by a thread of its own, whatever becomes of the answers. A server that reads and writes in one task
    does not: once a write has failed, asyncio closes the transport, and what had arrived is lost.

    :ivar written: how often each share was written, over all connections.
    :ivar opened, ended: connections, and those read to their end and passed on.
    """

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self.written: Counter[Share] = Counter()
        self.opened = self.ended = 0
        self._changing = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def idle(self) -> bool:
        """Return whether every connection was read to its end."""
        with self._changing:
            return self.ended == self.opened

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                bridge, _ = self._listener.accept()
                with self._changing:
                    self.opened += 1
                threading.Thread(target=self._serve, args=(bridge,), daemon=True).start()

    def _serve(self, bridge: socket.socket) -> None:
        with bridge, socket.create_connection(("127.0.0.1", self._upstream_port)) as pool:
            back = threading.Thread(target=_pass_on, args=(pool, bridge), daemon=True)
            back.start()
            line = b""
            while data := _read(bridge):
                *lines, line = (line + data).split(b"\n")
                for text in lines:
                    self._note(text)
                with contextlib.suppress(OSError):
                    pool.sendall(data)
            with contextlib.suppress(OSError):
                pool.shutdown(socket.SHUT_WR)
            back.join()
        with self._changing:
            self.ended += 1

    def _note(self, text: bytes) -> None:
        said = json.loads(text)
        if said.get("method") == "mining.submit":
            with self._changing:
                self.written[share_of(said["params"])] += 1


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Pass everything on until `source` ends; what `target` no longer takes is dropped."""
    while data := _read(source):
        with contextlib.suppress(OSError):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _read(source: socket.socket) -> bytes:
    """Return what comes next, nothing at the end. Linux hands out what had arrived before it tells of a reset."""
    try:
        return source.recv(65536)
    except OSError:
        return b""
