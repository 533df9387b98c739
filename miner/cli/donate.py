"""``ticketminer donate``: give tickets back to a site."""

from __future__ import annotations

from urllib.parse import urlencode

import click
import httpx

from miner.answers import refusal
from miner.cli import text
from miner.cli.get import Till
from miner.cli.options import ADDRESS, Command, Options, shared
from miner.cli.session import Session
from miner.deadline import HeadDeadline
from miner.payment import TicketAuth
from miner.transport import Reply, lower_headers, unreachable


@click.command("donate", cls=Command)
@click.argument("site_url", type=ADDRESS, metavar="URL")
@click.argument("amount", type=click.IntRange(1, 2**31 - 1))
@click.option("--fund", metavar="NAME", help="For this fund; `ticketminer info URL` lists them.")
@shared()
def donate(options: Options, site_url: str, amount: int, fund: str | None) -> None:
    """Give AMOUNT tickets to the site at URL."""
    with Session(options) as session:
        site = session.site(site_url, "spending")
        query = {"amount": str(amount)} | ({} if fund is None else {"fund": fund})
        address = f"{site.origin}{site.service().links.donate}?{urlencode(query)}"
        till = Till(session.wallet)
        auth = TicketAuth(session.wallet, amount, allow_http=options.allow_http)
        try:
            with session.http("spending").stream(
                "GET",
                address,
                auth=auth,
                headers={"Accept": "application/json"},
                extensions={"trace": HeadDeadline()},
            ) as response:
                if response.status_code >= 400:
                    raise refusal(Reply(response.status_code, lower_headers(response), response.content))
        except httpx.HTTPError as error:
            raise unreachable(address, error) from error
        paid = till.paid()
        to = f"{site.origin}" if fund is None else f"{fund} at {site.origin}"
        options.output.result(
            f"Gave {text.tickets(amount)} to {to}. Thank you! {paid.sentence}",
            {"site": site.origin, "amount": amount, "fund": fund, **paid.members()},
        )
