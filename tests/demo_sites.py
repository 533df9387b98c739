"""The two demonstration sites as a browser meets them: served on loopback, with everything that can go wrong on the way."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import pathlib
import socket
import threading
import time
import typing as t
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import formatdate

from browsers import HOSTS, PATIENCE
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response

import demo_donation
import demo_shop
from flask_ticketminer.mint.audit import audit
from flask_ticketminer.mint.spent import SpentFiles
from flask_ticketminer.mint.statistics import fund_total, statistics
from flask_ticketminer.testing.wallets import fill
from miner import Wallet

Answer = Callable[[], Response]
"""Lets the site answer a request."""

EASY = {"yespower": 16, "scrypt": 16, "sha256d": 16}
"""Expected hashes a ticket: some milliseconds in a page."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that the site answered. `size` is that of the answer's body in bytes."""

    line: str
    query: str
    host: str
    status: int
    size: int
    cookie: str


class Hold:
    """A request that waits at the site until the test lets it go on."""

    def __init__(self, *, answered: bool) -> None:
        self._answered = answered
        self._arrived, self._go = threading.Event(), threading.Event()
        self._drop = False

    def wait(self, seconds: float = PATIENCE) -> None:
        """Wait until the request is here; until the site has done what it asks, where the answer is what is held."""
        assert self._arrived.wait(seconds), "the request does not come"

    def release(self) -> None:
        """Let the request, or its answer, go on its way."""
        self._go.set()

    def drop(self) -> None:
        """Hang up on who asked."""
        self._drop = True
        self._go.set()

    def __call__(self, answer: Answer) -> Response:
        response = answer() if self._answered else None
        self._arrived.set()
        self._go.wait(120)
        if self._drop:
            raise ConnectionResetError("dropped")
        return response or answer()


@dataclass
class _Rule:
    pattern: str
    act: Callable[[Answer], Response]
    times: int | None
    done: int = field(default=0)


class DemoSite:
    """One of the demonstration sites on a port of its own.

    Requests are named by method and path, such as ``POST /ticketminer/submit``; ``*`` stands for anything.

    :ivar headers: put on every answer in place of the site's own, as the middleware of a host does.
    :ivar removed: names of headers that no answer keeps.
    :ivar seen: the requests that were answered, in order.
    :ivar ahead: seconds by which the site's clock is ahead of this machine's, and so of the browser's.
    """

    def __init__(
        self,
        make: Callable[[dict[str, t.Any]], t.Any],
        folder: pathlib.Path,
        ahead: int = 0,
        **config: t.Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.app = make(
            {
                "TESTING": True,
                "SECRET_KEY": "a secret for tests only, of some length",
                "SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder}/shop.sqlite",
                "TICKETMINER_EFFORT": EASY,
                "TICKETMINER_ALLOW_HTTP": True,
                **(
                    {}
                    if make is demo_shop.create_app
                    else {"TICKETMINER_DATABASE_URI": f"sqlite:///{folder}/t.sqlite"}
                ),
                **config,
            }
        )
        self._folder = folder
        self.headers: dict[str, str] = {}
        self.removed: set[str] = set()
        self.seen: list[Seen] = []
        self.ahead = ahead
        if ahead:
            self._site.extension.clock = self
        self._rules: list[_Rule] = []
        self._connections: set[socket.socket] = set()
        self._server: BaseWSGIServer | None = None
        self.port = 0
        self.start()
        self.url = f"http://127.0.0.1:{self.port}"

    def url_at(self, host: str = HOSTS[0]) -> str:
        """Return the address of the site under another name of this machine."""
        return f"http://{host}:{self.port}"

    def now(self) -> int:
        """Return what time it is by the site's clock."""
        return int(time.time()) + self.ahead

    # Power and cables

    def start(self) -> None:
        """Serve, on the port of before if there was one."""
        site = self

        class Handler(WSGIRequestHandler):
            def setup(self) -> None:
                super().setup()
                site._connections.add(self.connection)

            def finish(self) -> None:
                site._connections.discard(self.connection)
                with contextlib.suppress(OSError):
                    super().finish()

            def log(self, *_: object) -> None:
                pass

            def date_time_string(self, timestamp: float | None = None) -> str:
                return formatdate(site.now(), usegmt=True)

        self._server = make_server(
            "127.0.0.1", self.port, self._answer, threaded=True, request_handler=Handler
        )
        self.port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server = None
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._site.extension.clock = None  # the shop's extension is one for all its applications
        self._site.database.dispose()

    # What can go wrong

    def on(self, pattern: str, act: Callable[[Answer], Response], times: int | None = 1) -> None:
        """Let `act` answer the next `times` requests (None: all) that match; it may ask the site by calling its argument."""
        self._rules.append(_Rule(pattern, act, times))

    def hold(self, pattern: str, *, answered: bool) -> Hold:
        """Hold the next such request: before the site sees it, or `answered`, its answer."""
        hold = Hold(answered=answered)
        self.on(pattern, hold)
        return hold

    def lose(self, pattern: str, times: int | None = 1) -> None:
        """Do what is asked and hang up instead of answering."""

        def act(answer: Answer) -> Response:
            answer()
            raise ConnectionResetError("lost")

        self.on(pattern, act, times)

    def fail(
        self,
        pattern: str,
        times: int | None = 1,
        *,
        status: int = 503,
        cause: str = "busy",
        wait: int | None = 1,
    ) -> None:
        """Refuse with a problem document instead of asking the site."""

        def act(answer: Answer) -> Response:
            problem = {
                "type": f"urn:ticketminer:problem:{cause}",
                "title": cause,
                "status": status,
                "detail": "Refused by the test.",
                "cause": cause,
            }
            response = Response(json.dumps(problem), status, content_type="application/problem+json")
            if wait is not None:
                response.headers["Retry-After"] = str(wait)
            return response

        self.on(pattern, act, times)

    def delay(self, pattern: str, seconds: float, times: int | None = 1) -> None:
        """Take so long before the site is asked."""

        def act(answer: Answer) -> Response:
            time.sleep(seconds)
            return answer()

        self.on(pattern, act, times)

    def alter(self, pattern: str, change: Callable[[t.Any], object], times: int | None = None) -> None:
        """Let `change` edit the JSON of answers in place, or return what stands in its place."""

        def act(answer: Answer) -> Response:
            response = answer()
            document = json.loads(response.get_data())
            changed = change(document)
            response.set_data(json.dumps(document if changed is None else changed))
            return response

        self.on(pattern, act, times)

    def heal(self) -> None:
        """Forget all of these."""
        self._rules.clear()

    # What has happened

    def asked(self, pattern: str) -> int:
        """Return how many such requests were answered."""
        return sum(fnmatch.fnmatchcase(seen.line, pattern) for seen in self.seen)

    def sent(self, pattern: str = "*") -> int:
        """Return the bytes of the bodies of all answers to such requests."""
        return sum(seen.size for seen in self.seen if fnmatch.fnmatchcase(seen.line, pattern))

    def wait_asked(self, pattern: str, least: int = 1, seconds: float = PATIENCE) -> None:
        """Wait until so many such requests were answered."""
        deadline = time.monotonic() + seconds
        while self.asked(pattern) < least:
            assert time.monotonic() < deadline, f"{pattern}: {self.asked(pattern)} of {least} requests"
            time.sleep(0.02)

    def unspent(self) -> int:
        """Return the value of all tickets that the site has issued and that were not spent."""
        value = statistics(self._site.database, self.now())["value"]
        return int(value["issued"] - value["spent"])

    def paid(self) -> int:
        """Return how many tickets the site was paid, donations included."""
        return int(statistics(self._site.database, self.now())["value"]["paid"])

    def donated(self, fund: str = "articles") -> int:
        """Return how many tickets a fund was given, in tickets or in work."""
        return fund_total(self._site.database, fund)

    def balanced(self) -> bool:
        """Return whether the ledger's audit finds nothing."""
        return audit(self._site.database).balanced

    def tickets(self, amount: int, origin: str | None = None) -> str:
        """Return tickets worth `amount` as text that a wallet of `origin` takes in: ``ticketminer-tickets-1.…``."""
        file = self._folder / "giver" / "wallet.sqlite"
        with Wallet.open(file) as wallet:
            fill(wallet, self._site, origin or self.url, amount)
            return wallet.send(origin or self.url, amount)

    def publish_spent_at_once(self) -> None:
        """Let the lists of spent tickets name what was spent a moment ago."""
        self._site.spent_files = SpentFiles(self._site.database, self._site.keys, kept=0)

    @property
    def _site(self) -> t.Any:
        return self.app.extensions["ticketminer"]

    def _answer(self, environ: dict[str, t.Any], start_response: t.Any) -> Iterable[bytes]:
        line = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"

        def answer() -> Response:
            body, status, headers = run_wsgi_app(self.app, environ, buffered=True)
            return Response(b"".join(body), status, headers)

        rule = next(
            (r for r in self._rules if r.done != r.times and fnmatch.fnmatchcase(line, r.pattern)), None
        )
        try:
            if rule is None:
                response = answer()
            else:
                rule.done += 1
                response = rule.act(answer)
        except ConnectionError:
            with contextlib.suppress(OSError):
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise
        for name in self.removed:
            response.headers.pop(name, None)
        for name, value in self.headers.items():
            response.headers[name] = value
        self.seen.append(
            Seen(
                line,
                environ.get("QUERY_STRING", ""),
                environ.get("HTTP_HOST", ""),
                response.status_code,
                0 if response.is_streamed else len(response.get_data()),
                environ.get("HTTP_COOKIE", ""),
            )
        )
        return t.cast(Iterable[bytes], response(environ, start_response))


class DemoSites:
    """Starts demonstration sites for one test; at its end the books of each must balance."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._sites: list[DemoSite] = []

    def shop(self, **config: t.Any) -> DemoSite:
        """Serve the picture shop."""
        return self._serve(demo_shop.create_app, config)

    def donation(self, **config: t.Any) -> DemoSite:
        """Serve the article with its donation banners."""
        return self._serve(demo_donation.create_app, config)

    def _serve(self, make: Callable[[dict[str, t.Any]], t.Any], config: dict[str, t.Any]) -> DemoSite:
        self._sites.append(DemoSite(make, self._folder / f"site-{len(self._sites)}", **config))
        return self._sites[-1]

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for site in self._sites:
            site.stop()
        unequal = [site.url for site in self._sites if not site.balanced()]
        for site in self._sites:
            site.close()
        assert kind is not None or unequal == []
