"""``flask ticketminer …``: what an operator sees, and that a mistake is one sentence."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t
from datetime import timedelta
from importlib.metadata import entry_points

import pytest
from click.testing import Result
from flask import Blueprint, Flask
from flask.views import MethodView
from flask_sqlalchemy import SQLAlchemy
from mints import EPOCH, START
from sites import SECRET, Shop, make_shop
from sqlalchemy import update
from visitor import Visitor

from flask_ticketminer import TicketMiner, ticket_required
from flask_ticketminer.cli import group
from flask_ticketminer.clock import ManualClock
from flask_ticketminer.mint.orders import PaymentOrder
from miner.tokens import Token, unb64url

CURRENT = START // EPOCH * EPOCH


def run(app: Flask, *arguments: str, **options: t.Any) -> Result:
    return app.test_cli_runner().invoke(group, arguments, **options)


def answer(app: Flask, *arguments: str) -> dict[str, t.Any]:
    result = run(app, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return t.cast("dict[str, t.Any]", json.loads(result.stdout))


@pytest.fixture
def shop(tmp_path: pathlib.Path, manual_clock: ManualClock) -> Shop:
    return make_shop(tmp_path, "sqlite://", manual_clock)


def bare(**config: t.Any) -> Flask:
    app = Flask("bare")
    app.config.update(SECRET_KEY=SECRET, TESTING=True, TICKETMINER_DATABASE_URI="sqlite://")
    app.config.update(config)
    return app


def test_flask_finds_the_group() -> None:
    (found,) = entry_points(group="flask.commands", name="ticketminer")
    assert found.load() is group


@pytest.mark.parametrize(
    "arguments", [["keys", "list"], ["config"], ["routes"], ["stats"], ["audit"], ["prune"]]
)
def test_application_without_tickets_is_told_in_one_sentence(arguments: list[str]) -> None:
    result = run(Flask("plain"), *arguments)
    assert result.exit_code == 1
    assert result.output == (
        "Error: This application has no tickets: call TicketMiner(app), or tickets.init_app(app) in its factory.\n"
    )


def test_list_makes_no_keys(shop: Shop) -> None:
    assert answer(shop.app, "keys", "list") == {"keys": []}
    assert "There are no keys yet" in run(shop.app, "keys", "list").output


def test_create_makes_the_keys_of_this_epoch(shop: Shop) -> None:
    made = answer(shop.app, "keys", "create")["keys"]
    assert [key["value"] for key in made] == [2**power for power in range(10)]
    assert {(key["not_before"], key["state"]) for key in made} == {(CURRENT, "current")}


def test_create_twice_makes_nothing(shop: Shop) -> None:
    run(shop.app, "keys", "create")
    assert answer(shop.app, "keys", "create") == {"keys": []}


def test_rotate_makes_the_keys_of_the_next_epoch_too(shop: Shop) -> None:
    answer(shop.app, "keys", "rotate")
    states = [key["state"] for key in answer(shop.app, "keys", "list")["keys"]]
    assert (states.count("current"), states.count("next")) == (10, 10)


def test_list_names_old_keys_by_what_they_are_good_for(shop: Shop) -> None:
    run(shop.app, "keys", "create")
    shop.clock.advance(EPOCH)
    assert {key["state"] for key in answer(shop.app, "keys", "list")["keys"]} == {"redeemable"}
    shop.clock.advance(2 * EPOCH)
    assert "expired" in run(shop.app, "keys", "list").output


def test_rewrap_lets_the_old_secret_go(tmp_path: pathlib.Path, manual_clock: ManualClock) -> None:
    url = f"sqlite:///{tmp_path}/tickets.sqlite"
    old = make_shop(tmp_path, url, manual_clock)
    run(old.app, "keys", "create")
    both = make_shop(tmp_path, url, manual_clock, SECRET_KEY="n" * 32, SECRET_KEY_FALLBACKS=[SECRET])
    assert answer(both.app, "keys", "rewrap") == {"rewrapped": 10}
    new = make_shop(tmp_path, url, manual_clock, SECRET_KEY="n" * 32)
    assert answer(new.app, "keys", "create") == {"keys": []}


@pytest.mark.parametrize("command", ["create", "rewrap"])
def test_lost_secret_is_told_in_one_sentence(
    tmp_path: pathlib.Path, manual_clock: ManualClock, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/tickets.sqlite"
    run(make_shop(tmp_path, url, manual_clock).app, "keys", "create")
    result = run(make_shop(tmp_path, url, manual_clock, SECRET_KEY="n" * 32).app, "keys", command)
    assert result.exit_code == 1
    assert "cannot be unwrapped" in result.output
    assert (result.output.count("\n"), capfd.readouterr().err) == (1, "")


def test_config_shows_settings_and_no_secret() -> None:
    app = bare(
        TICKETMINER_KEY_SECRET="a very well kept secret",
        TICKETMINER_DATABASE_URI="postgresql+psycopg://tickets:hunter2@db.example/tickets?sslpassword=hunter3",
        TICKETMINER_LEASE=60,
    )
    TicketMiner(app)
    members = answer(app, "config")
    assert members["settings"]["TICKETMINER_LEASE"] == 60
    assert members["database"] == "postgresql+psycopg://tickets:***@db.example/tickets?sslpassword=redacted"
    for output in (json.dumps(members), run(app, "config").output):
        for secret in ("well kept", "hunter", SECRET):
            assert secret not in output


def upstream_site(**config: t.Any) -> Flask:
    coin = {
        "symbol": "LTC",
        "algorithm": "scrypt",
        "pools": ["stratum+tcp://hunter1:hunter2@127.0.0.1:9"],
        "block_time": 150,
    }
    app = bare(
        TICKETMINER_COINS={
            "litecoin": coin,
            "own-node": {
                **coin,
                "pools": None,
                "node": "http://hunter1:hunter2@127.0.0.1:9/",
                "address": "ltc1q-hunter",
            },
        },
        **config,
    )
    TicketMiner(app)
    return app


@pytest.mark.parametrize(
    ("prices", "shown"),
    [
        ({"url": "https://h.example/?key=hunter3", "headers": {"X-Key": "hunter4"}}, "h.example"),
        ({"LTC": "85.12"}, "<FixedPrices of LTC>"),
        (None, None),
    ],
)
def test_config_shows_where_work_and_prices_come_from_and_no_secret_of_them(
    prices: t.Any, shown: str | None
) -> None:
    app = upstream_site(TICKETMINER_PRICES=prices, TICKETMINER_COIN="most-profitable")
    settings = answer(app, "config")["settings"]
    assert settings["TICKETMINER_COINS"]["litecoin"] == {"symbol": "LTC", "algorithm": "scrypt"}
    assert settings["TICKETMINER_SWITCH_MARGIN"] == "10"
    assert settings["TICKETMINER_PRICES"] is shown is None or shown in settings["TICKETMINER_PRICES"]
    for output in (json.dumps(settings), run(app, "config").output):
        assert "hunter" not in output


@pytest.mark.parametrize(
    ("config", "warning"),
    [
        (
            {"TICKETMINER_COIN": "most-profitable"},
            "COIN is 'most-profitable', which needs TICKETMINER_PRICES",
        ),
        ({"TICKETMINER_COIN": None}, "none of TICKETMINER_COINS gets it"),
        (
            {"TICKETMINER_TIP_EVENTS": "/tip/{algorithm}", "TICKETMINER_COIN": None},
            "TIP_EVENTS has no effect",
        ),
        ({"TICKETMINER_TICKET_WORTH": "1e-9"}, "TICKET_WORTH has no effect without TICKETMINER_PRICES"),
        (
            {"TICKETMINER_TICKET_WORTH": "1e-9", "TICKETMINER_COIN": None},
            "TICKET_WORTH has no effect on local work",
        ),
    ],
)
def test_config_warns_of_markets_without_prices(config: dict[str, t.Any], warning: str) -> None:
    assert warning in run(upstream_site(**config), "config").output


def test_config_says_what_visitors_compute() -> None:
    output = run(upstream_site(TICKETMINER_COIN="most-profitable"), "config").output
    assert (
        "Visitors compute scrypt for litecoin or scrypt for own-node, as long as flask ticketminer bridge"
        in output
    )
    assert "the site itself checks it" in run(upstream_site(TICKETMINER_COIN=None), "config").output


def test_settings_that_come_too_late_are_named() -> None:
    app = bare(TICKETMINER_FUNDS={})
    TicketMiner(app)
    app.config["TICKETMINER_COINS"] = {"litecoin": {}}
    warned = run(app, "config").output
    assert "Warning: TICKETMINER_COINS changed after TicketMiner(app)" in warned
    assert "before TicketMiner(app)" in run(app, "bridge").output


def test_a_site_whose_settings_come_too_late_says_so_in_its_log(caplog: pytest.LogCaptureFixture) -> None:
    app = bare()
    TicketMiner(app)
    app.config["TICKETMINER_FUNDS"] = {"articles": {}}
    app.testing = False
    app.test_client().get("/")
    assert "TICKETMINER_FUNDS changed after TicketMiner(app)" in caplog.text


def test_config_knows_every_setting() -> None:
    app = bare()
    TicketMiner(app)
    shown = {name for name in answer(app, "config")["settings"] if name.startswith("TICKETMINER_")}
    assert shown == {name for name in app.config if name.startswith("TICKETMINER_")}


def test_config_opens_no_database(tmp_path: pathlib.Path) -> None:
    app = Flask("bare", instance_path=str(tmp_path))
    app.config["SECRET_KEY"] = SECRET
    TicketMiner(app)
    assert answer(app, "config")["database"] == f"sqlite:///{tmp_path}/ticketminer.sqlite"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("config", "warning"),
    [
        ({}, "called 'localhost'"),
        ({"SECRET_KEY": "change me"}, "SECRET_KEY is short"),
        ({"SECRET_KEY": None}, "SECRET_KEY is not set"),
        ({"TICKETMINER_KEY_SECRET": "short"}, "TICKETMINER_KEY_SECRET is short"),
        ({}, "the tickets are in memory"),
        ({"TICKETMINER_DATABASE_URI": "sqlite:///tickets.sqlite"}, "the tickets are in SQLite"),
        ({"TICKETMINER_ALLOW_HTTP": True}, "TICKETMINER_ALLOW_HTTP is on"),
        ({"TICKETMINER_SITE_NAME": "old.example", "SERVER_NAME": "shop.example"}, "after a move"),
    ],
)
def test_config_warns(config: dict[str, t.Any], warning: str) -> None:
    app = bare(**config)
    TicketMiner(app)
    assert warning in run(app, "config").output


def test_config_of_a_sound_site_has_no_warning() -> None:
    app = bare(
        TICKETMINER_SITE_NAME="shop.example", TICKETMINER_DATABASE_URI="postgresql+psycopg://db/tickets"
    )
    TicketMiner(app)
    assert answer(app, "config")["warnings"] == []


def test_config_says_which_database_is_not_chosen() -> None:
    app = bare(TICKETMINER_DATABASE_URI=None, SQLALCHEMY_DATABASE_URI="sqlite://")
    SQLAlchemy(app)
    TicketMiner(app)
    result = run(app, "config")
    assert result.exit_code == 1
    assert "TicketMiner(db=db)" in result.output


def test_unusable_database_address_is_told_in_one_sentence() -> None:
    app = bare(TICKETMINER_DATABASE_URI="not an address")
    TicketMiner(app)
    result = run(app, "stats")
    assert result.exit_code == 1
    assert result.output.startswith("Error: The tickets' database cannot be used")
    assert "TICKETMINER_DATABASE_URI" in result.output


def test_host_database_without_tables_is_told_in_one_sentence() -> None:
    app = bare(TICKETMINER_DATABASE_URI=None, SQLALCHEMY_DATABASE_URI="sqlite:///missing.sqlite")
    app.instance_path = "/nonexistent"
    db = SQLAlchemy()
    TicketMiner(app, db=db)
    result = run(app, "audit")
    assert result.exit_code == 1
    assert "call db.init_app(app)" in result.output


def test_routes_lists_what_each_route_costs(shop: Shop) -> None:
    routes = {route["endpoint"]: route for route in answer(shop.app, "routes")["routes"]}
    assert routes["report"] == {
        "endpoint": "report",
        "methods": ["GET", "POST"],
        "rule": "/report",
        "price": 3,
        "valid_for": 3600,
        "scope": None,
        "required": True,
        "donation": False,
    }
    assert routes["picture"]["price"].endswith("price_of()")
    assert routes["premium_a"]["scope"] == "premium"
    assert routes["optional"]["required"] is False
    assert routes["ticketminer.redeem.donate"]["donation"] is True


def test_routes_lists_gated_blueprints_before_any_request() -> None:
    app = bare()
    tickets = TicketMiner(app)
    premium = Blueprint("premium", __name__)
    premium.add_url_rule("/premium", "page", lambda: "page")
    app.register_blueprint(premium)
    tickets.gate(premium, price=4, valid_for=timedelta(days=1))
    assert ("premium.page", 4) in [(r["endpoint"], r["price"]) for r in answer(app, "routes")["routes"]]
    assert "1 day" in run(app, "routes").output


def test_routes_needs_no_request_in_production() -> None:
    app = bare(TESTING=False)
    TicketMiner(app)
    assert [route["endpoint"] for route in answer(app, "routes")["routes"]] == ["ticketminer.redeem.donate"]


def test_routes_shows_the_gate_of_each_method() -> None:
    class Report(MethodView):
        @ticket_required(1)
        def get(self) -> str:
            return "read"

        @ticket_required(5)
        def post(self) -> str:
            return "written"

        def delete(self) -> str:
            return "gone"

    app = bare()
    TicketMiner(app)
    app.add_url_rule("/report", view_func=Report.as_view("report"))
    listed = [
        (r["methods"], r["price"]) for r in answer(app, "routes")["routes"] if r["endpoint"] == "report"
    ]
    assert listed == [(["GET"], 1), (["POST"], 5)]


def test_routes_fails_for_a_view_that_is_served_free() -> None:
    app = bare()
    TicketMiner(app)

    def report() -> str:
        return "free by mistake"

    app.add_url_rule("/report", "report", report)
    gated = ticket_required(3)(report)
    result = run(app, "routes")
    assert gated is not report
    assert result.exit_code == 1
    assert "'report' is registered without its gate" in result.output


def pay(shop: Shop) -> None:
    visitor = Visitor(shop.app)
    visitor.pay("/once", visitor.credential("/once", [visitor.ticket()]))


def test_stats_counts_shares_and_payments(shop: Shop) -> None:
    pay(shop)
    members = answer(shop.app, "stats")
    assert members["shares"] == {"accepted": 1, "value": 1, "donated_value": 0}
    assert members["value"] == {"issued": 1, "spent": 1, "paid": 1, "donated": 0}


def test_stats_are_readable(shop: Shop) -> None:
    pay(shop)
    output = run(shop.app, "stats").output
    assert "1 payment brought 1 ticket, 0 of them donated" in output
    assert "shares accepted       1      1" in output


def test_audit_of_a_sound_ledger_succeeds(shop: Shop) -> None:
    pay(shop)
    members = answer(shop.app, "audit")
    assert members["balanced"] is True
    assert {"value spent = paid + change", "funds = donations"} <= {line["name"] for line in members["lines"]}
    assert "The ledger balances." in run(shop.app, "audit").output


def test_audit_of_a_forged_ledger_fails(shop: Shop) -> None:
    pay(shop)
    site = shop.app.extensions["ticketminer"]
    counter = site.database.tables.counter
    site.database.transaction(lambda connection: connection.execute(update(counter).values(total=7)))
    result = run(shop.app, "audit", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["balanced"] is False
    assert "FAILED" in run(shop.app, "audit").output


def reserve(shop: Shop) -> None:
    """Reserve a payment and never settle it, as a crashed process would."""
    answer(shop.app, "prune", "--force")  # the database was made today, not at the test's time
    ticket = Token.from_bytes(unb64url(Visitor(shop.app).ticket()))
    shop.app.extensions["ticketminer"].ledger.reserve(PaymentOrder(b"p" * 32, [ticket], [], 1))


def test_dry_run_changes_nothing(shop: Shop) -> None:
    reserve(shop)
    shop.clock.advance(3600)
    for _ in range(2):
        assert answer(shop.app, "prune", "--dry-run")["released"] == 1


def test_prune_does_what_the_dry_run_said(shop: Shop) -> None:
    reserve(shop)
    shop.clock.advance(25 * 86400)
    foretold = answer(shop.app, "prune", "--dry-run")
    assert foretold == {"dry_run": True, "released": 1, "shares": 1, "payments": 1, "retired": 10}
    assert answer(shop.app, "prune") == {**foretold, "dry_run": False}
    assert answer(shop.app, "stats")["keys"] == []
    assert shop.balanced()


def test_prune_counts_as_people_do(shop: Shop) -> None:
    reserve(shop)
    shop.clock.advance(25 * 86400)
    assert run(shop.app, "prune").output == (
        "Gone: 1 overdue payment (the tickets are free again), 1 reply to shares, 1 reply to payments, 10 keys of closed epochs.\n"
    )
    assert run(shop.app, "prune").output.startswith("Gone: 0 overdue payments (")


@pytest.mark.parametrize("arguments", [["prune"], ["prune", "--dry-run"]])
def test_prune_refuses_after_a_clock_jump(shop: Shop, arguments: list[str]) -> None:
    answer(shop.app, "prune", "--force")
    shop.clock.advance(400 * 86400)
    result = run(shop.app, *arguments)
    assert result.exit_code == 1
    assert "prune --force" in result.output


def jumped(shop: Shop) -> None:
    answer(shop.app, "keys", "create")
    answer(shop.app, "prune", "--force")
    shop.clock.advance(400 * 86400)


def test_forced_prune_asks_before_it_deletes_keys(shop: Shop) -> None:
    jumped(shop)
    result = run(shop.app, "prune", "--force", input="n\n")
    assert result.exit_code == 1
    assert "all those of 10 keys" in result.output
    assert len(answer(shop.app, "keys", "list")["keys"]) == 10


def test_forced_prune_asks_nothing_with_yes(shop: Shop) -> None:
    jumped(shop)
    assert answer(shop.app, "prune", "--force", "-y")["retired"] == 10
