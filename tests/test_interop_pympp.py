"""The "Payment" scheme with code nobody here wrote: pympp's client pays our site, its server is paid by our client."""

from __future__ import annotations

import asyncio
import hmac
import pathlib
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest
from flask import request
from live import BOOK_PRICE, LiveSite, LiveSites, get, visit
from mpp import Challenge, Credential, Receipt
from mpp.client import Method, Mpp
from mpp.server import Mpp as Server
from mpp.server import PaymentVerified, Request, Response, ServerMethod, VerifyContext
from ticket_method import ChargePayload, ChargeRequest, TicketMethod

from flask_ticketminer.binding import Binding
from flask_ticketminer.challenge import new_challenge, read_challenge
from flask_ticketminer.errors import ChallengeAltered
from miner import TicketAuth, Wallet
from miner.errors import BudgetExceeded, PaymentFailed, SiteRefused
from miner.tokens import Token, decode_json, unb64url

SECRET = "a secret of thirty-two characters"
BODY = {"text": "ä"}


@pytest.fixture
def site(serve: LiveSites) -> LiveSite:
    return serve()


@pytest.fixture
def wallet(tmp_path: pathlib.Path) -> Iterator[Wallet]:
    with Wallet.open(tmp_path / "anna" / "wallet.sqlite") as opened:
        yield opened


def fetch(mpp: Mpp, url: str, **options: t.Any) -> httpx.Response:
    """Request `url` with pympp's client."""

    async def once() -> httpx.Response:
        async with mpp:
            return await mpp.fetch(url, **options)

    return asyncio.run(once())


def pay(wallet: Wallet, site: LiveSite, path: str, *, budget: int = 20, **options: t.Any) -> httpx.Response:
    """Request `path` with pympp's client and our method."""
    return fetch(TicketMethod(wallet, site.url, budget).client(), site.url + path, **options)


# Its client at our site


def test_its_client_pays_and_the_change_returns(site: LiveSite, wallet: Wallet) -> None:
    site.fill(wallet, 4)
    reply = pay(wallet, site, "/report")
    assert (reply.status_code, reply.text) == (200, "the report")
    receipt = Receipt.from_payment_receipt(reply.headers["Payment-Receipt"])
    assert (receipt.status, receipt.method) == ("success", "ticket")
    assert (site.paid(), site.unspent(), wallet.balance()) == (3, 1, 1)
    assert get(wallet, site.url + "/once")[0] == 200  # the change is good


def test_its_client_pays_for_a_request_with_a_body(site: LiveSite, wallet: Wallet) -> None:
    site.fill(wallet, 2)
    reply = pay(wallet, site, "/echo", method="POST", json=BODY)
    assert reply.json() == BODY
    assert (site.paid(), wallet.balance()) == (1, 1)


def test_its_client_leaves_the_sites_own_authorization_alone(serve: LiveSites, wallet: Wallet) -> None:
    site = serve(TICKETMINER_USES_AUTHORIZATION=True)
    site.fill(wallet, 1)
    seen: list[tuple[str | None, bool]] = []
    site.before = lambda: seen.append(authorizations())
    assert pay(wallet, site, "/once", headers={"Authorization": "Bearer me"}).status_code == 200
    assert seen == [("Bearer me", False), ("Bearer me", True)]


def authorizations() -> tuple[str | None, bool]:
    return request.headers.get("Authorization"), "Payment-Authorization" in request.headers


def test_its_client_pays_no_more_than_the_budget(site: LiveSite, wallet: Wallet) -> None:
    site.fill(wallet, 4)
    with pytest.raises(BudgetExceeded):
        pay(wallet, site, "/report", budget=2)
    assert (site.paid(), wallet.balance()) == (0, 4)


def test_its_client_answers_no_challenge_that_has_expired(site: LiveSite, wallet: Wallet) -> None:
    site.fill(wallet, 4)
    site.clock.advance(-3600)
    assert pay(wallet, site, "/report").status_code == 402
    assert (site.paid(), wallet.balance()) == (0, 4)


def test_a_challenge_that_expires_on_the_way_costs_nothing(site: LiveSite, wallet: Wallet) -> None:
    site.fill(wallet, 4)
    site.before = lambda: site.clock.advance(3600 if len(site.requests) == 2 else 0)
    with pytest.raises(PaymentFailed):
        pay(wallet, site, "/report")
    with visit(site.url, wallet) as client:
        client.recover()
    assert (site.paid(), wallet.balance()) == (0, 4)


def test_a_payment_too_large_for_a_header_is_not_made(site: LiveSite, wallet: Wallet) -> None:
    site.fill(wallet, *[1] * BOOK_PRICE)
    with pytest.raises(SiteRefused, match="TicketAuth"):
        pay(wallet, site, "/book")
    assert (site.paid(), wallet.balance()) == (0, BOOK_PRICE)


def test_its_client_takes_our_auth_and_then_pays_any_amount(site: LiveSite, wallet: Wallet) -> None:
    site.fill(wallet, *[1] * BOOK_PRICE)

    async def buy() -> httpx.Response:
        async with Mpp(methods=[]).client(auth=TicketAuth(wallet)) as client:
            return await client.get(site.url + "/book")

    assert asyncio.run(buy()).text == "the book"
    assert (site.paid(), wallet.balance()) == (BOOK_PRICE, 0)


# What travels


def test_it_reads_our_clients_credential_as_its_own(site: LiveSite, wallet: Wallet) -> None:
    site.fill(wallet, 4)
    challenges, credentials = [], []

    def listen(response: httpx.Response) -> None:
        if "WWW-Authenticate" in response.headers:
            challenges.append(Challenge.from_www_authenticate(response.headers["WWW-Authenticate"]))
        if "Authorization" in response.request.headers:
            credentials.append(response.request.headers["Authorization"])

    transport = Listening(listen)
    with httpx.Client(transport=transport, auth=TicketAuth(wallet)) as http:
        assert http.get(site.url + "/report").status_code == 200
    [challenge], [header] = challenges, credentials
    credential = Credential.from_authorization(header)
    assert credential.challenge == challenge.to_echo()
    assert credential.to_authorization() == header


class Listening(httpx.HTTPTransport):
    """Shows every answer, with its request, before anything else sees it."""

    def __init__(self, listen: Callable[[httpx.Response], None]) -> None:
        super().__init__()
        self._listen = listen

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        response.request = request
        self._listen(response)
        return response


class SharedSecret:
    """A key that both sides can hold: pympp takes text, our own keys are derived bytes."""

    def mac(self, purpose: str, message: bytes) -> bytes:
        return hmac.digest(SECRET.encode(), message, "sha256")

    def mac_matches(self, purpose: str, message: bytes, tag: bytes) -> bool:
        return hmac.compare_digest(self.mac(purpose, message), tag)


def our_challenge(digest: str | None = None, **options: t.Any) -> str:
    """Return a value of ``WWW-Authenticate`` of ours."""
    binding = Binding("GET", "/ü?q=%22", digest, bytes(32))
    details = {"redeem": "/ticketminer/redeem", "service": "/ticketminer/", "scope": "größer"}
    options = {
        "amount": 3,
        "site_name": "shop.example",
        "expires": 4_000_000_000,
        "details": details,
        **options,
    }
    return new_challenge(SharedSecret(), binding, **options).header()


@pytest.mark.parametrize("digest", [None, "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"])
def test_both_name_a_challenge_alike(digest: str | None) -> None:
    theirs = Challenge.from_www_authenticate(our_challenge(digest))
    assert theirs.verify(SECRET, "shop.example")
    assert not theirs.verify(SECRET, "other.example")
    assert Challenge.from_www_authenticate(theirs.to_www_authenticate("shop.example")) == theirs


def test_the_credentials_field_is_the_drafts_eighth_slot() -> None:
    # pympp has it before the opaque slot, so the draft's own words are the reference: "an eighth slot is appended".
    header = our_challenge(uses_authorization=True)
    echo = Challenge.from_www_authenticate(header).to_echo()
    slots = (echo.realm, echo.method, echo.intent, echo.request, echo.expires, "", echo.opaque, echo.header)
    expected = hmac.digest(SECRET.encode(), "|".join(map(str, slots)).encode(), "sha256")
    assert unb64url(echo.id) == expected


def test_our_server_recognises_a_challenge_that_it_made_under_the_same_key() -> None:
    wanted = {"amount": "3", "currency": "ticket", "recipient": "shop.example"}
    opaque = {"method": "GET", "resource": "/report", "binding": "AAAA", "nonce": "AAAA"}
    fields = {
        "realm": "shop.example",
        "method": "ticket",
        "intent": "charge",
        "expires": "2096-10-02T07:06:40Z",
    }
    theirs = Challenge.create(secret_key=SECRET, request=wanted, meta=opaque, **fields)
    header = Credential(theirs.to_echo(), {}).to_authorization()
    echo = decode_json(unb64url(header.removeprefix("Payment ")))["challenge"]
    assert read_challenge(SharedSecret(), echo).amount == 3
    with pytest.raises(ChallengeAltered):
        read_challenge(SharedSecret(), {**echo, "realm": "other.example"})


# Our client at its server


def test_our_client_pays_its_server_and_reads_its_receipt(site: LiveSite, wallet: Wallet) -> None:
    origin = "https://api.example"
    site.fill(wallet, 1, at=origin)
    key = wallet.keys(origin)[0]
    taken: list[Token] = []

    async def verify(context: VerifyContext) -> Receipt:
        taken.extend(Token.from_bytes(unb64url(ticket)) for ticket in context.credential.payload.tickets)
        return replace(
            Receipt.success("payment-1", method="ticket"), extensions={"amount": "1", "change": []}
        )

    method = Method(name="ticket", intent="charge", request_model=ChargeRequest, payload_model=ChargePayload)
    server = Server(ServerMethod(method=method, verify=verify), realm="api.example", secret_key=SECRET)
    handler = server.charge(
        amount="1", currency="ticket", recipient=key.issuer_name, methodDetails={"redeem": "/redeem"}
    )

    async def answer(request: httpx.Request) -> httpx.Response:
        result = await handler(Request(request.method, str(request.url), dict(request.headers)))
        if isinstance(result, PaymentVerified):
            result = result.with_receipt(Response.json({"paid": True}))
        else:
            result = result.challenge
        return httpx.Response(result.status, headers=result.headers, content=result.body)

    async def buy() -> httpx.Response:
        transport = httpx.MockTransport(answer)
        async with httpx.AsyncClient(transport=transport, auth=TicketAuth(wallet)) as client:
            return await client.get(origin + "/summary")

    reply = asyncio.run(buy())
    assert reply.json() == {"paid": True}
    assert [token.key_id for token in taken] == [key.key_id]
    assert (wallet.balance(), wallet.unanswered()) == (0, [])
