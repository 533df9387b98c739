"""What a hostile visitor tries with challenges, passes and forms, and what an honest one could lose on the way."""

from __future__ import annotations

import base64
import json
import logging
import typing as t
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask, current_app
from hosts import MakeHost, gate, pay_for
from pasting import NAVIGATION, form_challenge, post_form, tickets_code
from sites import Shop
from visitor import Visitor, cause, receipt
from werkzeug.test import TestResponse

from flask_ticketminer import current_payment, tickets_redeemed
from flask_ticketminer.errors import OutcomeUnknown
from miner.tokens import b64url

HOUR = timedelta(hours=1)


# Challenges and passes


def test_text_moved_between_the_fields_of_a_challenge_is_an_alteration(make_host: MakeHost) -> None:
    app = make_host(TICKETMINER_USES_AUTHORIZATION=True)
    gate(app, "/x", lambda: "x")
    visitor = Visitor(app)
    credential = visitor.credential("/x", [visitor.ticket()])
    credential["challenge"]["opaque"] += "|" + credential["challenge"].pop("header")
    assert visitor.post("/redeem", credential).get_json(force=True)["cause"] == "challenge-altered"


def test_a_pass_of_a_site_with_the_same_secret_opens_nothing(make_host: MakeHost) -> None:
    visitors = []
    for name in ("one.example", "two.example"):
        app = make_host(TICKETMINER_SITE_NAME=name)
        gate(app, "/x", lambda: "x", valid_for=HOUR, scope="premium")
        visitors.append(Visitor(app))
    one, two = visitors
    token = receipt(one.pay("/x", one.credential("/x", [one.ticket()])))["pass"]["token"]
    assert two.get("/x", headers={"TicketMiner-Pass": token}).status_code == 402


def test_tokens_made_for_one_purpose_serve_no_other(visitor: Visitor) -> None:
    job = visitor.job()
    assert visitor.get("/report", headers={"TicketMiner-Pass": job["job"]}).status_code == 402
    paid = visitor.pay("/report", visitor.credential("/report", [visitor.ticket(2), visitor.ticket()]))
    body = visitor.share(job, visitor.output()) | {"job": receipt(paid)["pass"]["token"]}
    assert cause(visitor.post("/submit", body)) == (400, "forged-job")


def test_a_pass_of_one_use_opens_once_for_many_at_a_time(shop: Shop, visitor: Visitor) -> None:
    token = visitor.post("/redeem", visitor.credential("/once", [visitor.ticket()])).json["pass"]["token"]

    def use(_: int) -> int:
        return shop.app.test_client().get("/once", headers={"TicketMiner-Pass": token}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(use, range(16)))
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 402, 409}


def test_one_ticket_for_many_challenges_at_a_time_pays_one(shop: Shop, visitor: Visitor) -> None:
    ticket = visitor.ticket()
    credentials = [visitor.credential("/once", [ticket]) for _ in range(12)]
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda credential: Visitor(shop.app).pay("/once", credential), credentials))
    assert [reply.status_code for reply in replies].count(200) == 1
    assert {reply.status_code for reply in replies} <= {200, 402, 409}
    assert len(shop.served) == 1
    assert shop.balanced()


def test_one_credential_by_both_ways_at_a_time_delivers_once(shop: Shop, visitor: Visitor) -> None:
    credential = visitor.credential("/once", [visitor.ticket()])

    def send(number: int) -> TestResponse:
        other = Visitor(shop.app)
        return other.post("/redeem", credential) if number % 2 else other.pay("/once", credential)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(send, range(12)))
    token = (Visitor(shop.app).post("/redeem", credential).json or {}).get("pass")
    if token is not None:
        visitor.get("/once", headers={"TicketMiner-Pass": token["token"]})
    assert len(shop.served) == 1
    assert shop.balanced()


def test_nothing_of_one_payment_is_left_for_the_next_request(make_host: MakeHost) -> None:
    app = make_host()
    gate(app, "/x", lambda: str(bool(current_payment)), required=False)
    visitor = Visitor(app)
    with app.app_context():
        assert visitor.pay("/x", pay_for(visitor.get("/x"), visitor.ticket())).text == "True"
        assert Visitor(app).get("/x").text == "False"


# What an honest visitor could lose


@pytest.mark.parametrize("base_url", ["http://localhost", "http://localhost/mounted"])
def test_a_pass_that_is_used_up_does_not_stand_in_the_way_of_a_payment(
    make_host: MakeHost, base_url: str
) -> None:
    app = make_host()
    gate(app, "/x", lambda: "x")
    visitor, at = Visitor(app), {"base_url": base_url}
    token = visitor.post("/redeem", pay_for(visitor.get("/x", **at), visitor.ticket()), **at).json["pass"][
        "token"
    ]
    assert visitor.get("/x", **at).status_code == 200
    headers = {"TicketMiner-Pass": token}
    used_up = visitor.get("/x", headers=headers, **at)
    assert cause(used_up) == (402, "pass-invalid")
    assert visitor.pay("/x", pay_for(used_up, visitor.ticket()), headers=headers, **at).text == "x"


def test_a_used_pass_leaves_no_cookie_at_a_mount_point(make_host: MakeHost) -> None:
    app = make_host()
    gate(app, "/x", lambda: "x")
    visitor, at = Visitor(app), {"base_url": "http://localhost/mounted"}
    visitor.post("/redeem", pay_for(visitor.get("/x", **at), visitor.ticket()), **at)
    visitor.get("/x", **at)
    assert cause(visitor.get("/x", **at)) == (402, "payment-required")


def test_a_signal_receiver_that_fails_costs_the_visitor_nothing(
    shop: Shop, visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(app: Flask, **news: object) -> None:
        raise LookupError("the mail server is down")

    with tickets_redeemed.connected_to(fail, shop.app), caplog.at_level(logging.ERROR):
        assert visitor.pay("/once", visitor.credential("/once", [visitor.ticket()])).status_code == 200
    assert "tickets-redeemed" in caplog.text


def test_a_repeat_returns_the_change_although_the_resource_is_gone(make_host: MakeHost) -> None:
    app, for_sale = make_host(), {"a"}
    gate(
        app,
        "/<name>",
        lambda name: name,
        price=lambda name: 1 if name in for_sale else current_app.aborter(404),
    )
    visitor = Visitor(app)
    credential = visitor.credential("/a", [visitor.ticket(2)], [visitor.output(1)])
    first = visitor.post("/redeem", credential)
    for_sale.clear()
    again = visitor.post("/redeem", credential)
    assert (again.status_code, again.json["change"]) == (200, first.json["change"])


def test_a_form_whose_outcome_is_unknown_can_be_sent_again(
    shop: Shop, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = shop.app.extensions["ticketminer"].ledger
    pay_at_once = ledger.pay_at_once

    def pay_and_lose_the_answer(*order: t.Any, **options: t.Any) -> None:
        pay_at_once(*order, **options)
        raise OutcomeUnknown("Send the same request again.")

    ticket = tickets_code(visitor.ticket())
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "pay_at_once", pay_and_lose_the_answer)
        page = post_form(visitor, form_challenge(visitor, "/once"), ticket)
    assert (page.status_code, page.mimetype, page.headers["Retry-After"]) == (503, "text/html", "1")
    same = page.text.split('name="challenge" value="')[1].split('"')[0]
    assert post_form(visitor, same, ticket).status_code == 303
    assert visitor.get("/once").status_code == 200


def test_change_of_a_payment_that_is_answered_by_a_redirect_is_not_lost(visitor: Visitor) -> None:
    output = visitor.output(1)
    credential = visitor.credential("/moved", [visitor.ticket(2)], [output])
    moved = visitor.pay("/moved", credential)
    assert (moved.status_code, "Payment-Receipt" in moved.headers) == (302, False)
    again = visitor.pay("/moved", credential).get_json(force=True)
    assert output.ticket(again["receipt"]["change"][0])


def test_what_is_left_of_a_form_payment_is_given_only_by_consent(shop: Shop, visitor: Visitor) -> None:
    ticket = visitor.ticket(4)
    refused = post_form(visitor, form_challenge(visitor, "/once"), tickets_code(ticket), donate_rest="no")
    assert refused.status_code == 402
    assert (
        visitor.pay(
            "/once", visitor.credential("/once", [ticket], [visitor.output(1), visitor.output(2)])
        ).status_code
        == 200
    )
    assert shop.balanced()


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
def test_no_other_method_serves_or_charges(shop: Shop, visitor: Visitor, method: str) -> None:
    credential = visitor.credential("/once", [visitor.ticket()])
    headers = {"X-HTTP-Method-Override": "GET"}
    assert visitor.pay("/once", credential, method=method, headers=headers).status_code in (200, 402, 405)
    assert shop.served == []
    assert visitor.pay("/once", credential).status_code == 200


def test_a_host_name_cannot_be_used_to_break_the_page(visitor: Visitor) -> None:
    for host in ("localhost'; rm -rf ~; '", 'localhost"><script>', "localhost\\", "[", "a" * 300):
        reply = visitor.get("/once", headers=NAVIGATION, environ_overrides={"HTTP_HOST": host})
        assert reply.status_code < 500
        assert "<script>" not in reply.text
        assert "rm -rf" not in reply.text


def test_an_amount_in_the_credential_is_not_believed(visitor: Visitor) -> None:
    credential = visitor.credential("/pictures/one", [visitor.ticket()])
    dear = visitor.challenge("/pictures/four")
    credential["challenge"]["opaque"] = dear["opaque"]
    assert cause(visitor.pay("/pictures/four", credential)) == (402, "challenge-altered")
    request_of_cheap = json.loads(base64.urlsafe_b64decode(dear["request"] + "=="))
    dear["request"] = b64url(json.dumps({**request_of_cheap, "amount": "0"}).encode())
    credential["challenge"] = dear
    assert cause(visitor.pay("/pictures/four", credential)) == (402, "challenge-altered")
