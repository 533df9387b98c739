"""A payment that is given up tells the truth about the tickets that were offered."""

from __future__ import annotations

import httpx
import pytest
from purses import REPORT, SHOP, auth

from miner import TicketAuth
from miner.client import SiteClient
from miner.errors import PaymentFailed

STILL_YOURS = "The tickets are still yours."


def given_up(http, cause=""):
    with pytest.raises(PaymentFailed) as caught:
        http.get(REPORT)
    assert caught.value.cause == cause
    return str(caught.value)


def test_a_site_that_never_stops_asking_is_given_up_and_the_tickets_are_said_to_be_there(wallet, site, fund):
    fund(8)

    def forgetful(request):
        site.challenges.clear()
        return site.handle(request)

    http = httpx.Client(transport=httpx.MockTransport(forgetful), auth=TicketAuth(wallet))
    said = given_up(http)
    assert "again and again" in said
    assert STILL_YOURS in said
    assert wallet.balance() == 8


def test_tickets_that_were_found_spent_are_told(wallet, site, fund):
    fund(4, 4, 4)
    for ticket in wallet.tickets():
        site.spent[ticket.key_id, ticket.nonce] = "elsewhere"
    fund(8)
    told = given_up(auth(wallet, site)[1])
    assert "those worth 12 are spent." in told
    assert "yours" not in told
    assert wallet.balance() == 8


def test_tickets_freed_beside_spent_ones_are_told(wallet, site, fund):
    fund(1, 2, 4, 4, 4)
    for ticket in wallet.tickets():
        if ticket.value != 1:
            site.spent[ticket.key_id, ticket.nonce] = "elsewhere"
    told = given_up(auth(wallet, site)[1])
    assert "those worth 10 are spent. The others are still yours." in told
    assert wallet.balance() == 5


def test_tickets_that_only_the_site_calls_spent_wait_for_recover(wallet, site, fund):
    fund(4, 4, 4)
    for ticket in wallet.tickets():
        site.spent[ticket.key_id, ticket.nonce] = "elsewhere"
    site.list_of = {}
    told = given_up(auth(wallet, site)[1])
    assert told.endswith(
        "again and again. Tickets worth 12 are kept back until the site tells what became of them: ticketminer wallet "
        f"recover {SHOP}. Try again later."
    )
    site.spent.clear()
    SiteClient(SHOP, wallet, site.client()).recover()
    assert len(wallet.unanswered()) == 0


def test_a_refusal_without_remedy_tells_of_the_attempts_before_it(wallet, site, fund):
    fund(4, 8)
    stolen = next(ticket for ticket in wallet.tickets() if ticket.value == 4)
    site.spent[stolen.key_id, stolen.nonce] = "elsewhere"
    paid = []

    def handle(request):
        if "Authorization" in request.headers:
            paid.append(request)
            if len(paid) == 2:
                return httpx.Response(402, json={"cause": "foreign-ticket", "detail": "Not ours."})
        return site.handle(request)

    http = httpx.Client(transport=httpx.MockTransport(handle), auth=TicketAuth(wallet))
    assert "those worth 4 are spent. The others are still yours." in given_up(http, "foreign-ticket")
    assert wallet.balance() == 8
