"""Payments that are lost, refused or kept waiting on the way, and what becomes of their tickets."""

from __future__ import annotations

import asyncio
import contextlib

import httpx
import pytest
from fake_keys import DAY, NOW
from purses import REPORT, SHOP, auth, available

from miner import TicketAuth
from miner.client import SiteClient
from miner.errors import AlreadyDelivered, MinerError, PaymentFailed
from miner.payment.payer import MAX_WAITS
from miner.tokens import decode_json, unb64url


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
