"""Miners that compute nothing and wait for new work: each polls the tip, or hears the event stream, and fetches a job when it has changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
import typing as t
from dataclasses import dataclass, field

from benchmarks.mine import ALGORITHM, PROCESS
from benchmarks.stale import SOONEST_POLL

PREFIX = "/ticketminer"


@dataclass
class Seen:
    """What all miners saw, by a clock that only moves forward.

    :ivar moved: by miner and tip, when the miner first had a job of it.
    :ivar asked: process, tip, and when it was asked that answered so.
    """

    moved: dict[tuple[int, str], float] = field(default_factory=dict)
    asked: list[tuple[str, str, float]] = field(default_factory=list)


class Miner:
    """One of them.

    :param events: port of the event stream; None for a miner that polls.
    """

    def __init__(
        self, number: int, port: int, seen: Seen, consent: str, seed: str, *, events: int | None = None
    ) -> None:
        self._number = number
        self._port = port
        self._seen = seen
        self._events = events
        self._random = random.Random(f"{seed} {number}")
        asked = {"consent": consent, "algorithms": [ALGORITHM], "donate": True}
        self._body = json.dumps(asked).encode()
        self._tip = ""
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self) -> None:
        """Wait for work until cancelled."""
        try:
            poll = await self._fetch()
            await (self._poll(poll) if self._events is None else self._hear(self._events))
        finally:
            self._hang_up()

    async def _poll(self, poll: float) -> None:
        await asyncio.sleep(self._random.random() * poll)
        while True:
            news = json.loads((await self._ask("GET", f"/tip/{ALGORITHM}"))[1])
            if news["tip"] != self._tip:
                await self._move(news)
            await asyncio.sleep(poll * self._random.uniform(SOONEST_POLL, 1))

    async def _hear(self, port: int) -> None:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(
                    f"GET {PREFIX}/tip/{ALGORITHM}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
                )
                while line := await reader.readline():
                    if line.startswith(b"data: ") and (news := json.loads(line[6:]))["tip"] != self._tip:
                        await self._move(news)
            finally:
                writer.close()
            # Refused: the stream tells nothing of the first work until every web process has it.
            await asyncio.sleep(self._random.random())

    async def _move(self, news: t.Any) -> None:
        await asyncio.sleep(self._random.uniform(0, news["spread"]))
        await self._fetch()

    async def _fetch(self) -> float:
        job = json.loads((await self._ask("POST", "/job", self._body))[1])
        self._tip = job["tip"]
        self._seen.moved.setdefault((self._number, self._tip), time.monotonic())
        return float(job["poll"])

    async def _ask(self, method: str, path: str, body: bytes = b"") -> tuple[dict[str, str], bytes]:
        """Send a request over the kept connection, or a new one where the server has closed it."""
        asked = time.monotonic()
        try:
            headers, answer = await self._exchange(method, path, body)
        except (OSError, asyncio.IncompleteReadError):
            self._hang_up()
            headers, answer = await self._exchange(method, path, body)
        self._seen.asked.append((headers[PROCESS.lower()], json.loads(answer)["tip"], asked))
        return headers, answer

    async def _exchange(self, method: str, path: str, body: bytes) -> tuple[dict[str, str], bytes]:
        if self._connection is None:
            self._connection = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._connection
        lines = [f"{method} {PREFIX}{path} HTTP/1.1", "Host: localhost"]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        status, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
        answer = await reader.readexactly(int(headers["content-length"]))
        if status.split()[1] != "200":
            raise RuntimeError(f"The site answered {status!r}: {answer[:200]!r}")
        if headers.get("connection", "").lower() == "close":
            self._hang_up()
        return headers, answer

    def _hang_up(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection[1].close()
            self._connection = None
