"""A tab with the page's wallet in it, and the small site that serves its modules."""

from __future__ import annotations

import contextlib
import http.server
import pathlib
import threading
import typing as t
from collections.abc import Iterator

import pytest
from browsers import Profile, Tab
from fake_keys import NOW, private_key, sign, ticket_key

from miner.service import TicketKey

HERE = pathlib.Path(__file__).parent
MODULES = HERE.parent / "miner" / "browser"
DRIVER = HERE / "browser" / "wallet.js"
SEED = "ab" * 32

Row = dict[str, t.Any]


class Refusal(Exception):
    """What the wallet threw in the page."""

    def __init__(self, error: Row) -> None:
        super().__init__(f"{error['name']} {error['code']}: {error['detail']}")
        self.name, self.code = error["name"], error["code"]


def entry(key: TicketKey, **changes: t.Any) -> Row:
    """Return `key` as types.d.ts has it, with bytes in hex."""
    return {
        "keyId": key.key_id.hex(),
        "value": key.value,
        "notBefore": key.not_before,
        "issueUntil": key.issue_until,
        "redeemUntil": key.redeem_until,
        "issuerName": key.issuer_name,
        "spki": key.spki.hex(),
    } | changes


class Page:
    """A tab with `wallet`, whose clock stands at the fake world's date."""

    def __init__(self, profile: Profile, url: str, seed: str | None = SEED, path: str = "/") -> None:
        self.tab: Tab = profile.tab(url + path)
        self.tab.wait_for("typeof attempt === 'function'")
        self("clock.now = args[0]", NOW)
        if path == "/":
            self("await open(args[0])", seed)

    def __call__(self, expression: str, *args: t.Any) -> t.Any:
        """Return the value of an expression in the page; raises :class:`Refusal` for what it throws."""
        found = self.tab.evaluate("await attempt(args[0], args.slice(1))", expression, *args)
        if "error" in found:
            raise Refusal(found["error"])
        return found["value"]

    def fails(self, expression: str, *args: t.Any) -> Refusal:
        with pytest.raises(Refusal) as caught:
            self(expression, *args)
        return caught.value

    def pin(self, *keys: TicketKey | Row, now: int = NOW) -> None:
        entries = [entry(key) if isinstance(key, TicketKey) else key for key in keys]
        self("await wallet.pin(args[0].map(key), args[1])", entries, now)

    def ask(
        self,
        *keys: TicketKey,
        inputs: t.Sequence[Row] = (),
        nonces: t.Sequence[str] = (),
        options: Row | None = None,
        **about: t.Any,
    ) -> Row:
        """Write a request down: for tickets of `keys`, with the tickets `inputs` or those with these `nonces`."""
        self.pin(*keys)
        ids = [key.key_id.hex() for key in keys]
        given = [*nonces, *(ticket["nonce"] for ticket in inputs)]
        return t.cast(Row, self("await ask(...args)", ids, given, about, options or {}))

    def settle(self, request: Row, **options: t.Any) -> list[Row]:
        return t.cast(
            list[Row],
            self(
                "await wallet.settle(await request(args[0]), args[1].map((text) => fromHex(text)), args[2])",
                request["id"],
                [signature(output) for output in request["outputs"]],
                options,
            ),
        )

    def release(self, request: Row, **known: list[str]) -> None:
        self("await wallet.release(await request(args[0]), 'refused', args[1])", request["id"], known)

    def deposit(self, value: int, count: int = 1) -> list[Row]:
        return self.settle(self.ask(*[ticket_key(value)] * count, kind="submit", label="mined"))

    def tickets(self) -> list[Row]:
        return t.cast(list[Row], self("await wallet.tickets()"))

    def balance(self) -> int:
        return int(self("await wallet.balance()"))

    def states(self) -> dict[str, str]:
        return {ticket["nonce"]: ticket["state"] for ticket in self.tickets()}

    def unanswered(self) -> list[Row]:
        return t.cast(list[Row], self("await wallet.unanswered()"))


def signature(output: Row) -> str:
    """Return what the site makes of an output of :func:`ticket_key`."""
    return sign(private_key(output["key"]["value"]), bytes.fromhex(output["blindedMessage"])).hex()


class Handler(http.server.SimpleHTTPRequestHandler):
    """The modules below /assets/x/, and empty pages; /sandbox is one of no origin, which browsers give no storage."""

    def translate_path(self, path: str) -> str:
        return str(DRIVER if path == "/wallet.js" else MODULES / path.removeprefix("/assets/x/"))

    def do_GET(self) -> None:
        if self.path.endswith(".js"):
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        if self.path == "/sandbox":
            self.send_header("Content-Security-Policy", "sandbox allow-scripts")
        self.end_headers()
        self.wfile.write(
            b'<!doctype html><title>Wallet</title><script type="module" src="wallet.js"></script>'
        )
        return None

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Serve on loopback; yields the origin."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
