"""Other languages than English in real browsers: what is loaded, mirrored pages, and names and paths within Arabic words."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable

import pytest
from browsers import PHONE, Profile, Tab
from demo_sites import DemoSites
from played_core import PlayedCore
from visits import CATALOGUE

from flask_ticketminer.assets import languages

BEFORE_CONSENT = 25_000
Opener = Callable[..., Profile]
ROWS = ".ticketminer-history li"
LETTERS = """(() => {
  const rows = [...document.querySelectorAll(args[0])].map((row) => row.firstElementChild.firstChild);
  const text = rows.find((node) => node.data.includes(args[1]));
  const from = text.data.indexOf(args[1]);
  const at = (place) => {
    const range = document.createRange();
    range.setStart(text, place);
    range.setEnd(text, place + 1);
    return range.getBoundingClientRect().left;
  };
  return Array.from(args[1], (_, place) => at(from + place));
})()"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def said(language: str, key: str) -> dict[str, str]:
    """Return the plural forms of a message of the page miner."""
    texts = json.loads((CATALOGUE.parent / language / "consent.json").read_text())
    return t.cast("dict[str, str]", texts[key])


def sides(tab: Tab) -> tuple[float, float]:
    """Return the middles of the element's text and of its stub."""
    return t.cast(
        "tuple[float, float]",
        tuple(
            tab.evaluate(
                "['.body', '.stub'].map((name) => document.querySelector('ticket-miner').shadowRoot.querySelector(name)"
                ".getBoundingClientRect()).map(({ left, right }) => (left + right) / 2)"
            )
        ),
    )


@pytest.mark.parametrize("language", languages())
def test_the_question_is_asked_in_the_visitors_language_and_stays_small(
    demos: DemoSites, open_profile: Opener, language: str
) -> None:
    site = demos.shop()
    tab = open_profile(language=language).tab(f"{site.url}/pictures/estuary/original")
    form = said(language, "ask.pay")["two" if language == "ar" else "other"]
    tab.see(form.replace("{n}", "2"), "ticket-miner")
    assert tab.evaluate("document.documentElement.lang") == language
    assert site.sent("GET /ticketminer/assets/*") <= BEFORE_CONSENT
    text, stub = sides(tab)
    assert (stub < text) == (language == "ar")
    assert tab.evaluate(SIDEWAYS) == 0


def test_the_arabic_wallet_is_mirrored_and_its_paths_are_not(demos: DemoSites, open_profile: Opener) -> None:
    site = demos.donation()
    PlayedCore(site)
    tab = open_profile(language="ar", size=PHONE).tab(f"{site.url}/ticketminer/wallet")
    tab.until(lambda: tab.has(ROWS), "receipts")
    path = "/pictures/2/original"
    places = tab.evaluate(LETTERS, ROWS, path)
    assert places == sorted(places)
    assert len(places) == len(path)
    assert tab.evaluate(SIDEWAYS) == 0
