"""``flask ticketminer bridge``: shares to pools and nodes, and work from them."""

from __future__ import annotations

import asyncio
import logging
import sys

import click
from flask.cli import with_appcontext

from flask_ticketminer.cli.coins import chosen_coins, coin_option
from flask_ticketminer.site import current_site
from flask_ticketminer.work.bridge.events import read_address
from flask_ticketminer.work.bridge.service import Bridge


@click.command("bridge")
@coin_option
@click.option(
    "--listen",
    metavar="HOST:PORT",
    callback=lambda _, __, text: None if text is None else _address(text),
    help="Also serve the tip as an event stream here. A port alone is one of 127.0.0.1.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say only what is wrong.")
@with_appcontext
def bridge_command(names: tuple[str, ...], listen: tuple[str, int] | None, quiet: bool) -> None:
    """Talk to the mining pools and coin nodes of TICKETMINER_COINS, for all processes of this site.

    Run one, beside the web server; a second waits until the first has gone. It ends on Ctrl-C or SIGTERM.
    """
    site = current_site()
    coins = chosen_coins(site, names)
    _log(logging.WARNING if quiet else logging.INFO)
    asyncio.run(Bridge(site, coins, listen=listen).serve())


def _address(text: str) -> tuple[str, int]:
    try:
        return read_address(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


def _log(level: int) -> None:
    """Print what the bridge has to say, with the time, unless the application logs already."""
    client = logging.getLogger("httpx")
    if client.level == logging.NOTSET:
        # Below, it writes down each URL, and that of a price service may have a key in it.
        client.setLevel(logging.WARNING)
    logger = logging.getLogger("flask_ticketminer")
    logger.setLevel(level)
    if not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%Y-%m-%d %H:%M:%S"))
        logger.addHandler(handler)
        logger.propagate = False
