"""Applications of our own with tickets, built for one test, and the shortest ways to gate and to pay in them."""

from __future__ import annotations

import pathlib
import typing as t
from collections.abc import Callable

from flask import Flask
from sites import SECRET
from visitor import challenge_parameters
from werkzeug.test import TestResponse

from flask_ticketminer import TicketMiner, ticket_required

MakeHost = Callable[..., Flask]


def hosts(folder: pathlib.Path) -> t.Iterator[MakeHost]:
    """Yield a factory of applications with tickets; each has a database of its own below `folder`."""
    apps: list[Flask] = []

    def make(setup: Callable[[Flask], object] = TicketMiner, /, **config: object) -> Flask:
        app = Flask("host", instance_path=str(folder / str(len(apps))))
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
