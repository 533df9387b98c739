"""What a hostile visitor tries, and what an honest one could lose on the way."""

from __future__ import annotations

import base64
import functools
import io
import json
import logging
import pathlib
import typing as t
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Blueprint, Flask, Response, current_app, g, request, send_from_directory
from flask.views import MethodView
from pasting import NAVIGATION, form_challenge, post_form, tickets_code
from sites import SECRET, Shop
from visitor import Visitor, cause, challenge_parameters, receipt
from werkzeug.test import TestResponse

from flask_ticketminer import TicketMiner, current_payment, ticket_required, tickets_redeemed
from flask_ticketminer.binding import MAX_BODY
from flask_ticketminer.errors import ConfigurationError, OutcomeUnknown, UngatedView
from miner.tokens import b64url

HOUR = timedelta(hours=1)

MakeApp = Callable[..., Flask]


@pytest.fixture
def make_app(tmp_path: pathlib.Path) -> t.Iterator[MakeApp]:
    """Return a factory of applications with tickets; each has a database of its own."""
    apps: list[Flask] = []

    def make(setup: Callable[[Flask], object] = TicketMiner, /, **config: object) -> Flask:
        app = Flask("host", instance_path=str(tmp_path / str(len(apps))))
        app.config.update(SECRET_KEY=SECRET, TESTING=True, TICKETMINER_WORK="instant", **config)
        setup(app)
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.extensions["ticketminer"].database.dispose()


def gate(app: Flask, rule: str, view: Callable[..., t.Any], *methods: str, **terms: t.Any) -> None:
    app.add_url_rule(rule, rule, ticket_required(**{"price": 1, **terms})(view), methods=methods or ["GET"])


def pay_for(reply: TestResponse, *tickets: str) -> dict[str, t.Any]:
    """Return a credential that answers the challenge of `reply`."""
    return {"challenge": challenge_parameters(reply), "payload": {"tickets": list(tickets)}}


# Paths, hosts and mount points


@pytest.mark.parametrize(
    "path",
    [
        "/files/a%3Fb",
        "/files/100%25",
        "/files/%2541",
        "/files/a%23b",
        "/files/a%09b",
        "/files/a;b",
        "/files/%e5%ba%97",
        "/files/%ff",
        "/files/a?q={1|2}",
        '/files/a?q="x"',
    ],
)
def test_a_form_pays_for_any_path(make_app: MakeApp, path: str) -> None:
    app = make_app()
    gate(app, "/files/<path:name>", lambda name: name)
    visitor = Visitor(app)
    reply = post_form(visitor, form_challenge(visitor, path), tickets_code(visitor.ticket()))
    assert reply.status_code == 303
    assert visitor.get(reply.headers["Location"]).status_code == 200


@pytest.mark.parametrize("path", ["/%5Cevil.example", "/%09/evil.example", "/.//evil.example"])
def test_a_form_never_leads_to_another_site(make_app: MakeApp, path: str) -> None:
    app = make_app()
    gate(app, "/<path:name>", lambda name: name)
    visitor = Visitor(app)
    reply = post_form(visitor, form_challenge(visitor, path), tickets_code(visitor.ticket()))
    assert reply.headers["Location"].startswith("/")
    assert not reply.headers["Location"].lstrip("/").startswith(("\\", "\t", "evil"))


def test_a_path_with_a_question_mark_is_not_another_route(make_app: MakeApp) -> None:
    app = make_app()
    gate(app, "/<name>", lambda name: name, price=lambda name: 1 if name == "cheap" else 2)
    visitor = Visitor(app)
    reply = visitor.post("/redeem", pay_for(visitor.get("/cheap%3F"), visitor.ticket(2)))
    assert reply.json["location"] == "/cheap%3F"
    assert visitor.get("/cheap").status_code == 402


def test_a_value_taken_from_the_url_by_a_preprocessor_is_part_of_what_is_paid_for(make_app: MakeApp) -> None:
    app = make_app()

    @app.url_value_preprocessor
    def take(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        g.project = (values or {}).pop("project", None)

    gate(app, "/<project>/<name>", lambda name: f"{g.project} {name}", price=lambda name: 1, valid_for=HOUR)
    visitor = Visitor(app)
    reply = visitor.post("/redeem", visitor.credential("/cheap/plan", [visitor.ticket()]))
    token = {"TicketMiner-Pass": reply.json["pass"]["token"]}
    assert visitor.get("/cheap/plan", headers=token).text == "cheap plan"
    assert visitor.get("/dear/plan", headers=token).status_code == 402


def test_a_payment_at_one_mount_point_is_not_taken_at_another(make_app: MakeApp) -> None:
    app = make_app()
    gate(app, "/b/x", lambda: "plain")
    gate(app, "/x", lambda: "lasting", valid_for=HOUR)
    visitor = Visitor(app)
    credential = visitor.credential("/b/x", [visitor.ticket()])
    reply = visitor.post("/redeem", credential, base_url="http://localhost/b")
    assert cause(reply) == (402, "wrong-resource")


def test_links_at_a_mount_point_that_is_not_ascii_fit_a_header(make_app: MakeApp) -> None:
    visitor = Visitor(make_app())
    service = visitor.get("/ticketminer/", environ_overrides={"SCRIPT_NAME": "/\xe5\xba\x97"})
    assert service.headers["X-TicketMiner-Service"] == "/%E5%BA%97/ticketminer/"


def test_a_sites_name_fits_a_header(make_app: MakeApp) -> None:
    with pytest.raises(ConfigurationError, match="ASCII"):
        make_app(TICKETMINER_SITE_NAME="店.example")


# Methods and blueprints


class Item(MethodView):
    @ticket_required(price=1, valid_for=HOUR)
    def get(self) -> str:
        return "seen"

    @ticket_required(price=1)
    def post(self) -> str:
        return "done"

    def put(self) -> str:
        return "put"


def test_each_method_of_a_class_view_keeps_its_own_terms(make_app: MakeApp) -> None:
    app = make_app()
    app.add_url_rule("/item", view_func=Item.as_view("item"))
    visitor = Visitor(app)
    reply = visitor.post("/redeem", visitor.credential("/item", [visitor.ticket()], method="POST"))
    assert reply.json["pass"]["single_use"] is True
    assert [visitor.client.post("/item").status_code for _ in range(2)] == [200, 402]


def test_a_gated_blueprint_leaves_no_method_of_a_class_view_free(make_app: MakeApp) -> None:
    tickets, club = TicketMiner(), Blueprint("club", __name__)
    tickets.gate(club, price=4)
    club.add_url_rule("/item", view_func=Item.as_view("item"))
    app = make_app(tickets.init_app)
    app.register_blueprint(club)
    client = app.test_client()
    amounts = [
        client.open("/item", method=method).get_json(force=True)["amount"] for method in ("GET", "PUT")
    ]
    assert amounts == ["1", "4"]


def test_a_blueprint_in_another_keeps_its_own_price(make_app: MakeApp) -> None:
    tickets = TicketMiner()
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    inner.add_url_rule("/dear", "dear", lambda: "dear")
    outer.register_blueprint(inner)
    tickets.gate(outer, price=1)
    tickets.gate(inner, price=8)
    app = make_app(tickets.init_app)
    app.register_blueprint(outer)
    assert app.test_client().get("/dear").get_json(force=True)["amount"] == "8"


def test_a_gate_above_its_route_is_found_out_behind_other_decorators(make_app: MakeApp) -> None:
    app = make_app()

    def log_in(view: Callable[[], str]) -> Callable[[], str]:
        return functools.wraps(view)(lambda: view())

    @ticket_required(price=1)
    @log_in
    @app.get("/leak")
    def leak() -> str:
        return "free by mistake"

    with pytest.raises(UngatedView, match="leak"):
        app.test_client().get("/leak")


def test_a_blueprint_gated_in_one_application_may_be_free_in_another(make_app: MakeApp) -> None:
    tickets, club = TicketMiner(), Blueprint("club", __name__)
    club.add_url_rule("/inside", "inside", lambda: "inside")
    tickets.gate(club, price=1)
    statuses = []
    for setup in (tickets.init_app, TicketMiner):
        app = make_app(setup)
        app.register_blueprint(club)
        statuses.append(app.test_client().get("/inside").status_code)
    assert statuses == [402, 200]


# Bodies


def form_parsed_early(make_app: MakeApp) -> Visitor:
    app = make_app()
    app.before_request(lambda: request.form.get("csrf") and None)
    gate(app, "/order", lambda: request.form["what"], "POST", valid_for=HOUR)
    return Visitor(app)


def chunked(body: bytes) -> dict[str, t.Any]:
    stream = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    return {
        "environ_overrides": stream | {"HTTP_TRANSFER_ENCODING": "chunked"},
        "content_type": "application/x-www-form-urlencoded",
    }


def test_a_chunked_form_that_was_parsed_before_the_gate_is_still_what_was_paid_for(make_app: MakeApp) -> None:
    visitor = form_parsed_early(make_app)
    first = visitor.client.post("/order", **chunked(b"what=cheap"))
    token = {
        "TicketMiner-Pass": visitor.post("/redeem", pay_for(first, visitor.ticket())).json["pass"]["token"]
    }
    assert visitor.client.post("/order", headers=token, **chunked(b"what=cheap")).text == "cheap"
    assert visitor.client.post("/order", headers=token, **chunked(b"what=dear")).status_code == 402


@pytest.mark.parametrize("options", [lambda body: {"data": body}, chunked])
def test_a_body_that_nobody_paid_for_is_neither_read_without_end_nor_cut_off(
    make_app: MakeApp, options: Callable[[bytes], dict[str, t.Any]]
) -> None:
    app = make_app()
    gate(app, "/echo", lambda: request.get_data(), "POST")
    assert app.test_client().post("/echo", **options(bytes(MAX_BODY + 1))).status_code == 413


# Caches


def test_a_host_that_makes_everything_public_does_not_make_paid_pages_public(make_app: MakeApp) -> None:
    app = make_app()
    gate(app, "/x", lambda: "x")

    @app.after_request
    def publish(response: Response) -> Response:
        response.headers["Cache-Control"] = "public, max-age=60, s-maxage=60"
        response.headers.pop("Vary", None)
        return response

    visitor = Visitor(app)
    unpaid = visitor.get("/x")
    paid = visitor.pay("/x", pay_for(unpaid, visitor.ticket()))
    assert unpaid.headers["Cache-Control"] == "no-store"
    assert paid.headers["Cache-Control"] == "max-age=60, private"
    assert "Cookie" in paid.headers["Vary"]


def gated_file(make_app: MakeApp, tmp_path: pathlib.Path) -> Visitor:
    (tmp_path / "report.txt").write_text("0123456789")
    app = make_app()
    gate(app, "/file", lambda: send_from_directory(tmp_path, "report.txt", max_age=60, conditional=True))
    return Visitor(app)


def test_a_conditional_request_is_neither_free_nor_charged(make_app: MakeApp, tmp_path: pathlib.Path) -> None:
    visitor = gated_file(make_app, tmp_path)
    etag = visitor.pay("/file", visitor.credential("/file", [visitor.ticket()]), buffered=True).headers[
        "ETag"
    ]
    known = {"If-None-Match": etag}
    assert visitor.get("/file", headers=known).status_code == 402
    credential = visitor.credential("/file", [visitor.ticket()])
    assert visitor.pay("/file", credential, headers=known, buffered=True).status_code == 304
    assert visitor.pay("/file", credential, buffered=True).text == "0123456789"


def test_a_part_of_a_file_is_paid_like_the_whole(make_app: MakeApp, tmp_path: pathlib.Path) -> None:
    visitor = gated_file(make_app, tmp_path)
    assert visitor.get("/file", headers={"Range": "bytes=0-3"}).status_code == 402
    credential = visitor.credential("/file", [visitor.ticket()])
    assert visitor.pay("/file", credential, headers={"Range": "bytes=90-"}, buffered=True).status_code == 416
    part = visitor.pay("/file", credential, headers={"Range": "bytes=0-3"}, buffered=True)
    assert (part.status_code, part.text, part.headers["Cache-Control"]) == (
        206,
        "0123",
        "max-age=60, private",
    )
    assert cause(visitor.pay("/file", credential)) == (409, "already-delivered")


# Challenges and passes


def test_text_moved_between_the_fields_of_a_challenge_is_an_alteration(make_app: MakeApp) -> None:
    app = make_app(TICKETMINER_USES_AUTHORIZATION=True)
    gate(app, "/x", lambda: "x")
    visitor = Visitor(app)
    credential = visitor.credential("/x", [visitor.ticket()])
    credential["challenge"]["opaque"] += "|" + credential["challenge"].pop("header")
    assert visitor.post("/redeem", credential).get_json(force=True)["cause"] == "challenge-altered"


def test_a_pass_of_a_site_with_the_same_secret_opens_nothing(make_app: MakeApp) -> None:
    visitors = []
    for name in ("one.example", "two.example"):
        app = make_app(TICKETMINER_SITE_NAME=name)
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


def test_nothing_of_one_payment_is_left_for_the_next_request(make_app: MakeApp) -> None:
    app = make_app()
    gate(app, "/x", lambda: str(bool(current_payment)), required=False)
    visitor = Visitor(app)
    with app.app_context():
        assert visitor.pay("/x", pay_for(visitor.get("/x"), visitor.ticket())).text == "True"
        assert Visitor(app).get("/x").text == "False"


# What an honest visitor could lose


@pytest.mark.parametrize("base_url", ["http://localhost", "http://localhost/mounted"])
def test_a_pass_that_is_used_up_does_not_stand_in_the_way_of_a_payment(
    make_app: MakeApp, base_url: str
) -> None:
    app = make_app()
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


def test_a_used_pass_leaves_no_cookie_at_a_mount_point(make_app: MakeApp) -> None:
    app = make_app()
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


def test_a_repeat_returns_the_change_although_the_resource_is_gone(make_app: MakeApp) -> None:
    app, for_sale = make_app(), {"a"}
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
