"""The page's client in tabs of Chromium, and the market that they mine and buy at."""

from __future__ import annotations

import json
import pathlib
import typing as t
from collections.abc import Callable, Iterator

import pytest
from browsers import Browser, Profile, Tab
from flask import Response, request
from live import LiveSite, LiveSites

from flask_ticketminer.assets import current_assets
from flask_ticketminer.mint.spent import SpentFiles
from miner import SiteClient, Wallet
from miner.transport import open_http

PRELUDE = (pathlib.Path(__file__).parent / "browser" / "client.js").read_text()

OpenBuyer = Callable[[], "Buyer"]
Stock = Callable[..., None]


class Problem(Exception):
    """What the client threw in the page."""

    def __init__(self, error: dict[str, t.Any]) -> None:
        super().__init__(f"{error['name']} {error['code']}: {error['detail']}")
        self.name, self.code, self.detail = error["name"], error["code"], error["detail"]
        self.cause, self.values = error.get("cause"), error.get("values", {})


class Buyer:
    """A tab with `wallet` and `client` of a site."""

    def __init__(self, profile: Profile, site: LiveSite) -> None:
        self.profile = profile
        self.tab: Tab = profile.tab(f"{site.url}/free")
        with site.app.app_context():
            assets = f"/ticketminer/assets/{current_assets().hash}/"
        self.tab.evaluate(f"await (async () => {{ const assets = {json.dumps(assets)};\n{PRELUDE} }})()")

    def __call__(self, expression: str, *args: t.Any) -> t.Any:
        """Return the value of an expression in the page; raises :class:`Problem` for what it throws."""
        found = self.tab.evaluate(f"await attempt(async () => ({expression}))", *args)
        if "error" in found:
            raise Problem(found["error"])
        return found["value"]

    def fails(self, expression: str, *args: t.Any) -> Problem:
        with pytest.raises(Problem) as caught:
            self(expression, *args)
        return caught.value

    def balance(self) -> int:
        return int(self("await wallet.balance()"))

    def open(self) -> int:
        """Return how many requests have no answer."""
        return int(self("(await wallet.unanswered()).length"))

    def lose(self, path: str, how: str | dict[str, t.Any] = "after", times: int = 1) -> None:
        self("line.faults.push(...args[0])", [[f"/ticketminer/{path}", how]] * times)

    def restore(self, words: str) -> dict[str, int]:
        self("await adopt(args[0])", words)
        return t.cast(dict[str, int], self("await client.restore()"))

    def begin(self, expression: str) -> None:
        """Start what `expression` does, without waiting for it; :meth:`end` tells what became of it."""
        self(f"void (globalThis.outcome = attempt(async () => ({expression})))")

    def end(self) -> dict[str, t.Any]:
        return t.cast(dict[str, t.Any], self("await outcome"))


def rewrite(market: LiveSite, path: str, change: Callable[[dict[str, t.Any]], t.Any]) -> None:
    """Let the market's JSON at `path` be what `change` makes of it."""

    def after(response: Response) -> Response:
        if request.path == path and response.status_code == 200:
            del response.headers["ETag"]
            members = json.loads(response.get_data())
            response.set_data(json.dumps(change(members) or members))
        return response

    market.after = after


def instead(market: LiveSite, path: str, answer: Callable[[], Response]) -> None:
    """Let the market answer requests to `path` with this."""
    market.before = lambda: answer() if request.path == path else None


@pytest.fixture
def market(serve: LiveSites) -> LiveSite:
    """A site whose lists of spent tickets name what was spent a moment ago."""
    site = serve(TICKETMINER_ALGORITHM="sha256d")
    tickets = site.app.extensions["ticketminer"]
    tickets.spent_files = SpentFiles(tickets.database, tickets.keys, kept=0)
    return site


@pytest.fixture
def open_buyer(chromium: Browser, market: LiveSite) -> Iterator[OpenBuyer]:
    """Return a factory of tabs, each in a profile of its own."""
    profiles: list[Profile] = []

    def make() -> Buyer:
        profiles.append(chromium.profile())
        return Buyer(profiles[-1], market)

    yield make
    for profile in profiles:
        profile.close()


@pytest.fixture
def buyer(open_buyer: OpenBuyer) -> Buyer:
    """A tab with an empty wallet."""
    return open_buyer()


@pytest.fixture
def purse(tmp_path: pathlib.Path, market: LiveSite) -> Iterator[Wallet]:
    """A wallet of the command line, known at the market."""
    with Wallet.open(tmp_path / "purse.sqlite") as wallet, open_http() as http:
        SiteClient(market.url, wallet, http).keys()
        yield wallet


@pytest.fixture
def stock(buyer: Buyer, market: LiveSite, purse: Wallet) -> Stock:
    """Return a function that puts a ticket of each value into the wallet of `buyer`, by words."""

    def put(*tickets: int) -> None:
        market.fill(purse, *tickets)
        buyer.restore(purse.site_words(market.url))
        buyer("await wallet.useSeed(crypto.getRandomValues(new Uint8Array(32)))")

    return put
