"""A Stratum pool that does what a test tells it, in the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import typing as t
from collections.abc import Callable

JOB = [
    "job-1",
    "00" * 28 + "000000ff",
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff20",
    "ffffffff0100f2052a01000000160014",
    ["11" * 32],
    "20000000",
    "207fffff",
    "5f000000",
    True,
]
"""Parameters of ``mining.notify``."""

Answer = Callable[["Talk", list[t.Any]], t.Any]


class Refusal(Exception):
    """Raised by an answer: becomes a Stratum error with this code."""

    def __init__(self, code: int, message: str = "refused") -> None:
        super().__init__(message)
        self.code = code


class Talk:
    """The pool's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.heard: list[dict[str, t.Any]] = []

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def say(self, method: str, *params: t.Any, **members: t.Any) -> None:
        await self.send(
            json.dumps({"id": None, "method": method, "params": params, **members}).encode() + b"\n"
        )

    async def notify(self, job_id: str = "job-1", *, clean: bool = True, nbits: str = JOB[6]) -> None:
        await self.say("mining.notify", job_id, *JOB[1:6], nbits, JOB[7], clean)

    def hang_up(self) -> None:
        self.writer.transport.abort()


class ScriptedPool:
    """Answers each method by a function of its parameters; a method without one is left without an answer.

    :ivar greeting: awaited with the new connection after ``mining.authorize`` was answered.
    """

    def __init__(self, *, difficulty: float = 1) -> None:
        self.difficulty = difficulty
        self.talks: list[Talk] = []
        self.shares: list[list[t.Any]] = []
        self.answers: dict[str, Answer] = {
            "mining.configure": lambda _, __: {"version-rolling": True, "version-rolling.mask": "1fffe000"},
            "mining.subscribe": lambda _, __: [[["mining.notify", "1"]], "f000000f", 4],
            "mining.extranonce.subscribe": lambda _, __: True,
            "mining.authorize": lambda _, __: True,
            "mining.submit": self._submit,
        }
        self.greeting: Callable[[Talk], t.Awaitable[None]] | None = self._greet

    async def __aenter__(self) -> t.Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for talk in self.talks:
            talk.hang_up()
        await self._server.wait_closed()

    @property
    def talk(self) -> Talk:
        """The latest connection."""
        return self.talks[-1]

    def heard(self, method: str) -> list[list[t.Any]]:
        """Return the parameters of every such request, of all connections."""
        return [said["params"] for talk in self.talks for said in talk.heard if said.get("method") == method]

    async def _greet(self, talk: Talk) -> None:
        await talk.say("mining.set_difficulty", self.difficulty)
        await talk.notify()

    def _submit(self, _: Talk, params: list[t.Any]) -> bool:
        self.shares.append(params)
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Talk(reader, writer)
        self.talks.append(talk)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while text := await reader.readline():
                said = json.loads(text)
                talk.heard.append(said)
                await self._answer(talk, said)
        writer.close()

    async def _answer(self, talk: Talk, said: dict[str, t.Any]) -> None:
        answer = self.answers.get(said.get("method", ""))
        if answer is None:
            return
        reply: dict[str, t.Any] = {"id": said["id"], "result": None, "error": None}
        try:
            reply["result"] = answer(talk, said["params"])
        except Refusal as refusal:
            reply["error"] = [refusal.code, str(refusal), None]
        await talk.send(json.dumps(reply).encode() + b"\n")
        if said["method"] in ("mining.authorize", "eth_submitLogin") and self.greeting is not None:
            await self.greeting(talk)
