"""``ticketminer pay``: a code that pays a page in a browser without JavaScript."""

from __future__ import annotations

import click

from miner.cli import text
from miner.cli.options import ADDRESS, Command, Options, shared
from miner.cli.session import Session
from miner.payment import Payer
from miner.transport import origin_of


@click.command("pay", cls=Command)
@click.argument("address", type=ADDRESS, metavar="URL")
@click.option(
    "--budget",
    type=click.IntRange(0, 2**31 - 1),
    default=20,
    show_default=True,
    metavar="N",
    help="Pay at most N.",
)
@shared()
def pay(options: Options, address: str, budget: int) -> None:
    """Print the code that pays for URL when it is pasted into the form on that page.

    The tickets are set aside for the code. Once it is used, the next command at this site brings the change. It is good for a
    quarter of an hour; if it is not used by then, the tickets come back.
    """
    with Session(options) as session:
        site = session.site(address, "spending")
        payer = Payer(session.wallet, site.origin, budget=budget, allow_http=options.allow_http)
        code = site.run(payer.code_steps(address))
        options.output.note(
            f"Paste this into the form at {address} within 15 minutes; it pays {text.tickets(payer.budget.spent)}:"
        )
        options.output.result(
            code, {"site": origin_of(address), "url": address, "amount": payer.budget.spent, "code": code}
        )
