"""What pages of others, visitors and a hostile site try against the wallet in the page, each against a real site."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator

import pytest
from browsers import Browser, Profile
from flask import request
from live import LiveSite, LiveSites
from pasting import form_challenge, tickets_code
from visitor import Visitor


@pytest.fixture
def profile(chromium: Browser) -> Iterator[Profile]:
    with chromium.profile() as opened:
        yield opened


@pytest.fixture
def shop(tmp_path: pathlib.Path) -> Iterator[LiveSite]:
    with LiveSites(tmp_path) as sites:
        yield sites()


def sender(shop: LiveSite, fields: dict[str, str]) -> str:
    """Return a page that posts a form to the shop by itself."""
    return f"""<form method=post action="{shop.url}/ticketminer/redeem"></form><script>
        for (const [name, value] of Object.entries({json.dumps(fields)}))
            document.forms[0].append(Object.assign(document.createElement("input"), {{ name, value }}));
        document.forms[0].submit()</script>"""


def form(visitor: Visitor, path: str, ticket: str) -> dict[str, str]:
    return {"challenge": form_challenge(visitor, path), "tickets": tickets_code(ticket)}


def test_a_page_of_another_site_takes_no_pass_away(profile: Profile, shop: LiveSite) -> None:
    stranger = Visitor(shop.app)
    old = form(stranger, "/premium/a", stranger.ticket(2))
    assert stranger.client.post("/ticketminer/redeem", data=old).status_code == 303
    shop.clock.advance(3700)
    bought = form(stranger, "/premium/a", stranger.ticket(2))
    pages = {"/mine": sender(shop, bought), "/evil": sender(shop, old)}
    shop.before = lambda: pages.get(request.path)
    tab = profile.tab(f"{shop.url}/mine")
    tab.see("a")
    tab.goto(f"http://localhost:{shop.port}/evil")
    tab.goto(f"{shop.url}/premium/b")
    assert tab.text() == "b"
