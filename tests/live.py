"""Sites that are really served, on loopback, and the machines that stand between them and a visitor."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import socket
import socketserver
import subprocess
import sys
import threading
import time
import typing as t
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import formatdate

from click.testing import CliRunner, Result
from flask import Response, request
from sites import make_shop
from werkzeug.serving import WSGIRequestHandler, make_server

from flask_ticketminer import ticket_required
from flask_ticketminer.clock import ManualClock
from flask_ticketminer.mint.audit import audit
from flask_ticketminer.mint.statistics import fund_total, statistics
from flask_ticketminer.testing.wallets import fill
from miner import SiteClient, Wallet
from miner.cli import main
from miner.engine import Engine
from miner.payment import TicketAuth
from miner.transport import open_http

BOOK_PRICE = 16
"""Too many tickets of value 1 for a header."""


class LiveSite:
    """The application of ``sites.py`` and a book, served; its ``Date`` follows its clock.

    :ivar before: may answer a request in the application's place.
    :ivar after: may change an answer.
    :ivar requests: what was asked, such as ``GET /report``.
    """

    def __init__(self, folder: pathlib.Path, database: str, clock: ManualClock, **config: t.Any) -> None:
        self.before: Callable[[], Response | None] = lambda: None
        self.after: Callable[[Response], Response] = lambda response: response
        self.requests: list[str] = []
        self.clock = clock
        config = {"TICKETMINER_EFFORT": {"yespower": 16, "scrypt": 16, "sha256d": 16}, **config}
        self.app = make_shop(folder, database, clock, **config).app
        self.app.add_url_rule(
            "/book", "book", ticket_required(BOOK_PRICE, valid_for=timedelta(hours=1))(book)
        )
        self.app.before_request(self._before)
        self.app.after_request(lambda response: self.after(response))

        class Handler(WSGIRequestHandler):
            def log(self, *_: object) -> None:
                pass

            def date_time_string(self, timestamp: float | None = None) -> str:
                return formatdate(clock.now(), usegmt=True)

        self._server = make_server("127.0.0.1", 0, self.app, threaded=True, request_handler=Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.port = self._server.port
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._site.database.dispose()

    def fill(self, wallet: Wallet, *amounts: int, at: str | None = None) -> None:
        """Put tickets worth each of `amounts` into a wallet, as if they had been mined `at` this address of the site."""
        for amount in amounts:
            fill(wallet, self._site, at or self.url, amount)

    def unspent(self) -> int:
        """Return the value of all tickets that the ledger has issued and that were not spent."""
        value = statistics(self._site.database, self.clock.now())["value"]
        return int(value["issued"] - value["spent"])

    def paid(self) -> int:
        """Return how many tickets the site was paid, donations included."""
        return int(statistics(self._site.database, self.clock.now())["value"]["paid"])

    def donated(self, fund: str) -> int:
        """Return how many tickets a fund was given, in tickets or in work."""
        return fund_total(self._site.database, fund)

    def key_id(self, value: int) -> str:
        """Return the id of the key that signs tickets of `value` now, as in the directory."""
        return str(self._site.keys.current(value).key_id.hex())

    def balanced(self) -> bool:
        """Return whether the ledger's audit finds nothing."""
        return audit(self._site.database).balanced

    @property
    def _site(self) -> t.Any:
        return self.app.extensions["ticketminer"]

    def _before(self) -> Response | None:
        self.requests.append(f"{request.method} {request.path}")
        return self.before()


def book() -> str:
    """The view of ``/book``."""
    return "the book"


class LiveSites:
    """Starts sites for one test; at its end the books of each must balance."""

    def __init__(self, folder: pathlib.Path, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock(int(time.time()))
        self._folder = folder
        self._sites: list[LiveSite] = []

    def __call__(self, database: str | None = None, **config: t.Any) -> LiveSite:
        """Serve a site on `database`; on a SQLite file of its own when there is none."""
        folder = self._folder / f"site-{len(self._sites)}"
        folder.mkdir()
        database = database or f"sqlite:///{folder}/ticketminer.sqlite"
        self._sites.append(LiveSite(folder, database, self.clock, **config))
        return self._sites[-1]

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        unequal = [site.url for site in self._sites if not site.balanced()]
        for site in self._sites:
            site.stop()
        assert kind is not None or unequal == []


# The visitor's programs


@contextlib.contextmanager
def visit(url: str, wallet: Wallet) -> Iterator[SiteClient]:
    """Talk to the site at `url`."""
    with open_http() as http:
        yield SiteClient(url, wallet, http)


def mine(*sites: SiteClient, tickets: int, duty: int = 100, **options: t.Any) -> None:
    """Mine with the real engine, at least so many tickets: what is found on the way counts too."""
    with Engine(sites, threads=1, duty=duty, tickets=tickets, **options) as engine:
        assert engine.wait(30)
    assert engine.error is None


def get(wallet: Wallet, url: str, budget: int | None = 20) -> tuple[int, str]:
    """Request `url`, paying for it; return status and body."""
    with open_http() as http:
        reply = http.get(url, auth=TicketAuth(wallet, budget))
        return reply.status_code, reply.text


class Person:
    """Somebody at a terminal, with a home of their own."""

    def __init__(self, home: pathlib.Path) -> None:
        home.mkdir(exist_ok=True)
        self.home = home
        self.wallet_file = home / "data" / "ticketminer" / "wallet.sqlite"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        self._env: dict[str, str | None] = dict.fromkeys([*names, *map(str.lower, names)])
        self._env["HOME"] = str(home)
        self._env |= {f"XDG_{name.upper()}_HOME": str(home / name) for name in ("config", "data", "state")}

    def run(self, *words: object, stdin: str | None = None) -> Result:
        """Run ``ticketminer`` with these words, in this process."""
        result = CliRunner().invoke(main, [str(word) for word in words], input=stdin, env=self._env)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def start(self, *words: object, **options: t.Any) -> subprocess.Popen[str]:
        """Start the program with these words, in a process of its own."""
        env = {**os.environ, **self._env}
        return subprocess.Popen(
            [sys.executable, "-m", "miner.cli", *map(str, words)],
            env={name: value for name, value in env.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def wallet(self) -> Wallet:
        """Open the wallet of this person."""
        return Wallet.open(self.wallet_file)

    def balance(self) -> int:
        """Return how many tickets this person can spend."""
        with self.wallet() as wallet:
            return wallet.balance()


# Machines in between


class Relay(socketserver.ThreadingTCPServer):
    """Passes one request a connection on to a site, and the answer back, unless it was told to lose it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, handler: type[socketserver.BaseRequestHandler], site: LiveSite) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.site = site
        self.losses: dict[str, float] = {}
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def lose(self, request_line: str, *, keep: float = 0.0) -> None:
        """Lose the next answer to `request_line`, such as ``POST /ticketminer/submit``; `keep` is the part that arrives."""
        self.losses[request_line] = keep

    def pass_on(self, stream: t.BinaryIO, out: t.BinaryIO) -> str:
        """Handle one request and return its method and path."""
        head = b"".join(iter(stream.readline, b"\r\n"))
        length = re.search(rb"(?i)content-length: (\d+)", head)
        body = stream.read(int(length[1]) if length else 0)
        head = re.sub(rb"(?i)connection: keep-alive", b"Connection: close", head)
        with socket.create_connection(("127.0.0.1", self.site.port)) as upstream:
            upstream.sendall(head + b"\r\n" + body)
            answer = b"".join(iter(lambda: upstream.recv(65536), b""))
        line = " ".join(head.decode("latin-1").split(maxsplit=2)[:2]).partition("?")[0]
        out.write(answer[: int(len(answer) * self.losses.pop(line, 1.0))])
        return line

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _PassOn(socketserver.StreamRequestHandler):
    server: Relay

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            self.server.pass_on(t.cast(t.BinaryIO, self.rfile), t.cast(t.BinaryIO, self.wfile))


class LossyProxy(Relay):
    """A bad line to a site: at :attr:`url`, the connection dies after the site has done what was asked."""

    def __init__(self, site: LiveSite) -> None:
        super().__init__(_PassOn, site)
        self.url = f"http://127.0.0.1:{self.port}"


class SocksServer(Relay):
    """A SOCKS5 proxy through which every host name leads to one site.

    :ivar seen: user name, password, host name and request of each connection.
    """

    def __init__(self, site: LiveSite) -> None:
        super().__init__(_Socks, site)
        self.url = f"socks5h://127.0.0.1:{self.port}"
        self.seen: list[tuple[str, str, str, str]] = []


class _Socks(socketserver.StreamRequestHandler):
    server: SocksServer

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            self.rfile.read(self.rfile.read(2)[1])
            self.wfile.write(b"\x05\x02")
            user = self.rfile.read(self.rfile.read(2)[1]).decode()
            password = self._text()
            self.wfile.write(b"\x01\x00")
            command = self.rfile.read(4)
            # Address type 3 is a host name: an address would mean that the visitor had looked it up.
            host = self._text() if command[3] == 3 else "an address"
            self.rfile.read(2)
            self.wfile.write(b"\x05\x00\x00\x01" + bytes(6))
            out = t.cast(t.BinaryIO, self.wfile)
            line = self.server.pass_on(t.cast(t.BinaryIO, self.rfile), out)
            self.server.seen.append((user, password, host, line))

    def _text(self) -> str:
        return self.rfile.read(self.rfile.read(1)[0]).decode()


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Serve `answer`, byte for byte, to every request and hang up; yield the address."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):
                while self.rfile.readline().strip():
                    pass
                self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
