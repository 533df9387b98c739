"""A bad line and a sudden death: what happens between a wallet and its site, as an httpx transport."""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
import signal
import threading
import time
import typing as t
from dataclasses import dataclass

import httpx
from torture_app import PRICES

MEMORY = 20
"""Requests that are kept, to be sent again out of order."""


@dataclass(frozen=True)
class Death:
    """When a client is to kill itself with SIGKILL.

    :ivar at: which of its requests that spend or earn, from 0.
    :ivar where: ``unsent`` (written down, not sent), ``sent`` (while the site is at it), ``answered`` (the answer has come,
        nothing is booked), ``booking`` (while it is being booked).
    :ivar after: seconds, for ``sent`` and ``booking``.
    """

    at: int
    where: str
    after: float = 0.0


class BadLine(httpx.BaseTransport):
    """Delays, doubles, loses and reorders requests as `chance` has it, and kills the process at a moment.

    :param trouble: how likely each of the four is.
    :param grave: file for the moment of death.
    :ivar counted: requests that spend or earn.
    """

    def __init__(self, grave: pathlib.Path) -> None:
        self._inner = httpx.HTTPTransport(verify=False)
        self._grave = grave
        self._past: list[httpx.Request] = []
        self.chance = random.Random(0)
        self.trouble = 0.0
        self.death: Death | None = None
        self.counted = 0
        self._strike: threading.Thread | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        kind = kind_of(request)
        if kind is None:
            return self._carry(request)
        number, self.counted = self.counted, self.counted + 1
        death = self.death if self.death is not None and self.death.at == number else None
        if death is not None and death.where in ("unsent", "sent"):
            self._die(f"{kind}/{death.where}", death.after if death.where == "sent" else 0.0)
        if self._happens():
            time.sleep(self.chance.uniform(0, 0.03))
        if self._past and self._happens():
            with contextlib.suppress(httpx.TransportError):
                self._carry(self.chance.choice(self._past))
        self._past = [*self._past[-MEMORY:], request]
        reply = self._carry(request)
        if death is not None and death.where in ("answered", "booking"):
            self._die(f"{kind}/{death.where}", death.after if death.where == "booking" else 0.0)
        if self._happens():
            reply = self._carry(request)
        if self._happens():
            raise httpx.ReadError("the answer was lost", request=request)
        return reply

    def _happens(self) -> bool:
        return self.chance.random() < self.trouble

    def _carry(self, request: httpx.Request) -> httpx.Response:
        reply = self._inner.handle_request(request)
        try:
            body = b"".join(t.cast("t.Iterable[bytes]", reply.stream))
        finally:
            reply.close()
        headers = [
            (name, value) for name, value in reply.headers.multi_items() if name != "transfer-encoding"
        ]
        return httpx.Response(reply.status_code, headers=headers, content=body, request=request)

    def _die(self, moment: str, after: float) -> None:
        self._grave.write_text(moment)
        if after == 0:
            os.kill(os.getpid(), signal.SIGKILL)

        def strike() -> None:
            time.sleep(after)
            os.kill(os.getpid(), signal.SIGKILL)

        self._strike = threading.Thread(target=strike, daemon=True)
        self._strike.start()

    def await_death(self) -> None:
        """Wait for a death that is on its way, so that nobody who is about to die says that all is well."""
        if self._strike is not None:
            self._strike.join()

    def close(self) -> None:
        self._inner.close()


def kind_of(request: httpx.Request) -> str | None:
    """Return what `request` does with tickets: ``submit``, ``redeem``, ``header`` or ``pass``; None for nothing."""
    path = request.url.path
    if path in ("/ticketminer/submit", "/ticketminer/redeem"):
        return path.rpartition("/")[2]
    if path.split("/")[1] in PRICES:
        if "Authorization" in request.headers:
            return "header"
        if "TicketMiner-Pass" in request.headers:
            return "pass"
    return None
