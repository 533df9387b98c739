"""Two wallets and a site whose answers can get lost, and every ticket there is, seen from both sides."""

from __future__ import annotations

import hashlib
import pathlib
import shutil
import typing as t
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

import httpx
from mints import START
from sites import DEFAULT_WORK, Shop, make_shop
from sqlalchemy import select

from flask_ticketminer.clock import ManualClock
from flask_ticketminer.errors import ClockJumped
from flask_ticketminer.mint.audit import audit
from flask_ticketminer.mint.retirement import prune
from flask_ticketminer.mint.statistics import statistics
from flask_ticketminer.site import Site
from miner import SiteClient, TicketAuth, Wallet
from miner.errors import MinerError
from miner.pow import ALGORITHMS
from miner.wallet import HeldTicket

ORIGIN = "http://localhost"
Fault = t.Literal["none", "unsent", "unanswered"]
FAULTS: tuple[Fault, ...] = ("none", "none", "none", "unsent", "unanswered")
"""What can happen to a request that changes something: it does not arrive, or its answer does not."""


@dataclass
class Line(httpx.BaseTransport):
    """Carries requests to the application of the moment, and remembers those that were answered.

    :ivar fault: what happens to the next request that pays, submits or exchanges.
    :ivar broken: whether it has happened.
    """

    application: Callable[[], t.Any]
    clock: ManualClock
    fault: Fault = "none"
    broken: bool = False
    answered: list[httpx.Request] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        fault: Fault = "none"
        if self.fault != "none" and _moves_value(request):
            fault, self.fault, self.broken = self.fault, "none", True
        if fault == "unsent":
            raise httpx.ConnectError("the line is down", request=request)
        request.read()
        response = self.deliver(request)
        if fault == "unanswered":
            raise httpx.ReadError("the line went down", request=request)
        if _moves_value(request):
            self.answered.append(request)
        return response

    def deliver(self, request: httpx.Request) -> httpx.Response:
        """Hand `request` to the application, whatever the line is like."""
        response = httpx.WSGITransport(app=self.application()).handle_request(request)
        response.read()
        response.headers["Date"] = formatdate(self.clock.now(), usegmt=True)
        return response


def _moves_value(request: httpx.Request) -> bool:
    paying = (
        request.headers.get("Authorization", "").startswith("Payment ")
        or "TicketMiner-Pass" in request.headers
    )
    return paying or request.url.path in ("/ticketminer/submit", "/ticketminer/redeem")


class Purse:
    """One visitor: a wallet, and the way to the site."""

    def __init__(self, world: World, name: str, words: str | None = None) -> None:
        self.world = world
        self.name = name
        self.path = world.folder / name / f"wallet-{len(list(world.folder.glob(f'{name}/*.sqlite')))}.sqlite"
        self.open(words)

    def open(self, words: str | None = None) -> None:
        """Open the file, made from `words` if there are any."""
        now = self.world.clock.now
        if words is None:
            self.wallet = Wallet.open(self.path, clock=now)
        else:
            self.wallet = Wallet.create_from_words(self.path, words, clock=now)
        self.client = SiteClient(ORIGIN, self.wallet, httpx.Client(transport=self.world.line))

    def get(self, path: str, *, by_redeem: bool = False) -> httpx.Response:
        """Get `path` and pay for it; by redeem when ``Authorization`` is taken by something else."""
        headers = {"Authorization": "Bearer somebody"} if by_redeem else {}
        auth = TicketAuth(self.wallet, budget=None, sleep=lambda _: None)
        with httpx.Client(transport=Undying(self.world.line), auth=auth) as http:
            return http.get(ORIGIN + path, headers=headers)

    def held(self, *states: str) -> list[HeldTicket]:
        return [ticket for ticket in self.wallet.tickets(ORIGIN) if ticket.state in states]


class Undying(httpx.BaseTransport):
    """The same line, not closed with the client that uses it."""

    def __init__(self, line: Line) -> None:
        self.handle_request = line.handle_request  # type: ignore[method-assign]


class World:
    """The site, the purses, and what is known of every ticket and every output.

    :ivar worth: value of each nonce that a wallet ever held or asked for.
    :ivar signed, spent: the nonces of those that the site has signed, and has taken back.
    :ivar given: nonces that have left a wallet as text, so that two hold them.
    :ivar circulated: what circulated at the last check.
    :ivar stale: nonces of tickets that were restored although they had been spent, seconds ago: the site keeps its public file
        of spent tickets for some seconds before it writes it again.
    """

    def __init__(self, folder: pathlib.Path, template: pathlib.Path | None = None) -> None:
        self.folder = folder
        self.clock = ManualClock(START)
        if template is not None:
            shutil.copy(template, folder / "site.sqlite")
        self.line = Line(lambda: self.shop.app, self.clock)
        self.shop = self._open_site()
        self.worth: dict[bytes, int] = {}
        self.signed: set[bytes] = set()
        self.spent: set[bytes] = set()
        self.given: set[bytes] = set()
        self.stale: set[bytes] = set()
        self.circulated = 0
        self._audited: dict[str, t.Any] = {}
        self._asked: dict[bytes, tuple[bytes, bytes]] = {}
        self.purses = [Purse(self, name) for name in ("anna", "ben")]

    def _open_site(self) -> Shop:
        url = f"sqlite:///{self.folder}/site.sqlite"
        shop = make_shop(self.folder, url, self.clock, PROPAGATE_EXCEPTIONS=False)
        shop.app.logger.disabled = True  # one of the views fails on purpose
        return shop

    @property
    def site(self) -> Site:
        return t.cast("Site", self.shop.app.extensions["ticketminer"])

    def restart_site(self) -> None:
        """Start the application again, on the same database."""
        self.site.database.dispose()
        self.shop = self._open_site()

    def prune(self) -> None:
        try:
            prune(self.site.database, self.site.settings, self.clock)
        except ClockJumped:
            prune(self.site.database, self.site.settings, self.clock, force=True)

    def close(self) -> None:
        for purse in self.purses:
            purse.wallet.close()
        self.site.database.dispose()

    def restart_wallet(self, purse: Purse) -> None:
        purse.wallet.close()
        purse.open()

    def restore_wallet(self, at: int) -> Purse:
        """Lose the file of a purse, and make a new one from its words."""
        old = self.purses[at]
        words = old.wallet.words()
        old.wallet.close()
        self.purses[at] = Purse(self, old.name, words)
        self.purses[at].client.restore()
        return self.purses[at]

    def mine(self, purse: Purse, value: int, *, donate: bool = False) -> None:
        """Find one share worth `value` and hand it in."""
        fund = "articles" if donate else None
        job = purse.client.job([DEFAULT_WORK], value=value, donate=donate, fund=fund)
        algorithm = ALGORITHMS[job.algorithm]
        end = job.nonce_offset + job.nonce_size
        for nonce in range(2**20):
            blob = job.blob[: job.nonce_offset] + nonce.to_bytes(job.nonce_size, "little") + job.blob[end:]
            if int.from_bytes(algorithm.hash(blob), "little") <= job.target:
                purse.client.submit(job, nonce)
                return

    # The books

    def circulating(self) -> int:
        """Return what the site has issued and not taken back."""
        value = self._statistics()["value"]
        return int(value["issued"] - value["spent"])

    def _statistics(self) -> dict[str, t.Any]:
        return {**statistics(self.site.database, self.clock.now()), "at": None}

    def audit(self) -> None:
        """Check the ledger's own books."""
        assert [line for line in audit(self.site.database).lines if not line.holds] == []

    def look(self) -> None:
        """Learn of the tickets and outputs that there are now, and of what the site has done with them."""
        for purse in self.purses:
            for ticket in purse.wallet.tickets(ORIGIN):
                self.worth[ticket.nonce] = ticket.value
                self.signed.add(ticket.nonce)
            for request in purse.wallet.unanswered():
                for output in request.outputs:
                    self.worth[output.nonce] = output.key.value
                    digest = hashlib.sha256(output.blinded_message).digest()
                    self._asked[output.nonce] = (output.key.key_id, digest)
        tables = self.site.database.tables

        def work(connection: t.Any) -> tuple[set[t.Any], set[t.Any]]:
            issued = connection.execute(select(tables.issued.c.key_id, tables.issued.c.blinded_hash))
            spent = connection.execute(select(tables.spent.c.nonce))
            return {tuple(row) for row in issued}, set(spent.scalars())

        issued, spent = self.site.database.read(work)
        self.spent |= spent
        self.signed |= {nonce for nonce, asked in self._asked.items() if asked in issued}

    def check(self) -> None:
        """Check that value was neither made nor lost since the last look."""
        self.look()
        booked = self._statistics()
        if booked != self._audited:
            self.audit()
            self._audited = booked
        assert self.spent <= self.signed, "a ticket was spent that no wallet held or asked for"
        known = sum(self.worth[nonce] for nonce in self.signed - self.spent)
        self.circulated = booked["value"]["issued"] - booked["value"]["spent"]
        assert self.circulated == known, "the site has issued what no wallet holds or waits for"

    def recovered(self, purse: Purse) -> None:
        """Check what a wallet shows once all that it sent has been answered: nothing that is spent."""
        self.look()
        shown = {ticket.nonce for ticket in purse.held("available")}
        assert not (shown & self.spent) - self.given - self.stale, "a wallet shows a spent ticket"

    def restored(self, purse: Purse) -> set[bytes]:
        """Return the nonces that can be spent after a restore; none of them is in the file of spent tickets."""
        self.look()
        shown = {ticket.nonce for ticket in purse.held("available")}
        self.stale |= shown & self.spent
        for key_id in {ticket.key_id for ticket in purse.held("available")}:
            reply = self.shop.app.test_client().get(f"/ticketminer/keys/{key_id.hex()}/spent")
            entries = {reply.data[at : at + 8] for at in range(0, len(reply.data), 8)}
            listed = {nonce for nonce in shown if hashlib.sha256(nonce).digest()[:8] in entries}
            assert not listed, "a restored wallet shows a ticket that is listed as spent"
        return shown


def quietly(act: Callable[[], object]) -> MinerError | None:
    """Do something that may be refused; return the refusal."""
    try:
        act()
    except MinerError as error:
        return error
    except httpx.TransportError:
        return MinerError("The line broke.")
    return None
