"""A node that is broken or starting: the bridge neither dies nor wears out itself, the database or the node."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import pathlib
import typing as t
from collections.abc import Callable

import pytest
from mines import COIN, Mine, bridge_of, coin, mining_app, run

from flask_ticketminer.work.bridge import node

LOADING = {"code": -28, "message": "Loading block index..."}


class FaultyNode:
    """Answers each method as a test sets it, and counts.

    :ivar before: awaited before each answer, with the call's parameters and the connection.
    """

    def __init__(self, **template: t.Any) -> None:
        self.asked: list[str] = []
        self.status = b"200 OK"
        self._serving: set[asyncio.Task[t.Any] | None] = set()
        self.before: Callable[[list[t.Any], asyncio.StreamWriter], t.Awaitable[None]] | None = None
        self.template = {
            "version": 0x20000000,
            "height": 10,
            "coinbasevalue": 50 * 10**8,
            "curtime": 1_700_000_000,
            "bits": "207fffff",
            "transactions": [],
            "previousblockhash": "11" * 32,
            **template,
        }
        self.answers: dict[str, Callable[[], t.Any]] = {
            "validateaddress": lambda: {"isvalid": True, "scriptPubKey": "51"},
            "getblocktemplate": lambda: self.template,
            "getblockheader": lambda: {"confirmations": 1},
        }

    def times(self, method: str) -> int:
        return self.asked.count(method)

    async def __aenter__(self) -> t.Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await asyncio.gather(*filter(None, self._serving))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                call = json.loads(await reader.readexactly(size))
                self.asked.append(method := call["method"])
                if self.before is not None:
                    await self.before(call["params"], writer)
                answer = self.answers.get(method, lambda: LOADING)()
                error = answer if answer is LOADING else None
                body = json.dumps({"id": 1, "result": None if error else answer, "error": error}).encode()
                writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (self.status, len(body)) + body)
                await writer.drain()
        writer.close()


def mine_of(folder: pathlib.Path, found: FaultyNode) -> Mine:
    entry = coin(node=f"http://u:p@127.0.0.1:{found.port}/", address="mxT4yjFWzjpQnRhG")
    return Mine(mining_app(folder, TICKETMINER_COINS={COIN: entry}))


def test_a_long_poll_id_that_cannot_be_sent_back_is_none(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with FaultyNode(longpollid="\ud800") as found:
            mine = mine_of(tmp_path, found)
            async with bridge_of(mine):
                await mine.job()

    run(test)


def test_long_polls_that_end_at_once_bring_few_templates(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "_POLL", 3600.0)

    async def test() -> None:
        async with FaultyNode(longpollid="1") as found:
            mine = mine_of(tmp_path, found)
            async with bridge_of(mine):
                await mine.until(lambda: found.times("getblocktemplate") > 1, "a long poll")
                await asyncio.sleep(1)
                assert found.times("getblocktemplate") == 2

    run(test)


def test_a_block_waits_for_a_node_that_is_starting_without_a_rush(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "_RETRY", 3600.0)

    async def test() -> None:
        async with FaultyNode() as found:
            mine = mine_of(tmp_path, found)
            async with bridge_of(mine):
                await mine.share(await mine.job())
                await mine.until(lambda: found.times("submitblock"), "a block")
                await asyncio.sleep(1)
                assert found.times("submitblock") == 1
            found.answers["submitblock"] = lambda: None
            async with bridge_of(mine):
                await mine.settled(block=1)

    run(test)


def test_a_block_waits_for_the_password_that_the_node_takes(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with FaultyNode() as found:
            mine = mine_of(tmp_path, found)
            found.answers["submitblock"] = lambda: None
            async with bridge_of(mine):
                job = await mine.job()
                found.status = b"401 Unauthorized"
                await mine.share(job)
                await mine.until(lambda: found.times("submitblock"), "a block")
            assert mine.fates() == {"pending": 1}
            found.status = b"200 OK"
            async with bridge_of(mine):
                await mine.settled(block=1)

    run(test)


def test_a_long_poll_that_is_lost_during_a_refresh_leaves_no_traceback(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "_POLL", 0.05)
    waiting: list[asyncio.StreamWriter] = []
    over = asyncio.Event()

    async def before(params: list[t.Any], writer: asyncio.StreamWriter) -> None:
        if params and "longpollid" in params[0]:
            waiting.append(writer)
            await over.wait()
        elif waiting:
            waiting[-1].transport.abort()
            await asyncio.sleep(0.1)

    async def test() -> None:
        async with FaultyNode(longpollid="1") as found:
            mine = mine_of(tmp_path, found)
            async with bridge_of(mine) as bridge:
                (talk,) = bridge.talks
                assert isinstance(talk, node.NodeTalk)
                talk._refresh = 0.05
                found.before = before
                await mine.until(lambda: len(waiting) > 2, "three long polls")
            over.set()

    run(test)
    gc.collect()
    assert "never retrieved" not in caplog.text
