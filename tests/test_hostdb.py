"""Tickets in the host's own database: its migrations make the tables, and its session is left alone."""

from __future__ import annotations

import pathlib
import typing as t
from collections.abc import Callable

import pytest
from flask import Blueprint, Flask, abort, current_app
from flask_sqlalchemy import SQLAlchemy
from sites import SECRET
from sqlalchemy import MetaData, inspect
from visitor import Visitor

from flask_ticketminer import TicketMiner, current_payment, ticket_required
from flask_ticketminer.errors import ConfigurationError, SchemaError, UncommittedWrites


class Host(t.NamedTuple):
    app: Flask
    db: SQLAlchemy
    note: t.Any


@pytest.fixture
def make_host(tmp_path: pathlib.Path) -> t.Iterator[Callable[..., Host]]:
    hosts: list[Host] = []

    def make(url: str, *, create: bool = True, tickets_first: bool = False, **metadata: t.Any) -> Host:
        app = Flask("host", instance_path=str(tmp_path))
        app.config.update(
            SECRET_KEY=SECRET, TESTING=True, TICKETMINER_WORK="instant", SQLALCHEMY_DATABASE_URI=url
        )
        db = SQLAlchemy(**metadata)
        tickets = TicketMiner(db=db)
        for extension in (tickets, db) if tickets_first else (db, tickets):
            extension.init_app(app)

        class Note(db.Model):  # type: ignore[name-defined,misc]
            id = db.Column(db.Integer, primary_key=True)
            payment = db.Column(db.String(64), unique=True)

        def write(path: str, commit: bool, status: int = 200) -> None:
            @ticket_required(price=1)
            def view() -> t.Any:
                db.session.add(Note(payment=current_payment.id))
                db.session.commit() if commit else db.session.flush()
                return "written", status

            app.add_url_rule(path, path.strip("/"), view)

        write("/commits", commit=True)
        write("/forgets", commit=False)
        write("/fails", commit=False, status=500)
        if create:
            with app.app_context():
                db.create_all()
        hosts.append(Host(app, db, Note))
        return hosts[-1]

    yield make
    for host in hosts:
        host.app.extensions["ticketminer"].database.dispose()
        with host.app.app_context():
            host.db.session.remove()
            for engine in host.db.engines.values():
                engine.dispose()


@pytest.fixture
def file_url(tmp_path: pathlib.Path) -> str:
    return f"sqlite:///{tmp_path}/host.sqlite"


@pytest.mark.parametrize("tickets_first", [True, False])
def test_the_order_of_set_up_does_not_matter(
    make_host: Callable[..., Host], file_url: str, tickets_first: bool
) -> None:
    host = make_host(file_url, tickets_first=tickets_first)
    visitor = Visitor(host.app)
    assert visitor.pay("/commits", visitor.credential("/commits", [visitor.ticket()])).text == "written"


def test_it_works_on_postgresql(make_host: Callable[..., Host], postgres_url: str) -> None:
    visitor = Visitor(make_host(postgres_url).app)
    for path in ("/commits", "/forgets"):
        assert visitor.pay(path, visitor.credential(path, [visitor.ticket()])).text == "written"


def test_a_host_in_memory_gives_the_tickets_a_memory_of_their_own(make_host: Callable[..., Host]) -> None:
    visitor = Visitor(make_host("sqlite://").app)
    for path in ("/commits", "/forgets"):
        assert visitor.pay(path, visitor.credential(path, [visitor.ticket()])).text == "written"


def test_missing_tables_name_the_remedies(make_host: Callable[..., Host], file_url: str) -> None:
    host = make_host(file_url, create=False)
    with pytest.raises(SchemaError, match=r"create_all.*flask db upgrade"):
        Visitor(host.app).entries()


def test_migrations_see_named_constraints_under_any_convention(
    make_host: Callable[..., Host], file_url: str
) -> None:
    convention = {
        "pk": "pk_%(table_name)s_x",
        "uq": "uq_x_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(column_0_label)s",
    }
    host = make_host(file_url, metadata=MetaData(naming_convention=convention))
    with host.app.app_context():
        found = inspect(host.db.engine)
        assert found.get_pk_constraint("ticketminer_spent")["name"] == "pk_ticketminer_spent"
        assert {"uq_ticketminer_key_last_byte"} <= {
            c["name"] for c in found.get_unique_constraints("ticketminer_key")
        }


def test_uncommitted_writes_on_a_shared_file_are_refused_at_once(
    make_host: Callable[..., Host], file_url: str
) -> None:
    host = make_host(file_url)
    visitor = Visitor(host.app)
    ticket = visitor.ticket()
    with pytest.raises(UncommittedWrites, match=r"forgets.*TICKETMINER_DATABASE_URI"):
        visitor.pay("/forgets", visitor.credential("/forgets", [ticket]))
    assert visitor.pay("/commits", visitor.credential("/commits", [ticket])).status_code == 200


def test_a_failing_view_with_open_writes_gives_the_tickets_back(
    make_host: Callable[..., Host], file_url: str
) -> None:
    host = make_host(file_url)
    visitor = Visitor(host.app)
    ticket = visitor.ticket()
    assert visitor.pay("/fails", visitor.credential("/fails", [ticket])).status_code == 500
    assert visitor.pay("/commits", visitor.credential("/commits", [ticket])).status_code == 200


def test_a_host_database_must_be_chosen(tmp_path: pathlib.Path) -> None:
    app = Flask("undecided", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY=SECRET, TESTING=True, SQLALCHEMY_DATABASE_URI="sqlite://")
    SQLAlchemy(app)
    TicketMiner(app)
    with pytest.raises(ConfigurationError, match=r"TicketMiner\(db=db\).*TICKETMINER_DATABASE_URI"):
        Visitor(app).entries()


def test_the_shop_of_the_readme(make_host: Callable[..., Host], file_url: str) -> None:
    host = make_host(file_url)
    shop = Blueprint("shop", __name__)

    def price_of(name: str) -> int:
        return 2 if name == "lake" else abort(404)

    @shop.get("/pictures/<name>/original")
    @ticket_required(price=price_of)
    def original(name: str) -> str:
        return f"{name} of {current_app.name}"

    host.app.register_blueprint(shop)
    visitor = Visitor(host.app)
    path = "/pictures/lake/original"
    assert visitor.pay(path, visitor.credential(path, [visitor.ticket(2)])).text == "lake of host"
    assert visitor.get("/pictures/none/original").status_code == 404
