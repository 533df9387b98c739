"""Small sites to visit: an application with tickets on which a share takes a few hashes."""

from __future__ import annotations

import os
import pathlib
import signal
import threading
import typing as t
from datetime import timedelta

from flask import Flask, abort, redirect, request
from flask.typing import ResponseReturnValue

from flask_ticketminer import TicketMiner, current_payment, ticket_required
from flask_ticketminer.clock import ManualClock
from flask_ticketminer.mint.audit import audit
from miner.pow import ALGORITHMS

SECRET = "0123456789abcdef0123456789abcdef"
DEFAULT_WORK = "yespower" if "yespower" in ALGORITHMS else "scrypt"
"""The algorithm of a site that chooses none."""
EASY = {"yespower": 2, "scrypt": 2, "sha256d": 2}
"""Expected hashes a ticket, by algorithm."""


class Shop(t.NamedTuple):
    app: Flask
    tickets: TicketMiner
    clock: ManualClock
    served: list[str]
    """The paths whose views ran, in order."""
    dying: threading.Event
    """Once set, the process is killed in the view of ``/once``."""

    def balanced(self) -> bool:
        """Return whether the ledger's audit finds nothing."""
        return audit(self.app.extensions["ticketminer"].database).balanced


def make_shop(folder: pathlib.Path, url: str, clock: ManualClock, **config: t.Any) -> Shop:
    """Return an application whose routes show each thing that a gate can meet."""
    app = Flask("shop", instance_path=str(folder))
    app.config.update(
        SECRET_KEY=SECRET,
        TESTING=True,
        TICKETMINER_DATABASE_URI=url,
        TICKETMINER_EFFORT=EASY,
        TICKETMINER_FUNDS={"articles": {"title": "Our articles", "minimum": 2, "default": 3}},
    )
    app.config.update(config)
    tickets = TicketMiner(app, clock=clock)
    served: list[str] = []
    dying = threading.Event()

    def view(path: str, **gate: t.Any) -> t.Callable[[t.Callable[..., t.Any]], t.Any]:
        def register(function: t.Callable[..., t.Any]) -> t.Any:
            gated = ticket_required(**gate)(function)
            app.add_url_rule(path, function.__name__, gated, methods=["GET", "POST"])
            return gated

        return register

    @view("/report", price=3, valid_for=timedelta(hours=1))
    def report() -> str:
        served.append(request.path)
        return "the report"

    @view("/once", price=1)
    def once() -> str:
        served.append(request.path)
        if dying.is_set():
            os.kill(os.getpid(), signal.SIGKILL)
        return f"{current_payment.id} {current_payment.amount}"

    def price_of(name: str) -> int:
        if name not in ("one", "four"):
            abort(404)
        return {"one": 1, "four": 4}[name]

    @view("/pictures/<name>", price=price_of)
    def picture(name: str) -> str:
        served.append(request.path)
        return name

    @view("/broken/<int:status>", price=1)
    def broken(status: int) -> ResponseReturnValue:
        served.append(request.path)
        return "no", status

    @view("/raises", price=1)
    def raises() -> str:
        served.append(request.path)
        raise LookupError("the view failed")

    @view("/moved", price=1)
    def moved() -> ResponseReturnValue:
        return redirect("/elsewhere")

    @view("/premium/a", price=2, valid_for=timedelta(hours=1), scope="premium")
    def premium_a() -> str:
        return "a"

    @view("/premium/b", price=2, valid_for=timedelta(hours=1), scope="premium")
    def premium_b() -> str:
        return "b"

    @view("/optional", price=1, required=False)
    def optional() -> str:
        return "for payers" if current_payment else "for everyone"

    @view("/free", price=0)
    def free() -> str:
        return "free"

    @view("/echo", price=1)
    def echo() -> bytes:
        served.append(request.path)
        return request.get_data()

    return Shop(app, tickets, clock, served, dying)
