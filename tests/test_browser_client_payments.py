"""What the page's client pays, and how a payment comes through everything that can happen to it."""

from __future__ import annotations

import json

import pytest
from buyers import Buyer, Stock, rewrite
from flask import Response, request
from live import LiveSite

from miner import SiteClient, Wallet
from miner.payment import parse_challenges
from miner.tokens import b64url, decode_json, jcs, unb64url
from miner.transport import open_http

# Paying


def test_a_page_is_paid_and_opens(buyer: Buyer, market: LiveSite, stock: Stock) -> None:
    stock(8)
    challenge = buyer("await client.challenge('/report')")
    assert (challenge["amount"], challenge["redeem"]) == (3, "/ticketminer/redeem")
    paid = buyer("await client.pay(args[0], '/report', 3)", challenge)
    assert (paid["location"], paid["amount"], paid["change"]) == ("/report", 3, 5)
    assert len(paid["reference"]) == 64
    assert (buyer("await values()"), market.paid()) == ([1, 4], 3)
    entry = buyer("(await wallet.history())[0]")
    assert (entry["kind"], entry["amount"], entry["detail"]) == ("paid", 3, "GET /report")
    assert entry["reference"] == paid["reference"]
    assert buyer("await client.challenge('/report')") is None
    buyer.tab.goto(f"{market.url}/report")
    assert buyer.tab.see("the report") == "the report"


def test_the_price_is_asked_without_using_up_a_pass(buyer: Buyer, market: LiveSite, stock: Stock) -> None:
    stock(1)
    buyer("await client.pay(await client.challenge('/once'), '/once', 1)")
    buyer("await client.challenge('/once')")
    buyer.tab.goto(f"{market.url}/once")
    buyer.tab.see(" 1")


def test_a_price_above_what_was_agreed_is_not_paid(buyer: Buyer, market: LiveSite, stock: Stock) -> None:
    stock(8)
    problem = buyer.fails("await client.pay(await client.challenge('/report'), '/report', 2)")
    assert (problem.name, problem.code, problem.values) == (
        "PaymentFailed",
        "price-changed",
        {"amount": 3, "most": 2},
    )
    assert (buyer.balance(), buyer.open(), market.paid()) == (8, 0, 0)


def test_too_few_tickets(buyer: Buyer, stock: Stock) -> None:
    stock(1)
    problem = buyer.fails("await client.pay(await client.challenge('/report'), '/report', 3)")
    assert (problem.code, problem.values) == (
        "not-enough-tickets",
        {"needed": 3, "available": 1, "missing": 2},
    )


def test_what_does_not_exist_has_no_price(buyer: Buyer) -> None:
    assert buyer.fails("await client.challenge('/pictures/none')").cause == "http-404"
    assert buyer("await client.challenge('/free')") is None


ELSEWHERE = [
    "//evil.example/x", "https://evil.example/", "javascript:alert(1)", "/\\evil.example/", "/\t/evil.example", "//[",
    "", "x",
]  # fmt: skip


def test_nothing_is_paid_elsewhere(buyer: Buyer, stock: Stock) -> None:
    stock(8)
    buyer("globalThis.wanted = await client.challenge('/report')")
    for link in ELSEWHERE:
        assert buyer.fails("await client.challenge(args[0])", link).code == "foreign-request"
        assert buyer.fails("await client.pay(wanted, args[0], 3)", link).code == "foreign-request"
    assert (buyer.balance(), buyer.open()) == (8, 0)


def test_a_payment_without_an_answer_is_settled_later(buyer: Buyer, market: LiveSite, stock: Stock) -> None:
    stock(8)
    buyer.lose("redeem")
    assert (
        buyer.fails("await client.pay(await client.challenge('/report'), '/report', 3)").code
        == "site-unreachable"
    )
    assert (buyer.balance(), buyer.open(), market.paid()) == (0, 1, 3)
    outcome = buyer("await client.recover()")
    assert (outcome["settled"], outcome["value"], outcome["paid"]) == (1, 5, ["GET /report"])
    assert buyer("await client.challenge('/report')") is None


def test_the_same_purchase_again_repeats_the_open_payment(
    buyer: Buyer, market: LiveSite, stock: Stock
) -> None:
    stock(8)
    buyer.lose("redeem")
    buyer("globalThis.wanted = await client.challenge('/once')")
    buyer.fails("await client.pay(wanted, '/once', 1)")
    assert buyer("(await client.pay(wanted, '/once', 1)).change") == 7
    assert (buyer.balance(), market.paid()) == (7, 1)


def test_a_busy_site_is_waited_for(buyer: Buyer, market: LiveSite, stock: Stock) -> None:
    stock(1)
    buyer.lose("redeem", {"status": 503, "cause": "busy", "headers": {"Retry-After": "1"}}, times=2)
    assert buyer("(await client.pay(await client.challenge('/once'), '/once', 1)).amount") == 1


@pytest.mark.parametrize("cause", ["challenge-expired", "payment-released", "key-not-signing"])
def test_a_refusal_that_can_be_mended_is(buyer: Buyer, market: LiveSite, stock: Stock, cause: str) -> None:
    stock(8)
    buyer.lose("redeem", {"status": 402, "cause": cause})
    assert buyer("(await client.pay(await client.challenge('/report'), '/report', 3)).change") == 5
    assert (buyer.balance(), buyer.open(), market.paid()) == (5, 0, 3)


def test_an_old_challenge_is_replaced(buyer: Buyer, market: LiveSite, stock: Stock) -> None:
    stock(1)
    buyer("globalThis.wanted = await client.challenge('/once')")
    market.clock.advance(3600)
    buyer("await client.service({ refresh: true })")
    assert buyer("(await client.pay(wanted, '/once', 1)).amount") == 1


def test_a_refusal_for_good_frees_the_tickets(buyer: Buyer, stock: Stock) -> None:
    stock(8)
    buyer.lose("redeem", {"status": 400, "cause": "wrong-body"})
    problem = buyer.fails("await client.pay(await client.challenge('/report'), '/report', 3)")
    assert (problem.code, problem.cause) == ("payment-failed", "wrong-body")
    assert "still yours" in problem.detail
    assert (buyer.balance(), buyer.open()) == (8, 0)


def test_a_payment_that_the_site_denies_is_not_made_again(
    buyer: Buyer, market: LiveSite, stock: Stock
) -> None:
    stock(8, 8)

    def deny(response: Response) -> Response:
        if request.path == "/ticketminer/redeem":
            return Response(
                json.dumps({"cause": "challenge-expired"}), 402, mimetype="application/problem+json"
            )
        return response

    market.after = deny
    problem = buyer.fails("await client.pay(await client.challenge('/report'), '/report', 3)")
    assert (problem.code, market.paid(), buyer.balance(), buyer.open()) == ("already-delivered", 3, 13, 0)


def test_tickets_called_spent_that_are_not_listed_stay_open(
    buyer: Buyer, market: LiveSite, stock: Stock
) -> None:
    stock(1, 1, 1, 1)
    buyer.lose("redeem", {"status": 402, "cause": "ticket-spent"})
    assert buyer("(await client.pay(await client.challenge('/once'), '/once', 1)).amount") == 1
    assert (buyer.balance(), buyer("await values('pending')"), buyer.open()) == (2, [1], 1)


def test_tickets_that_another_copy_has_spent_are_written_off(
    buyer: Buyer, market: LiveSite, purse: Wallet, stock: Stock
) -> None:
    stock(2)
    with open_http() as http:
        SiteClient(market.url, purse, http).make_exact(1)
    problem = buyer.fails("await client.pay(await client.challenge('/premium/a'), '/premium/a', 2)")
    assert (problem.code, buyer.balance(), buyer.open()) == ("already-delivered", 0, 0)


def test_many_small_tickets_are_joined_first(buyer: Buyer, market: LiveSite, stock: Stock) -> None:
    stock(*[1] * 70)
    given = buyer("await client.donate(70, 'articles')")
    assert (given["amount"], len(given["reference"])) == (70, 64)
    assert (market.donated("articles"), buyer.balance()) == (70, 0)


@pytest.mark.parametrize("member", ["redeem", "service"])
def test_a_payment_that_would_leave_the_service_is_not_made(
    buyer: Buyer, market: LiveSite, stock: Stock, member: str
) -> None:
    stock(8)

    def after(response: Response) -> Response:
        asked = response.headers.get("WWW-Authenticate")
        if asked:
            before, _, rest = asked.partition('request="')
            wanted = decode_json(unb64url(rest.partition('"')[0]))
            wanted["methodDetails"][member] = "/elsewhere/redeem"
            response.headers["WWW-Authenticate"] = (
                f'{before}request="{b64url(jcs(wanted))}"{rest.partition(chr(34))[2]}'
            )
        return response

    market.after = after
    assert (
        buyer.fails("await client.pay(await client.challenge('/report'), '/report', 3)").code
        == "foreign-request"
    )
    assert (buyer.balance(), buyer.open(), market.requests.count("POST /elsewhere/redeem")) == (8, 0, 0)


def test_another_recipient_is_not_paid(buyer: Buyer, stock: Stock) -> None:
    stock(8)
    problem = buyer.fails(
        "await client.pay({ ...await client.challenge('/report'), recipient: 'evil.example' }, '/report', 3)"
    )
    assert (problem.code, buyer.balance()) == ("foreign-request", 8)


def test_where_a_payment_leads_stays_on_the_site(buyer: Buyer, market: LiveSite, stock: Stock) -> None:
    stock(8)
    rewrite(market, "/ticketminer/redeem", lambda members: {**members, "location": "https://evil.example/"})
    assert buyer("(await client.pay(await client.challenge('/report'), '/report', 3)).location") == "/report"


# Challenges

FIELDS = [
    "",
    ",",
    ", ,Basic",
    'Basic realm="x", Payment id="1", method="ticket"',
    'Payment id="1",method=ticket , intent = "charge" ,Basic',
    "Negotiate abc==, Payment id=1",
    "Negotiate abc== Payment id=1",
    "Negotiate abc, id=2",
    'Digest realm="a \\"b\\\\, Payment id=9", nonce="q", Payment id="x"',
    'Payment id="1", ID="2", Basic a=b',
    'Payment __proto__="1", constructor="2", toString=3',
    'id="1", Payment id="2"',
    'Payment id="1", @@@, method="ticket", Basic b=c',
    'Payment id="unfinished, Basic x=y',
    'Payment  \tid  =  "1"  ,  a=""',
    "Payment=1, Basic",
    "a b c, d e=f g=h, i",
    'Payment id="1"x, Basic a=b',
    "é, Basic a=b",
]


def test_challenges_are_read_as_the_command_line_reads_them(buyer: Buyer) -> None:
    read = buyer(
        """(({ parseChallenges }) => args[0].map((field) =>
            parseChallenges(field).map(([scheme, found]) => [scheme, Object.entries(found)])
        ))(await load('client/challenge.js'))""",
        FIELDS,
    )
    for field, challenges in zip(FIELDS, read, strict=True):
        expected = [
            [scheme, [list(item) for item in found.items()]] for scheme, found in parse_challenges([field])
        ]
        assert challenges == expected, field
