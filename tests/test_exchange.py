"""Tickets are swapped for others of the same value, and nothing is lost on the way."""

from __future__ import annotations

import httpx
import pytest
from fake_keys import DAY, NOW
from purses import SHOP, deposit

from miner.client import SiteClient
from miner.errors import SiteRefused, SiteUnreachable, TicketsTaken, WalletError


@pytest.fixture
def client(site, wallet):
    return SiteClient(SHOP, wallet, site.client())


def test_tickets_are_exchanged_for_others_of_the_same_value(client, site, wallet):
    deposit(wallet, site, 8)
    new = client.exchange(wallet.tickets(SHOP), [4, 2, 1, 1])
    assert sorted(ticket.value for ticket in new) == [1, 1, 2, 4]
    assert wallet.balance() == 8


def test_a_lost_exchange_is_repeated(client, site, wallet):
    deposit(wallet, site, 8)
    site.drop("/ticketminer/redeem")
    with pytest.raises(SiteUnreachable):
        client.exchange(wallet.tickets(SHOP), [4, 4])
    assert wallet.balance() == 0
    client.recover()
    assert [t.value for t in wallet.tickets() if t.state == "available"] == [4, 4]


def test_an_exchange_that_never_arrived_frees_its_tickets_when_refused(client, site, wallet):
    deposit(wallet, site, 8)
    held = wallet.tickets(SHOP)
    site.answer("/ticketminer/redeem", httpx.Response(400, json={"cause": "amount-mismatch"}))
    with pytest.raises(SiteRefused):
        client.exchange(held, [4, 4])
    assert wallet.balance() == 8


def test_spent_tickets_are_found_out_when_an_exchange_is_refused(client, site, wallet):
    deposit(wallet, site, 4, 8)
    spent = wallet.tickets(SHOP)[0]
    site.spent[spent.key_id, spent.nonce] = "elsewhere"
    with pytest.raises(TicketsTaken, match="marked as spent"):
        client.exchange(wallet.tickets(SHOP), [4, 8])
    assert [(t.value, t.state) for t in wallet.tickets()] == [(4, "spent"), (8, "available")]


def test_a_site_that_calls_tickets_spent_without_listing_them_locks_up_one_choice(client, site, wallet):
    deposit(wallet, site, 8, 8, 8)
    site.answer("/ticketminer/redeem", httpx.Response(400, json={"cause": "ticket-spent"}), times=9)
    with pytest.raises(SiteRefused, match="ticket-spent"):
        client.make_exact(3)
    assert sorted(ticket.state for ticket in wallet.tickets()) == ["available", "available", "pending"]


def test_joining_makes_few_large_tickets(client, site, wallet):
    wallet.deposit(SHOP, site.key(1), site.signer(1), 40)
    client.join()
    assert sorted(t.value for t in wallet.tickets() if t.state == "available") == [8] * 5


def test_making_an_amount_exact_splits_one_ticket(client, site, wallet):
    deposit(wallet, site, 8)
    client.make_exact(3)
    assert sorted(t.value for t in wallet.tickets() if t.state == "available") == [1, 1, 2, 4]


def test_renewing_swaps_tickets_that_near_their_end(client, site, wallet, clock):
    deposit(wallet, site, 4, 1)
    assert client.renew() == 0
    clock.now = site.now = NOW + 14 * DAY
    site.add_epoch(2)
    assert client.renew() == 5
    assert {t.redeem_until for t in wallet.tickets() if t.state == "available"} == {site.key(4).redeem_until}
    assert wallet.balance() == 5


def test_renewing_swaps_each_ticket_once_however_the_sites_time_moves(site, wallet, clock):
    def handle(request):
        answer = site.handle(request)
        if request.url.path == "/ticketminer/redeem":
            clock.now = site.now = NOW + 28 * DAY
            site.add_epoch(4)
        return answer

    deposit(wallet, site, 4)
    clock.now = site.now = NOW + 14 * DAY
    site.add_epoch(2)
    assert SiteClient(SHOP, wallet, httpx.Client(transport=httpx.MockTransport(handle))).renew() == 4
    assert site.counted("/ticketminer/redeem") == 1


def test_too_much_for_one_exchange_is_refused_before_sending(client, site, wallet):
    deposit(wallet, site, 8, 8, 8)
    with pytest.raises(WalletError, match="fewer"):
        client.exchange(wallet.tickets(SHOP), [1] * 24)
    assert site.counted("/ticketminer/redeem") == 0
