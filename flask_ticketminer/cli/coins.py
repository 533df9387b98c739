"""Coins as commands take them."""

from __future__ import annotations

import typing as t

import click

from flask_ticketminer.errors import ConfigurationError
from flask_ticketminer.site import Site
from flask_ticketminer.work.coins import Coin

F = t.TypeVar("F", bound=t.Callable[..., t.Any])


def coin_option(command: F) -> F:
    """Add ``--coin``, as the parameter ``names``."""
    option = click.option(
        "--coin", "names", multiple=True, metavar="NAME", help="Only this coin; may be repeated."
    )
    return option(command)


def chosen_coins(site: Site, names: tuple[str, ...]) -> list[Coin]:
    """Return the coins called `names`, or all.

    :raises ConfigurationError: there are none.
    :raises click.BadParameter: one of them is not there.
    """
    coins = site.settings.coins
    if not coins:
        raise ConfigurationError(
            "This site's work is local, so there is no pool and no node. Name one in TICKETMINER_COINS, before "
            "TicketMiner(app) or init_app(app) reads the settings."
        )
    unknown = sorted(set(names) - set(coins))
    if unknown:
        raise click.BadParameter(
            f"no such coin: {', '.join(unknown)}. TICKETMINER_COINS has {', '.join(coins)}.",
            param_hint="'--coin'",
        )
    return [coins[name] for name in names or coins]
