"""``ticketminer info``: what a site offers and asks for, before anything is computed."""

from __future__ import annotations

import click

from miner.cli import text
from miner.cli.benchmark import measurable, measure
from miner.cli.options import ADDRESS, Command, Options, shared
from miner.cli.session import Session
from miner.engine import default_threads
from miner.engine.engine import DEFAULT_DUTY
from miner.pow import ALGORITHMS
from miner.service import Service


@click.command("info", cls=Command)
@click.argument("address", type=ADDRESS, metavar="URL")
@shared()
def info(options: Options, address: str) -> None:
    """Show what the site at URL offers: work and its price, denominations, funds, consent text.

    The time a ticket takes is estimated by computing on this machine for a moment.
    """
    with Session(options) as session:
        site = session.site(address, recover=False)
        service = site.service()
        # A site may name one algorithm many times: it is measured once.
        speeds = {
            name: _speed(name) for name in {offered.name for offered in service.algorithms} & set(ALGORITHMS)
        }
        times = {
            offered.name: offered.expected_hashes / speeds[offered.name]
            for offered in service.algorithms
            if offered.name in speeds
        }
        options.output.result(_describe(site.origin, service, times), _members(site.origin, service, times))


def _speed(name: str) -> float:
    """Hashes a second with the default threads and duty, from a quarter second of full speed."""
    return max(
        1.0, measure(measurable(name), threads=default_threads(), seconds=0.25).rate * DEFAULT_DUTY / 100
    )


def _describe(origin: str, service: Service, times: dict[str, float]) -> str:
    lines = [f"{service.site_name} ({origin})", "", "Work for one ticket:"]
    for offered in service.algorithms:
        line = f"  {offered.name}: {text.hashes(offered.expected_hashes)} on average"
        if offered.name in times:
            takes = text.duration(times[offered.name])
            line += f", {takes} here" if takes.startswith("under") else f", about {takes} here"
        else:
            line += "; this installation cannot compute it"
        lines.append(f"{line} ({offered.work} work)")
    lines.append(f"Tickets are worth {', '.join(map(str, service.denominations))}.")
    if service.funds:
        lines += ["", "Funds:"]
        lines += [
            f"  {fund.name}: {fund.title} (at least {fund.minimum}, usually {fund.default})"
            for fund in service.funds
        ]
    if service.origins:
        lines += ["", "The same site: " + ", ".join(service.origins)]
    consent = click.wrap_text(service.consent_text, 78, "  ", "  ", preserve_paragraphs=True)
    lines += ["", "What you agree to:", consent]
    return "\n".join(lines)


def _members(origin: str, service: Service, times: dict[str, float]) -> dict[str, object]:
    return {
        "site": origin,
        "site_name": service.site_name,
        "denominations": list(service.denominations),
        "algorithms": [
            {
                "algorithm": offered.name,
                "expected_hashes": offered.expected_hashes,
                "work": offered.work,
                "seconds_here": round(times[offered.name], 2) if offered.name in times else None,
            }
            for offered in service.algorithms
        ],
        "funds": [
            {"fund": fund.name, "title": fund.title, "minimum": fund.minimum, "default": fund.default}
            for fund in service.funds
        ],
        "origins": list(service.origins),
        "consent": {"version": service.consent_version, "text": service.consent_text},
    }
