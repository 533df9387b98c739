"""A wallet with more open questions to a site than an HTTP client lets one request become."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from purses import REPORT, SHOP, auth, available, challenge_of

from miner import TicketAuth
from miner.client import SiteClient
from miner.errors import FarBehind
from miner.payment.payer import STALE
from miner.payment.register import Register


@pytest.fixture
def open_payments(wallet, site, fund, clock):
    """Let the wallet, with its one last ticket, have more open payments than httpx allows requests."""
    fund(*[4] * 25, 1)
    register = Register(wallet, SHOP)
    for number in range(25):
        url = f"{REPORT}?{number}"
        register.prepare(challenge_of(site, url), "GET", url)
    clock.now += STALE + 1
    site.now += STALE + 1


def test_a_wallet_that_is_far_behind_is_told_to_recover(wallet, site, open_payments):
    _, http = auth(wallet, site)
    with pytest.raises(FarBehind, match=f"ticketminer wallet recover {SHOP}"):
        http.get(REPORT)
    SiteClient(SHOP, wallet, site.client()).recover()
    assert wallet.unanswered() == []
    assert available(wallet) == [1] * 26


def test_a_client_that_allows_more_requests_lets_the_wallet_catch_up(wallet, site, open_payments):
    ticket_auth = TicketAuth(wallet, max_requests=100)
    http = site.client(auth=ticket_auth, max_redirects=100)
    assert http.get(REPORT).status_code == 200


def test_async_clients_are_told_to_recover_as_well(wallet, site, open_payments):
    async def get():
        transport = httpx.MockTransport(site.handle)
        async with httpx.AsyncClient(transport=transport, auth=TicketAuth(wallet)) as http:
            await http.get(REPORT)

    with pytest.raises(FarBehind, match="wallet recover"):
        asyncio.run(get())
