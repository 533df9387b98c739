"""The five examples of the documentation run as printed.

Each string below is printed in README.md or docs/quickstart.md, letter for letter; the tests give it only what its text leaves out.
"""

from __future__ import annotations

import pathlib
import threading
import typing as t
from collections.abc import Callable, Iterator

import httpx
import pytest
from flask import Flask, current_app, request
from visitor import Visitor
from werkzeug.serving import make_server

from flask_ticketminer import ticket_required
from flask_ticketminer.testing.wallets import fill
from miner import Wallet

ROOT = pathlib.Path(__file__).parent.parent
IMPORTS = """
from datetime import timedelta
import httpx
from flask import Blueprint, Flask, current_app, request, send_from_directory
from flask_sqlalchemy import SQLAlchemy
from flask_ticketminer import TicketMiner, donation_received, ticket_required
"""

SITE = """\
app = Flask(__name__)
app.config["SECRET_KEY"] = "change me"
TicketMiner(app)

@app.get("/report")
@ticket_required(price=3, valid_for=timedelta(hours=1))
def report():
    return "<h1>The report</h1>"
"""

SHOP = """\
db = SQLAlchemy()                       # a host with factory, blueprint and its own database
tickets = TicketMiner(db=db)            # in create_app(): db.init_app(app); tickets.init_app(app), any order
shop = Blueprint("shop", __name__)

def price_of(name):                     # gets the view's arguments; may abort(404) before anything is paid
    return db.get_or_404(Picture, name).price

@shop.get("/pictures/<name>/original")
@ticket_required(price=price_of, valid_for=timedelta(days=7))
def original(name):
    return send_from_directory(current_app.config["ORIGINALS"], f"{name}.png", as_attachment=True)
"""

DONATIONS = """\
@donation_received.connect_via(app)     # donations
def thank(app, *, amount, fund, **extra): ...
# in a template: {{ ticketminer_donate(fund="articles", style="large-coffee") }} {{ ticketminer_donated("articles") }}
"""

PROGRAM = """\
from miner import TicketAuth, Wallet    # a program pays any gated URL within its budget

with Wallet.open() as wallet, httpx.Client(auth=TicketAuth(wallet, budget=20)) as client:
    reply = client.post("https://site.example/api/summary", json={"text": text})
"""

TESTS = """\
from flask_ticketminer.testing import TicketClient   # a host's own tests, in milliseconds

def test_report(app):
    assert app.test_client().get("/report").status_code == 402
    assert TicketClient(app, tickets=3).get("/report").status_code == 200
"""


def run(source: str, **names: t.Any) -> dict[str, t.Any]:
    """Run `source` with the imports and `names` that it takes for granted; return what it defined."""
    namespace = {"__name__": "example", **names}
    exec(IMPORTS, namespace)
    exec(compile(source, "example", "exec"), namespace)
    return namespace


@pytest.fixture
def site(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The application of the first example, run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    app: Flask = run(SITE)["app"]
    app.instance_path = str(tmp_path)
    return app


@pytest.fixture
def serve() -> Iterator[Callable[[Flask], str]]:
    """Return a function that serves an application on loopback and returns its address."""
    servers = []

    def start(app: Flask) -> str:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("example", [SITE, SHOP, DONATIONS, PROGRAM, TESTS])
def test_the_example_is_printed_in_the_documentation(example: str) -> None:
    pages = [(ROOT / "README.md").read_text(), (ROOT / "docs/quickstart.md").read_text()]
    assert any(example in page for page in pages)


def test_a_page_for_tickets(site: Flask) -> None:
    assert site.test_client().get("/report").status_code == 402


def test_a_shop_with_its_own_database(tmp_path: pathlib.Path) -> None:
    (tmp_path / "lake.png").write_bytes(b"a picture")
    app = Flask("shop", instance_path=str(tmp_path))
    app.config.update(
        SECRET_KEY="s" * 32,
        TESTING=True,
        TICKETMINER_WORK="instant",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/shop.sqlite",
        ORIGINALS=str(tmp_path),
    )
    names = run(SHOP)
    db = names["db"]

    class Picture(db.Model):  # type: ignore[misc,name-defined]
        name = db.Column(db.String(20), primary_key=True)
        price = db.Column(db.Integer, nullable=False)

    names["Picture"] = Picture
    db.init_app(app)
    names["tickets"].init_app(app)
    app.register_blueprint(names["shop"])
    with app.app_context():
        db.create_all()
        db.session.add(Picture(name="lake", price=2))
        db.session.commit()
    visitor = Visitor(app)
    path = "/pictures/lake/original"
    with visitor.pay(path, visitor.credential(path, [visitor.ticket(2)])) as reply:
        assert reply.data == b"a picture"
    assert visitor.get("/pictures/none/original").status_code == 404
    app.extensions["ticketminer"].database.dispose()
    with app.app_context():
        db.engine.dispose()


def test_thanks_for_donations(site: Flask) -> None:
    site.testing = True
    site.config["TICKETMINER_FUNDS"] = {}
    names = run(DONATIONS, app=site)
    assert callable(names["thank"])


def test_a_program_pays(
    site: Flask, serve: Callable[[Flask], str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.testing = True

    @site.post("/api/summary")
    @ticket_required(price=2)
    def summary() -> str:
        return f"{len(request.get_json()['text'])} letters for {current_app.name}"

    address = serve(site)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with Wallet.open() as wallet:
        fill(wallet, site.extensions["ticketminer"], address, 5)
    reply = run(PROGRAM.replace("https://site.example", address), text="hello")["reply"]
    assert isinstance(reply, httpx.Response)
    assert reply.text == "5 letters for example"


def test_a_hosts_own_test(site: Flask) -> None:
    site.testing = True
    run(TESTS)["test_report"](site)
