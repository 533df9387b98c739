"""Fixtures of the whole suite: databases, a clock that obeys, and mints that are ready in milliseconds."""

from __future__ import annotations

import pathlib
import signal
import sys
from collections.abc import Callable, Iterator

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import mariadb
import postgres
from browser_fixtures import (
    browser,
    chromium,
    demo_donation_site,
    demo_shop_site,
    demos,
    firefox,
    open_profile,
    own_browser,
    profile,
)
from buyers import buyer, market, open_buyer, purse, stock
from fake_site import Clock, FakeSite
from hosts import MakeHost, hosts
from kernel_report import pytest_sessionstart, pytest_terminal_summary
from live import LiveSite, LiveSites, Person
from mints import START, Mint
from nodes import node, plain_node, word_node
from parts import missing
from played_wallet import open_wallet
from purses import SHOP, deposit
from sites import Shop, make_shop
from visitor import Visitor

from flask_ticketminer.clock import ManualClock
from flask_ticketminer.mint.audit import audit
from miner import SiteClient, Wallet

__all__ = [
    "browser",
    "buyer",
    "chromium",
    "demo_donation_site",
    "demo_shop_site",
    "demos",
    "firefox",
    "market",
    "missing",
    "node",
    "open_buyer",
    "open_profile",
    "open_wallet",
    "own_browser",
    "plain_node",
    "profile",
    "purse",
    "pytest_sessionstart",
    "pytest_terminal_summary",
    "stock",
    "word_node",
]

# A shell that starts the suite in the background lets it ignore Ctrl-C, which the programs under test would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Postgres]:
    """One real PostgreSQL for the session."""
    programs = postgres.programs()
    if programs is None:
        missing("needs PostgreSQL: apt-get install postgresql")
        return
    with postgres.running(programs) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: postgres.Postgres) -> str:
    """An empty PostgreSQL database."""
    return postgres_server.new_database()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[mariadb.MariaDB]:
    """One real MariaDB for the session."""
    programs = mariadb.programs()
    if programs is None:
        missing("needs MariaDB: apt-get install mariadb-server")
        return
    with mariadb.running(programs) as server:
        yield server


@pytest.fixture(scope="session")
def galera_node() -> Iterator[mariadb.MariaDB]:
    """One real MariaDB for the session that is a Galera cluster of one node."""
    programs = mariadb.programs()
    if programs is None or programs.galera is None:
        missing("needs MariaDB with Galera: apt-get install mariadb-server galera-4")
        return
    with mariadb.running(programs, galera=True) as server:
        yield server


@pytest.fixture
def mariadb_url(mariadb_server: mariadb.MariaDB) -> str:
    """An empty MariaDB database."""
    return mariadb_server.new_database()


@pytest.fixture
def sqlite_url(tmp_path: pathlib.Path) -> str:
    """A SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path}/ticketminer.sqlite"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database: the test runs on each kind."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind that the ledger knows, for tests below HTTP."""
    fixture = {"sqlite": "sqlite_url", "postgresql": "postgres_url", "mariadb": "mariadb_url"}[request.param]
    return str(request.getfixturevalue(fixture))


@pytest.fixture
def manual_clock() -> ManualClock:
    """A clock that stands at the third day of an epoch."""
    return ManualClock(START)


@pytest.fixture
def make_mint(manual_clock: ManualClock) -> Iterator[Callable[..., Mint]]:
    """Return a factory of mints; whatever a test did to them, their books balance at the end."""
    mints: list[Mint] = []

    def make(url: str = "sqlite://", **changes: object) -> Mint:
        mints.append(Mint(url, manual_clock, **changes))
        return mints[-1]

    yield make
    unequal = [
        line for mint in mints if mint.audited for line in audit(mint.database).lines if not line.holds
    ]
    for mint in mints:
        mint.database.dispose()
    assert unequal == []


@pytest.fixture
def mint(make_mint: Callable[..., Mint], ledger_url: str) -> Mint:
    """A mint on each kind of database."""
    return make_mint(ledger_url)


@pytest.fixture
def memory_mint(make_mint: Callable[..., Mint]) -> Mint:
    """A mint in memory, for what does not depend on the database."""
    return make_mint()


@pytest.fixture
def make_site(
    tmp_path: pathlib.Path, database_url: str, manual_clock: ManualClock
) -> Iterator[Callable[..., Shop]]:
    """Return a factory of the application of ``sites.py``, on each kind of database."""
    shops: list[Shop] = []

    def make(**config: object) -> Shop:
        shops.append(make_shop(tmp_path, database_url, manual_clock, **config))
        return shops[-1]

    yield make
    for shop in shops:
        shop.app.extensions["ticketminer"].database.dispose()


@pytest.fixture
def make_host(tmp_path: pathlib.Path) -> Iterator[MakeHost]:
    """Return a factory of applications with tickets; each has a database of its own."""
    yield from hosts(tmp_path)


@pytest.fixture
def shop(make_site: Callable[..., Shop]) -> Shop:
    """A shop where a share takes two hashes."""
    return make_site()


@pytest.fixture
def visitor(shop: Shop) -> Visitor:
    """Somebody who speaks the protocol by hand, at the shop."""
    return Visitor(shop.app)


@pytest.fixture
def clock() -> Clock:
    """The clock of a visitor whose site is a fake one."""
    return Clock()


@pytest.fixture
def wallet(tmp_path: pathlib.Path, clock: Clock) -> Iterator[Wallet]:
    """An empty wallet that goes by `clock`."""
    with Wallet.open(tmp_path / "w" / "wallet.sqlite", clock=clock) as opened:
        yield opened


@pytest.fixture
def site() -> FakeSite:
    """A ticket site without Flask and database, for the visitor's side."""
    return FakeSite()


@pytest.fixture
def fund(wallet: Wallet, site: FakeSite) -> Callable[..., None]:
    """Return a function that puts tickets into the wallet: ``fund(1, 4)``."""

    def put(*values: int, origin: str = SHOP) -> None:
        SiteClient(SHOP, wallet, site.client()).keys()
        deposit(wallet, site, *values, origin=origin)

    return put


@pytest.fixture
def serve(tmp_path: pathlib.Path) -> Iterator[LiveSites]:
    """Return a factory of shops that are served on loopback, on SQLite and the real clock."""
    with LiveSites(tmp_path) as sites:
        yield sites


@pytest.fixture
def served(serve: LiveSites) -> LiveSite:
    """One such shop."""
    return serve()


@pytest.fixture
def anna(tmp_path: pathlib.Path) -> Person:
    """Somebody at a command line, with an empty wallet."""
    return Person(tmp_path / "anna")


@pytest.fixture
def funded(served: LiveSite, anna: Person) -> Person:
    """Anna with a ticket of value 8 of the served shop."""
    with anna.wallet() as wallet:
        served.fill(wallet, 8)
    return anna
