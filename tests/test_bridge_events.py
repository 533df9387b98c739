"""The tip as an event stream: what a listener hears, and what the server makes of clients that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys
import typing as t
from collections.abc import AsyncIterator

import httpx
import pytest
from mines import COIN, coin, mining, mining_app, pool_url, run
from scripted_pool import ScriptedPool
from torture_server import free_port

from flask_ticketminer.cli.bridge import stream_doubts
from flask_ticketminer.errors import ConfigurationError, DatabaseBusy, NoWork
from flask_ticketminer.work.bridge import events as events_module
from flask_ticketminer.work.bridge.events import Events, Tips, read_address
from flask_ticketminer.work.bridge.service import Bridge

PATH = "/ticketminer/tip/scrypt/events"


class Asked:
    """What the site answers for a tip, as a test sets it."""

    def __init__(self, tip: str | None = "one") -> None:
        self.tip = tip
        self.busy = False

    def __call__(self, algorithm: str) -> dict[str, t.Any]:
        if self.busy:
            raise DatabaseBusy("busy", retry_after=1)
        if self.tip is None:
            raise NoWork("no work", retry_after=5)
        return {"tip": self.tip, "poll": 1, "spread": 0.5}


@contextlib.asynccontextmanager
async def serving(asked: Asked, **options: t.Any) -> AsyncIterator[Events]:
    tips = Tips(asked, ["scrypt"], hold=0)
    tips.look()
    events = Events(tips, ("127.0.0.1", 0), **options)
    events.open()
    stopping = asyncio.Event()
    running = asyncio.create_task(events.run(stopping))
    try:
        yield events
    finally:
        stopping.set()
        await asyncio.wait_for(running, 20)
        while Client.opened:
            Client.opened.pop().writer.close()


class Client:
    """A connection, byte by byte."""

    opened: t.ClassVar[list[Client]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.opened.append(self)

    @classmethod
    async def of(cls, events: Events) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", events.port))

    async def ask(self, method: str = "GET", path: str = PATH, *headers: str) -> tuple[int, dict[str, str]]:
        lines = [f"{method} {path} HTTP/1.1", "Host: site.example", *headers, "", ""]
        self.writer.write("\r\n".join(lines).encode())
        return await self.head()

    async def head(self) -> tuple[int, dict[str, str]]:
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = text.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return int(status.split()[1]), {name.lower(): value for name, value in headers.items()}

    async def chunk(self) -> bytes:
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def tip(self) -> t.Any:
        data = await self.chunk()
        while data == b":\n\n":
            data = await self.chunk()
        assert data.startswith(b"data: ")
        assert data.endswith(b"\n\n")
        return json.loads(data[6:])["tip"]

    async def ended(self) -> bytes:
        """Return what comes until the connection ends."""
        with contextlib.suppress(ConnectionError):
            return await self.reader.read()
        return b""


async def answered(events: Events, *words: str) -> tuple[int, dict[str, str], str]:
    """Return status, headers and cause of a refusal, after which the connection must end."""
    client = await Client.of(events)
    status, headers = await client.ask(*words)
    body = await client.ended()
    return status, headers, json.loads(body)["cause"] if body else ""


def test_a_listener_hears_the_present_tip_and_then_each_change() -> None:
    async def test() -> None:
        asked = Asked()
        async with serving(asked) as events:
            client = await Client.of(events)
            status, headers = await client.ask()
            assert status == 200
            assert json.loads((await client.chunk())[6:]) == {"tip": "one", "poll": 1, "spread": 0.5}
            for tip in ("two", "three"):
                asked.tip = tip
                assert await client.tip() == tip
            assert headers["content-type"] == "text/event-stream"
            assert headers["cache-control"] == "no-store"
            assert headers["access-control-allow-origin"] == "*"
            assert headers["x-accel-buffering"] == "no"
            assert "set-cookie" not in headers

    run(test)


@pytest.mark.parametrize(
    "path", ["/tip/scrypt/events", "/deep/er" + PATH, PATH + "?x=1", "http://site.example" + PATH]
)
def test_the_stream_is_found_below_any_prefix(path: str) -> None:
    async def test() -> None:
        async with serving(Asked()) as events:
            client = await Client.of(events)
            assert (await client.ask("GET", path))[0] == 200
            assert await client.tip() == "one"

    run(test)


def test_a_client_of_http_1_0_reads_the_stream_unframed() -> None:
    async def test() -> None:
        async with serving(Asked()) as events:
            client = await Client.of(events)
            client.writer.write(f"GET {PATH} HTTP/1.0\r\n\r\n".encode())
            assert "transfer-encoding" not in (await client.head())[1]
            assert (await client.reader.readuntil(b"\n\n")).startswith(b'data: {"tip":"one"')

    run(test)


def test_comments_show_that_the_stream_lives() -> None:
    async def test() -> None:
        async with serving(Asked(), heartbeat=0.05) as events:
            client = await Client.of(events)
            await client.ask()
            await client.tip()
            assert [await client.chunk() for _ in range(3)] == [b":\n\n"] * 3

    run(test)


def test_the_stream_goes_on_through_a_time_without_work() -> None:
    async def test() -> None:
        asked = Asked()
        async with serving(asked, heartbeat=0.05) as events:
            client = await Client.of(events)
            await client.ask()
            await client.tip()
            asked.tip = None
            while events._tips.present["scrypt"] is not None:
                assert await client.chunk() == b":\n\n"
            asked.tip = "two"
            assert await client.tip() == "two"

    run(test)


def test_without_work_a_listener_is_asked_to_come_again() -> None:
    async def test() -> None:
        async with serving(Asked(None)) as events:
            status, headers, cause = await answered(events)
            assert (status, cause, headers["retry-after"]) == (503, "no-work", "5")

    run(test)


@pytest.mark.parametrize("path", ["/", "/tip/scrypt", "/tip/ethash/events", PATH + "/", "/tip//events"])
def test_any_other_path_is_not_found(path: str) -> None:
    async def test() -> None:
        async with serving(Asked()) as events:
            status, headers, cause = await answered(events, "GET", path)
            assert (status, cause) == (404, "no-tip")
            assert headers["content-type"] == "application/problem+json"

    run(test)


def test_a_stream_is_not_written_to() -> None:
    async def test() -> None:
        async with serving(Asked()) as events:
            status, headers, cause = await answered(events, "POST", PATH, "Content-Length: 0")
            assert (status, cause, headers["allow"]) == (405, "method-not-allowed", "GET, HEAD, OPTIONS")

    run(test)


@pytest.mark.parametrize(("path", "kind"), [("/", "urn:ticketminer:problem:no-tip"), (PATH, "about:blank")])
def test_the_type_of_a_problem_is_what_web_processes_say(path: str, kind: str) -> None:
    async def test() -> None:
        async with serving(Asked()) as events:
            client = await Client.of(events)
            await client.ask("POST", path, "Content-Length: 0")
            assert json.loads(await client.ended())["type"] == kind

    run(test)


def test_head_tells_the_kind_and_ends() -> None:
    async def test() -> None:
        async with serving(Asked()) as events:
            status, headers, cause = await answered(events, "HEAD")
            assert (status, headers["content-type"], cause) == (200, "text/event-stream", "")

    run(test)


def test_a_refusal_leaves_no_error_behind_for_head_or_when_the_bridge_ends() -> None:
    async def test() -> None:
        errors: list[dict[str, t.Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        async with serving(Asked()) as events:
            assert (await answered(events, "HEAD", "/other"))[0] == 404
            lingering = await Client.of(events)
            assert (await lingering.ask("GET", "/other"))[0] == 404
        await asyncio.sleep(0)
        assert errors == []

    run(test)


def test_pages_of_other_origins_may_read_it() -> None:
    async def test() -> None:
        async with serving(Asked()) as events:
            status, headers, _ = await answered(events, "OPTIONS", PATH, "Origin: https://other.example")
            assert (status, headers["access-control-allow-origin"]) == (204, "*")
            assert "GET" in headers["access-control-allow-methods"]

    run(test)


def test_a_request_of_8_kib_is_too_long() -> None:
    async def test() -> None:
        async with serving(Asked()) as events:
            status, _, cause = await answered(events, "GET", PATH, "X-Long: " + "x" * 8192)
            assert (status, cause) == (431, "header-too-large")

    run(test)


@pytest.mark.parametrize("text", ["\x16\x03\x01\r\n\r\n", "GET\r\n\r\n", f"GET {PATH} HTTP/1.1\r\n\r\n"])
def test_what_is_no_request_is_refused(text: str) -> None:
    async def test() -> None:
        async with serving(Asked()) as events:
            client = await Client.of(events)
            client.writer.write(text.encode())
            assert (await client.head())[0] == 400
            assert b"malformed-request" in await client.ended()

    run(test)


def test_a_request_that_does_not_arrive_is_given_up() -> None:
    async def test() -> None:
        async with serving(Asked(), patience=0.05) as events:
            client = await Client.of(events)
            client.writer.write(b"GET /tip")
            assert (await client.head())[0] == 408
            await client.ended()

    run(test)


def test_one_listener_too_many_is_refused_until_another_has_gone() -> None:
    async def test() -> None:
        async with serving(Asked(), most=1) as events:
            first = await Client.of(events)
            assert (await first.ask())[0] == 200
            status, headers, cause = await answered(events)
            assert (status, cause, int(headers["retry-after"]) > 0) == (503, "busy", True)
            first.writer.close()
            while events._listeners:
                await asyncio.sleep(0.01)
            assert (await (await Client.of(events)).ask())[0] == 200

    run(test)


def test_many_listen_where_few_files_may_be_open_until_more_are_asked_for() -> None:
    async def test() -> None:
        async with serving(Asked()) as events:
            for _ in range(200):
                assert (await (await Client.of(events)).ask())[0] == 200

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        run(test)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_listeners_leave_files_for_pools_and_the_database() -> None:
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))\n"
        "from flask_ticketminer.work.bridge.events import places; print(places(4096))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 0 < int(found.stdout) < 1024 - 300
    assert "ulimit" in found.stderr


def test_connections_beyond_those_that_may_wait_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "_WAITING", 2)

    async def test() -> None:
        async with serving(Asked(), most=1) as events:
            for _ in range(3):
                await Client.of(events)
            assert await (await Client.of(events)).ended() == b""

    run(test)


def test_a_listener_that_does_not_read_is_dropped_and_the_others_hear_on() -> None:
    async def test() -> None:
        async with serving(Asked()) as events:
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            connection.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(connection, ("127.0.0.1", events.port))
            await loop.sock_sendall(connection, f"GET {PATH} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            while not events._listeners:
                await asyncio.sleep(0.01)
            deaf = next(iter(events._listeners))
            client = await Client.of(events)
            await client.ask()
            heard = 0
            while deaf in events._listeners:
                events._say(list(events._listeners), b": " + b"x" * 1000 + b"\n\n")
                await client.chunk()
                heard += 1
            assert heard < 1000
            connection.close()

    run(test)


def test_a_listener_that_says_more_is_let_go() -> None:
    async def test() -> None:
        async with serving(Asked()) as events:
            client = await Client.of(events)
            await client.ask()
            await client.tip()
            client.writer.write(b"GET / HTTP/1.1\r\n")
            await client.ended()
            assert not events._listeners

    run(test)


def test_a_stream_is_ended_in_order_when_the_bridge_stops() -> None:
    async def test() -> None:
        async with serving(Asked()) as events:
            client, silent = await Client.of(events), await Client.of(events)
            await client.ask()
            await client.tip()
            ends = asyncio.gather(client.ended(), silent.ended())
            await asyncio.sleep(0)
        assert await ends == [b"0\r\n\r\n", b""]

    run(test)


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_change_is_told_once_no_process_can_have_older_work() -> None:
    asked, time = Asked(), Time()
    tips = Tips(asked, ["scrypt"], hold=0.25, monotonic=time)
    assert (tips.look(), tips.present["scrypt"]) == ([], None)
    time.now = 0.25
    assert tips.look() == ["scrypt"]
    asked.tip = "two"
    assert tips.look() == []
    time.now = 0.49
    assert tips.look() == []
    time.now = 0.5
    assert tips.look() == ["scrypt"]
    assert tips.present["scrypt"] == {"tip": "two", "poll": 1, "spread": 0.5}


def test_a_busy_database_changes_nothing() -> None:
    asked = Asked()
    tips = Tips(asked, ["scrypt"], hold=0)
    tips.look()
    asked.busy = True
    assert tips.look() == []
    assert tips.present["scrypt"] is not None


def test_bridge_and_web_process_give_the_same_tip(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        pool = ScriptedPool()
        async with mining(tmp_path, pool, listen=("127.0.0.1", 0)) as mine:
            assert mine.bridge is not None
            assert mine.bridge.events is not None
            job = await mine.job()
            url = f"http://127.0.0.1:{mine.bridge.events.port}{PATH}"
            async with httpx.AsyncClient(trust_env=False) as client:
                while (await client.head(url)).status_code == 503:
                    await asyncio.sleep(0.05)
                async with client.stream("GET", url) as stream:
                    lines = (line async for line in stream.aiter_lines() if line.startswith("data: "))
                    first = json.loads((await anext(lines))[6:])
                    await pool.talk.notify("job-2")
                    second = json.loads((await anext(lines))[6:])
            assert first["tip"] == job["tip"]
            assert second["tip"] != first["tip"]
            assert second == mine.visitor.get("/ticketminer/tip/scrypt").json
            assert (await mine.job())["tip"] == second["tip"]

    run(test)


def test_an_address_that_is_taken_is_named(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            app = mining_app(tmp_path, TICKETMINER_COINS={COIN: coin(pools=[pool_url(1)])})
            site = app.extensions["ticketminer"]
            bridge = Bridge(site, list(site.settings.coins.values()), listen=("127.0.0.1", port))
            with pytest.raises(ConfigurationError, match=f"port {port}.*another address"):
                await bridge.run()

    run(test)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8090", ("127.0.0.1", 8090)),
        (":8090", ("127.0.0.1", 8090)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:8090", ("::1", 8090)),
        ("site.example:8090", ("site.example", 8090)),
    ],
)
def test_an_address_is_of_this_machine_unless_told_otherwise(text: str, address: tuple[str, int]) -> None:
    assert read_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", "host:70000", "::1:80", "host:8x"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write HOST:PORT|in brackets"):
        read_address(text)


def test_the_service_document_names_the_stream(tmp_path: pathlib.Path) -> None:
    entry = {"TICKETMINER_COINS": {COIN: coin(pools=[pool_url(1)])}}
    template = "/ticketminer/tip/{algorithm}/events"
    client = mining_app(tmp_path, **entry, TICKETMINER_TIP_EVENTS=template).test_client()
    links = t.cast("dict[str, t.Any]", client.get("/ticketminer/").json)["links"]
    assert (links["tip"], links["tip_events"]) == ("/ticketminer/tip/{algorithm}", template)


@pytest.mark.parametrize("template", ["tip/{algorithm}", "//evil.example/{algorithm}", "/tip", "/{x}/{algorithm}", "", 1])  # fmt: skip
def test_a_stream_elsewhere_is_refused(tmp_path: pathlib.Path, template: t.Any) -> None:
    with pytest.raises(ConfigurationError, match=re.escape("TICKETMINER_TIP_EVENTS")):
        mining_app(tmp_path, TICKETMINER_TIP_EVENTS=template)


def test_sigterm_ends_the_command_and_its_streams(tmp_path: pathlib.Path) -> None:
    async def test() -> None:
        async with ScriptedPool() as pool:
            (tmp_path / "shop.py").write_text(
                "from mines import COIN, coin, mining_app, pool_url\n"
                f"app = mining_app({str(tmp_path)!r}, TICKETMINER_COINS={{COIN: coin(pools=[pool_url({pool.port})])}})\n"
            )
            port = free_port()
            words = ["-m", "flask", "--app", "shop", "ticketminer", "bridge", "--listen", str(port)]
            paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
            bridge = await asyncio.create_subprocess_exec(
                sys.executable, *words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}
            )
            try:
                async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
                    url = f"http://127.0.0.1:{port}{PATH}"
                    while await status_of(client, url) != 200:
                        await asyncio.sleep(0.1)
                    async with client.stream("GET", url) as stream:
                        lines = stream.aiter_lines()
                        assert (await anext(lines)).startswith("data: ")
                        bridge.terminate()
                        assert [line async for line in lines if line.startswith("data")] == []
                assert await bridge.wait() == 0
            finally:
                if bridge.returncode is None:
                    bridge.kill()
                    await bridge.wait()

    run(test)


@pytest.mark.parametrize(
    ("config", "listen", "words"),
    [
        ({}, ("127.0.0.1", 8090), ["no miner is told of it"]),
        ({"TICKETMINER_TIP_EVENTS": "/tip/{algorithm}/events"}, None, ["start it with --listen"]),
        ({"TICKETMINER_TIP_EVENTS": "/tip/{algorithm}/events"}, ("127.0.0.1", 8090), []),
        ({}, None, []),
    ],
)
def test_a_stream_that_nobody_serves_or_knows_of_is_warned_of(
    tmp_path: pathlib.Path, config: dict[str, t.Any], listen: tuple[str, int] | None, words: list[str]
) -> None:
    app = mining_app(tmp_path, TICKETMINER_COINS={COIN: coin(pools=[pool_url(1)])}, **config)
    doubts = list(stream_doubts(app.extensions["ticketminer"].settings, listen))
    assert len(doubts) == len(words)
    assert all(word in doubt for word, doubt in zip(words, doubts, strict=True))


async def status_of(client: httpx.AsyncClient, url: str) -> int:
    try:
        return (await client.head(url)).status_code
    except httpx.TransportError:
        return 0
