"""``flask ticketminer stats``, ``audit`` and ``prune``: the books."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t

import click
from flask.cli import with_appcontext

from flask_ticketminer.cli.group import date, json_option, print_json, print_table
from flask_ticketminer.mint.audit import AuditLine, audit
from flask_ticketminer.mint.retirement import Pruned, prunable, prune
from flask_ticketminer.mint.statistics import PAID, UPSTREAM, statistics
from flask_ticketminer.site import Site, current_site
from flask_ticketminer.tables import BLOCK_STATES
from flask_ticketminer.wording import plural
from flask_ticketminer.work.market import coin_text


@click.command("stats")
@json_option
@with_appcontext
def stats_command(as_json: bool) -> None:
    """Print what was mined, issued, paid and donated."""
    site = current_site()
    numbers = statistics(site.database, site.clock.now())
    if as_json:
        print_json(numbers)
    else:
        _print_statistics(numbers)


@click.command("audit")
@json_option
@with_appcontext
def audit_command(as_json: bool) -> None:
    """Count the ledger's rows again; exits with 0 only when every identity holds."""
    report = audit(current_site().database)
    if as_json:
        lines = [{**dataclasses.asdict(line), "holds": line.holds} for line in report.lines]
        print_json({"balanced": report.balanced, "lines": lines})
    else:
        for line in report.lines:
            click.echo(_audit_line(line))
        failed = sum(not line.holds for line in report.lines)
        click.echo(
            "The ledger balances." if report.balanced else f"The ledger does not balance: {failed} failed."
        )
    if not report.balanced:
        raise click.exceptions.Exit(1)


@click.command("prune")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--force", is_flag=True, help="Believe the clock although it has jumped.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
@json_option
@with_appcontext
def prune_command(dry_run: bool, force: bool, yes: bool, as_json: bool) -> None:
    """Release overdue payments, forget old replies, close expired epochs."""
    site = current_site()
    if dry_run:
        pruned = prunable(site.database, site.settings, site.clock, force=force)
    else:
        if force and not yes:
            _confirm(site)
        pruned = prune(site.database, site.settings, site.clock, force=force)
    if as_json:
        print_json({"dry_run": dry_run, **dataclasses.asdict(pruned)})
    else:
        click.echo(_pruned(pruned, "Would go" if dry_run else "Gone"))


def _confirm(site: Site) -> None:
    """Ask before keys are deleted by a clock that may be wrong."""
    retired = prunable(site.database, site.settings, site.clock, force=True).retired
    if retired:
        now = dt.datetime.fromtimestamp(site.clock.now(), dt.UTC)
        click.confirm(
            f"By the database's clock it is {now:%Y-%m-%d %H:%M} UTC. If that is wrong, this destroys tickets that are still "
            f"good, for ever: all those of {plural(retired, 'key')}. Go on?",
            abort=True,
            err=True,
        )


def _pruned(pruned: Pruned, verb: str) -> str:
    return (
        f"{verb}: {plural(pruned.released, 'overdue payment')} (the tickets are free again), "
        f"{plural(pruned.shares, 'reply', 'replies')} to shares, {plural(pruned.payments, 'reply', 'replies')} to payments, "
        f"{plural(pruned.retired, 'key')} of closed epochs."
    )


def _audit_line(line: AuditLine) -> str:
    sign = "<=" if line.at_most else "="
    verdict = "ok" if line.holds else "FAILED"
    return f"{verdict:6}  {line.name}: {line.found:,} {sign} {line.expected:,}"


def _print_statistics(numbers: dict[str, t.Any]) -> None:
    shares, tickets, value = numbers["shares"], numbers["tickets"], numbers["value"]
    print_table(
        ("", "number", "value"),
        [
            ("shares accepted", shares["accepted"], shares["value"]),
            ("tickets issued", sum(tickets["issued"].values()), value["issued"]),
            ("tickets spent", sum(tickets["spent"].values()), value["spent"]),
        ],
    )
    click.echo(
        f"\n{plural(numbers['payments'], 'payment')} brought {plural(value['paid'], 'ticket')}, {value['donated']:,} of them "
        f"donated; work donated {shares['donated_value']:,} more."
    )
    for fund in numbers["funds"]:
        click.echo(f"  {fund['fund'] or 'the site itself'}: {fund['donated']:,}")
    if numbers["coins"]:
        _print_coins(numbers["coins"])
    if numbers["keys"]:
        click.echo()
        print_table(
            ("key", "value", "from", "redeem until", "issued", "spent"),
            [
                (
                    key["key_id"][:16],
                    key["value"],
                    date(key["not_before"]),
                    date(key["redeem_until"]),
                    key["issued"],
                    key["spent"],
                )
                for key in numbers["keys"]
            ],
        )


def _print_coins(coins: t.Sequence[dict[str, t.Any]]) -> None:
    """Print the two accounts of each coin, one below the other: they are not the same thing, and nothing is netted."""
    paid = [(coin["coin"], *(coin["paid"][name] for name in PAID)) for coin in coins]
    click.echo("\nWhat this site paid for work")
    print_table(("coin", "shares", "tickets", "hashes"), paid)
    click.echo("\nWhat upstream took of it")
    taken = [(coin["coin"], *(coin["upstream"][name] for name in UPSTREAM)) for coin in coins]
    print_table(("coin", *(name.replace("_", " ") for name in UPSTREAM)), taken)
    blocks = [
        (coin["coin"], state, coin["blocks"][state], coin_text(coin["rewards"][state]))
        for coin in coins
        for state in BLOCK_STATES
        if coin["blocks"][state]
    ]
    if blocks:
        click.echo("\nBlocks that nodes of this site took")
        print_table(("coin", "state", "blocks", "reward"), blocks)
