"""The 402 page's form: paying without JavaScript, by pasting what the command line printed."""

from __future__ import annotations

import html
import json
import re

import pytest
from pasting import NAVIGATION, form_challenge, post_form, tickets_code
from sites import Shop
from visitor import Visitor

from miner.tokens import b64url


def test_pasted_tickets_open_the_page(shop: Shop, visitor: Visitor) -> None:
    reply = post_form(visitor, form_challenge(visitor, "/once"), tickets_code(visitor.ticket()))
    assert (reply.status_code, reply.headers["Location"]) == (303, "/once")
    assert visitor.get("/once").status_code == 200
    assert shop.balanced()


def test_a_pasted_payment_code_opens_its_page(visitor: Visitor) -> None:
    credential = visitor.credential("/report", [visitor.ticket(4)], [visitor.output(1)])
    code = "ticketminer-payment-1." + b64url(json.dumps(credential).encode())
    broken_by_the_terminal = "\n".join(code[at : at + 60] for at in range(0, len(code), 60))
    reply = post_form(visitor, form_challenge(visitor, "/report"), broken_by_the_terminal)
    assert reply.status_code == 303
    assert visitor.get("/report").text == "the report"


def test_overpaying_needs_a_word_of_consent(shop: Shop, visitor: Visitor) -> None:
    ticket = visitor.ticket(2)
    challenge = form_challenge(visitor, "/once")
    refused = post_form(visitor, challenge, tickets_code(ticket))
    assert (refused.status_code, refused.mimetype) == (402, "text/html")
    assert post_form(visitor, challenge, tickets_code(ticket), donate_rest="yes").status_code == 303
    assert shop.balanced()


@pytest.mark.parametrize(
    "pasted",
    ["", "hello", "ticketminer-tickets-1.", "ticketminer-tickets-1.e30", "ticketminer-payment-1.e30"],
)
def test_what_cannot_be_read_shows_the_page_again(visitor: Visitor, pasted: str) -> None:
    reply = post_form(visitor, form_challenge(visitor, "/once"), pasted)
    assert (reply.status_code, reply.mimetype) == (402, "text/html")
    assert 'name="challenge"' in reply.text


def test_an_old_form_gets_a_new_offer(shop: Shop, visitor: Visitor) -> None:
    challenge, ticket = form_challenge(visitor, "/once"), visitor.ticket()
    shop.clock.advance(1000)
    reply = post_form(visitor, challenge, tickets_code(ticket))
    assert reply.status_code == 402
    assert "expired" in reply.text
    fresh = re.search(r'name="challenge"\s+value="([^"]+)"', reply.text)
    assert fresh is not None
    assert post_form(visitor, html.unescape(fresh[1]), tickets_code(ticket)).status_code == 303


def test_an_altered_form_is_refused(visitor: Visitor) -> None:
    assert post_form(visitor, "e30", tickets_code(visitor.ticket())).status_code == 400


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(visitor: Visitor) -> None:
    page = visitor.get("/once", headers=NAVIGATION).text
    scripts = re.findall(r"<script[^>]*>[^<]*</script>", page)
    assert len(scripts) == page.count("<script") == 1
    assert re.fullmatch(
        r'<script type="module" src="/ticketminer/assets/[0-9a-f]{16}/element/element\.js"></script>',
        scripts[0],
    )
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    assert "style=" not in page


def test_the_page_names_the_price_and_the_command(visitor: Visitor) -> None:
    page = html.unescape(visitor.get("/report", headers=NAVIGATION).text)
    assert "3 tickets" in page
    assert "ticketminer pay 'http://localhost/report'" in page
