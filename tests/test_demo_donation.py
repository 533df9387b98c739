"""The article site: four banners, a donation, its thanks and its total."""

from __future__ import annotations

import logging
import re
import typing as t
from pathlib import Path

import pytest
from flask import Flask

import demo_donation
from flask_ticketminer.testing import TicketClient

MakeSite = t.Callable[[], Flask]


@pytest.fixture
def make_site(tmp_path: Path) -> MakeSite:
    def make() -> Flask:
        return demo_donation.create_app(
            {
                "TESTING": True,
                "SECRET_KEY": "a secret for this test only",
                "TICKETMINER_DATABASE_URI": f"sqlite:///{tmp_path}/tickets.sqlite",
            }
        )

    return make


@pytest.mark.parametrize("style", demo_donation.BANNERS)
def test_each_banner_asks_for_the_default_and_at_least_the_minimum(make_site: MakeSite, style: str) -> None:
    page = make_site().test_client().get("/", query_string={"banner": style}).text
    banner = page[page.index(f"ticketminer-banner--{style}") : page.index("</form>")]
    assert 'action="/ticketminer/donate"' in banner
    assert 'name="fund" value="articles"' in banner
    assert re.search(r'name="amount"[^>]*min="1"[^>]*value="5"', banner)


def test_the_four_banners_look_different(make_site: MakeSite) -> None:
    visitor = make_site().test_client()
    pages = {visitor.get("/", query_string={"banner": style}).text for style in demo_donation.BANNERS}
    assert len(pages) == 4


def test_a_banner_that_does_not_exist_is_not_found(make_site: MakeSite) -> None:
    assert make_site().test_client().get("/?banner=huge-tea").status_code == 404


def test_the_article_says_where_tickets_are_taken(make_site: MakeSite) -> None:
    assert make_site().test_client().get("/").headers["X-TicketMiner-Service"] == "/ticketminer/"


def test_a_donation_is_thanked_for_and_joins_the_total(make_site: MakeSite) -> None:
    site = make_site()
    reply = TicketClient(site, tickets=8).get("/ticketminer/donate?amount=5&fund=articles")
    assert reply.status_code == 200
    assert "Your 5 tickets went to" in reply.text
    assert "<strong>5</strong> tickets so far" in site.test_client().get("/").text


def test_the_people_of_the_site_hear_of_a_donation(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    site = make_site()
    with caplog.at_level(logging.INFO, logger=site.logger.name):
        TicketClient(site, tickets=3).get("/ticketminer/donate?amount=3&fund=articles")
    assert [record.getMessage() for record in caplog.records if "whoever" in record.msg] == [
        "Thank you, whoever you are: 3 tickets for articles."
    ]


def test_less_than_the_minimum_is_refused(make_site: MakeSite) -> None:
    reply = make_site().test_client().get("/ticketminer/donate?amount=0&fund=articles")
    assert reply.status_code == 400


def test_a_donation_is_asked_for_in_plain_html(make_site: MakeSite) -> None:
    reply = (
        make_site()
        .test_client()
        .get("/ticketminer/donate?amount=5&fund=articles", headers={"Accept": "text/html"})
    )
    assert reply.status_code == 402
    assert "<h1>Give 5 tickets</h1>" in reply.text
    assert '<form method="post" action="/ticketminer/redeem">' in reply.text
