"""A deadline for the head of an answer, which no timeout between bytes gives: a site could send one a minute for days."""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t
import weakref

SECONDS = 60.0
"""From the request to the end of the answer's headers."""


class HeadDeadline:
    """A ``trace`` extension for the requests of one httpx client: hangs up when an answer's headers take too long.

    It knows the connections that were opened under it, so one object serves all requests of a client. Used from one thread at
    a time.

    :param seconds: for each answer.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def __call__(self, event: str, info: t.Mapping[str, t.Any]) -> None:
        """Take note of httpcore's `event`."""
        name = event.partition(".")[2]
        if name in ("connect_tcp.complete", "start_tls.complete"):
            opened = info["return_value"].get_extra_info("socket")
            if isinstance(opened, socket.socket):
                with self._lock:
                    self._sockets.add(opened)
        elif name == "send_request_headers.started":
            self._start()
        elif name == "receive_response_headers.complete" or name.endswith(".failed"):
            self._stop()

    def _start(self) -> None:
        self._stop()
        self._timer = threading.Timer(self._seconds, self.hang_up)
        self._timer.daemon = True
        self._timer.start()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def hang_up(self) -> None:
        """Close the connections that were opened under it; whoever reads from one gets an error. From any thread."""
        with self._lock:
            sockets = list(self._sockets)
        for opened in sockets:
            # Of the plain kind also for TLS, whose own would change the object under the reader.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(opened, socket.SHUT_RDWR)
