"""A wallet and the fake shop that it deals with: tickets are put in, paid out and counted."""

from __future__ import annotations

import typing as t

import httpx
from fake_keys import private_key, sign, ticket_key
from fake_site import Clock, FakeSite

from miner import TicketAuth, Wallet
from miner.payment import find_challenge
from miner.payment.challenge import Challenge
from miner.wallet import HeldTicket

SHOP = "https://shop.example"
REPORT = SHOP + "/report"


def deposit(wallet: Wallet, site: FakeSite, *values: int, origin: str = SHOP) -> None:
    """Put a ticket of each value into `wallet`, filed under `origin`, whose keys it has seen."""
    for value in values:
        wallet.deposit(origin, site.key(value), site.signer(value), 1)


def receive(wallet: Wallet, value: int, count: int = 1, origin: str = SHOP) -> list[HeldTicket]:
    """Put `count` tickets of one value into `wallet`, signed without any site."""
    return wallet.deposit(origin, ticket_key(value), lambda blinded: sign(private_key(value), blinded), count)


def reopen(wallet: Wallet) -> Wallet:
    """Open the file of `wallet` once more, as another process does."""
    return Wallet.open(wallet.path, clock=Clock())


def available(wallet: Wallet) -> list[int]:
    """Return the values of the tickets that can be spent, sorted."""
    return sorted(ticket.value for ticket in wallet.tickets() if ticket.state == "available")


def auth(
    wallet: Wallet, site: FakeSite, budget: int | None = 20, **options: t.Any
) -> tuple[TicketAuth, httpx.Client]:
    """Return an auth that pays from `wallet` and never waits, and a client of `site` that uses it."""
    ticket_auth = TicketAuth(wallet, budget, sleep=None)
    return ticket_auth, site.client(auth=ticket_auth, **options)


def challenge_of(
    site: FakeSite, url: str = REPORT, method: str = "GET", body: bytes = b""
) -> Challenge | None:
    """Return the request for payment that `site` answers with."""
    response = site.handle(httpx.Request(method, url, content=body))
    return find_challenge(response.headers.get_list("WWW-Authenticate"))
