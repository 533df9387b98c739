"""For the tests of sites that take tickets: clients that pay, with tickets signed on the spot.

::

    def test_report(app):
        assert app.test_client().get("/report").status_code == 402
        assert TicketClient(app, tickets=3).get("/report").status_code == 200

Everything here refuses to work unless ``app.testing`` is set. Such applications share a pool of keys, so that only the first
test of a run waits for one. ``TICKETMINER_WORK = "instant"`` lets any nonce be a share, for tests that mine.

This is the one part of ``flask_ticketminer`` that uses the visitor's side (``miner.wallet``, ``miner.payment``). Its names are
loaded when they are first used, because pytest imports this package in every run, for its plugin.
"""

from __future__ import annotations

import importlib
import typing as t

from flask_ticketminer.neighbour import check_miner

if t.TYPE_CHECKING:
    from flask_ticketminer.testing.client import PaidRequest, TicketClient
    from flask_ticketminer.testing.wallets import wallet

__all__ = ["PaidRequest", "TicketClient", "wallet"]

_HOMES = {"PaidRequest": "client", "TicketClient": "client", "wallet": "wallets"}


def __getattr__(name: str) -> t.Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    check_miner()
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
