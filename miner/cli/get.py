"""``ticketminer get``: pay for a resource and keep it."""

from __future__ import annotations

import sys
import typing as t
from dataclasses import dataclass
from urllib.parse import urljoin

import click
import httpx

from miner.answers import refusal
from miner.cli import text
from miner.cli.download import Download, served_name
from miner.cli.mining import Effort, mine
from miner.cli.options import ADDRESS, Command, Options, shared
from miner.cli.session import Session
from miner.cli.status import Status
from miner.deadline import HeadDeadline
from miner.errors import BudgetExceeded, ForeignRequest, NotEnoughTickets, SiteProtocolError
from miner.payment import TicketAuth
from miner.transport import Reply, check_coding, lower_headers, origin_of, unreachable
from miner.wallet import Wallet

DEFAULT_BUDGET = 20
MAX_HOPS = 5
"""Redirects that are followed, on the same site only."""
PLAIN = {"Accept-Encoding": "identity"}
"""A file is wanted as it is; small compressed pieces could become large ones in memory."""


@dataclass(frozen=True, slots=True)
class Paid:
    """What a command cost: tickets paid, and the values of the tickets that came back as change."""

    amount: int
    change: tuple[int, ...]

    @property
    def sentence(self) -> str:
        if not self.amount:
            return "Nothing was paid."
        if not self.change:
            return f"Paid {text.tickets(self.amount)}, exactly."
        return f"Paid {text.tickets(self.amount)}; change of {text.tickets(sum(self.change))} came back."

    def members(self) -> dict[str, t.Any]:
        return {"paid": self.amount, "change": list(self.change)}


class Till:
    """Compares a wallet before and after, to say what was paid."""

    def __init__(self, wallet: Wallet) -> None:
        self._wallet = wallet
        self._before = self._available()

    def paid(self) -> Paid:
        after = self._available()
        gone = sum(value for ticket, value in self._before.items() if ticket not in after)
        change = sorted(value for ticket, value in after.items() if ticket not in self._before)
        return Paid(max(0, gone - sum(change)), tuple(change))

    def _available(self) -> dict[tuple[bytes, bytes], int]:
        return {
            (ticket.key_id, ticket.nonce): ticket.value
            for ticket in self._wallet.tickets()
            if ticket.state == "available"
        }


@click.command("get", cls=Command)
@click.argument("address", type=ADDRESS, metavar="URL")
@click.option(
    "-o",
    "--output",
    "destination",
    metavar="FILE",
    help="Write to FILE; in FOLDER/, or without -o here, under the served name; - is stdout.",
)
@click.option(
    "--budget",
    type=click.IntRange(0, 2**31 - 1),
    default=DEFAULT_BUDGET,
    show_default=True,
    metavar="N",
    help="Pay at most N tickets.",
)
@click.option(
    "--mine",
    "mine_missing",
    is_flag=True,
    help="Mine the tickets that are missing. Spent at once, they are easily guessed to be yours: mine ahead of time instead.",
)
@click.option("--yes", is_flag=True, help="Agree to the site's consent text when mining.")
@shared()
def get(
    options: Options,
    address: str,
    destination: str | None,
    budget: int,
    mine_missing: bool,
    yes: bool,
) -> int:
    """Pay for URL with tickets and keep what it serves.

    The file appears only when it is complete. Payments never follow a redirect to another site.
    """
    if destination == "-":
        if options.output.as_json:
            raise click.UsageError("-o - and --json both want stdout; give -o a file name.")
        return _fetch(options, address, None, budget=budget, mine_missing=mine_missing, yes=yes)
    with Download(destination) as download:
        return _fetch(options, address, download, budget=budget, mine_missing=mine_missing, yes=yes)


def _fetch(
    options: Options, url: str, download: Download | None, *, budget: int, mine_missing: bool, yes: bool
) -> int:
    with Session(options) as session:
        session.site(url, "spending")
        auth = TicketAuth(session.wallet, budget, allow_http=options.allow_http)
        http = session.http("spending")
        till = Till(session.wallet)
        try:
            address, disposition, kind = _deliver(http, url, auth, download)
        except NotEnoughTickets as error:
            if not mine_missing:
                raise
            if error.needed > budget:
                raise _above_budget(error.needed, budget) from error
            if not _mine(session, url, error.needed - error.available, yes=yes):
                return Status.INTERRUPTED
            till = Till(session.wallet)
            address, disposition, kind = _deliver(http, url, auth, download)
        paid = till.paid()
        if download is None:
            options.output.note(paid.sentence)
            return Status.OK
        path = download.finish(served_name(address, disposition))
        options.output.result(
            f"{path}: {download.size:,} bytes. {paid.sentence}",
            {
                "file": str(path),
                "bytes": download.size,
                "content_type": kind,
                "url": address,
                **paid.members(),
            },
        )
    return Status.OK


def _deliver(
    http: httpx.Client, url: str, auth: TicketAuth, download: Download | None
) -> tuple[str, str | None, str | None]:
    """Fetch `url`, paying for it; return the address it came from, its disposition and its media type."""
    address = url
    watched = {"trace": HeadDeadline()}
    for _ in range(MAX_HOPS):
        try:
            with http.stream(
                "GET", address, auth=auth, headers=PLAIN, follow_redirects=False, extensions=watched
            ) as response:
                if response.is_redirect:
                    address = _next_hop(address, response.headers.get("Location", ""))
                    continue
                if response.status_code >= 300:
                    # TicketAuth has read what explains a failure; anything else explains nothing.
                    body = response.content if response.status_code >= 400 else b""
                    reply = Reply(response.status_code, lower_headers(response), body)
                    raise refusal(reply, not_found="There is nothing at this address. Check it.")
                check_coding(response)
                if download is not None:
                    download.restart()
                for chunk in response.iter_bytes():
                    if download is None:
                        sys.stdout.buffer.write(chunk)
                    else:
                        download.write(chunk)
                if download is None:
                    sys.stdout.buffer.flush()
                return (
                    address,
                    response.headers.get("Content-Disposition"),
                    response.headers.get("Content-Type"),
                )
        except httpx.HTTPError as error:
            raise unreachable(address, error) from error
    raise SiteProtocolError(f"{url} redirects again and again; use the address that it should lead to.")


def _next_hop(address: str, location: str) -> str:
    try:
        target = urljoin(address, location)
    except ValueError as error:
        raise SiteProtocolError(f"{address} redirects to no address; tell the site's operator.") from error
    if origin_of(target) != origin_of(address):
        raise ForeignRequest(
            f"{address} redirects to {text.safe(target)}, another site. Payments never follow; get that address "
            "itself if you trust it."
        )
    return target


def _mine(session: Session, url: str, missing: int, *, yes: bool) -> bool:
    """Mine `missing` tickets; return whether that was reached."""
    site = session.site(url)
    session.consent(site, yes=yes)
    session.output.note(f"Mining the {text.tickets(missing)} that are missing.")
    outcome = mine(session, [site], Effort(tickets=missing))
    return outcome.picture.won >= missing


def _above_budget(price: int, budget: int) -> BudgetExceeded:
    return BudgetExceeded(
        f"This costs {text.tickets(price)}, and the budget is {budget}. Nothing was mined or paid; allow more with "
        f"--budget {price} if it is worth it.",
        price=price,
        left=budget,
    )
