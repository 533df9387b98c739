"""The page's client in a real browser against a real site: mining, several tabs, gifts, words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from buyers import Buyer, OpenBuyer, Stock
from flask import Response, request
from live import LiveSite

from miner import SiteClient, Wallet
from miner.tokens import b64url, decode_json, jcs, unb64url
from miner.transport import open_http

DAY = 86_400


# Mining


def test_three_tickets_are_mined(buyer: Buyer, market: LiveSite) -> None:
    for value in (1, 2, 4):
        done = buyer("await mine({ value: args[0] })", value)
        assert (done["accepted"], done["value"], done["ticket"]) == (True, value, True)
    assert buyer("await values()") == [1, 2, 4]
    assert (buyer.open(), market.unspent()) == (0, 7)
    assert buyer("(await wallet.history()).map((entry) => entry.kind)") == ["mined"] * 3


def test_work_is_given_to_a_fund(buyer: Buyer, market: LiveSite) -> None:
    done = buyer("await mine({ value: 2, donate: true, fund: 'articles' })")
    assert (done["accepted"], done["ticket"], buyer.balance()) == (True, False, 0)
    assert market.donated("articles") == 2


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_share_without_an_answer_is_sent_again_byte_for_byte(
    buyer: Buyer, market: LiveSite, how: str
) -> None:
    buyer.lose("submit", how)
    assert buyer.fails("await mine()").code == "site-unreachable"
    assert (buyer.balance(), buyer.open()) == (0, 1)
    assert buyer("await client.recover()") == {
        "settled": 1, "released": 0, "pending": 0, "value": 1, "problems": [], "paid": [],
    }  # fmt: skip
    sent = [body for called, body in buyer("line.sent") if called.endswith("/submit")]
    assert (len(sent), len(set(sent)), buyer.balance(), market.unspent()) == (2, 1, 1, 1)


def test_a_share_that_is_refused_leaves_nothing_open(buyer: Buyer, market: LiveSite) -> None:
    buyer("void (globalThis.job = await client.job(['sha256d']))")
    market.clock.advance(2000)
    assert buyer.fails("await client.submit(job, await solve(job))").cause == "expired-job"
    assert (buyer.open(), buyer.balance()) == (0, 0)


def test_another_copy_is_caught_up_with(buyer: Buyer, open_buyer: OpenBuyer, market: LiveSite) -> None:
    other = open_buyer()
    seed = buyer("toHex(await wallet.seed())")
    other("await wallet.useSeed(Uint8Array.from(args[0].match(/../g), (pair) => parseInt(pair, 16)))", seed)
    for _ in range(3):
        buyer("await mine()")
    other("await mine()")
    assert (buyer.balance(), other.balance(), market.unspent(), other.open()) == (3, 4, 4, 0)


def test_a_clock_far_behind_goes_by_the_site(buyer: Buyer, market: LiveSite) -> None:
    buyer("setSkew(-20 * 86400)")
    buyer("await mine()")
    # The market's clock stands still meanwhile.
    assert buyer("client.clockOffset") == pytest.approx(20 * DAY, abs=120)
    assert buyer("client.now()") == pytest.approx(market.clock.now(), abs=120)
    assert buyer("(await wallet.tickets()).length") == 1


# Tabs


def test_two_tabs_buy_and_mine_at_once(buyer: Buyer, market: LiveSite, stock: Stock) -> None:
    stock(4, 4)
    other = Buyer(buyer.profile, market)
    buyer.begin("await client.pay(await client.challenge('/report'), '/report', 3)")
    other.begin("await client.pay(await client.challenge('/premium/a'), '/premium/a', 2)")
    assert (buyer.end()["value"]["change"], other.end()["value"]["change"]) == (1, 2)
    for _ in range(3):
        buyer.begin("await mine()")
        other.begin("await mine()")
        assert (buyer.end()["value"]["ticket"], other.end()["value"]["ticket"]) == (True, True)
    assert (buyer.balance(), buyer.open(), market.paid(), market.unspent()) == (9, 0, 5, 9)


def test_two_tabs_that_buy_the_same_pay_once(buyer: Buyer, market: LiveSite, stock: Stock) -> None:
    stock(4, 4)
    other = Buyer(buyer.profile, market)
    buyer.lose("redeem")
    buyer.fails("await client.pay(await client.challenge('/once'), '/once', 1)")
    buyer.begin("await client.pay(await client.challenge('/once'), '/once', 1)")
    other.begin("await client.pay(await client.challenge('/once'), '/once', 1)")
    assert {buyer.end()["value"]["reference"], other.end()["value"]["reference"]} == {
        buyer("(await wallet.history())[0].reference")
    }
    assert (buyer.balance(), buyer.open(), market.paid()) == (7, 0, 1)


def test_a_tab_that_dies_while_it_pays_loses_nothing(buyer: Buyer, market: LiveSite, stock: Stock) -> None:
    stock(8)
    arrived = threading.Event()

    def slow(response: Response) -> Response:
        if request.path == "/ticketminer/redeem":
            arrived.set()
            time.sleep(1)
        return response

    market.after = slow
    buyer.begin("await client.pay(await client.challenge('/report'), '/report', 3)")
    assert arrived.wait(20)
    buyer.tab.crash()
    again = Buyer(buyer.profile, market)
    assert (again.balance(), again.open()) == (0, 1)
    outcome = again("await client.recover()")
    assert (outcome["value"], outcome["paid"], again.balance(), market.paid()) == (5, ["GET /report"], 5, 3)


# Gifts, exchange, words


def test_tickets_are_given_away(buyer: Buyer, open_buyer: OpenBuyer, market: LiveSite, stock: Stock) -> None:
    stock(8)
    text = buyer("await client.send(3)")
    other = open_buyer()
    assert other("await client.receive(args[0])", text) == 3
    assert (buyer.balance(), other.balance(), market.unspent()) == (5, 3, 8)
    assert other.fails("await client.receive(args[0])", text).code == "gift-known"
    third = open_buyer()
    assert third.fails("await client.receive(args[0])", text).code == "gift-spent"
    assert (other.balance(), other.open(), third.balance(), third.open()) == (3, 0, 0, 0)


def test_a_gift_of_small_tickets_is_few_large_ones(
    buyer: Buyer, open_buyer: OpenBuyer, stock: Stock, market: LiveSite
) -> None:
    stock(1, 1, 1, 1, 1, 1, 1)
    text = buyer("await client.send(6)")
    assert len(decode_json(unb64url(text.partition(".")[2]))["tickets"]) == 2
    other = open_buyer()
    assert other("await client.receive(args[0])", text) == 6
    assert (buyer.balance(), other.balance(), market.unspent()) == (1, 6, 7)


def test_what_is_left_of_a_gift_is_received_later(buyer: Buyer, purse: Wallet, market: LiveSite) -> None:
    market.fill(purse, *[1] * 40)
    text = purse.send(market.url, 40)
    exchanges = 0

    def refuse_the_second() -> Response | None:
        nonlocal exchanges
        exchanges += request.path == "/ticketminer/redeem"
        if request.path == "/ticketminer/redeem" and exchanges == 2:
            return Response('{"cause": "not-now"}', 409, content_type="application/problem+json")
        return None

    market.before = refuse_the_second
    assert buyer.fails("await client.receive(args[0])", text).code == "site-refused"
    assert (buyer("await values()"), buyer.open()) == ([1] * 8 + [32], 0)
    assert buyer("await client.receive(args[0])", text) == 8
    assert (buyer("await values()"), market.unspent()) == ([8, 32], 40)
    assert buyer.fails("await client.receive(args[0])", text).code == "gift-known"


def test_a_gift_goes_to_the_command_line_and_comes_from_it(
    buyer: Buyer, market: LiveSite, purse: Wallet
) -> None:
    with open_http() as http:
        client = SiteClient(market.url, purse, http)
        market.fill(purse, 16)
        assert buyer("await client.receive(args[0])", client.send(12)) == 12
        assert client.receive(buyer("await client.send(5)")) == 5
    assert (buyer.balance(), purse.balance()) == (7, 9)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text[:-300], "damaged-gift"),
        (lambda text: "hello", "not-a-gift"),
    ],
)
def test_a_gift_that_is_none(
    buyer: Buyer, purse: Wallet, market: LiveSite, change: Callable[[str], str], code: str
) -> None:
    market.fill(purse, 1)
    assert buyer.fails("await client.receive(args[0])", change(purse.send(market.url, 1))).code == code


def test_a_forged_gift_is_not_taken(buyer: Buyer, purse: Wallet, market: LiveSite) -> None:
    market.fill(purse, 1)
    prefix, _, body = purse.send(market.url, 1).partition(".")
    gift = decode_json(unb64url(body))
    token = bytearray(unb64url(gift["tickets"][0]))
    token[10] ^= 1
    text = f"{prefix}.{b64url(jcs({**gift, 'tickets': [b64url(bytes(token))]}))}"
    assert buyer.fails("await client.receive(args[0])", text).code == "gift-forged"
    text = f"{prefix}.{b64url(jcs({**gift, 'origin': 'https://evil.example'}))}"
    assert buyer.fails("await client.receive(args[0])", text).code == "foreign-request"
    assert (buyer.open(), buyer("(await wallet.tickets()).length")) == (0, 0)


def test_small_tickets_are_joined(buyer: Buyer, stock: Stock) -> None:
    stock(1, 1, 1, 4, 2)
    assert buyer("await (await load('client/exchange.js')).join(client)") == 3
    assert buyer("await values()") == [1, 8]


def test_tickets_near_their_end_are_renewed(buyer: Buyer, market: LiveSite, stock: Stock) -> None:
    stock(4, 2)
    assert buyer("await client.renew()") == 0
    market.clock.advance(15 * DAY)
    buyer(f"setSkew({15 * DAY})")
    assert buyer("await client.renew()") == 6
    assert buyer.balance() == 6
    market.clock.advance(7 * DAY)
    buyer(f"setSkew({22 * DAY})")
    assert buyer.balance() == 6


def test_words_bring_tickets_back(buyer: Buyer, market: LiveSite, purse: Wallet) -> None:
    market.fill(purse, 8, 2)
    with open_http() as http:
        SiteClient(market.url, purse, http).make_exact(3)
    found = buyer.restore(purse.site_words(market.url))
    assert (found["value"], buyer.balance()) == (purse.balance(), purse.balance())
    assert found["spent"] >= 1
    assert buyer("await client.restore()")["value"] == 0


def test_tickets_of_other_words_are_reissued_for_these(
    buyer: Buyer, market: LiveSite, stock: Stock, purse: Wallet
) -> None:
    stock(4, 2)
    assert buyer("await client.reissue()") == 6
    assert buyer("await client.reissue()") == 0
    with open_http() as http:
        SiteClient(market.url, purse, http).restore()
    assert (purse.balance(), buyer.balance()) == (0, 6)


def test_a_restore_lets_messages_in_and_can_be_stopped(buyer: Buyer, purse: Wallet, market: LiveSite) -> None:
    ticks, begun, count, name = buyer(
        """await (async () => {
            const stop = new AbortController();
            let [ticks, begun, count] = [0, 0, 0];
            const timer = setInterval(() => ++ticks === 5 && stop.abort(), 10);
            const progress = (key, index, all) => ([begun, count] = [index + 1, all]);
            const error = await client.restore(progress, stop.signal).catch((error) => error);
            clearInterval(timer);
            return [ticks, begun, count, error.name];
        })()"""
    )
    assert (ticks >= 5, 0 < begun < count, name) == (True, True, "AbortError")
    assert buyer("await client.restore()") == {"value": 0, "tickets": 0, "spent": 0}
