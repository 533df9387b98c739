"""Ways to write a gate: async views, classes, blueprints, several applications and mount points."""

from __future__ import annotations

import asyncio
import base64
import json
import pathlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Blueprint, Flask, current_app
from flask.views import MethodView
from sites import SECRET
from visitor import Visitor, cause, challenge_parameters
from werkzeug.exceptions import HTTPException

from flask_ticketminer import TicketMiner, current_payment, ticket_required
from flask_ticketminer.errors import ConfigurationError, UngatedView


@pytest.fixture
def make_app(tmp_path: pathlib.Path) -> Callable[[], Flask]:
    def make() -> Flask:
        app = Flask("host", instance_path=str(tmp_path))
        app.config.update(SECRET_KEY=SECRET, TESTING=True, TICKETMINER_WORK="instant")
        return app

    return make


def test_an_async_view_can_be_gated(make_app: Callable[[], Flask]) -> None:
    app = make_app()
    TicketMiner(app)

    @app.get("/later")
    @ticket_required(price=1)
    async def later() -> str:
        await asyncio.sleep(0)
        return "later"

    visitor = Visitor(app)
    assert visitor.get("/later").status_code == 402
    assert visitor.pay("/later", visitor.credential("/later", [visitor.ticket()])).text == "later"


def test_a_method_of_a_class_view_can_be_gated(make_app: Callable[[], Flask]) -> None:
    app = make_app()
    TicketMiner(app)

    class Item(MethodView):
        @ticket_required(price=lambda number: number)
        def get(self, number: int) -> str:
            return f"item {number}"

    app.add_url_rule("/items/<int:number>", view_func=Item.as_view("item"))
    visitor = Visitor(app)
    assert visitor.challenge("/items/4")["realm"] == "localhost"
    assert visitor.post("/redeem", visitor.credential("/items/4", [visitor.ticket(4)])).status_code == 200
    assert visitor.get("/items/4").text == "item 4"


def test_a_class_view_can_be_decorated(make_app: Callable[[], Flask]) -> None:
    app = make_app()
    TicketMiner(app)

    class Page(MethodView):
        decorators = (ticket_required(price=1),)

        def get(self) -> str:
            return "page"

    app.add_url_rule("/page", view_func=Page.as_view("page"))
    assert Visitor(app).get("/page").status_code == 402


def test_a_blueprint_can_be_gated(make_app: Callable[[], Flask]) -> None:
    app = make_app()
    tickets = TicketMiner(app)
    club = Blueprint("club", __name__)
    tickets.gate(club, price=2)

    @club.get("/inside")
    def inside() -> str:
        return "inside"

    @club.get("/cheap")
    @ticket_required(price=1)
    def cheap() -> str:
        return "cheap"

    inner = Blueprint("inner", __name__, url_prefix="/inner")
    inner.add_url_rule("/deep", "deep", lambda: "deep")
    club.register_blueprint(inner)
    app.register_blueprint(club, url_prefix="/club")
    visitor = Visitor(app)
    assert visitor.get("/club/inside").get_json(force=True)["amount"] == "2"
    assert visitor.get("/club/inner/deep").get_json(force=True)["amount"] == "2"
    assert visitor.get("/club/cheap").get_json(force=True)["amount"] == "1"


def test_a_gate_above_its_route_is_found_out(make_app: Callable[[], Flask]) -> None:
    app = make_app()
    TicketMiner(app)

    @ticket_required(price=1)
    @app.get("/leak")
    def leak() -> str:
        return "free by mistake"

    with pytest.raises(UngatedView, match="leak"):
        app.test_client().get("/anything")


def test_a_gate_on_a_subdomain_is_refused(make_app: Callable[[], Flask]) -> None:
    app = make_app()
    app.subdomain_matching = True
    app.config["SERVER_NAME"] = "shop.example"
    TicketMiner(app)
    app.add_url_rule("/x", "x", ticket_required(price=1)(lambda: "x"), subdomain="club")
    with pytest.raises(ConfigurationError, match="subdomain"):
        app.test_client().get("/", base_url="https://shop.example")


def test_a_gate_without_the_extension_says_so(make_app: Callable[[], Flask]) -> None:
    app = make_app()
    app.add_url_rule("/x", "x", ticket_required(price=1)(lambda: "x"))
    with pytest.raises(ConfigurationError, match="init_app"):
        app.test_client().get("/x")


@pytest.mark.parametrize("price", [-1, 1.5, "1", True, None, 2**31])
def test_a_price_is_a_whole_number(price: object) -> None:
    with pytest.raises(ConfigurationError, match="whole number"):
        ticket_required(price=price)  # type: ignore[arg-type]


def test_a_scope_needs_a_time() -> None:
    with pytest.raises(ConfigurationError, match="valid_for"):
        ticket_required(price=1, scope="premium")


def test_a_handler_can_draw_the_page(make_app: Callable[[], Flask]) -> None:
    app = make_app()
    tickets = TicketMiner(app)

    @tickets.payment_required_handler
    def draw(*, amount: int, **context: object) -> str:
        return f"please, {amount}"

    app.add_url_rule("/x", "x", ticket_required(price=3)(lambda: "x"))
    reply = app.test_client().get("/x", headers={"Accept": "text/html"})
    assert (reply.status_code, reply.text, reply.headers["Cache-Control"]) == (402, "please, 3", "no-store")


def test_a_hosts_error_handler_does_not_lose_the_challenge(make_app: Callable[[], Flask]) -> None:
    app = make_app()
    TicketMiner(app)
    app.register_error_handler(HTTPException, lambda error: ("mine", error.code))
    app.add_url_rule("/x", "x", ticket_required(price=3)(lambda: "x"))
    assert challenge_parameters(app.test_client().get("/x"))["intent"] == "charge"


def test_two_applications_keep_apart(make_app: Callable[[], Flask], tmp_path: pathlib.Path) -> None:
    visitors = []
    for name in ("one", "two"):
        app = make_app()
        app.config.update(
            TICKETMINER_SITE_NAME=name, TICKETMINER_DATABASE_URI=f"sqlite:///{tmp_path}/{name}.sqlite"
        )
        TicketMiner(app)
        app.add_url_rule(
            "/x",
            "x",
            ticket_required(price=1)(lambda: current_app.extensions["ticketminer"].settings.site_name),
        )
        visitors.append(Visitor(app))
    one, two = visitors
    assert one.pay("/x", one.credential("/x", [one.ticket()])).text == "one"
    foreign = one.ticket()
    assert cause(two.pay("/x", two.credential("/x", [foreign]))) in [
        (402, "unknown-key"),
        (402, "bad-signature"),
    ]


def test_one_extension_serves_several_applications(
    make_app: Callable[[], Flask], tmp_path: pathlib.Path
) -> None:
    tickets = TicketMiner()
    for name in ("one", "two"):
        app = make_app()
        app.config["TICKETMINER_DATABASE_URI"] = f"sqlite:///{tmp_path}/{name}.sqlite"
        tickets.init_app(app)
        assert Visitor(app).service()["site_name"] == "localhost"


def test_setting_up_twice_is_refused(make_app: Callable[[], Flask]) -> None:
    app = make_app()
    tickets = TicketMiner(app)
    with pytest.raises(RuntimeError, match="already set up"):
        tickets.init_app(app)


def test_the_mount_point_is_part_of_every_address(make_app: Callable[[], Flask]) -> None:
    app = make_app()
    TicketMiner(app)
    app.add_url_rule("/x", "x", ticket_required(price=1, valid_for=timedelta(hours=1))(lambda: "x"))
    reply = app.test_client().get("/x", base_url="http://localhost/mounted")
    details = json.loads(base64.urlsafe_b64decode(challenge_parameters(reply)["request"] + "=="))[
        "methodDetails"
    ]
    assert details == {"redeem": "/mounted/ticketminer/redeem", "service": "/mounted/ticketminer/"}


def test_a_mounted_site_can_be_paid(make_app: Callable[[], Flask]) -> None:
    app = make_app()
    TicketMiner(app)
    app.add_url_rule("/x", "x", ticket_required(price=1)(lambda: f"paid {current_payment.amount}"))
    visitor = Visitor(app)
    base = {"base_url": "http://localhost/mounted"}
    credential = {
        "challenge": challenge_parameters(visitor.get("/x", **base)),
        "payload": {"tickets": [visitor.ticket()]},
    }
    assert visitor.post("/redeem", credential, **base).json["location"] == "/mounted/x"
    assert visitor.get("/x", **base).text == "paid 1"
