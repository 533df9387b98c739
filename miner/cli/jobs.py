"""``ticketminer jobs``: recent runs of mining."""

from __future__ import annotations

import dataclasses

import click

from miner.cli import text
from miner.cli.options import Command, Options, shared
from miner.cli.session import Session
from miner.wallet import MiningRun


@click.command("jobs", cls=Command)
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@shared(network=False)
def jobs(options: Options, limit: int) -> None:
    """List recent runs of mining with their shares, and the shares whose answer is still missing."""
    with Session(options) as session:
        runs = session.wallet.jobs(limit)
        waiting = session.wallet.unanswered(kind="submit")
        if options.output.as_json:
            for run in runs:
                options.output.object(dataclasses.asdict(run))
            return
        lines = [_line(run) for run in runs] or ["No runs yet. Start one with: ticketminer mine https://SITE"]
        if waiting:
            lines.append(
                f"{text.plural(len(waiting), 'share')} without an answer; send them again with: ticketminer wallet recover"
            )
        options.output.result("\n".join(lines), {})


def _line(run: MiningRun) -> str:
    verb = "given" if run.donation else "received"
    speed = f", {text.rate(run.hashes / run.seconds)}" if run.seconds else ""
    return (
        f"{text.moment(run.started)}  {run.origin}  {run.algorithm}: {text.tickets(run.tickets)} {verb}, "
        f"{run.accepted:,} accepted, {run.refused:,} refused in {text.duration(run.seconds)}{speed}"
    )
