"""The pytest plugin: fixtures for the tests of sites that take tickets.

It is loaded with every pytest run where the package is installed, so nothing else is imported before a fixture is used. The
fixtures pay at the application that the test suite's own fixture ``app`` returns, unless they are given one.
"""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from flask import Flask

    from flask_ticketminer.testing import TicketClient
    from miner.wallet import Wallet


@pytest.fixture
def ticket_client(request: pytest.FixtureRequest) -> t.Iterator[t.Callable[..., TicketClient]]:
    """Make clients that pay: ``ticket_client(tickets=3).get("/report")``; parameters as for ``TicketClient``."""
    from flask_ticketminer.testing import TicketClient

    made: list[TicketClient] = []

    def make(app: Flask | None = None, **options: t.Any) -> TicketClient:
        made.append(TicketClient(_app(request, app), **options))
        return made[-1]

    yield make
    for client in made:
        client.wallet.close()


@pytest.fixture
def ticket_wallet(request: pytest.FixtureRequest) -> t.Iterator[t.Callable[..., Wallet]]:
    """Make wallets with tickets in them: ``ticket_wallet(tickets=3)``; parameters as for ``wallet``."""
    from flask_ticketminer.testing import wallet

    made: list[Wallet] = []

    def make(app: Flask | None = None, tickets: int = 0) -> Wallet:
        made.append(wallet(_app(request, app), tickets))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _app(request: pytest.FixtureRequest, app: Flask | None) -> Flask:
    return t.cast("Flask", request.getfixturevalue("app")) if app is None else app
