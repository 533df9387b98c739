"""``flask ticketminer config`` and ``routes``: how the site is set up."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

import click
from flask import Flask
from flask.cli import with_appcontext
from sqlalchemy import URL, make_url

from flask_ticketminer.cli.group import json_option, print_json, print_table
from flask_ticketminer.config import PREFIX, Settings, late_settings, uncompiled
from flask_ticketminer.forsale import Gate, Price
from flask_ticketminer.naming import foreign_name
from flask_ticketminer.paywall import describe_duration
from flask_ticketminer.secrets import weak_secrets
from flask_ticketminer.site import Site, current_site
from flask_ticketminer.work.coins import MOST_PROFITABLE
from flask_ticketminer.work.prices import FixedPrices, JsonPrices, PriceSource
from miner.pow import ALGORITHMS

_REDACTED = "(set; not shown)"
_NOT_SETTINGS = ("denominations", "testing", "coins", "prices")


@click.command("config")
@json_option
@with_appcontext
def config_command(as_json: bool) -> None:
    """Print the settings in force, and what is doubtful about them."""
    site = current_site()
    settings, database, warnings = _settings(site), _shown(site.database.url), _warnings(site)
    if as_json:
        print_json({"settings": settings, "database": database, "warnings": warnings})
        return
    for name, value in settings.items():
        click.echo(f"{name} = {value!r}")
    click.echo(f"\nThe tickets' database is {database}.")
    click.echo(_work(site.settings))
    for warning in warnings:
        click.echo(f"Warning: {warning}")


@click.command("routes")
@json_option
@with_appcontext
def routes_command(as_json: bool) -> None:
    """List the routes that cost tickets; fails when one of them would be served free."""
    site = current_site()
    site.finish_setup()
    routes = list(_routes(site))
    if as_json:
        print_json({"routes": routes})
    elif not routes:
        click.echo("No route costs tickets; put @ticket_required under an @app.route.")
    else:
        rows = [
            (
                route["endpoint"],
                ", ".join(route["methods"]),
                route["rule"],
                str(route["price"]),
                "once" if route["valid_for"] is None else describe_duration(route["valid_for"]),
                route["scope"] or "",
                route["required"],
            )
            for route in routes
        ]
        print_table(("endpoint", "methods", "rule", "price", "valid for", "scope", "required"), rows)


def _settings(site: Site) -> dict[str, t.Any]:
    values: dict[str, t.Any] = {
        PREFIX + field.name.upper(): getattr(site.settings, field.name)
        for field in dataclasses.fields(site.settings)
        if field.name not in _NOT_SETTINGS
    }
    for name in (f"{PREFIX}KEY_SECRET", "SECRET_KEY"):
        secret = values.get(name) if name in values else site.app.config.get(name)
        values[name] = None if secret is None else _REDACTED
    if site.settings.database_uri is not None:
        values[f"{PREFIX}DATABASE_URI"] = _shown(make_url(site.settings.database_uri))
    values[f"{PREFIX}FUNDS"] = {name: dataclasses.asdict(fund) for name, fund in site.settings.funds.items()}
    # Where they come from holds user names and passwords.
    values[f"{PREFIX}COINS"] = {
        coin.name: {"symbol": coin.symbol, "algorithm": coin.algorithm}
        for coin in site.settings.coins.values()
    }
    values[f"{PREFIX}PRICES"] = _source(site.settings.prices)
    for name in (f"{PREFIX}TICKET_WORTH", f"{PREFIX}SWITCH_MARGIN"):
        values[name] = None if values[name] is None else f"{values[name]:f}"
    effort = site.settings.effort
    values[f"{PREFIX}EFFORT"] = {name: effort[name] for name in effort if name in ALGORITHMS}
    return values


def _work(settings: Settings) -> str:
    """Say what visitors compute, which takes several settings together."""
    offered = [f"{coin.algorithm} for {coin.name}" for coin in settings.offered_coins]
    if offered:
        return f"Visitors compute {' or '.join(offered)}, as long as flask ticketminer bridge runs beside the web server."
    return f"Visitors compute {settings.algorithm}; the site itself checks it, and it goes nowhere else."


def _source(prices: PriceSource | None) -> str | None:
    """Return what prices come from, without keys that may stand in its address or headers."""
    if isinstance(prices, FixedPrices | JsonPrices):
        return repr(prices)
    return None if prices is None else f"<{type(prices).__name__}>"


def _shown(url: URL) -> str:
    """Return `url` without its secrets, which may also stand in its query."""
    secret = ("pass", "secret", "key", "token")
    query = {
        name: "redacted" if any(word in name.lower() for word in secret) else value
        for name, value in url.query.items()
    }
    return url.set(query=query).render_as_string(hide_password=True)


def _warnings(site: Site) -> list[str]:
    return list(_doubts(site.app, site))


def _doubts(app: Flask, site: Site) -> t.Iterator[str]:
    if site.settings.site_name == "localhost":
        yield (
            f"the site is called 'localhost', and tickets carry that name: set {PREFIX}SITE_NAME (or SERVER_NAME) before the "
            "first ticket is issued."
        )
    for doubt in (
        late_settings(app, site.given),
        foreign_name(app, site.settings),
        uncompiled(site.settings),
    ):
        if doubt is not None:
            yield doubt
    if not app.config.get("SECRET_KEY"):
        yield "SECRET_KEY is not set, so nothing can be signed."
    yield from upstream_doubts(site.settings)
    for name in weak_secrets(app, site.settings):
        yield f"{name} is short or a well-known default; production refuses it. Use at least 16 random characters."
    if site.database.is_memory:
        yield "the tickets are in memory: they end with this process."
    elif site.database.is_sqlite:
        yield "the tickets are in SQLite, where one process writes at a time; a busy site uses PostgreSQL or MariaDB."
    if site.settings.allow_http:
        yield f"{PREFIX}ALLOW_HTTP is on: whoever reads the network can take tickets."


def upstream_doubts(settings: Settings) -> t.Iterator[str]:
    """Yield what of the settings of coins and their market does nothing, or not what it seems to."""
    offered = settings.offered_coins
    if settings.coins and settings.coin is None:
        yield f"{PREFIX}COIN is None: visitors' work is local, and none of {PREFIX}COINS gets it."
    if offered and settings.prices is None:
        if settings.coin == MOST_PROFITABLE:
            yield (
                f"{PREFIX}COIN is {MOST_PROFITABLE!r}, which needs {PREFIX}PRICES: without them visitors compute for the first coin "
                "that has work."
            )
        if settings.ticket_worth is not None:
            yield f"{PREFIX}TICKET_WORTH has no effect without {PREFIX}PRICES."
    if settings.ticket_worth is not None and not offered:
        yield f"{PREFIX}TICKET_WORTH has no effect on local work, which has no worth: name a coin in {PREFIX}COIN."
    if settings.tip_events is not None and not offered:
        yield f"{PREFIX}TIP_EVENTS has no effect on local work: name a coin in {PREFIX}COIN."


def _routes(site: Site) -> t.Iterator[dict[str, t.Any]]:
    for rule in site.app.url_map.iter_rules():
        gate = site.gates.get(rule.endpoint)
        if gate is None:
            continue
        methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        for found, gated in _by_method(site.app.view_functions[rule.endpoint], gate, methods):
            yield {
                "endpoint": rule.endpoint,
                "methods": gated,
                "rule": rule.rule,
                "price": _price(found.price),
                "valid_for": None if found.valid_for is None else int(found.valid_for.total_seconds()),
                "scope": found.scope,
                "required": found.required,
                "donation": found.donation,
            }


def _by_method(
    view: t.Callable[..., t.Any], gate: Gate, methods: list[str]
) -> t.Iterator[tuple[Gate, list[str]]]:
    """Yield each gate with its methods: those of a class-based view may have gates of their own."""
    view_class = getattr(view, "view_class", None)
    own = {
        method: getattr(getattr(view_class, method.lower(), None), "_ticketminer_gate", None)
        for method in methods
    }
    if all(found is not gate for found in own.values()):
        yield gate, methods
        return
    for method, found in own.items():
        if found is not None:
            yield found, [method]


def _price(price: Price) -> int | str:
    if not callable(price):
        return price
    function: t.Any = price.func if isinstance(price, functools.partial) else price
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', '?')}.{name}()"
