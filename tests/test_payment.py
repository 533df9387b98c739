"""Paying with TicketAuth over httpx, sync and async: what is paid, within which budget, and by which pass or way."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fake_keys import DAY, NOW
from fake_site import FakeSite
from purses import REPORT, SHOP, auth, available

from miner import TicketAuth
from miner.client import SiteClient
from miner.errors import BudgetExceeded, NotEnoughTickets

WEEK = SHOP + "/week"
BIG = SHOP + "/big"


def test_a_gated_page_is_paid_and_change_comes_back(wallet, site, fund):
    fund(8)
    ticket_auth, http = auth(wallet, site)
    response = http.get(REPORT)
    assert (response.status_code, response.text) == (200, "goods of /report")
    assert available(wallet) == [1, 4]
    assert ticket_auth.spent == 3


def test_async_clients_pay_too(wallet, site, fund):
    fund(8)
    ticket_auth = TicketAuth(wallet)

    async def get():
        async with httpx.AsyncClient(transport=httpx.MockTransport(site.handle), auth=ticket_auth) as http:
            return await http.get(REPORT)

    assert asyncio.run(get()).status_code == 200
    assert (ticket_auth.spent, wallet.balance()) == (3, 5)


def test_free_pages_cost_nothing(wallet, site):
    ticket_auth, http = auth(wallet, site)
    assert http.get(SHOP + "/ticketminer/").status_code == 200
    assert ticket_auth.spent == 0


def test_each_delivery_is_paid_anew(wallet, site, fund):
    fund(4, 4, 2, 2)
    _, http = auth(wallet, site)
    assert [http.get(REPORT).status_code for _ in range(2)] == [200, 200]
    assert wallet.balance() == 6


def test_the_budget_is_for_all_requests_together(wallet, site, fund):
    fund(8, 8)
    ticket_auth, http = auth(wallet, site, budget=5)
    http.get(REPORT)
    with pytest.raises(BudgetExceeded, match="costs 3 tickets, and the budget of 5 has 2 left"):
        http.get(REPORT)
    assert (ticket_auth.spent, wallet.balance()) == (3, 13)


def test_an_empty_wallet_says_where_to_mine(wallet, site):
    _, http = auth(wallet, site)
    with pytest.raises(NotEnoughTickets, match=r"ticketminer mine https://shop\.example"):
        http.get(REPORT)


def test_a_body_is_bound_to_its_payment(wallet, site, fund):
    fund(8)
    _, http = auth(wallet, site)
    response = http.post(REPORT, json={"text": "hello"})
    assert response.status_code == 200
    assert site.bodies[-1] == b'{"text":"hello"}'


def test_a_streamed_body_is_sent_whole_each_time(wallet, site, fund):
    fund(8)
    _, http = auth(wallet, site)
    assert http.post(REPORT, content=iter([b"a", b"b"])).status_code == 200
    assert site.bodies[-1] == b"ab"


def test_delivered_bodies_stay_streams(wallet, site, fund):
    fund(8)
    read = []

    def stream():
        for part in (b"one", b"two"):
            read.append(part)
            yield part

    def handle(request):
        response = site.handle(request)
        if response.status_code == 200 and request.url.path == "/report":
            return httpx.Response(200, headers=_only(response, "Payment-Receipt"), content=stream())
        return response

    http = httpx.Client(transport=httpx.MockTransport(handle), auth=TicketAuth(wallet))
    with http.stream("GET", REPORT) as response:
        assert read == []
        assert b"".join(response.iter_bytes()) == b"onetwo"


def _only(response, name):
    return {name: response.headers[name]}


def test_large_payments_go_to_redeem_and_come_back_with_a_pass(wallet, site, fund):
    fund(*[1] * 13)
    _, http = auth(wallet, site)
    assert http.get(BIG).status_code == 200
    assert ("POST", "/ticketminer/redeem") in site.calls
    assert wallet.balance() == 0


def test_much_change_goes_to_redeem(wallet):
    site = FakeSite(denominations=(1, 2, 4, 8, 16))
    site.prices["/one"] = (1, None)
    SiteClient(SHOP, wallet, site.client()).keys()
    wallet.deposit(SHOP, site.key(16), site.signer(16), 1)
    _, http = auth(wallet, site)
    assert http.get(SHOP + "/one").status_code == 200
    assert available(wallet) == [1, 2, 4, 8]
    assert ("POST", "/ticketminer/redeem") in site.calls


def test_a_pass_is_used_before_paying_again(wallet, site, fund):
    fund(*[1] * 13)
    site.prices["/big"] = (13, 7 * DAY)
    ticket_auth, http = auth(wallet, site)
    assert [http.get(BIG).status_code for _ in range(3)] == [200, 200, 200]
    assert ticket_auth.spent == 13


def test_the_pass_in_a_receipt_is_used_too(wallet, site, fund):
    fund(8)
    ticket_auth, http = auth(wallet, site)
    assert [http.get(WEEK).status_code for _ in range(2)] == [200, 200]
    assert ticket_auth.spent == 3


def test_an_expired_pass_is_not_sent(wallet, site, fund, clock):
    fund(8)
    ticket_auth, http = auth(wallet, site)
    http.get(WEEK)
    clock.now = NOW + 7 * DAY
    site.now = NOW + 7 * DAY
    site.add_epoch(1)
    assert http.get(WEEK).status_code == 200
    assert ticket_auth.spent == 6


def test_a_refused_pass_is_dropped_and_paid_again(wallet, site, fund):
    fund(8)
    ticket_auth, http = auth(wallet, site)
    http.get(WEEK)
    site.passes.clear()
    assert http.get(WEEK).status_code == 200
    assert ticket_auth.spent == 6


def test_a_pass_opens_only_its_own_page(wallet, site, fund):
    fund(8)
    ticket_auth, http = auth(wallet, site)
    http.get(WEEK)
    http.get(WEEK + "?page=2")
    assert ticket_auth.spent == 6


def test_own_authorization_is_left_alone(wallet, site, fund):
    fund(8)
    seen = []

    def look(request):
        if request.url.path == "/report":
            seen.append(request.headers["Authorization"])
        return site.handle(request)

    http = httpx.Client(transport=httpx.MockTransport(look), auth=TicketAuth(wallet))
    # The credential goes to redeem instead, and the pass has a field of its own.
    assert http.get(REPORT, headers={"Authorization": "Bearer abc"}).status_code == 200
    assert set(seen) == {"Bearer abc"}


def test_the_credential_goes_where_the_site_wants_it(wallet, site, fund):
    fund(8)
    site.header = "Payment-Authorization"
    _, http = auth(wallet, site)
    assert http.get(REPORT, headers={"Authorization": "Bearer abc"}).status_code == 200
    assert ("POST", "/ticketminer/redeem") not in site.calls


def test_other_schemes_beside_payment_do_not_disturb(wallet, site, fund):
    fund(8)
    site.extra_challenges = ['Basic realm="staff, only"', 'Payment id="1", method="card", intent="charge"']
    _, http = auth(wallet, site)
    assert http.get(REPORT).status_code == 200


def test_a_402_for_other_money_is_handed_through(wallet, site):
    site.answer("/report", httpx.Response(402, headers={"WWW-Authenticate": 'Payment method="card"'}))
    _, http = auth(wallet, site)
    assert http.get(REPORT).status_code == 402
