"""What a hostile visitor tries with addresses, methods, bodies and caches."""

from __future__ import annotations

import functools
import io
import pathlib
import typing as t
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Blueprint, Response, g, request, send_from_directory
from flask.views import MethodView
from hosts import MakeHost, gate, pay_for
from pasting import form_challenge, post_form, tickets_code
from visitor import Visitor, cause

from flask_ticketminer import TicketMiner, ticket_required
from flask_ticketminer.binding import MAX_BODY
from flask_ticketminer.errors import ConfigurationError, UngatedView

HOUR = timedelta(hours=1)


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
def test_a_form_pays_for_any_path(make_host: MakeHost, path: str) -> None:
    app = make_host()
    gate(app, "/files/<path:name>", lambda name: name)
    visitor = Visitor(app)
    reply = post_form(visitor, form_challenge(visitor, path), tickets_code(visitor.ticket()))
    assert reply.status_code == 303
    assert visitor.get(reply.headers["Location"]).status_code == 200


@pytest.mark.parametrize("path", ["/%5Cevil.example", "/%09/evil.example", "/.//evil.example"])
def test_a_form_never_leads_to_another_site(make_host: MakeHost, path: str) -> None:
    app = make_host()
    gate(app, "/<path:name>", lambda name: name)
    visitor = Visitor(app)
    reply = post_form(visitor, form_challenge(visitor, path), tickets_code(visitor.ticket()))
    assert reply.headers["Location"].startswith("/")
    assert not reply.headers["Location"].lstrip("/").startswith(("\\", "\t", "evil"))


def test_a_path_with_a_question_mark_is_not_another_route(make_host: MakeHost) -> None:
    app = make_host()
    gate(app, "/<name>", lambda name: name, price=lambda name: 1 if name == "cheap" else 2)
    visitor = Visitor(app)
    reply = visitor.post("/redeem", pay_for(visitor.get("/cheap%3F"), visitor.ticket(2)))
    assert reply.json["location"] == "/cheap%3F"
    assert visitor.get("/cheap").status_code == 402


def test_a_value_taken_from_the_url_by_a_preprocessor_is_part_of_what_is_paid_for(
    make_host: MakeHost,
) -> None:
    app = make_host()

    @app.url_value_preprocessor
    def take(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        g.project = (values or {}).pop("project", None)

    gate(app, "/<project>/<name>", lambda name: f"{g.project} {name}", price=lambda name: 1, valid_for=HOUR)
    visitor = Visitor(app)
    reply = visitor.post("/redeem", visitor.credential("/cheap/plan", [visitor.ticket()]))
    token = {"TicketMiner-Pass": reply.json["pass"]["token"]}
    assert visitor.get("/cheap/plan", headers=token).text == "cheap plan"
    assert visitor.get("/dear/plan", headers=token).status_code == 402


def test_a_payment_at_one_mount_point_is_not_taken_at_another(make_host: MakeHost) -> None:
    app = make_host()
    gate(app, "/b/x", lambda: "plain")
    gate(app, "/x", lambda: "lasting", valid_for=HOUR)
    visitor = Visitor(app)
    credential = visitor.credential("/b/x", [visitor.ticket()])
    reply = visitor.post("/redeem", credential, base_url="http://localhost/b")
    assert cause(reply) == (402, "wrong-resource")


def test_links_at_a_mount_point_that_is_not_ascii_fit_a_header(make_host: MakeHost) -> None:
    visitor = Visitor(make_host())
    service = visitor.get("/ticketminer/", environ_overrides={"SCRIPT_NAME": "/\xe5\xba\x97"})
    assert service.headers["X-TicketMiner-Service"] == "/%E5%BA%97/ticketminer/"


def test_a_sites_name_fits_a_header(make_host: MakeHost) -> None:
    with pytest.raises(ConfigurationError, match="ASCII"):
        make_host(TICKETMINER_SITE_NAME="店.example")


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


def test_each_method_of_a_class_view_keeps_its_own_terms(make_host: MakeHost) -> None:
    app = make_host()
    app.add_url_rule("/item", view_func=Item.as_view("item"))
    visitor = Visitor(app)
    reply = visitor.post("/redeem", visitor.credential("/item", [visitor.ticket()], method="POST"))
    assert reply.json["pass"]["single_use"] is True
    assert [visitor.client.post("/item").status_code for _ in range(2)] == [200, 402]


def test_a_gated_blueprint_leaves_no_method_of_a_class_view_free(make_host: MakeHost) -> None:
    tickets, club = TicketMiner(), Blueprint("club", __name__)
    tickets.gate(club, price=4)
    club.add_url_rule("/item", view_func=Item.as_view("item"))
    app = make_host(tickets.init_app)
    app.register_blueprint(club)
    client = app.test_client()
    amounts = [
        client.open("/item", method=method).get_json(force=True)["amount"] for method in ("GET", "PUT")
    ]
    assert amounts == ["1", "4"]


def test_a_blueprint_in_another_keeps_its_own_price(make_host: MakeHost) -> None:
    tickets = TicketMiner()
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    inner.add_url_rule("/dear", "dear", lambda: "dear")
    outer.register_blueprint(inner)
    tickets.gate(outer, price=1)
    tickets.gate(inner, price=8)
    app = make_host(tickets.init_app)
    app.register_blueprint(outer)
    assert app.test_client().get("/dear").get_json(force=True)["amount"] == "8"


def test_a_gate_above_its_route_is_found_out_behind_other_decorators(make_host: MakeHost) -> None:
    app = make_host()

    def log_in(view: Callable[[], str]) -> Callable[[], str]:
        return functools.wraps(view)(lambda: view())

    @ticket_required(price=1)
    @log_in
    @app.get("/leak")
    def leak() -> str:
        return "free by mistake"

    with pytest.raises(UngatedView, match="leak"):
        app.test_client().get("/leak")


def test_a_blueprint_gated_in_one_application_may_be_free_in_another(make_host: MakeHost) -> None:
    tickets, club = TicketMiner(), Blueprint("club", __name__)
    club.add_url_rule("/inside", "inside", lambda: "inside")
    tickets.gate(club, price=1)
    statuses = []
    for setup in (tickets.init_app, TicketMiner):
        app = make_host(setup)
        app.register_blueprint(club)
        statuses.append(app.test_client().get("/inside").status_code)
    assert statuses == [402, 200]


# Bodies


def form_parsed_early(make_host: MakeHost) -> Visitor:
    app = make_host()
    app.before_request(lambda: request.form.get("csrf") and None)
    gate(app, "/order", lambda: request.form["what"], "POST", valid_for=HOUR)
    return Visitor(app)


def chunked(body: bytes) -> dict[str, t.Any]:
    stream = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    return {
        "environ_overrides": stream | {"HTTP_TRANSFER_ENCODING": "chunked"},
        "content_type": "application/x-www-form-urlencoded",
    }


def test_a_chunked_form_that_was_parsed_before_the_gate_is_still_what_was_paid_for(
    make_host: MakeHost,
) -> None:
    visitor = form_parsed_early(make_host)
    first = visitor.client.post("/order", **chunked(b"what=cheap"))
    token = {
        "TicketMiner-Pass": visitor.post("/redeem", pay_for(first, visitor.ticket())).json["pass"]["token"]
    }
    assert visitor.client.post("/order", headers=token, **chunked(b"what=cheap")).text == "cheap"
    assert visitor.client.post("/order", headers=token, **chunked(b"what=dear")).status_code == 402


@pytest.mark.parametrize("options", [lambda body: {"data": body}, chunked])
def test_a_body_that_nobody_paid_for_is_neither_read_without_end_nor_cut_off(
    make_host: MakeHost, options: Callable[[bytes], dict[str, t.Any]]
) -> None:
    app = make_host()
    gate(app, "/echo", lambda: request.get_data(), "POST")
    assert app.test_client().post("/echo", **options(bytes(MAX_BODY + 1))).status_code == 413


# Caches


def test_a_host_that_makes_everything_public_does_not_make_paid_pages_public(make_host: MakeHost) -> None:
    app = make_host()
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


def gated_file(make_host: MakeHost, tmp_path: pathlib.Path) -> Visitor:
    (tmp_path / "report.txt").write_text("0123456789")
    app = make_host()
    gate(app, "/file", lambda: send_from_directory(tmp_path, "report.txt", max_age=60, conditional=True))
    return Visitor(app)


def test_a_conditional_request_is_neither_free_nor_charged(
    make_host: MakeHost, tmp_path: pathlib.Path
) -> None:
    visitor = gated_file(make_host, tmp_path)
    etag = visitor.pay("/file", visitor.credential("/file", [visitor.ticket()]), buffered=True).headers[
        "ETag"
    ]
    known = {"If-None-Match": etag}
    assert visitor.get("/file", headers=known).status_code == 402
    ticket = visitor.ticket()
    unchanged = visitor.pay("/file", visitor.credential("/file", [ticket]), headers=known, buffered=True)
    assert unchanged.status_code == 304
    assert visitor.pay("/file", visitor.credential("/file", [ticket]), buffered=True).text == "0123456789"


def test_a_part_of_a_file_is_paid_like_the_whole(make_host: MakeHost, tmp_path: pathlib.Path) -> None:
    visitor = gated_file(make_host, tmp_path)
    assert visitor.get("/file", headers={"Range": "bytes=0-3"}).status_code == 402
    ticket = visitor.ticket()
    beyond = visitor.credential("/file", [ticket])
    assert visitor.pay("/file", beyond, headers={"Range": "bytes=90-"}, buffered=True).status_code == 416
    credential = visitor.credential("/file", [ticket])
    part = visitor.pay("/file", credential, headers={"Range": "bytes=0-3"}, buffered=True)
    assert (part.status_code, part.text, part.headers["Cache-Control"]) == (
        206,
        "0123",
        "max-age=60, private",
    )
    assert cause(visitor.pay("/file", credential)) == (409, "already-delivered")
