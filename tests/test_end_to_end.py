"""The visitor's library against a served site: mining, paying, exchanging, giving, and answers that get lost."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterator

import httpx
import pytest
from flask import request
from live import BOOK_PRICE, LiveSite, LiveSites, LossyProxy, SocksServer, get, mine, visit
from sites import DEFAULT_WORK

from flask_ticketminer.clock import ManualClock
from miner import SiteClient, Wallet
from miner.errors import NotEnoughTickets, SiteUnreachable, WalletError
from miner.job import Job
from miner.payment import TicketAuth
from miner.pow import ALGORITHMS
from miner.tokens import split
from miner.transport import open_http

OpenWallet = Callable[[str], Wallet]


@pytest.fixture
def serve(tmp_path: pathlib.Path, manual_clock: ManualClock) -> Iterator[LiveSites]:
    with LiveSites(tmp_path, manual_clock) as sites:
        yield sites


@pytest.fixture
def site(serve: LiveSites, database_url: str) -> LiveSite:
    """A site on each kind of database."""
    return serve(database_url)


@pytest.fixture
def open_wallet(tmp_path: pathlib.Path, manual_clock: ManualClock) -> Iterator[OpenWallet]:
    wallets: list[Wallet] = []

    def make(name: str) -> Wallet:
        wallets.append(Wallet.open(tmp_path / name / "wallet.sqlite", clock=manual_clock.now))
        return wallets[-1]

    yield make
    for wallet in wallets:
        wallet.close()


@pytest.fixture
def wallet(open_wallet: OpenWallet) -> Wallet:
    return open_wallet("anna")


@pytest.fixture
def client(site: LiveSite, wallet: Wallet) -> Iterator[SiteClient]:
    with visit(site.url, wallet) as client:
        yield client


def values(wallet: Wallet) -> list[int]:
    """Return the values of the tickets that can be spent, in order."""
    return sorted(ticket.value for ticket in wallet.tickets() if ticket.state == "available")


# Mining and paying


def test_mined_tickets_pay_and_their_change_pays_again(
    site: LiveSite, wallet: Wallet, client: SiteClient
) -> None:
    mine(client, tickets=8)
    mined = wallet.balance()
    assert mined == site.unspent() >= 8
    client.join()
    assert values(wallet) == split(mined)
    assert get(wallet, site.url + "/report") == (200, "the report")
    assert get(wallet, site.url + "/pictures/four") == (200, "four")
    assert wallet.balance() == site.unspent() == mined - site.paid()
    assert site.paid() == 7


def test_a_payment_too_large_for_a_header_is_redeemed_for_a_pass(site: LiveSite, wallet: Wallet) -> None:
    site.fill(wallet, *[1] * BOOK_PRICE)
    for _ in range(2):
        assert get(wallet, site.url + "/book") == (200, "the book")
    assert site.requests.count("POST /ticketminer/redeem") == 1
    assert (site.paid(), site.unspent(), wallet.balance()) == (BOOK_PRICE, 0, 0)


def test_a_request_with_a_body_is_paid_and_sent_whole(site: LiveSite, wallet: Wallet) -> None:
    site.fill(wallet, 2)
    body = os.urandom(100_000)
    with httpx.Client(auth=TicketAuth(wallet)) as http:
        assert http.post(site.url + "/echo", content=body).content == body
    assert wallet.balance() == site.unspent() == 1


def test_tickets_are_split_and_joined(site: LiveSite, wallet: Wallet, client: SiteClient) -> None:
    site.fill(wallet, 8)
    client.make_exact(3)
    assert sum(values(wallet)) == 8
    assert len(values(wallet)) > 1
    client.join()
    assert values(wallet) == [8]
    assert site.unspent() == 8


def test_a_fund_is_given_tickets_and_work(site: LiveSite, wallet: Wallet, client: SiteClient) -> None:
    site.fill(wallet, 4)
    assert get(wallet, site.url + "/ticketminer/donate?amount=3&fund=articles")[0] == 200
    mine(client, tickets=2, donate=True, fund="articles")
    assert site.donated("articles") >= 3 + 2
    assert wallet.balance() == site.unspent() == 1


def test_one_engine_mines_at_several_sites_into_one_wallet(
    site: LiveSite, serve: LiveSites, wallet: Wallet, client: SiteClient
) -> None:
    other = serve(TICKETMINER_SITE_NAME="other.example")
    with visit(other.url, wallet) as second:
        mine(client, second, tickets=6)
    assert wallet.balance(site.url) == site.unspent()
    assert wallet.balance(other.url) == other.unspent()


def test_one_site_is_not_paid_with_the_tickets_of_another(
    site: LiveSite, serve: LiveSites, wallet: Wallet
) -> None:
    other = serve(TICKETMINER_SITE_NAME="other.example")
    site.fill(wallet, 8)
    other.fill(wallet, 2)
    assert get(wallet, other.url + "/once")[0] == 200
    with pytest.raises(NotEnoughTickets):
        get(wallet, other.url + "/report")
    assert (
        (wallet.balance(site.url), wallet.balance(other.url)) == (site.unspent(), other.unspent()) == (8, 1)
    )


def test_a_gift_can_be_spent_by_the_taker_and_no_more_by_the_giver(
    site: LiveSite, wallet: Wallet, client: SiteClient, open_wallet: OpenWallet
) -> None:
    site.fill(wallet, 8)
    gift = client.send(3)
    taker = open_wallet("ben")
    with visit(site.url, taker) as takers_client:
        assert takers_client.receive(gift) == 3
    with pytest.raises(WalletError, match="already spent"):
        client.receive(gift)
    assert get(taker, site.url + "/report") == (200, "the report")
    assert (wallet.balance(), taker.balance(), site.unspent()) == (5, 0, 5)


def test_a_second_copy_of_a_gift_buys_nothing(
    site: LiveSite, wallet: Wallet, client: SiteClient, open_wallet: OpenWallet
) -> None:
    site.fill(wallet, 2)
    gift = client.send(1)
    for name in ("ben", "carla"):
        with visit(site.url, open_wallet(name)) as taker:
            if name == "ben":
                taker.receive(gift)
            else:
                with pytest.raises(WalletError, match="already spent"):
                    taker.receive(gift)
    assert site.unspent() == 2


# The connection dies after the site has done what was asked


@pytest.fixture
def line(site: LiveSite) -> Iterator[LossyProxy]:
    with LossyProxy(site) as proxy:
        yield proxy


@pytest.fixture
def client_on_line(line: LossyProxy, wallet: Wallet) -> Iterator[SiteClient]:
    """A client whose site is behind the bad line."""
    with visit(line.url, wallet) as client:
        yield client


@pytest.mark.parametrize("keep", [0.0, 0.9])
def test_a_share_without_an_answer_is_paid_once(
    line: LossyProxy, client_on_line: SiteClient, wallet: Wallet, keep: float
) -> None:
    line.lose("POST /ticketminer/submit", keep=keep)
    job = client_on_line.job([DEFAULT_WORK])
    with pytest.raises(SiteUnreachable):
        client_on_line.submit(job, winning_nonce(job))
    assert (line.site.unspent(), wallet.balance()) == (1, 0)
    assert client_on_line.recover().value == 1
    assert (line.site.unspent(), wallet.balance(), wallet.unanswered()) == (1, 1, [])


def test_the_engine_sends_a_share_without_an_answer_again(
    line: LossyProxy, client_on_line: SiteClient, wallet: Wallet
) -> None:
    line.lose("POST /ticketminer/submit")
    # It hashes on while it waits; slowly, so that there is not too much to send afterwards.
    mine(client_on_line, tickets=1, duty=10)
    assert line.losses == {}
    assert wallet.balance() == line.site.unspent() >= 1


@pytest.mark.parametrize("keep", [0.0, 0.9])
def test_a_header_payment_without_an_answer_brings_its_change(
    line: LossyProxy, client_on_line: SiteClient, wallet: Wallet, keep: float
) -> None:
    line.site.fill(wallet, 8, at=line.url)
    line.site.before = lambda: line.lose("GET /report", keep=keep) if paying() else None
    with pytest.raises(httpx.RemoteProtocolError):
        get(wallet, line.url + "/report")
    line.site.before = lambda: None
    client_on_line.recover()
    assert (wallet.balance(), wallet.unanswered(), line.site.unspent(), line.site.paid()) == (5, [], 5, 3)
    assert get(wallet, line.url + "/report") == (200, "the report")
    assert line.site.paid() == 3


def test_a_redemption_without_an_answer_brings_its_pass(
    line: LossyProxy, client_on_line: SiteClient, wallet: Wallet
) -> None:
    line.site.fill(wallet, *[1] * BOOK_PRICE, at=line.url)
    line.lose("POST /ticketminer/redeem")
    with pytest.raises(httpx.RemoteProtocolError):
        get(wallet, line.url + "/book")
    assert client_on_line.recover().settled == 1
    assert get(wallet, line.url + "/book") == (200, "the book")
    assert (line.site.paid(), line.site.unspent(), wallet.balance()) == (BOOK_PRICE, 0, 0)


def test_the_same_request_again_takes_up_the_payment_without_an_answer(
    line: LossyProxy, client_on_line: SiteClient, wallet: Wallet
) -> None:
    line.site.fill(wallet, 8, at=line.url)
    line.site.before = lambda: line.lose("GET /report") if paying() else None
    with pytest.raises(httpx.RemoteProtocolError):
        get(wallet, line.url + "/report")
    line.site.before = lambda: None
    assert get(wallet, line.url + "/report") == (200, "the report")
    assert (wallet.balance(), line.site.unspent(), line.site.paid()) == (5, 5, 3)


@pytest.mark.parametrize("keep", [0.0, 0.9])
def test_an_exchange_without_an_answer_is_finished(
    line: LossyProxy, client_on_line: SiteClient, wallet: Wallet, keep: float
) -> None:
    line.site.fill(wallet, 8, at=line.url)
    line.lose("POST /ticketminer/redeem", keep=keep)
    with pytest.raises(SiteUnreachable):
        client_on_line.make_exact(3)
    assert wallet.balance() == 0
    assert client_on_line.recover().value == 8
    assert (wallet.balance(), wallet.unanswered(), line.site.unspent()) == (8, [], 8)


def test_a_gift_is_received_although_the_answer_was_lost(
    line: LossyProxy, client_on_line: SiteClient, wallet: Wallet, open_wallet: OpenWallet
) -> None:
    line.site.fill(wallet, 4, at=line.url)
    gift = client_on_line.send(4)
    taker = open_wallet("ben")
    line.lose("POST /ticketminer/redeem")
    with visit(line.url, taker) as takers_client:
        with pytest.raises(SiteUnreachable):
            takers_client.receive(gift)
        takers_client.recover()
    assert (taker.balance(), wallet.balance(), line.site.unspent()) == (4, 0, 4)


def test_another_process_of_the_site_gives_the_lost_answer(
    serve: LiveSites, database_url: str, line: LossyProxy, client_on_line: SiteClient, wallet: Wallet
) -> None:
    line.site.fill(wallet, 8, at=line.url)
    line.lose("POST /ticketminer/redeem")
    with pytest.raises(SiteUnreachable):
        client_on_line.make_exact(1)
    line.site = serve(database_url)
    client_on_line.recover()
    assert sum(values(wallet)) == line.site.unspent() == 8


# Two circuits


def test_mining_and_spending_take_different_circuits_and_the_proxy_resolves_names(
    serve: LiveSites, wallet: Wallet
) -> None:
    with SocksServer(serve()) as socks:
        with open_http(socks.url, "mining") as http:
            mine(SiteClient("http://shop.onion", wallet, http), tickets=1)
        with open_http(socks.url, "spending") as http:
            assert http.get("http://shop.onion/once", auth=TicketAuth(wallet)).status_code == 200
    mining, spending = (
        {(user, password) for user, password, _, line in socks.seen if line == wanted}
        for wanted in ("POST /ticketminer/submit", "GET /once")
    )
    assert len(mining) == len(spending) == 1
    assert mining.isdisjoint(spending)
    assert {host for _, _, host, _ in socks.seen} == {"shop.onion"}


def winning_nonce(job: Job) -> int:
    """Return a nonce that meets the job's target, found by the real search."""
    found = ALGORITHMS[job.algorithm].scan(
        job.blob, job.target, count=400, nonce_offset=job.nonce_offset, nonce_size=job.nonce_size
    )
    return found.hits[0][0]


def paying() -> bool:
    """Return whether the request that the site is answering brings tickets."""
    return "Authorization" in request.headers
