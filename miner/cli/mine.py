"""``ticketminer mine``: compute for sites and collect tickets."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import click

from miner.cli.benchmark import report
from miner.cli.mining import Effort, mine, print_summary
from miner.cli.options import ADDRESS, Command, Options, shared
from miner.cli.session import Session
from miner.cli.status import Status
from miner.client import SiteClient
from miner.engine import Reason
from miner.errors import MinerError, SecurityError, SiteError
from miner.pow import ALGORITHMS


@click.command("mine", cls=Command)
@click.argument("urls", nargs=-1, type=ADDRESS, metavar="URL...")
@click.option("-o", "--url", multiple=True, type=ADDRESS, metavar="URL", help="A site; may be repeated.")
@click.option(
    "-a",
    "--algo",
    multiple=True,
    type=click.Choice(sorted(ALGORITHMS)),
    help="Algorithm; may be repeated, best first. All but ethash by default.",
)
@click.option(
    "-t", "--threads", type=click.IntRange(1, 256), help="Hashing threads; half the cores by default."
)
@click.option(
    "--duty", type=click.IntRange(1, 100), default=50, show_default=True, help="Percent of the time to hash."
)
@click.option("--tickets", type=click.IntRange(1), metavar="N", help="Stop after N tickets.")
@click.option(
    "--time-limit", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Stop then."
)
@click.option("--donate", is_flag=True, help="Give the work to the site; no tickets.")
@click.option("--fund", metavar="NAME", help="Give it to this fund of the site.")
@click.option(
    "--pause-on-battery/--no-pause-on-battery", default=True, show_default=True, help="Pause on battery."
)
@click.option("--yes", is_flag=True, help="Agree to the sites' consent texts.")
@click.option("-B", "--background", is_flag=True, help="Go on in the background; says how to stop it.")
@click.option("--benchmark", "only_measure", is_flag=True, help="Measure this machine and stop.")
@shared()
def mine_command(
    options: Options,
    urls: tuple[str, ...],
    url: tuple[str, ...],
    algo: tuple[str, ...],
    threads: int | None,
    duty: int,
    tickets: int | None,
    time_limit: float | None,
    donate: bool,
    fund: str | None,
    pause_on_battery: bool,
    yes: bool,
    background: bool,
    only_measure: bool,
) -> int:
    """Compute for the sites at URL... and collect tickets.

    Uses half the cores, half the time, and pauses on battery. While it runs on a terminal: p pauses, r resumes, q
    quits. Ctrl-C ends it too; nothing that was found is lost.
    """
    if only_measure:
        report(options, list(algo) or list(ALGORITHMS), threads=threads, seconds=3.0)
        return Status.OK
    addresses = list(dict.fromkeys(urls or url))
    if not addresses:
        raise click.UsageError("Name a site: ticketminer mine https://shop.example")
    if fund is not None and not donate:
        raise click.UsageError("--fund says where a donation goes; add --donate.")
    effort = Effort(
        algorithms=algo,
        threads=threads,
        duty=duty,
        pause_on_battery=pause_on_battery,
        time_limit=time_limit,
        tickets=tickets,
        donate=donate,
        fund=fund,
    )
    with Session(options) as session:
        sites = _reachable(session, addresses, yes=yes)
        if background:
            return _go_on_in_background(session)
        outcome = mine(session, sites, effort)
        print_summary(options.output, outcome)
        session.suggest_backup()
    if outcome.interrupted:
        return Status.INTERRUPTED
    if Reason.TIME_LIMIT in outcome.picture.reasons and tickets is not None:
        return Status.NOT_ENOUGH
    return Status.OK


def _reachable(session: Session, addresses: list[str], *, yes: bool) -> list[SiteClient]:
    """Return the sites that answer and that the visitor agrees to, their old tickets renewed; fail only when none does."""
    sites: dict[str, SiteClient] = {}
    problems: list[MinerError] = []
    for address in addresses:
        try:
            site = session.site(address)
            session.consent(site, yes=yes)
            site.renew()
        except (SiteError, SecurityError) as error:
            problems.append(error)
            if len(addresses) > 1:
                session.output.note(f"Leaving out {address}: {error}")
        else:
            sites[site.origin] = site
    if not sites:
        raise problems[-1]
    return list(sites.values())


def log_path() -> pathlib.Path:
    """Return ``$XDG_STATE_HOME/ticketminer/mine.log``, in ``~/.local/state`` when that is not set."""
    base = os.environ.get("XDG_STATE_HOME") or ""
    root = pathlib.Path(base) if base.startswith("/") else pathlib.Path.home() / ".local" / "state"
    return root / "ticketminer" / "mine.log"


def _go_on_in_background(session: Session) -> int:
    """Start this very command again, without a terminal; consent has been given by now."""
    path = log_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    arguments = [argument for argument in click.get_current_context().obj if argument != "--background"]
    arguments = [_without_b(argument) for argument in arguments if argument != "-B"]
    with path.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program with our own arguments
            [sys.executable, "-m", "miner.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    session.output.result(
        f"Mining in the background as process {process.pid}; its log is {path}. Stop it with: kill {process.pid}",
        {"pid": process.pid, "log": str(path)},
    )
    return Status.OK


def _without_b(argument: str) -> str:
    """Take B out of a cluster of short flags such as ``-qB``."""
    if len(argument) > 2 and argument[0] == "-" and set(argument[1:]) <= set("qB"):
        return argument.replace("B", "")
    return argument
