"""The extension: :class:`TicketMiner`."""

from __future__ import annotations

import os
import threading
import typing as t

from flask import Blueprint, Flask, Response, current_app, has_request_context, request

from flask_ticketminer.blueprints import make_blueprint
from flask_ticketminer.blueprints.keys import directory
from flask_ticketminer.clock import Clock
from flask_ticketminer.config import Settings, late_settings, read_settings, uncompiled
from flask_ticketminer.database import Database
from flask_ticketminer.errors import ConfigurationError, UngatedView
from flask_ticketminer.forks import Shared
from flask_ticketminer.forsale import Gate, Price
from flask_ticketminer.gate import gate_of, gated, gated_functions, method_gates
from flask_ticketminer.mint.directory import WELL_KNOWN
from flask_ticketminer.mint.key_pool import pooled_keys
from flask_ticketminer.mint.keys import generate_rsa
from flask_ticketminer.naming import foreign_name
from flask_ticketminer.pages import register_pages
from flask_ticketminer.paywall import mark_gated
from flask_ticketminer.site import Site
from flask_ticketminer.tables import define_tables
from flask_ticketminer.templating import register_functions, register_globals
from flask_ticketminer.transport import is_local_name

if t.TYPE_CHECKING:
    from datetime import timedelta

    from babel import Locale
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from flask_sqlalchemy import SQLAlchemy
    from sqlalchemy import Engine, MetaData

PaywallCallback = t.Callable[..., t.Any]
LanguageCallback = t.Callable[[], "str | Locale | None"]


class TicketMiner:
    """Tickets for one or several Flask applications.

    ::

        tickets = TicketMiner(app)                # its own database, in the instance folder
        tickets = TicketMiner(db=db)              # the host's Flask-SQLAlchemy; then tickets.init_app(app)

    :param app: set up this application now.
    :param db: the host's ``SQLAlchemy`` object, whose database the tickets share; tables are defined on its metadata at
        once, so that migrations find them.
    :param bind_key: which of the host's databases.
    :param clock: where the time comes from, instead of the database; for tests.
    """

    #: Replaces the 402 page for browsers; set by :meth:`payment_required_handler`.
    payment_required_callback: PaywallCallback | None = None
    #: Chooses the language of our pages; set by :meth:`language_selector`.
    language_callback: LanguageCallback | None = None

    def __init__(
        self,
        app: Flask | None = None,
        *,
        db: SQLAlchemy | None = None,
        bind_key: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.db = db
        self.bind_key = bind_key
        self.clock = clock
        self._gated_blueprints: list[tuple[Blueprint, Gate]] = []
        if db is not None:
            define_tables(self._metadata)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Set up `app`: settings, endpoints, template functions. Opens no file, socket, thread or connection.

        Settings are read here, once, from ``TICKETMINER_…`` keys; later changes have no effect. They are listed in
        ``docs/config.rst`` and by ``flask ticketminer config``.

        :raises ConfigurationError: a setting cannot work, `app` was set up before, or it uses ``host_matching``.
        """
        if "ticketminer" in app.extensions:
            raise ConfigurationError(
                "Tickets are already set up on this application: call either TicketMiner(app) or init_app(app), and once."
            )
        if app.url_map.host_matching:
            raise ConfigurationError(
                "host_matching gives every route a host, and the endpoints of the tickets have none: they would be found nowhere. "
                "Serve each host by an application of its own, or use subdomain_matching."
            )
        settings = read_settings(app)
        site = Site(app, self, settings)
        app.extensions["ticketminer"] = site
        blueprint = make_blueprint(settings.url_prefix)
        app.register_blueprint(blueprint)
        app.add_url_rule(WELL_KNOWN, "ticketminer.well_known", directory)
        register_pages(app)
        register_functions(app)
        # The first registered runs last.
        app.after_request_funcs.setdefault(None, []).insert(0, mark_gated)
        app.after_request(_tidy_after)
        _exempt_from_csrf(app)
        site.finish_setup = _FirstRequest(site, self._gated_blueprints)
        app.before_request(site.finish_setup)

    def payment_required_handler(self, callback: PaywallCallback) -> PaywallCallback:
        """Let `callback` make the 402 page for browsers; used as a decorator.

        It gets the variables of ``ticketminer/402.html`` as keyword arguments and returns anything a view may return; the
        status and the headers are the extension's.
        """
        self.payment_required_callback = callback
        return callback

    def language_selector(self, callback: LanguageCallback) -> LanguageCallback:
        """Let `callback` choose the language of our pages for the current request; used as a decorator.

        It returns a language tag such as ``de``, or a :class:`babel.Locale`, as Flask-Babel's ``get_locale`` does. None, or a
        language that there is not, leaves it to ``TICKETMINER_LANGUAGE`` and the visitor's browser.
        """
        self.language_callback = callback
        return callback

    def gate(
        self,
        blueprint: Blueprint,
        *,
        price: Price,
        valid_for: timedelta | None = None,
        scope: str | None = None,
        required: bool = True,
    ) -> None:
        """Gate every route of `blueprint`, as :func:`~flask_ticketminer.ticket_required` gates one.

        Blueprints nested in it are included; static files, and views with a gate of their own, are left as they are.
        """
        self._gated_blueprints.append((blueprint, Gate(price, valid_for, scope, required)))

    def open_database(self, app: Flask, settings: Settings) -> Database:
        """Return the database of the tickets of `app`; internal, called at first use.

        :raises ConfigurationError: the application has Flask-SQLAlchemy, and it was not said which database to use.
        """
        if self.db is not None:
            return Database(host=lambda: self._host_engine(app), tables=define_tables(self._metadata))
        if settings.database_uri is not None:
            return Database(settings.database_uri)
        if "sqlalchemy" in app.extensions:
            raise ConfigurationError(
                "This application uses Flask-SQLAlchemy. Say where the tickets go: TicketMiner(db=db) puts them into its "
                "database, TICKETMINER_DATABASE_URI into one of their own."
            )
        os.makedirs(app.instance_path, exist_ok=True)
        return Database("sqlite:///" + os.path.join(app.instance_path, "ticketminer.sqlite"))

    @property
    def _metadata(self) -> MetaData:
        return t.cast("SQLAlchemy", self.db).metadatas[self.bind_key]

    def _host_engine(self, app: Flask) -> Engine:
        if "sqlalchemy" not in app.extensions:
            raise ConfigurationError(
                "TicketMiner(db=db) shares the database of db, which is not set up on this application: call db.init_app(app)."
            )
        with app.app_context():
            return t.cast("SQLAlchemy", self.db).engines[self.bind_key]

    def key_source(self, app: Flask) -> t.Callable[[], RSAPrivateKey]:
        """Return what makes the RSA-2048 key pairs of `app`; applications under test share a pool of them."""
        return pooled_keys() if app.testing else generate_rsa


class _FirstRequest(Shared):
    """Finishes the set-up when the first request comes, and all routes are known."""

    def __init__(self, site: Site, gated_blueprints: list[tuple[Blueprint, Gate]]) -> None:
        self.site = site
        self.gated_blueprints = gated_blueprints
        self.done = False
        super().__init__()

    def _begin_process(self) -> None:
        # A set-up that was half finished is gone through again: what was gated stays gated.
        self.lock = threading.Lock()

    def __call__(self) -> None:
        if self.done:
            return
        with self.lock:
            if not self.done:
                self.finish()
                self.done = True

    def finish(self) -> None:
        app = self.site.app
        _exempt_from_csrf(app)  # again, for a protection that was set up after us
        register_globals(app)
        # "flask ticketminer routes" finishes the set-up outside a request.
        remote = has_request_context() and not is_local_name(request.host)
        if self.site.settings.site_name == "localhost" and remote and not (app.debug or app.testing):
            app.logger.warning(
                "Tickets are issued in the name of 'localhost'. Set TICKETMINER_SITE_NAME (or SERVER_NAME) to this site's name."
            )
        for doubt in (foreign_name(app, self.site.settings), uncompiled(self.site.settings)):
            if doubt is not None and not (app.debug or app.testing):
                app.logger.warning(doubt)
        late = late_settings(app, self.site.given)
        if late is not None and not app.testing:
            app.logger.warning(late)
        # The innermost first: a blueprint in another keeps its own price, in whatever order they were gated.
        for blueprint, gate in sorted(self.gated_blueprints, key=lambda gating: -self._depth(gating[0])):
            self._gate_blueprint(blueprint, gate)
        for endpoint, view in app.view_functions.items():
            gate_found, by_method = gate_of(view), method_gates(view)
            if gate_found is None and view in gated_functions:
                raise UngatedView(
                    f"The view of {endpoint!r} is registered without its gate and would be served free: put "
                    "@ticket_required under @app.route, not above it."
                )
            if by_method:
                self.site.method_gates[endpoint] = by_method
            gate_found = gate_found or next(iter(by_method.values()), None)
            if gate_found is not None:
                self._refuse_subdomains(endpoint)
                self.site.gates[endpoint] = gate_found

    def _refuse_subdomains(self, endpoint: str) -> None:
        """Refuse a gate where our endpoints cannot be reached: its 402 would name addresses that are not there."""
        if not all(self.site.stands_beside(rule) for rule in self.site.app.url_map.iter_rules(endpoint)):
            raise ConfigurationError(
                f"The gated view of {endpoint!r} stands on a subdomain, where {self.site.settings.url_prefix}/… does not "
                "exist, so it could not be paid for. Gate routes of the main host only."
            )

    def _depth(self, blueprint: Blueprint) -> int:
        """Return how deeply `blueprint` is nested at most."""
        blueprints = self.site.app.blueprints.items()
        return max((name.count(".") for name, registered in blueprints if registered is blueprint), default=0)

    def _gate_blueprint(self, blueprint: Blueprint, gate: Gate) -> None:
        app = self.site.app
        names = [name for name, registered in app.blueprints.items() if registered is blueprint]
        if not names:
            raise ConfigurationError(
                f"tickets.gate() was given the blueprint {blueprint.name!r}, which is not registered on this application."
            )
        for endpoint, view in list(app.view_functions.items()):
            owner, _, name = endpoint.rpartition(".")
            inside = any(owner == outer or owner.startswith(f"{outer}.") for outer in names)
            if inside and name != "static" and gate_of(view) is None:
                app.view_functions[endpoint] = gated(view, gate)


def _tidy_after(response: Response) -> Response:
    """Let the housekeeper do a round after this answer has been sent, when it is due and tickets had to do with it."""
    site: Site = current_app.extensions["ticketminer"]
    ours = request.blueprints[-1:] == ["ticketminer"]
    if (ours or request.endpoint in site.gates) and site.housekeeper.due:
        response.call_on_close(site.housekeeper.run)
    return response


def _exempt_from_csrf(app: Flask) -> None:
    """Exempt our endpoints from Flask-WTF's protection: they use no cookie, no session, nothing ambient."""
    csrf: t.Any = app.extensions.get("csrf")
    if hasattr(csrf, "exempt"):
        for name, blueprint in app.blueprints.items():
            if name == "ticketminer" or name.startswith("ticketminer."):
                csrf.exempt(blueprint)
