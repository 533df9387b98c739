"""A site whose name is certainly not its host is warned once, and nobody else is."""

from __future__ import annotations

import logging
import typing as t

import pytest
from flask import Flask

from flask_ticketminer import TicketMiner


def warnings(caplog: pytest.LogCaptureFixture, requests: int = 1, **config: t.Any) -> list[str]:
    """Return what a new site says while it answers its first requests."""
    app = Flask("named")
    app.config.update(
        SECRET_KEY="k" * 32, TICKETMINER_DATABASE_URI="sqlite://", TICKETMINER_ALGORITHM="sha256d", **config
    )
    TicketMiner(app)
    for _ in range(requests):
        app.test_client().get("/", base_url="https://shop.example")
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize("name", ["old.example", "example", "The Shop", "notshop.example"])
def test_a_name_that_is_not_the_host_is_warned_of_once(caplog: pytest.LogCaptureFixture, name: str) -> None:
    found = warnings(caplog, 3, TICKETMINER_SITE_NAME=name, SERVER_NAME="shop.example")
    assert len(found) == 1
    assert name in found[0]
    assert "shop.example" in found[0]


@pytest.mark.parametrize(
    "config",
    [
        {"TICKETMINER_SITE_NAME": "old.example"},
        {"SERVER_NAME": "shop.example"},
        {"TICKETMINER_SITE_NAME": "Shop.example", "SERVER_NAME": "shop.example:443"},
        {"TICKETMINER_SITE_NAME": "shop.example:8443", "SERVER_NAME": "shop.example"},
        {"TICKETMINER_SITE_NAME": "www.shop.example", "SERVER_NAME": "shop.example"},
        {"TICKETMINER_SITE_NAME": "shop.example", "SERVER_NAME": "localhost:5000"},
        {"TICKETMINER_SITE_NAME": "shop.example", "SERVER_NAME": "shop.localhost"},
        {"TICKETMINER_SITE_NAME": "shop.example", "SERVER_NAME": "127.0.0.1:5000"},
        {"TICKETMINER_SITE_NAME": "shop.example", "SERVER_NAME": "10.0.0.7"},
        {"TICKETMINER_SITE_NAME": "shop.example", "SERVER_NAME": "web:8000"},
        {"TICKETMINER_SITE_NAME": "old.example", "SERVER_NAME": "shop.example", "TESTING": True},
        {
            "TICKETMINER_SITE_NAME": "old.example",
            "SERVER_NAME": "shop.example",
            "TICKETMINER_ORIGINS": ["https://old.example"],
        },
    ],
    ids=str,
)
def test_what_may_be_right_is_not_warned_of(
    caplog: pytest.LogCaptureFixture, config: dict[str, t.Any]
) -> None:
    assert warnings(caplog, **config) == []
