"""``flask_ticketminer.testing``: what hosts write their own tests with."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import typing as t
from importlib.metadata import entry_points

import pytest
from flask import Flask, request, session
from sites import SECRET, Shop, make_shop
from visitor import Visitor, cause
from werkzeug.test import EnvironBuilder

from flask_ticketminer import TicketMiner, ticket_required
from flask_ticketminer.clock import ManualClock
from flask_ticketminer.errors import ConfigurationError
from flask_ticketminer.testing import PaidRequest, TicketClient, wallet
from miner.tokens import CodecError

pytest_plugins = ["pytester"]

HOST_TEST = """
from datetime import timedelta

import pytest
from flask import Flask
from flask_ticketminer import TicketMiner, ticket_required
from flask_ticketminer.testing import TicketClient

@pytest.fixture
def app(tmp_path):
    app = Flask(__name__, instance_path=str(tmp_path))
    app.config["SECRET_KEY"] = "change me"
    TicketMiner(app)

    @app.get("/report")
    @ticket_required(price=3, valid_for=timedelta(hours=1))
    def report():
        return "<h1>The report</h1>"

    app.config.update(TESTING=True)
    return app

def test_report(app):
    assert app.test_client().get("/report").status_code == 402
    assert TicketClient(app, tickets=3).get("/report").status_code == 200

def test_fixtures(ticket_client, ticket_wallet):
    assert ticket_client(tickets=3).get("/report").text == "<h1>The report</h1>"
    assert ticket_client(wallet=ticket_wallet(tickets=5)).get("/report").status_code == 200
"""


@pytest.fixture
def shop(tmp_path: pathlib.Path, manual_clock: ManualClock) -> t.Iterator[Shop]:
    made = make_shop(tmp_path, "sqlite://", manual_clock)
    yield made
    assert made.balanced()


def test_example_of_the_documentation_works(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(HOST_TEST)
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=2)


def test_plugin_is_announced_to_pytest() -> None:
    (found,) = entry_points(group="pytest11", name="ticketminer")
    assert found.value == "flask_ticketminer.testing.plugin"


def test_plugin_imports_nothing_heavy() -> None:
    code = (
        "import pytest, sys; before = set(sys.modules); import flask_ticketminer.testing.plugin; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["flask_ticketminer"]


def test_client_pays_and_keeps_the_change(shop: Shop) -> None:
    client = TicketClient(shop.app, tickets=8)
    assert client.get("/report").text == "the report"
    assert (client.balance, client.payments) == (5, [PaidRequest(3, "GET /report")])


def test_change_pays_too(shop: Shop) -> None:
    client = TicketClient(shop.app, tickets=8)
    for _ in range(8):
        assert client.get("/once").status_code == 200
    assert client.balance == 0


def test_client_pays_once_for_what_stays_open(shop: Shop) -> None:
    client = TicketClient(shop.app, tickets=6)
    client.get("/report")
    client.get("/report")
    assert (client.balance, len(client.payments)) == (3, 1)


def test_pass_opens_the_page_for_a_client_without_cookies(shop: Shop) -> None:
    client = TicketClient(shop.app, tickets=6, use_cookies=False)
    replies = [client.post("/report", json={"n": 1}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert client.balance == 3


def test_request_body_is_sent_again_with_the_payment(shop: Shop) -> None:
    assert TicketClient(shop.app, tickets=1).post("/echo", data=b"a body").data == b"a body"


def test_large_payments_go_to_redeem(shop: Shop) -> None:
    purse = wallet(shop.app)
    client = TicketClient(shop.app, wallet=purse)
    for _ in range(40):
        TicketClient(shop.app, wallet=purse, tickets=1)
    assert client.get("/ticketminer/donate?amount=40").status_code == 200
    assert client.balance == 0


def test_client_that_cannot_pay_gets_the_402(shop: Shop) -> None:
    client = TicketClient(shop.app, tickets=2)
    assert client.get("/report").status_code == 402
    assert client.balance == 2


def test_free_routes_cost_nothing(shop: Shop) -> None:
    client = TicketClient(shop.app, tickets=2)
    assert (client.get("/free").text, client.get("/optional").text) == ("free", "for everyone")
    assert client.balance == 2


@pytest.mark.parametrize("status", [404, 500])
def test_failed_view_costs_nothing(shop: Shop, status: int) -> None:
    client = TicketClient(shop.app, tickets=4)
    assert client.get(f"/broken/{status}").status_code == status
    assert (client.balance, client.payments) == (4, [])


def test_exception_in_the_view_reaches_the_test_and_costs_nothing(shop: Shop) -> None:
    client = TicketClient(shop.app, tickets=4)
    with pytest.raises(LookupError):
        client.get("/raises")
    assert client.balance == 4
    assert client.get("/once").status_code == 200


def test_paid_redirect_keeps_its_change(shop: Shop) -> None:
    client = TicketClient(shop.app, tickets=4)
    assert client.get("/moved").status_code == 302
    assert (client.balance, client.payments) == (3, [PaidRequest(1, "GET /moved")])


def test_redirect_is_followed_and_paid_for_on_its_own(shop: Shop) -> None:
    @shop.app.get("/elsewhere")
    @ticket_required(2)
    def elsewhere() -> str:
        return "elsewhere"

    client = TicketClient(shop.app, tickets=4)
    reply = client.get("/moved", follow_redirects=True)
    assert (reply.text, [past.status_code for past in reply.history]) == ("elsewhere", [302])
    assert [payment.amount for payment in client.payments] == [1, 2]
    assert client.balance == 1


def test_client_works_under_a_mount_point(shop: Shop) -> None:
    client = TicketClient(shop.app, tickets=3)
    assert client.get("/once", base_url="http://localhost/mounted/").status_code == 200


def test_host_name_of_the_request_does_not_matter(shop: Shop) -> None:
    client = TicketClient(shop.app, tickets=3)
    assert client.get("/once", base_url="https://shop.example").status_code == 200
    assert client.balance == 2


@pytest.mark.parametrize("path", ["/pictures/one", "/once?a=1&b=%20%C3%A4", "/once?"])
def test_paths_and_queries_come_through(shop: Shop, path: str) -> None:
    assert TicketClient(shop.app, tickets=1).get(path).status_code == 200


def test_client_takes_environments_builders_and_requests(shop: Shop) -> None:
    client = TicketClient(shop.app, tickets=3)
    builder = EnvironBuilder("/once")
    for first in (builder, builder.get_environ(), builder.get_request()):
        assert client.open(first).status_code == 200
    builder.close()
    assert client.balance == 0


def test_client_keeps_what_flask_clients_can(shop: Shop) -> None:
    @shop.app.get("/who")
    @ticket_required(1)
    def who() -> str:
        return t.cast("str", session["who"])

    with TicketClient(shop.app, tickets=1) as client:
        with client.session_transaction() as values:
            values["who"] = "me"
        assert client.get("/who").text == "me"
        assert request.path == "/who"


def test_client_can_be_the_applications_own(shop: Shop) -> None:
    shop.app.test_client_class = TicketClient
    assert shop.app.test_client(tickets=3).get("/report").status_code == 200


def test_wallet_is_filled_for_localhost(shop: Shop) -> None:
    purse = wallet(shop.app, tickets=11)
    assert (purse.balance("http://localhost"), purse.balance()) == (11, 11)
    assert [ticket.value for ticket in purse.tickets()] == [1, 2, 8]


def test_wallet_leaves_no_file(shop: Shop) -> None:
    purse = wallet(shop.app, tickets=1)
    folder = purse.path.parent
    assert folder.exists()
    purse.close()
    assert not folder.exists()


def test_two_clients_share_a_wallet(shop: Shop) -> None:
    purse = wallet(shop.app, tickets=2)
    first, second = TicketClient(shop.app, wallet=purse), TicketClient(shop.app, wallet=purse, tickets=1)
    first.get("/once")
    second.get("/once")
    assert (first.balance, len(second.payments)) == (1, 1)


def test_tickets_follow_the_sites_clock(shop: Shop) -> None:
    client = TicketClient(shop.app, tickets=8)
    shop.clock.advance(7 * 86400)
    assert client.get("/report").status_code == 200
    assert client.balance == 5


def test_expired_tickets_are_not_money(shop: Shop) -> None:
    client = TicketClient(shop.app, tickets=8)
    shop.clock.advance(30 * 86400)
    assert client.balance == 0
    assert client.get("/once").status_code == 402


@pytest.mark.parametrize("tickets", [-1, True, 1.0])
def test_only_amounts_are_amounts(shop: Shop, tickets: t.Any) -> None:
    with pytest.raises(CodecError):
        TicketClient(shop.app, tickets=tickets)


@pytest.mark.parametrize("make", [TicketClient, wallet])
def test_nothing_works_outside_tests(shop: Shop, make: t.Callable[..., object]) -> None:
    shop.app.testing = False
    with pytest.raises(ConfigurationError, match=r"app\.testing"):
        make(shop.app, tickets=1)


def test_application_without_tickets_is_refused() -> None:
    app = Flask("plain")
    app.testing = True
    with pytest.raises(ConfigurationError, match=r"TicketMiner\(app\)"):
        TicketClient(app)


def test_instant_work_makes_every_nonce_a_share(tmp_path: pathlib.Path, manual_clock: ManualClock) -> None:
    shop = make_shop(tmp_path, "sqlite://", manual_clock, TICKETMINER_WORK="instant")
    visitor = Visitor(shop.app)
    job = visitor.job(value=512)
    for nonce in ("00" * 8, "ff" * 8):
        output = visitor.output(key_id=job["key_id"])
        assert visitor.post("/submit", visitor.share(job, output, nonce=nonce)).status_code == 200


def test_ordinary_work_is_not_instant(shop: Shop) -> None:
    visitor = Visitor(shop.app)
    job = visitor.job(value=512)
    share = visitor.share(
        job, visitor.output(key_id=job["key_id"]), nonce=next(visitor.nonces(job, hits=False))
    )
    assert cause(visitor.post("/submit", share)) == (422, "share-misses-target")


def test_instant_work_is_refused_outside_tests() -> None:
    app = Flask("live")
    app.config.update(SECRET_KEY=SECRET, TICKETMINER_WORK="instant")
    with pytest.raises(ConfigurationError, match="TICKETMINER_WORK"):
        TicketMiner(app)


def test_applications_under_test_share_keys_and_others_do_not(
    tmp_path: pathlib.Path, manual_clock: ManualClock
) -> None:
    def key_of(**config: t.Any) -> bytes:
        site = make_shop(tmp_path, "sqlite://", manual_clock, **config).app.extensions["ticketminer"]
        return t.cast("bytes", site.keys.current(1).key_id)

    assert key_of() == key_of()
    assert key_of(TESTING=False) != key_of()
