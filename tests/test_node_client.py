"""Calls to a coin's node: what a real litecoind answers, and what the client makes of a node that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import typing as t
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from decimal import Decimal

import pytest
from litecoin import PASSWORD, USER, Litecoind, free_port
from parts import missing

from flask_ticketminer.work.node.client import NodeClient
from flask_ticketminer.work.node.template import BlockTemplate, read_template
from flask_ticketminer.work.stratum.errors import Disconnected, Misbehaved, Refused
from flask_ticketminer.work.stratum.header import build_header
from miner.pow import ALGORITHMS

RULES = ("segwit", "mweb")


@pytest.fixture(scope="module")
def litecoind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Litecoind]:
    if shutil.which("litecoind") is None:
        missing("needs litecoind: apt-get install litecoind")
    found = Litecoind(tmp_path_factory.mktemp("litecoind"))
    yield found
    found.close()


def run(test: Callable[[], Coroutine[t.Any, t.Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


def client(node: Litecoind, user: str = USER, password: str = PASSWORD) -> NodeClient:
    return NodeClient(f"http://{user}:{password}@127.0.0.1:{node.port}/")


def block_of(template: BlockTemplate, *, extranonce2: str = "00" * 8, complete: bool = True) -> str:
    """Return a block of `template`, or with `complete` false one that lacks the work."""
    for nonce in itertools.count():
        header = build_header(
            template.job.params,
            extranonce1="",
            extranonce2=extranonce2,
            ntime=template.job.params[7],
            nonce=f"{nonce:08x}",
        )
        digest = int.from_bytes(ALGORITHMS["scrypt"].hash(header), "little")
        if (digest <= template.job.target) is complete:
            return template.block(header, extranonce2)
    raise AssertionError("no block")


async def template_of(http: NodeClient, node: Litecoind) -> BlockTemplate:
    return read_template(await http.template(RULES), node.script, job_id="t")


def test_a_wrong_password_is_said_to_be_one(litecoind: Litecoind) -> None:
    async def test() -> None:
        async with client(litecoind, password="wrong") as http:
            with pytest.raises(Refused, match="the user or the password") as caught:
                await http.template(RULES)
            assert "wrong" not in str(caught.value)

    run(test)


def test_a_template_comes_with_an_id_to_wait_by(litecoind: Litecoind) -> None:
    async def test() -> None:
        async with client(litecoind) as http:
            found = await http.template(RULES)
            template = read_template(found, litecoind.script, job_id="t")
            assert template.height == litecoind("getblockcount") + 1
            assert template.long_poll_id

    run(test)


def test_an_error_of_the_node_keeps_its_code_and_text(litecoind: Litecoind) -> None:
    async def test() -> None:
        async with client(litecoind) as http:
            with pytest.raises(Refused, match="rule") as caught:
                await http.template(["segwit"])
            assert caught.value.code == -8

    run(test)


def test_an_unknown_method_is_refused(litecoind: Litecoind) -> None:
    async def test() -> None:
        async with client(litecoind) as http:
            with pytest.raises(Refused, match="Method not found") as caught:
                await http.call("getnothing")
            assert caught.value.code == -32601

    run(test)


def test_a_long_poll_returns_when_a_block_comes(litecoind: Litecoind) -> None:
    async def test() -> None:
        async with client(litecoind) as http:
            template = await template_of(http, litecoind)
            waiting = asyncio.create_task(http.template(RULES, template.long_poll_id))
            done, _ = await asyncio.wait([waiting], timeout=1)
            assert not done
            (tip,) = await asyncio.to_thread(litecoind, "generatetoaddress", 1, litecoind.address)
            assert (await waiting)["previousblockhash"] == tip

    run(test)


def test_a_block_is_taken_and_known_from_then_on(litecoind: Litecoind) -> None:
    async def test() -> None:
        async with client(litecoind) as http:
            template = await template_of(http, litecoind)
            block = block_of(template)
            assert [await http.submit_block(block) for _ in range(3)] == [None] * 3
            assert litecoind("getblockcount") == template.height

    run(test)


def test_a_block_that_another_was_faster_than_is_taken_each_time(litecoind: Litecoind) -> None:
    async def test() -> None:
        async with client(litecoind) as http:
            template = await template_of(http, litecoind)
            first, second = (block_of(template, extranonce2=f"{number:016x}") for number in range(2))
            assert await http.submit_block(first) is None
            assert [await http.submit_block(second) for _ in range(3)] == [None] * 3
            assert litecoind("getblock", litecoind("getbestblockhash"), 0) == first

    run(test)


def test_a_block_without_the_work_is_refused_with_the_nodes_reason(litecoind: Litecoind) -> None:
    async def test() -> None:
        async with client(litecoind) as http:
            block = block_of(await template_of(http, litecoind), complete=False)
            assert [await http.submit_block(block) for _ in range(2)] == ["high-hash"] * 2

    run(test)


def test_a_block_that_breaks_the_rules_is_refused_however_often_it_comes(litecoind: Litecoind) -> None:
    async def test() -> None:
        async with client(litecoind) as http:
            found = await http.template(RULES)
            found["coinbasevalue"] += 1
            block = block_of(read_template(found, litecoind.script, job_id="t"))
            assert [await http.submit_block(block) for _ in range(2)] == [
                "bad-cb-amount",
                "duplicate-invalid",
            ]

    run(test)


def test_what_is_no_block_is_refused(litecoind: Litecoind) -> None:
    async def test() -> None:
        async with client(litecoind) as http:
            with pytest.raises(Refused, match="submitblock: Block decode failed") as caught:
                await http.submit_block("00")
            assert caught.value.code == -22

    run(test)


class ScriptedNode:
    """Answers every request with the same bytes, after which it hangs up; with none at all it says nothing."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.asked: list[bytes] = []

    async def __aenter__(self) -> t.Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._writers: list[asyncio.StreamWriter] = []
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(
                int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
            )
            self.asked.append(head + await reader.readexactly(size))
            if self.answer is None:
                await reader.read()
            else:
                writer.write(self.answer)
                await writer.drain()
        writer.close()


def http(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
        status.encode(),
        len(body),
        body,
    )


@contextlib.asynccontextmanager
async def asking(answer: bytes | None) -> AsyncIterator[tuple[NodeClient, ScriptedNode]]:
    async with ScriptedNode(answer) as node, NodeClient(f"http://u:p@127.0.0.1:{node.port}/") as asker:
        yield asker, node


def said(result: object) -> bytes:
    return http(json.dumps({"result": result, "error": None, "id": 1}).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"\xff\xfe\x00",
        b"[]",
        b"5",
        b"null",
        b"{}",
        b'{"id": 1}',
        b'{"result": NaN, "error": null}',
        b'{"result": 1e1000000000000000000000, "error": null}',
        b'{"result": ' + b"9" * 10_000 + b', "error": null}',
        b"[" * 100_000,
        b'{"result": true, "error": null',
    ],
    ids=lambda body: body[:30].decode("latin-1"),
)
@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error"])
def test_what_is_no_json_rpc_is_misbehaviour(body: bytes, status: str) -> None:
    async def test() -> None:
        async with asking(http(body, status)) as (asker, _):
            with pytest.raises(Misbehaved, match=r"The node at http://127\.0\.0\.1:\d+/ answered"):
                await asker.call("getblockcount")

    run(test)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        ({"code": -10, "message": "in initial sync"}, -10, "in initial sync"),
        ({"code": True, "message": ["a"]}, 20, "'a'"),
        ({"code": 10**30}, 20, ""),
        ({}, 20, ""),
        ("no\x1b[31m way\n", 20, "way"),
        (["x" * 1000], 20, "x"),
        (7, 20, "7"),
        (False, 20, "False"),
    ],
)
def test_an_error_of_whatever_type_is_a_refusal(error: object, code: int, text: str) -> None:
    async def test() -> None:
        document = json.dumps({"result": None, "error": error, "id": 1}).encode()
        async with asking(http(document, "500 Internal Server Error")) as (asker, _):
            with pytest.raises(Refused, match=f"getblocktemplate: .*{text}") as caught:
                await asker.template(RULES)
            assert caught.value.code == code
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) < 300

    run(test)


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_a_login_that_fails_is_a_refusal_whatever_the_body(status: str) -> None:
    async def test() -> None:
        async with asking(http(b"<html>", status)) as (asker, _):
            with pytest.raises(Refused, match="the user or the password"):
                await asker.call("getblockcount")

    run(test)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0" * 100,
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\nConnection: close\r\n\r\nzzzz",
    ],
    ids=["at once", "no HTTP", "in the head", "in the body", "no chunk", "no gzip"],
)
def test_a_node_that_hangs_up_may_have_done_what_was_asked(answer: bytes) -> None:
    async def test() -> None:
        async with asking(answer) as (asker, node):
            with pytest.raises(Disconnected, match="does not answer"):
                await asker.submit_block("00")
            assert len(node.asked) == 1  # nothing is sent twice unasked

    run(test)


def test_a_node_that_says_nothing_is_left() -> None:
    async def test() -> None:
        async with asking(None) as (asker, node):
            with pytest.raises(Disconnected, match="ReadTimeout"):
                await asker.call("getblockcount", patience=0.2)
            assert len(node.asked) == 1

    run(test)


def test_a_node_that_sends_its_answer_byte_by_byte_without_end_is_left() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        with contextlib.suppress(OSError), contextlib.closing(writer):
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)

    async def test() -> None:
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with NodeClient(f"http://127.0.0.1:{port}/") as asker:
            with pytest.raises(Disconnected, match="does not answer"):
                await asyncio.wait_for(asker.call("getblockcount", patience=0.5), 10)
        server.close()

    run(test)


def test_where_no_node_listens_the_address_is_named_without_the_password() -> None:
    async def test() -> None:
        port = free_port()
        async with NodeClient(f"http://user:secret@127.0.0.1:{port}/") as asker:
            with pytest.raises(Disconnected, match=rf"http://127\.0\.0\.1:{port}/") as caught:
                await asker.call("getblockcount")
            assert "secret" not in str(caught.value)

    run(test)


def test_an_answer_of_more_than_was_agreed_is_not_read() -> None:
    async def test() -> None:
        answer = said("00" * 1000)
        async with ScriptedNode(answer) as node:
            async with NodeClient(f"http://127.0.0.1:{node.port}/", max_answer=len(answer)) as asker:
                assert await asker.call("getblock") == "00" * 1000
            async with NodeClient(f"http://127.0.0.1:{node.port}/", max_answer=1000) as asker:
                with pytest.raises(Misbehaved, match="larger than 1000 bytes"):
                    await asker.call("getblock")

    run(test)


def test_numbers_with_a_point_keep_their_digits() -> None:
    async def test() -> None:
        async with asking(http(b'{"result": 50.00000001, "error": null}')) as (asker, _):
            assert await asker.call("getbalance") == Decimal("50.00000001")

    run(test)


@pytest.mark.parametrize("reason", ["rejected", 5, {"a": "b"}, False])
def test_a_block_that_is_not_taken_has_a_reason_that_can_be_printed(reason: object) -> None:
    async def test() -> None:
        async with asking(said(reason)) as (asker, _):
            assert await asker.submit_block("00") == str(reason)

    run(test)
