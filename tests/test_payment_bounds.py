"""What a payment is for and where it goes: not along a redirect, and not to another site."""

from __future__ import annotations

import httpx
import pytest
from fake_site import FakeSite
from purses import REPORT, SHOP, auth, challenge_of

from miner import TicketAuth
from miner.client import SiteClient
from miner.errors import BudgetExceeded, ForeignRequest, InsecureTransport, NotEnoughTickets
from miner.payment import Payer


def test_a_redirect_to_a_page_for_sale_is_not_paid(wallet, site, fund):
    fund(8)
    site.answer("/free", httpx.Response(302, headers={"Location": "/report"}))
    _, http = auth(wallet, site, follow_redirects=True)
    with pytest.raises(ForeignRequest, match="redirect"):
        http.get(SHOP + "/free")
    assert wallet.balance() == 8


def redirecting(site, seen, target):
    """Return a transport to `site` whose redirects lead to `target`; what other places are sent goes into `seen`."""

    def handle(request):
        if request.url.host != "shop.example" or request.url.path == "/elsewhere":
            seen.append(dict(request.headers))
            return httpx.Response(200)
        response = site.handle(request)
        if response.status_code == 302:
            response.headers["Location"] = target
        return response

    return httpx.MockTransport(handle)


@pytest.mark.parametrize("target", ["https://evil.example/elsewhere", "/elsewhere"])
@pytest.mark.parametrize("header", [None, "Payment-Authorization"])
def test_a_payment_is_not_carried_along_by_a_redirect(wallet, site, fund, header, target):
    fund(8)
    site.views["/report"] = 302
    site.header = header
    seen = []
    transport = redirecting(site, seen, target)
    http = httpx.Client(transport=transport, auth=TicketAuth(wallet), follow_redirects=True)
    assert http.get(REPORT).status_code == 200
    [headers] = seen
    assert headers.keys().isdisjoint({"authorization", "payment-authorization"})
    SiteClient(SHOP, wallet, site.client()).recover()
    assert wallet.balance() == 5


def test_a_pass_is_not_carried_along_by_a_redirect(wallet, site, fund):
    fund(8)
    seen = []
    transport = redirecting(site, seen, "https://evil.example/elsewhere")
    http = httpx.Client(transport=transport, auth=TicketAuth(wallet), follow_redirects=True)
    assert http.get(SHOP + "/week").status_code == 200
    site.views["/week"] = 302
    assert http.get(SHOP + "/week").status_code == 200
    [headers] = seen
    assert "ticketminer-pass" not in headers


def test_ones_own_headers_arrive_beside_a_payment(wallet, site, fund):
    fund(8)
    seen = []

    def handle(request):
        seen.append(request.headers)
        return site.handle(request)

    http = httpx.Client(transport=httpx.MockTransport(handle), auth=TicketAuth(wallet))
    http.get(REPORT, headers={"X-Own": "mine", "Accept-Language": "lb"})
    paid = seen[-1]
    assert paid["authorization"].startswith("Payment ")
    assert (paid["x-own"], paid.get("Accept-Language"), "X-Own" in paid) == ("mine", "lb", True)
    assert len(paid) == len(list(paid)) == len(paid.raw)
    assert "Payment" not in repr(paid)


def test_several_sites_share_one_budget(wallet, site, fund):
    fund(8)
    other = FakeSite("https://other.example", name="other.example")
    wallet.deposit("https://other.example", other.key(8), other.signer(8), 1)
    sites = {"shop.example": site, "other.example": other}
    ticket_auth = TicketAuth(wallet, 5)
    http = httpx.Client(
        transport=httpx.MockTransport(lambda r: sites[r.url.host].handle(r)), auth=ticket_auth
    )
    http.get(REPORT)
    with pytest.raises(BudgetExceeded):
        http.get("https://other.example/report")
    assert wallet.balance("https://other.example") == 8


# Whose tickets


def test_a_site_cannot_ask_for_another_sites_tickets(wallet, site, fund):
    fund(8)
    thief = FakeSite("https://thief.example", name="shop.example")
    http = httpx.Client(transport=httpx.MockTransport(thief.handle), auth=TicketAuth(wallet))
    with pytest.raises(NotEnoughTickets):
        http.get("https://thief.example/report")
    assert wallet.balance(SHOP) == 8
    assert wallet.unanswered() == []


def test_a_known_site_cannot_ask_in_another_sites_name(wallet, site, fund):
    fund(8)
    site.name = "other.example"
    _, http = auth(wallet, site)
    with pytest.raises(ForeignRequest, match="not its name"):
        http.get(REPORT)


def test_an_origin_that_the_ticket_site_lists_is_paid(wallet, site, fund):
    site.origins = ["http://shop.onion"]
    fund(8)
    SiteClient(SHOP, wallet, site.client()).service()
    _, http = auth(wallet, site)
    assert http.get("http://shop.onion/report").status_code == 200
    assert wallet.balance(SHOP) == 5


def test_a_payment_to_another_place_is_refused(wallet, site, fund):
    fund(8)
    challenge = challenge_of(site)
    object.__setattr__(challenge, "redeem", "https://evil.example/redeem")
    with pytest.raises(ForeignRequest, match="another place"):
        Payer(wallet, SHOP).prepare(challenge, "GET", REPORT)


def test_plain_http_to_another_machine_is_not_paid(wallet, site):
    http = httpx.Client(transport=httpx.MockTransport(site.handle), auth=TicketAuth(wallet))
    with pytest.raises(InsecureTransport):
        http.get("http://shop.example/report")
