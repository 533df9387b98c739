"""``flask ticketminer upstream``: how the talks of the bridge go."""

from __future__ import annotations

import typing as t

import click
from flask.cli import with_appcontext

from flask_ticketminer.cli.coins import chosen_coins, coin_option
from flask_ticketminer.cli.group import json_option, print_json, print_table
from flask_ticketminer.site import current_site
from flask_ticketminer.tables import FATES
from flask_ticketminer.wording import plural
from flask_ticketminer.work.outbox import PENDING, SENDING
from flask_ticketminer.work.overview import Bridged, overview


@click.command("upstream")
@coin_option
@json_option
@with_appcontext
def upstream_command(names: tuple[str, ...], as_json: bool) -> None:
    """Say how the bridge's talks with pools and nodes go.

    Exits with 0 only when every coin has work.
    """
    site = current_site()
    coins = chosen_coins(site, names)
    seen, choice = overview(site.database, site.clock.now(), [coin.name for coin in coins])
    offered = site.settings.offered_coins
    asked_for = offered[0].name if len(offered) == 1 else choice
    if as_json:
        print_json({"asked_for": asked_for, "coins": [_members(each) for each in seen]})
    else:
        _print(seen, asked_for, len(offered))
    if not all(each.works for each in seen):
        raise click.exceptions.Exit(1)


def _members(seen: Bridged) -> dict[str, t.Any]:
    return {
        "coin": seen.coin,
        "state": seen.state,
        "holder": seen.holder,
        "since": seen.since,
        "detail": seen.detail,
        "template_age": seen.template_age,
        "outbox": {state: seen.outbox.get(state, 0) for state in (PENDING, SENDING, *FATES)},
    }


def _print(seen: t.Sequence[Bridged], asked_for: str | None, offered: int) -> None:
    rows = [
        (
            each.coin,
            each.state,
            "" if each.since is None else _age(each.since),
            "" if each.template_age is None else _age(each.template_age),
            *(each.outbox.get(state, 0) for state in (PENDING, SENDING, *FATES)),
            each.holder,
        )
        for each in seen
    ]
    print_table(("coin", "state", "since", "work", PENDING, SENDING, *FATES, "bridge"), rows)
    click.echo()
    for each in seen:
        if each.detail:
            click.echo(f"{each.coin}: {each.detail}")
    if any(each.holder and not each.works for each in seen):
        click.echo("flask ticketminer pool test says more about a pool or node that gives no work.")
    if not any(each.holder for each in seen):
        click.echo(
            "No bridge runs: start flask ticketminer bridge, and keep it running beside the web server."
        )
    if asked_for:
        others = ", those who cannot for another coin" if offered > 1 else ""
        click.echo(f"Visitors are asked to compute for {asked_for}{others}.")
    elif offered:
        click.echo("No coin is chosen yet: a bridge does that as soon as one has work.")
    else:
        click.echo("TICKETMINER_COIN is None: visitors' work is local, and none of these coins gets it.")


def _age(seconds: int) -> str:
    """Return how long something has lasted, in its largest unit."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return plural(seconds // size, unit)
    return f"{seconds} s"
