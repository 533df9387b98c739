"""One application's tickets: its settings and the parts built from them, each at first use."""

from __future__ import annotations

import threading
import typing as t

from flask import Flask, current_app
from itsdangerous import URLSafeSerializer
from werkzeug.routing import MapAdapter, Rule

from flask_ticketminer.assets import current_assets
from flask_ticketminer.binding import mounted
from flask_ticketminer.budgets import Budgets
from flask_ticketminer.clock import Clock, DatabaseClock
from flask_ticketminer.config import PREFIX, Settings
from flask_ticketminer.database import Database
from flask_ticketminer.errors import ConfigurationError, UnknownFund
from flask_ticketminer.forks import Shared
from flask_ticketminer.funds import Fund
from flask_ticketminer.mint.directory import Directory
from flask_ticketminer.mint.funds import FundTotals
from flask_ticketminer.mint.housekeeping import Housekeeper
from flask_ticketminer.mint.keys import KeyRing, MintKey
from flask_ticketminer.mint.ledger import Ledger
from flask_ticketminer.mint.retirement import tidy
from flask_ticketminer.mint.spent import SpentFiles
from flask_ticketminer.mint.statistics import KeptStatistics
from flask_ticketminer.secrets import Secrets
from flask_ticketminer.signals import keys_rotated, tell
from flask_ticketminer.work.floor import ValueFloor
from flask_ticketminer.work.source import LocalSource, Source, UpstreamSource
from flask_ticketminer.work.templates import Templates

if t.TYPE_CHECKING:
    from flask_ticketminer.extension import TicketMiner
    from flask_ticketminer.forsale import Gate


T = t.TypeVar("T")


class _once(t.Generic[T]):
    """A property computed at first use, by one thread only."""

    def __init__(self, make: t.Callable[[t.Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    def __get__(self, site: t.Any, owner: type | None = None) -> T:
        with site._lock:
            if self._name not in site.__dict__:
                site.__dict__[self._name] = self._make(site)
        return t.cast("T", site.__dict__[self._name])


class Site(Shared):
    """What ``app.extensions["ticketminer"]`` holds. Making one opens nothing."""

    def __init__(self, app: Flask, extension: TicketMiner, settings: Settings) -> None:
        self.app = app
        self.extension = extension
        self.settings = settings
        #: What ``app.config`` held of ours when the settings were read.
        self.given = {name: value for name, value in app.config.items() if name.startswith(PREFIX)}
        self.floor = ValueFloor(settings.largest)
        self.budgets = Budgets(settings)
        self.housekeeper = Housekeeper(lambda: tidy(self.database, settings, self.clock))
        #: Gates by endpoint, filled in when the first request comes.
        self.gates: dict[str, Gate] = {}
        #: Gates on single methods of class-based views, by endpoint and HTTP method; they come before the others.
        self.method_gates: dict[str, dict[str, Gate]] = {}
        #: Does what the first request does (gates of blueprints, the search for ungated views), once; set by ``init_app``.
        self.finish_setup: t.Callable[[], None] = lambda: None
        super().__init__()

    def _begin_process(self) -> None:
        # A part that another thread was making is not there yet, and is made by whoever needs it.
        self._lock = threading.RLock()

    @_once
    def secrets(self) -> Secrets:
        return Secrets(self.app, self.settings)

    @_once
    def database(self) -> Database:
        return self.extension.open_database(self.app, self.settings)

    @_once
    def clock(self) -> Clock:
        return self.extension.clock or DatabaseClock(self.database)

    @_once
    def keys(self) -> KeyRing:
        return KeyRing(
            self.database,
            self.settings,
            self.clock,
            self.secrets,
            generate=self.extension.key_source(self.app),
            on_new_keys=self._announce_keys,
            budgets=self.budgets,
        )

    @_once
    def ledger(self) -> Ledger:
        return Ledger(self.database, self.settings, self.clock, self.keys)

    @_once
    def templates(self) -> Templates:
        return Templates(self.database, self.clock)

    @_once
    def source(self) -> Source:
        settings = self.settings
        if not settings.offered_coins:
            return LocalSource(settings)
        return UpstreamSource(settings, settings.offered_coins, self.templates)

    @_once
    def urls(self) -> MapAdapter:
        """Finds the endpoint of a path; subdomains aside, which have no gates."""
        return self.app.url_map.bind("localhost")

    @_once
    def directory(self) -> Directory:
        return Directory(self.keys)

    @_once
    def funds(self) -> FundTotals:
        return FundTotals(self.database)

    @_once
    def spent_files(self) -> SpentFiles:
        return SpentFiles(self.database, self.keys)

    @_once
    def statistics(self) -> KeptStatistics:
        return KeptStatistics(self.database, self.clock)

    def gate(self, endpoint: str, method: str) -> Gate | None:
        """Return the gate that a request of `method` for `endpoint` meets."""
        return self.method_gates.get(endpoint, {}).get(method) or self.gates.get(endpoint)

    @property
    def jobs(self) -> URLSafeSerializer:
        """Signs job tokens."""
        return self.secrets.serializer("job")

    @property
    def passes(self) -> URLSafeSerializer:
        """Signs passes. Sites that share a ``SECRET_KEY`` do not open each other's pages."""
        return self.secrets.serializer(f"pass {self.settings.site_name}")

    def stands_beside(self, rule: Rule) -> bool:
        """Return whether our endpoints are found where `rule` is: not on a subdomain."""
        ours = self.app.url_map.iter_rules("ticketminer.redeem.redeem")
        return any(own.subdomain == rule.subdomain for own in ours)

    def url(self, path: str = "/") -> str:
        """Return the path-absolute URL of one of our endpoints, with the mount point of the current request."""
        return mounted(self.settings.url_prefix + path)

    def asset_url(self, name: str = "") -> str:
        """Return the address of a file of the page miner; without `name`, that of the tree, which ends with a slash."""
        return self.url(f"/assets/{current_assets().hash}/{name}")

    def fund(self, name: str | None) -> tuple[str | None, Fund]:
        """Return the fund called `name` and its name; without one, the site itself and None.

        :raises UnknownFund: there is none of this name.
        """
        if not name:
            return None, Fund(self.settings.site_name)
        fund = self.settings.funds.get(name)
        if fund is None:
            raise UnknownFund(f"There is no fund called {name[:64]!r} here; the service document lists them.")
        return name, fund

    def _announce_keys(self, keys: t.Sequence[MintKey]) -> None:
        tell(keys_rotated, self.app, keys=[(key.value, key.starts) for key in keys])


def current_site() -> Site:
    """Return the :class:`Site` of the current application.

    :raises ConfigurationError: the extension was not set up on it.
    """
    site = current_app.extensions.get("ticketminer")
    if site is None:
        raise ConfigurationError(
            "This application has no tickets: call TicketMiner(app), or tickets.init_app(app) in its factory."
        )
    return t.cast("Site", site)
