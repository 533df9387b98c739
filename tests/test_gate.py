"""The gate charges for what was delivered, delivers what was charged, and never serves free by mistake."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
from collections.abc import Callable

import pytest
from flask import abort, redirect
from sites import SECRET, Shop
from visitor import Visitor, authorization, cause, challenge_parameters, receipt

from flask_ticketminer import payment_released, ticket_required, tickets_redeemed
from flask_ticketminer.errors import OutcomeUnknown
from flask_ticketminer.secrets import Secrets
from miner.tokens import b64url


def test_a_page_that_is_not_paid_for_asks_for_payment(visitor: Visitor) -> None:
    reply = visitor.get("/once")
    assert cause(reply) == (402, "payment-required")
    assert reply.headers["Cache-Control"] == "no-store"


def test_a_payment_opens_the_page_and_brings_a_receipt(visitor: Visitor) -> None:
    reply = visitor.pay("/once", visitor.credential("/once", [visitor.ticket()]))
    assert (reply.status_code, receipt(reply)["status"], receipt(reply)["amount"]) == (200, "success", "1")
    assert reply.headers["Cache-Control"] == "private"


def test_the_view_sees_who_paid_what(visitor: Visitor) -> None:
    reply = visitor.pay("/once", visitor.credential("/once", [visitor.ticket()]))
    assert reply.text == f"{receipt(reply)['reference']} 1"


def test_change_comes_with_the_receipt(shop: Shop, visitor: Visitor) -> None:
    one, two = visitor.output(1), visitor.output(2)
    reply = visitor.pay("/once", visitor.credential("/once", [visitor.ticket(4)], [one, two]))
    change = [
        output.ticket(signature)
        for output, signature in zip((one, two), receipt(reply)["change"], strict=True)
    ]
    assert visitor.pay("/report", visitor.credential("/report", change)).status_code == 200
    assert shop.balanced()


def test_the_same_credential_is_delivered_once_and_returns_its_change(visitor: Visitor) -> None:
    output = visitor.output(1)
    credential = visitor.credential("/once", [visitor.ticket(2)], [output])
    first = visitor.pay("/once", credential)
    again = visitor.pay("/once", credential)
    assert cause(again) == (409, "already-delivered")
    assert again.get_json(force=True)["receipt"]["change"] == receipt(first)["change"]


def test_a_credential_of_a_lasting_payment_can_be_repeated(shop: Shop, visitor: Visitor) -> None:
    credential = visitor.credential("/report", [visitor.ticket(2), visitor.ticket(1)])
    assert [visitor.pay("/report", credential).status_code for _ in range(3)] == [200] * 3
    shop.clock.advance(3601)
    other = Visitor(shop.app)
    assert cause(other.pay("/report", credential)) == (409, "already-delivered")


def test_a_pass_opens_the_same_page_for_its_time(shop: Shop, visitor: Visitor) -> None:
    visitor.pay("/report", visitor.credential("/report", [visitor.ticket(2), visitor.ticket(1)]))
    assert visitor.get("/report").status_code == 200
    assert visitor.get("/report?other=1").status_code == 402
    shop.clock.advance(3601)
    assert visitor.get("/report").status_code == 402


def test_a_pass_can_travel_in_a_header(visitor: Visitor) -> None:
    reply = visitor.pay("/report", visitor.credential("/report", [visitor.ticket(2), visitor.ticket(1)]))
    stranger = Visitor(visitor.app)
    headers = {"TicketMiner-Pass": receipt(reply)["pass"]["token"]}
    assert stranger.get("/report", headers=headers).status_code == 200


def test_a_scope_opens_all_its_routes(visitor: Visitor) -> None:
    visitor.pay("/premium/a", visitor.credential("/premium/a", [visitor.ticket(2)]))
    assert visitor.get("/premium/b").text == "b"


def test_a_scope_is_told_to_wallets_without_cookies(visitor: Visitor) -> None:
    sent = visitor.challenge("/premium/a")
    details = json.loads(base64.urlsafe_b64decode(sent["request"] + "=="))["methodDetails"]
    reply = visitor.pay("/premium/a", visitor.credential("/premium/a", [visitor.ticket(2)]))
    assert (details["scope"], receipt(reply)["pass"]["scope"]) == ("premium", "premium")


def test_a_redeemed_credential_opens_the_page_once(shop: Shop, visitor: Visitor) -> None:
    credential = visitor.credential("/once", [visitor.ticket()])
    reply = visitor.post("/redeem", credential)
    assert (reply.status_code, reply.json["location"], reply.json["pass"]["single_use"]) == (
        200,
        "/once",
        True,
    )
    assert visitor.get("/once").status_code == 200
    headers = {"TicketMiner-Pass": reply.json["pass"]["token"]}
    assert cause(visitor.get("/once", headers=headers)) == (402, "pass-invalid")
    assert shop.balanced()


def test_a_redeem_can_be_repeated(visitor: Visitor) -> None:
    credential = visitor.credential("/once", [visitor.ticket(4)], [visitor.output(1), visitor.output(2)])
    assert visitor.post("/redeem", credential).json == visitor.post("/redeem", credential).json


@pytest.mark.parametrize("path", ["/broken/404", "/broken/500", "/broken/304"])
def test_a_view_that_fails_gives_the_tickets_back(shop: Shop, visitor: Visitor, path: str) -> None:
    ticket = visitor.ticket()
    reply = visitor.pay(path, visitor.credential(path, [ticket]))
    assert (reply.status_code, "Payment-Receipt" in reply.headers) == (int(path[-3:]), False)
    assert visitor.pay("/once", visitor.credential("/once", [ticket])).status_code == 200
    assert shop.balanced()


def test_a_late_copy_of_a_failed_request_neither_pays_nor_runs_the_view(shop: Shop, visitor: Visitor) -> None:
    credential = visitor.credential("/broken/500", [visitor.ticket()])
    visitor.pay("/broken/500", credential)
    late = visitor.pay("/broken/500", credential)
    assert (cause(late), "WWW-Authenticate" in late.headers) == ((402, "payment-released"), True)
    assert cause(visitor.post("/redeem", credential)) == (402, "payment-released")
    assert shop.balanced()


def test_a_view_that_raises_gives_the_tickets_back(visitor: Visitor) -> None:
    ticket = visitor.ticket()
    with pytest.raises(LookupError):
        visitor.pay("/raises", visitor.credential("/raises", [ticket]))
    assert visitor.pay("/once", visitor.credential("/once", [ticket])).status_code == 200


def test_change_of_a_payment_that_was_given_back_is_forgotten(visitor: Visitor) -> None:
    output = visitor.output(1)
    visitor.pay("/broken/500", visitor.credential("/broken/500", [visitor.ticket(2)], [output]))
    digest = hashlib.sha256(output.blinded).hexdigest()
    reply = visitor.post("/restore", {"key_id": output.entry["key-id"], "hashes": [digest]})
    assert reply.json == {"signatures": [None]}


def test_a_failed_view_leaves_a_single_pass_unused(visitor: Visitor) -> None:
    credential = visitor.credential("/broken/500", [visitor.ticket()])
    token = visitor.post("/redeem", credential).json["pass"]["token"]
    replies = [visitor.get("/broken/500", headers={"TicketMiner-Pass": token}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [500, 500]


def test_a_redirect_counts_as_delivered(visitor: Visitor) -> None:
    ticket = visitor.ticket()
    assert visitor.pay("/moved", visitor.credential("/moved", [ticket])).status_code == 302
    assert cause(visitor.pay("/once", visitor.credential("/once", [ticket]))) == (402, "ticket-spent")


def test_an_answer_by_abort_counts_like_one_returned(shop: Shop, visitor: Visitor) -> None:
    def leave() -> None:
        abort(redirect("/elsewhere"))

    shop.app.add_url_rule("/leave", "leave", ticket_required(price=1)(leave))
    reply = visitor.pay("/leave", visitor.credential("/leave", [visitor.ticket()]))
    assert reply.status_code == 302
    assert visitor.get("/ticketminer/stats").json["value"]["paid"] == 1


def test_a_settlement_whose_outcome_is_unknown_is_asked_for_again(shop: Shop, visitor: Visitor) -> None:
    credential = visitor.credential("/once", [visitor.ticket()])
    ledger = shop.app.extensions["ticketminer"].ledger
    settle = ledger.settle

    def lose_the_answer(reservation: object) -> None:
        ledger.settle = settle
        settle(reservation)
        raise OutcomeUnknown("the connection broke while it was committed")

    ledger.settle = lose_the_answer
    assert visitor.pay("/once", credential).status_code == 200
    assert shop.balanced()


def test_head_and_options_never_charge(shop: Shop, visitor: Visitor) -> None:
    credential = visitor.credential("/once", [visitor.ticket()])
    assert visitor.pay("/once", credential, method="HEAD").status_code == 402
    assert visitor.pay("/once", credential, method="OPTIONS").status_code == 200
    assert shop.served == []
    assert visitor.pay("/once", credential).status_code == 200


def test_a_price_may_refuse_before_anything_is_paid(visitor: Visitor) -> None:
    assert visitor.get("/pictures/none").status_code == 404


def test_a_price_depends_on_the_views_arguments(visitor: Visitor) -> None:
    credential = visitor.credential("/pictures/four", [visitor.ticket(4)])
    assert visitor.pay("/pictures/four", credential).text == "four"


def test_what_is_free_is_served(visitor: Visitor) -> None:
    assert visitor.get("/free").text == "free"


def test_payment_can_be_optional(visitor: Visitor) -> None:
    unpaid = visitor.get("/optional")
    assert (unpaid.status_code, unpaid.text) == (200, "for everyone")
    credential = {"challenge": challenge_parameters(unpaid), "payload": {"tickets": [visitor.ticket()]}}
    assert visitor.pay("/optional", credential).text == "for payers"


def test_every_gated_answer_is_private(visitor: Visitor) -> None:
    for reply in (visitor.get("/optional"), visitor.get("/free"), visitor.get("/pictures/none")):
        assert reply.headers["Cache-Control"] in ("private", "no-store")
        assert {"Accept", "Authorization", "Cookie", "TicketMiner-Pass"} <= {
            v.strip() for v in reply.headers["Vary"].split(",")
        }
        assert reply.headers["X-TicketMiner-Service"] == "/ticketminer/"


def test_a_browser_gets_a_page_and_a_program_a_problem(visitor: Visitor) -> None:
    navigation = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    assert visitor.get("/once", headers=navigation).mimetype == "text/html"
    for headers in (
        {},
        {"Accept": "*/*"},
        {"Accept": "application/rss+xml"},
        {**navigation, "Sec-Fetch-Dest": "image"},
        {**navigation, "Sec-Fetch-Dest": "empty"},
        {"Accept": "application/json, text/html;q=0.5"},
    ):
        assert visitor.get("/once", headers=headers).mimetype == "application/problem+json"


def test_the_challenge_id_is_the_drafts_hmac(shop: Shop, visitor: Visitor) -> None:
    sent = visitor.challenge("/echo", method="POST", data=b"body")
    slots = [
        sent.get(name, "") for name in ("realm", "method", "intent", "request", "expires", "digest", "opaque")
    ]
    secrets = Secrets(shop.app, shop.app.extensions["ticketminer"].settings)
    key = secrets.mac_keys("payment challenge")[0]
    assert sent["id"] == b64url(hmac.digest(key, "|".join(slots).encode(), "sha256"))
    assert sent["digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(b'body').digest()).decode()}:"
    assert json.loads(base64.urlsafe_b64decode(sent["request"] + "=="))["amount"] == "1"


def test_a_site_that_uses_authorization_asks_for_the_other_header(make_site: Callable[..., Shop]) -> None:
    visitor = Visitor(make_site(TICKETMINER_USES_AUTHORIZATION=True).app)
    credential = visitor.credential("/once", [visitor.ticket()])
    assert credential["challenge"]["header"] == "Payment-Authorization"
    assert cause(visitor.pay("/once", credential)) == (402, "malformed-credential")
    headers = {
        "Authorization": "Bearer x",
        "Payment-Authorization": authorization(credential)["Authorization"],
    }
    assert visitor.get("/once", headers=headers).status_code == 200


def test_a_challenge_survives_a_change_of_the_secret_key(make_site: Callable[..., Shop]) -> None:
    visitor = Visitor(make_site().app)
    credential = visitor.credential("/once", [visitor.ticket()])
    rotated = Visitor(make_site(SECRET_KEY="f" * 32, SECRET_KEY_FALLBACKS=[SECRET]).app)
    assert rotated.pay("/once", credential).status_code == 200


def test_a_reservation_whose_server_died_is_taken_over(shop: Shop, visitor: Visitor) -> None:
    credential = visitor.credential("/once", [visitor.ticket()])
    die_in_the_view(shop, visitor, credential)
    assert cause(visitor.pay("/once", credential)) == (409, "in-progress")
    shop.clock.advance(121)
    assert visitor.pay("/once", credential).status_code == 200
    assert shop.balanced()


def test_tickets_of_a_payment_under_way_are_in_use(shop: Shop, visitor: Visitor) -> None:
    ticket = visitor.ticket()
    die_in_the_view(shop, visitor, visitor.credential("/once", [ticket]))
    reply = visitor.pay("/once", visitor.credential("/once", [ticket]))
    assert cause(reply) == (409, "ticket-in-use")
    assert int(reply.headers["Retry-After"]) > 0


def die_in_the_view(shop: Shop, visitor: Visitor, credential: dict[str, object]) -> None:
    """Send the payment to a process that is killed while its view runs: nobody settles or releases it."""
    child = os.fork()
    if child == 0:
        shop.dying.set()
        visitor.pay("/once", credential)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_signals_tell_of_payments_and_of_returns(shop: Shop, visitor: Visitor) -> None:
    heard: list[tuple[str, object]] = []
    with (
        tickets_redeemed.connected_to(
            lambda app, **news: heard.append(("redeemed", news["amount"])), shop.app
        ),
        payment_released.connected_to(
            lambda app, **news: heard.append(("released", news["amount"])), shop.app
        ),
    ):
        visitor.pay("/once", visitor.credential("/once", [visitor.ticket()]))
        visitor.pay("/broken/500", visitor.credential("/broken/500", [visitor.ticket()]))
    assert heard == [("redeemed", 1), ("released", 1)]
