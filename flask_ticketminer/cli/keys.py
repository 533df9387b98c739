"""``flask ticketminer keys``: the ticket keys of each denomination and epoch."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

import click
from flask.cli import AppGroup

from flask_ticketminer.cli.group import date, json_option, print_json, print_table
from flask_ticketminer.mint.keys import MintKey
from flask_ticketminer.site import current_site
from flask_ticketminer.wording import plural

keys = AppGroup("keys", help="List, make and rewrap the keys that sign tickets.")


@keys.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """List the keys that are not retired; makes none."""
    site = current_site()
    _show(
        site.keys.live_keys(),
        site.clock.now(),
        as_json,
        "There are no keys yet; the first visitor makes them.",
    )


@keys.command()
@json_option
def create(as_json: bool) -> None:
    """Make what is missing now, and check that every current key can sign."""
    site = current_site()
    made = site.keys.ensure_epoch()
    for value in site.settings.denominations:
        site.keys.current(value)
    _show(made, site.clock.now(), as_json, "Every key is there, and every current key can sign.")


@keys.command()
@json_option
def rotate(as_json: bool) -> None:
    """Make the keys of the current and of the next epoch now; deletes none."""
    site = current_site()
    made = site.keys.rotate()
    _show(made, site.clock.now(), as_json, "The keys of this epoch and of the next are there already.")


@keys.command()
@json_option
def rewrap(as_json: bool) -> None:
    """Wrap every private key under the newest secret, so that the older ones can go."""
    number = current_site().keys.rewrap()
    if as_json:
        print_json({"rewrapped": number})
    else:
        click.echo(f"{plural(number, 'key')} rewrapped under the newest secret.")


def _show(listed: Sequence[MintKey], now: int, as_json: bool, nothing: str) -> None:
    if as_json:
        print_json({"keys": [_members(key, now) for key in listed]})
    elif not listed:
        click.echo(nothing)
    else:
        rows = [
            (
                key.key_id.hex()[:16],
                key.value,
                date(key.starts),
                date(key.ends),
                date(key.redeem_until),
                _state(key, now),
            )
            for key in listed
        ]
        print_table(("key", "value", "from", "issues until", "redeem until", "state"), rows)


def _members(key: MintKey, now: int) -> dict[str, t.Any]:
    return {
        "key_id": key.key_id.hex(),
        "value": key.value,
        "not_before": key.starts,
        "issue_until": key.ends,
        "redeem_until": key.redeem_until,
        "issuer_name": key.issuer_name,
        "state": _state(key, now),
    }


def _state(key: MintKey, now: int) -> str:
    if now < key.starts:
        return "next"
    if now < key.ends:
        return "current"
    return "expired" if key.expired_at(now) else "redeemable"
