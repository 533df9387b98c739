"""The wallet page for everyone: by keyboard, with a screen reader, on a phone."""

from __future__ import annotations

import typing as t

import pytest
from browsers import PHONE
from played_wallet import OpenWallet
from visits import DIALOG, said


def test_escape_closes_a_dialog_and_the_focus_goes_back(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    openers = {
        "gift.open": "main",
        "donate.open": "main",
        "receive.open": "main",
        "restore.open": "section",
        "delete.open": "main",
    }
    for key, within in openers.items():
        page.press(key, within)
        page.tab.until(lambda: page.tab.has(f"{DIALOG} .ticketminer-actions"), key)
        page.tab.press("Escape")
        page.no_dialog()
        assert said(f"wallet.{key}") in page.tab.focused()


def test_a_gift_is_made_with_keys_alone(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    page.tab.evaluate("void document.querySelector('.ticketminer-balance button').focus()")
    page.tab.press("Enter")
    page.tab.until(lambda: "spinbutton" in page.tab.focused() or "number" in page.tab.focused(), "the amount")
    page.tab.press("ArrowUp", "ArrowUp", "Tab", "Enter")
    assert page.called("send") == [[3]]
    page.tab.until(lambda: "ready to hand over" in page.tab.focused(), "the focus on the gift")


STATES: dict[str, tuple[dict[str, t.Any], list[str]]] = {
    "full": ({"snapshot": {"notices": [{"code": "words-unseen"}]}}, []),
    "empty": ({"wallet": "empty"}, []),
    "gift": ({}, ["gift.open"]),
    "donate": ({}, ["donate.open"]),
    "receive": ({}, ["receive.open"]),
    "words": ({}, ["words.show", "words.reveal"]),
    "restore": ({}, ["restore.open"]),
    "delete": ({}, ["delete.open", "delete.next"]),
}


@pytest.mark.parametrize("look", [{}, {"dark": True, "size": PHONE}], ids=["desktop", "phone-dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(open_wallet: OpenWallet, state: str, look: dict[str, t.Any]) -> None:
    played, keys = STATES[state]
    page = open_wallet(look={**look, "reduced_motion": True}, **played)
    for number, key in enumerate(keys):
        place = DIALOG if number else "section" if key.startswith(("words", "restore")) else "main"
        page.press(key, place)
    if keys:
        page.tab.until(lambda: page.tab.has(f"{DIALOG} .ticketminer-actions"), "the dialog")
    page.tab.evaluate("void document.querySelectorAll('details').forEach((e) => (e.open = true))")
    assert page.tab.errors() == []
    assert page.tab.axe() == []
    page.tab.errors()  # axe itself sets styles


def test_a_phone_needs_no_sideways_scrolling(open_wallet: OpenWallet) -> None:
    page = open_wallet(look={"size": PHONE})
    page.tab.evaluate("void document.querySelectorAll('details').forEach((e) => (e.open = true))")
    assert page.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.press("gift.open")
    page.tab.fill(f"{DIALOG} input", "3")
    page.answer("gift.make", n=3)
    page.see("gift.ready-title", n=3)
    assert page.tab.evaluate("document.querySelector('dialog').scrollWidth <= innerWidth")


def test_what_can_be_pressed_is_large_enough(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    small = page.tab.evaluate(
        "[...document.querySelectorAll('main :is(button, a, input, summary, label)')].filter((e) => e.checkVisibility())"
        ".filter((e) => { const b = e.getBoundingClientRect(); return b.height < 24 || b.width < 24; }).map((e) => e.outerHTML)"
    )
    assert small == []
