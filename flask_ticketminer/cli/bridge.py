"""``flask ticketminer bridge``: shares to pools and nodes, and work from them."""

from __future__ import annotations

import asyncio
import logging
import sys
import typing as t

import click
from flask.cli import with_appcontext

from flask_ticketminer.cli.coins import chosen_coins, coin_option
from flask_ticketminer.cli.setup import upstream_doubts
from flask_ticketminer.config import Settings
from flask_ticketminer.site import current_site
from flask_ticketminer.work.bridge.events import read_address
from flask_ticketminer.work.bridge.service import Bridge

log = logging.getLogger("flask_ticketminer.work.bridge")


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
    for doubt in (*upstream_doubts(site.settings), *stream_doubts(site.settings, listen)):
        log.warning("%s", doubt)
    asyncio.run(Bridge(site, coins, listen=listen).serve())


def _address(text: str) -> tuple[str, int]:
    try:
        return read_address(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


def stream_doubts(settings: Settings, listen: tuple[str, int] | None) -> t.Iterator[str]:
    """Yield a warning where a bridge's ``--listen`` and ``TICKETMINER_TIP_EVENTS`` do not go together."""
    if listen is not None and settings.tip_events is None:
        yield (
            "The event stream is served, but no miner is told of it: set TICKETMINER_TIP_EVENTS to the path at which the "
            "proxy leads to it."
        )
    if listen is None and settings.tip_events is not None and settings.offered_coins:
        yield (
            "TICKETMINER_TIP_EVENTS sends miners to an event stream, and this bridge serves none: start it with --listen, "
            "unless another one does."
        )


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
