"""Donations, as tickets and as work."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import render_template_string
from sites import Shop
from visitor import Visitor, cause

from flask_ticketminer import donation_received
from flask_ticketminer.mint.funds import FundTotals

DONATE = "/ticketminer/donate?amount=4&fund=articles"


def test_a_donation_is_a_payment_that_thanks(shop: Shop, visitor: Visitor) -> None:
    reply = visitor.pay(DONATE, visitor.credential(DONATE, [visitor.ticket(4)]))
    assert (reply.status_code, reply.mimetype) == (200, "text/html")
    assert shop.balanced()


@pytest.mark.parametrize("form", ["header", "redeem"])
def test_a_donation_is_heard_once_and_counted_once(shop: Shop, visitor: Visitor, form: str) -> None:
    heard: list[tuple[int, str]] = []
    credential = visitor.credential(DONATE, [visitor.ticket(4)])
    with donation_received.connected_to(lambda app, *, amount, fund: heard.append((amount, fund)), shop.app):
        for _ in range(2):
            visitor.pay(DONATE, credential) if form == "header" else visitor.post("/redeem", credential)
        visitor.get(DONATE)
    assert heard == [(4, "articles")]
    with shop.app.test_request_context():
        assert render_template_string("{{ ticketminer_donated('articles') }}") == "4"


def test_donated_work_is_counted_and_earns_no_ticket(shop: Shop, visitor: Visitor) -> None:
    heard: list[int] = []
    job = visitor.job(value=2, donate=True, fund="articles")
    with donation_received.connected_to(lambda app, *, amount, fund: heard.append(amount), shop.app):
        reply = visitor.post("/submit", visitor.share(job))
    assert (job["key_id"], reply.json["token_response"], heard) == (None, None, [2])
    with shop.app.test_request_context():
        assert render_template_string("{{ ticketminer_donated('articles') }}") == "2"
    assert shop.balanced()


def test_a_donation_of_work_takes_no_token_request(visitor: Visitor) -> None:
    job = visitor.job(donate=True)
    assert cause(visitor.post("/submit", visitor.share(job, visitor.output()))) == (400, "unknown-member")


def test_a_browser_reads_why_a_donation_is_refused(visitor: Visitor) -> None:
    reply = visitor.get("/ticketminer/donate?amount=1&fund=articles", headers={"Accept": "text/html"})
    assert (reply.status_code, reply.mimetype) == (400, "text/html")
    assert "at least 2" in reply.text


def test_the_funds_default_is_proposed(visitor: Visitor) -> None:
    assert visitor.get("/ticketminer/donate?fund=articles").get_json(force=True)["amount"] == "3"


@pytest.mark.parametrize("style", ["large-coffee", "large-lightbulb", "small-blue", "small-coffee"])
def test_a_banner_is_a_plain_form(shop: Shop, style: str) -> None:
    with shop.app.test_request_context():
        banner = render_template_string("{{ ticketminer_donate(fund='articles', style=style) }}", style=style)
    assert 'action="/ticketminer/donate"' in banner
    (script,) = re.findall("<script.*?</script>", banner)
    assert re.fullmatch(
        r'<script type="module" src="/ticketminer/assets/\w+/pages/banner\.js"></script>', script
    )
    assert "data-ticketminer-read" in banner


def test_a_banner_has_no_script_where_the_page_miner_is_turned_off(make_site: Callable[..., Shop]) -> None:
    site = make_site(TICKETMINER_WIDGET=False)
    with site.app.test_request_context():
        banner = render_template_string("{{ ticketminer_donate(fund='articles') }}")
    assert "<script" not in banner
    assert "data-ticketminer" not in banner


def test_a_banner_outlives_the_database_of_the_tickets(make_site: Callable[..., Shop]) -> None:
    shop = make_site(
        TICKETMINER_DATABASE_URI="postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1"
    )
    with shop.app.test_request_context():
        banner = render_template_string("{{ ticketminer_donate() }}|{{ ticketminer_donated() }}")
    assert "Donate by ticket" in banner
    assert "so far" not in banner
    assert banner.endswith("|–")


def test_a_total_is_remembered_until_something_arrives(shop: Shop, visitor: Visitor) -> None:
    totals = FundTotals(shop.app.extensions["ticketminer"].database, monotonic=lambda: 0.0)
    before = totals.total("articles")
    visitor.pay(DONATE, visitor.credential(DONATE, [visitor.ticket(4)]))
    remembered = totals.total("articles")
    totals.forget("articles")
    assert (before, remembered, totals.total("articles")) == (0, 0, 4)


def test_thanks_count_the_gift_itself(visitor: Visitor) -> None:
    reply = visitor.pay(DONATE, visitor.credential(DONATE, [visitor.ticket(4)]))
    assert "received 4 tickets so far" in reply.text


def test_an_unknown_banner_style_is_named(shop: Shop) -> None:
    with shop.app.test_request_context(), pytest.raises(ValueError, match="large-coffee"):
        render_template_string("{{ ticketminer_donate(style='huge') }}")


def test_a_page_with_a_banner_points_to_the_service(shop: Shop) -> None:
    shop.app.add_url_rule("/article", "article", lambda: render_template_string("{{ ticketminer_donate() }}"))
    assert shop.app.test_client().get("/article").headers["X-TicketMiner-Service"] == "/ticketminer/"
