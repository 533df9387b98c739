"""``flask ticketminer bridge``: shares to pools and nodes, and work from them."""

from __future__ import annotations

import asyncio
import logging
import sys

import click
from flask.cli import with_appcontext

from flask_ticketminer.cli.coins import chosen_coins, coin_option
from flask_ticketminer.site import current_site
from flask_ticketminer.work.bridge.service import Bridge


@click.command("bridge")
@coin_option
@click.option("-q", "--quiet", is_flag=True, help="Say only what is wrong.")
@with_appcontext
def bridge_command(names: tuple[str, ...], quiet: bool) -> None:
    """Talk to the mining pools and coin nodes of TICKETMINER_COINS, for all processes of this site.

    Run one, beside the web server; a second waits until the first has gone. It ends on Ctrl-C or SIGTERM.
    """
    site = current_site()
    coins = chosen_coins(site, names)
    _log(logging.WARNING if quiet else logging.INFO)
    asyncio.run(Bridge(site, coins).serve())


def _log(level: int) -> None:
    """Print what the bridge has to say, with the time, unless the application logs already."""
    logger = logging.getLogger("flask_ticketminer.work")
    logger.setLevel(level)
    if not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%Y-%m-%d %H:%M:%S"))
        logger.addHandler(handler)
        logger.propagate = False
