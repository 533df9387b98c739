"""Paying: the payer over any transport, and TicketAuth over httpx, sync and async."""

from __future__ import annotations

import asyncio
import contextlib
import json

import httpx
import pytest
from fake_site import DAY, NOW, Clock, FakeSite

from miner import TicketAuth, Wallet
from miner.client import SiteClient
from miner.errors import (
    AlreadyDelivered,
    BudgetExceeded,
    ForeignRequest,
    InsecureTransport,
    MinerError,
    NotEnoughTickets,
    PaymentFailed,
    SiteProtocolError,
    SiteRefused,
)
from miner.payment import Payer, find_challenge, payment_code
from miner.payment.payer import MAX_WAITS
from miner.tokens import decode_json, unb64url

SHOP = "https://shop.example"
REPORT = SHOP + "/report"
WEEK = SHOP + "/week"
BIG = SHOP + "/big"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def wallet(tmp_path, clock):
    with Wallet.open(tmp_path / "w" / "wallet.sqlite", clock=clock) as opened:
        yield opened


@pytest.fixture
def site():
    return FakeSite()


@pytest.fixture
def fund(wallet, site):
    """Return a function that puts tickets into the wallet."""

    def put(*values, origin=SHOP):
        SiteClient(SHOP, wallet, site.client()).keys()
        for value in values:
            wallet.deposit(origin, site.key(value), site.signer(value), 1)

    return put


def auth(wallet, site, budget=20, **options):
    ticket_auth = TicketAuth(wallet, budget, sleep=None)
    return ticket_auth, site.client(auth=ticket_auth, **options)


def challenge_of(site, url=REPORT, method="GET", body=b""):
    response = site.handle(httpx.Request(method, url, content=body))
    return find_challenge(response.headers.get_list("WWW-Authenticate"))


def available(wallet):
    return sorted(t.value for t in wallet.tickets() if t.state == "available")


# TicketAuth


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
    with pytest.raises(BudgetExceeded, match="costs 3 tickets, and 2"):
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


@pytest.mark.parametrize("fault", ["drop", "vanish"])
def test_after_a_lost_connection_the_same_payment_is_sent(wallet, site, fund, fault):
    fund(8)
    site.prices["/report"] = (3, DAY)
    ticket_auth, http = auth(wallet, site)
    sent = []
    arranged = {"done": False}

    def handle(request):
        credential = request.headers.get("Authorization")
        if credential:
            sent.append(credential)
            if not arranged["done"]:
                arranged["done"] = True
                getattr(site, fault)("/report")
        return site.handle(request)

    http = httpx.Client(transport=httpx.MockTransport(handle), auth=ticket_auth)
    with pytest.raises(httpx.TransportError):
        http.get(REPORT)
    assert http.get(REPORT).status_code == 200
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert (ticket_auth.spent, wallet.balance()) == (3, 5)


def pay_and_lose(wallet, site, fault, url=REPORT):
    """Pay for `url`, and lose the payment or the answer to it."""

    def handle(request):
        if "Authorization" in request.headers:
            getattr(site, fault)(request.url.path)
        return site.handle(request)

    with pytest.raises(httpx.TransportError):
        httpx.Client(transport=httpx.MockTransport(handle), auth=TicketAuth(wallet)).get(url)


def test_a_delivery_lost_on_the_way_is_not_paid_twice_in_silence(wallet, site, fund):
    fund(8)
    pay_and_lose(wallet, site, "drop")
    _, http = auth(wallet, site)
    with pytest.raises(AlreadyDelivered, match="change is in the wallet"):
        http.get(REPORT)
    assert available(wallet) == [1, 4]


def test_recovering_a_settled_payment_brings_the_change(wallet, site, fund):
    fund(8)
    pay_and_lose(wallet, site, "drop")
    assert wallet.balance() == 0
    recovered = SiteClient(SHOP, wallet, site.client()).recover()
    assert (recovered.settled, recovered.value, wallet.balance()) == (1, 5, 5)


def test_recovering_a_payment_that_never_arrived_yields_a_pass(wallet, site, fund):
    fund(8)
    pay_and_lose(wallet, site, "vanish")
    SiteClient(SHOP, wallet, site.client()).recover()
    ticket_auth, http = auth(wallet, site)
    assert http.get(REPORT).status_code == 200
    assert (ticket_auth.spent, wallet.balance()) == (0, 5)


def test_recovering_an_expired_payment_frees_its_tickets(wallet, site, fund):
    fund(8)
    pay_and_lose(wallet, site, "vanish")
    site.now += 901
    recovered = SiteClient(SHOP, wallet, site.client()).recover()
    assert (recovered.released, wallet.balance()) == (1, 8)


def test_recovering_while_the_site_is_busy_waits(wallet, site, fund):
    fund(8)
    pay_and_lose(wallet, site, "vanish")
    site.answer(
        "/ticketminer/redeem",
        httpx.Response(409, json={"cause": "in-progress"}, headers={"Retry-After": "1"}),
    )
    client = SiteClient(SHOP, wallet, site.client())
    assert client.recover().pending == 1
    assert client.recover().settled == 1


def test_a_payment_that_the_site_has_forgotten_is_found_by_its_change(wallet, site, fund):
    fund(8)
    pay_and_lose(wallet, site, "drop")
    site.payments.clear()
    site.now += DAY
    assert SiteClient(SHOP, wallet, site.client()).recover().settled == 1
    assert wallet.balance() == 5


def test_an_exact_payment_that_the_site_has_forgotten_is_found_on_its_list(wallet, site, fund):
    fund(1, 2)
    pay_and_lose(wallet, site, "drop")
    site.payments.clear()
    site.now += DAY
    assert SiteClient(SHOP, wallet, site.client()).recover().settled == 1
    assert [t.state for t in wallet.tickets()] == ["spent", "spent"]


def test_the_payment_is_written_down_before_it_is_sent(wallet, site, fund):
    fund(8)
    written = []

    def look(request):
        if "Authorization" in request.headers:
            credential = decode_json(unb64url(request.headers["Authorization"].partition(" ")[2]))
            written.append([decode_json(pending.body) for pending in wallet.unanswered()] == [credential])
        return site.handle(request)

    httpx.Client(transport=httpx.MockTransport(look), auth=TicketAuth(wallet)).get(REPORT)
    assert written == [True]


def test_busy_answers_are_waited_for_and_the_same_payment_repeated(wallet, site, fund):
    fund(8)
    waited = []
    http = site.client(auth=TicketAuth(wallet, sleep=waited.append))
    busy = httpx.Response(409, json={"cause": "in-progress"}, headers={"Retry-After": "3"})
    site.answer("/report", site.handle(httpx.Request("GET", REPORT)))
    site.answer("/report", busy, times=2)
    assert http.get(REPORT).status_code == 200
    assert waited == [3, 3]


def test_async_clients_wait_as_well(wallet, site, fund):
    fund(8)
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    busy = httpx.Response(409, json={"cause": "in-progress"}, headers={"Retry-After": "3"})
    site.answer("/report", site.handle(httpx.Request("GET", REPORT)))
    site.answer("/report", busy)

    async def get():
        ticket_auth = TicketAuth(wallet, async_sleep=sleep)
        async with httpx.AsyncClient(transport=httpx.MockTransport(site.handle), auth=ticket_auth) as http:
            return await http.get(REPORT)

    assert asyncio.run(get()).status_code == 200
    assert waited == [3]


def test_waiting_is_bounded(wallet, site, fund):
    fund(8)
    waited = []
    http = site.client(auth=TicketAuth(wallet, sleep=waited.append))
    busy = httpx.Response(409, json={"cause": "ticket-in-use"}, headers={"Retry-After": "86400"})
    site.answer("/report", site.handle(httpx.Request("GET", REPORT)))
    site.answer("/report", busy, times=100)
    assert http.get(REPORT).status_code == 409
    assert len(waited) == MAX_WAITS
    assert max(waited) <= 30
    assert len(wallet.unanswered()) == 1


def test_a_failing_view_costs_nothing(wallet, site, fund):
    fund(8)
    site.views["/report"] = 500
    _, http = auth(wallet, site)
    assert http.get(REPORT).status_code == 500
    assert (wallet.balance(), wallet.unanswered()) == (8, [])


@pytest.mark.parametrize("status", [402, 500])
def test_what_a_site_takes_while_it_says_that_it_does_not_counts_against_the_budget(
    wallet, site, fund, status
):
    fund(1, 2, 1, 2, 1, 2)

    def handle(request):
        reply = site.handle(request)
        if reply.status_code != 200 or request.url.path != "/report":
            return reply
        challenge = site.handle(httpx.Request("GET", REPORT)).headers["WWW-Authenticate"]
        return httpx.Response(
            status, json={"cause": "challenge-expired"}, headers={"WWW-Authenticate": challenge}
        )

    ticket_auth = TicketAuth(wallet, 5, sleep=None)
    http = httpx.Client(transport=httpx.MockTransport(handle), auth=ticket_auth)
    for _ in range(4):
        with contextlib.suppress(MinerError):
            http.get(REPORT)
    assert (ticket_auth.spent, len(site.spent)) == (3, 2)


def test_a_single_ticket_that_the_site_lists_as_spent_counts(wallet, site, fund):
    fund(1, 2, 8)
    stolen = next(t for t in wallet.tickets() if t.value == 1)
    site.spent[stolen.key_id, stolen.nonce] = "elsewhere"
    ticket_auth, http = auth(wallet, site)
    assert http.get(REPORT).status_code == 200
    assert (ticket_auth.spent, sum(available(wallet))) == (1 + 3, 7)


def test_what_a_failing_view_gave_back_can_be_spent_again_within_the_budget(wallet, site, fund):
    fund(8)
    site.views["/report"] = 500
    ticket_auth, http = auth(wallet, site, budget=3)
    for _ in range(3):
        assert http.get(REPORT).status_code == 500
    site.views.clear()
    assert http.get(REPORT).status_code == 200
    assert (ticket_auth.spent, wallet.balance()) == (3, 5)


def test_a_gateway_error_leaves_the_payment_open(wallet, site, fund):
    fund(8)
    ticket_auth, http = auth(wallet, site)
    site.answer("/report", site.handle(httpx.Request("GET", REPORT)))
    site.answer("/report", httpx.Response(502))
    assert http.get(REPORT).status_code == 502
    assert (ticket_auth.spent, len(wallet.unanswered())) == (3, 1)


def test_a_redirect_that_was_paid_for_gets_its_change_later(wallet, site, fund):
    fund(8)
    site.views["/report"] = 303
    _, http = auth(wallet, site)
    assert http.get(REPORT).status_code == 303
    SiteClient(SHOP, wallet, site.client()).recover()
    assert wallet.balance() == 5


def test_a_fresh_challenge_replaces_an_expired_one(wallet, site, fund):
    fund(8)
    _, http = auth(wallet, site)
    old = site.handle(httpx.Request("GET", REPORT))
    site.challenges.clear()
    site.answer("/report", old)
    assert http.get(REPORT).status_code == 200
    assert wallet.balance() == 5


def test_spent_tickets_are_replaced_by_others(wallet, site, fund):
    fund(4, 8)
    stolen = next(t for t in wallet.tickets() if t.value == 4)
    site.spent[stolen.key_id, stolen.nonce] = "elsewhere"
    ticket_auth, http = auth(wallet, site)
    assert http.get(REPORT).status_code == 200
    # The site has the 4 as well, by its own list, so it counts.
    assert (available(wallet), ticket_auth.spent) == ([1, 4], 7)


def test_a_refusal_without_remedy_is_raised_and_costs_nothing(wallet, site, fund):
    fund(8)
    ticket_auth, http = auth(wallet, site)
    first = site.handle(httpx.Request("GET", REPORT))
    site.answer("/report", first)
    refused = httpx.Response(402, json={"cause": "foreign-ticket", "detail": "Not ours."})
    site.answer("/report", refused)
    with pytest.raises(PaymentFailed, match="Not ours") as caught:
        http.get(REPORT)
    assert (caught.value.cause, ticket_auth.spent, wallet.balance()) == ("foreign-ticket", 0, 8)


def test_a_site_that_never_stops_asking_is_given_up(wallet, site, fund):
    fund(8)

    def forgetful(request):
        site.challenges.clear()
        return site.handle(request)

    http = httpx.Client(transport=httpx.MockTransport(forgetful), auth=TicketAuth(wallet))
    with pytest.raises(PaymentFailed, match="again and again"):
        http.get(REPORT)
    assert wallet.balance() == 8


def test_new_keys_for_the_change_are_fetched(wallet, site, fund, clock):
    fund(8)
    clock.now = site.now = NOW + 7 * DAY
    site.add_epoch(1)
    _, http = auth(wallet, site)
    assert http.get(REPORT).status_code == 200
    assert wallet.balance() == 5


@pytest.mark.parametrize("days", [-40, -1, 1, 40])
def test_a_wrong_local_clock_does_not_keep_from_paying(wallet, site, fund, clock, days):
    fund(8)
    clock.now = NOW + days * DAY
    _, http = auth(wallet, site)
    assert http.get(REPORT).status_code == 200
    assert [t.value for t in wallet.tickets() if t.state != "spent"] == [1, 4]


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


# Payer


def test_a_prepared_payment_ties_up_its_tickets(wallet, site, fund):
    fund(8)
    prepared = Payer(wallet, SHOP).prepare(challenge_of(site), "GET", REPORT)
    assert prepared.header_name == "Authorization"
    assert prepared.header_value.startswith("Payment ")
    assert wallet.balance() == 0


def test_a_failed_payment_frees_them(wallet, site, fund):
    fund(8)
    payer = Payer(wallet, SHOP, budget=10)
    prepared = payer.prepare(challenge_of(site), "GET", REPORT)
    payer.failed(prepared, SiteRefused(402, "challenge-expired", "Too late."))
    assert (wallet.balance(), payer.budget.spent) == (8, 0)


def test_an_undecided_payment_stays_open(wallet, site, fund):
    fund(8)
    payer = Payer(wallet, SHOP, budget=10)
    prepared = payer.prepare(challenge_of(site), "GET", REPORT)
    payer.failed(prepared, SiteRefused(503, "outcome-unknown", "Ask again.", 1))
    assert (wallet.balance(), payer.budget.spent) == (0, 3)


def test_an_expired_challenge_is_not_paid(wallet, site, fund, clock):
    fund(8)
    challenge = challenge_of(site)
    clock.now += 901
    with pytest.raises(SiteProtocolError, match="expired"):
        Payer(wallet, SHOP).prepare(challenge, "GET", REPORT)


def test_a_challenge_for_another_body_is_not_paid(wallet, site, fund):
    fund(8)
    challenge = challenge_of(site, method="POST", body=b"one")
    with pytest.raises(SiteProtocolError, match="another request body"):
        Payer(wallet, SHOP).prepare(challenge, "POST", REPORT, b"two")


def test_another_sites_address_is_not_paid(wallet, site, fund):
    fund(8)
    with pytest.raises(ForeignRequest, match="never leave"):
        Payer(wallet, SHOP).prepare(challenge_of(site), "GET", "https://other.example/report")


@pytest.mark.parametrize(
    "change", [{"amount": "4"}, {"status": "failed"}, {"change": []}, {"change": ["AAAA", "AAAA"]}]
)
def test_a_receipt_that_does_not_fit_leaves_the_payment_open(wallet, site, fund, change):
    fund(8)
    payer = Payer(wallet, SHOP)
    prepared = payer.prepare(challenge_of(site), "GET", REPORT)
    answer = site._receipt(site._pay(decode_json(prepared.redeem_body)))
    with pytest.raises(SiteProtocolError):
        payer.complete(prepared, redeem_answer={**answer, **change})
    assert len(wallet.unanswered()) == 1
    payer.complete(prepared, redeem_answer=answer)
    assert wallet.balance() == 5


def test_tickets_and_outputs_are_ordered_by_value(wallet, site, fund):
    fund(8, 1, 4)
    site.prices["/report"] = (7, None)
    prepared = Payer(wallet, SHOP).prepare(challenge_of(site), "GET", REPORT)
    payload = json.loads(prepared.redeem_body)["payload"]
    values = {key.key_id.hex(): key.value for key in wallet.keys(SHOP)}
    outputs = [values[output["key_id"]] for output in payload["outputs"]]
    assert outputs == sorted(outputs)


# Printed payments


def test_a_printed_payment_pays_when_it_is_handed_in(wallet, site, fund):
    fund(8)
    client = SiteClient(SHOP, wallet, site.client())
    code = client.run(Payer(wallet, SHOP).code_steps(REPORT))
    credential = decode_json(unb64url(code.removeprefix("ticketminer-payment-1.")))
    assert site._pay(credential)["price"] == 3


def test_a_printed_payment_is_left_alone_until_its_challenge_has_expired(wallet, site, fund, clock):
    fund(8)
    client = SiteClient(SHOP, wallet, site.client())
    client.run(Payer(wallet, SHOP).code_steps(REPORT))
    assert client.recover().settled == 0
    clock.now = site.now = NOW + 1000
    assert client.recover().released == 1
    assert wallet.balance() == 8


def test_a_printed_payment_carries_the_credential(wallet, site, fund):
    fund(8)
    prepared = Payer(wallet, SHOP).prepare(challenge_of(site), "GET", REPORT)
    text = payment_code(prepared).removeprefix("ticketminer-payment-1.")
    assert decode_json(unb64url(text)) == decode_json(prepared.redeem_body)


def test_a_free_page_prints_no_payment(wallet, site):
    client = SiteClient(SHOP, wallet, site.client())
    with pytest.raises(PaymentFailed, match="nothing to pay"):
        client.run(Payer(wallet, SHOP).code_steps(SHOP + "/ticketminer/"))
