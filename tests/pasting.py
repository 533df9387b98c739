"""The 402 page as a person uses it: its form, and what is pasted into it."""

from __future__ import annotations

import html
import json
import re

from visitor import Visitor
from werkzeug.test import TestResponse

from miner.tokens import b64url

NAVIGATION = {"Accept": "text/html"}


def form_challenge(visitor: Visitor, path: str) -> str:
    """Return the hidden field of the page."""
    page = visitor.get(path, headers=NAVIGATION)
    assert page.status_code == 402
    field = re.search(r'name="challenge"\s+value="([^"]+)"', page.text)
    assert field is not None
    return html.unescape(field[1])


def post_form(visitor: Visitor, challenge: str, tickets: str, **fields: str) -> TestResponse:
    data = {"challenge": challenge, "tickets": tickets, **fields}
    return visitor.client.post("/ticketminer/redeem", data=data, headers=NAVIGATION)


def tickets_code(*tickets: str) -> str:
    return "ticketminer-tickets-1." + b64url(
        json.dumps({"origin": "http://localhost", "tickets": list(tickets)}).encode()
    )
