"""Tickets given away and received on the wallet page, with a core that plays."""

from __future__ import annotations

import io
import json
import pathlib
import typing as t

import pytest
from demo_sites import DemoSites
from PIL import Image
from played_wallet import BALANCE, OpenWallet, PlayedWallet
from visits import DIALOG, said


def gift(page: PlayedWallet, tickets: int = 2, origin: str | None = None) -> str:
    """Return a text that looks like tickets."""
    return str(
        page.tab.evaluate(
            "'ticketminer-tickets-1.' + btoa(JSON.stringify({ origin: args[0] ?? location.origin, tickets: Array(args[1]).fill('AA') }))"
            ".replaceAll('=', '')",
            origin,
            tickets,
        )
    )


def test_a_gift_is_a_text_a_link_and_a_code(open_wallet: OpenWallet, tmp_path: pathlib.Path) -> None:
    zxingcpp = pytest.importorskip("zxingcpp")
    page = open_wallet()
    page.press("gift.open")
    page.tab.fill(f"{DIALOG} input", "48")
    page.answer("gift.make", n=48)
    page.see("gift.short", f"{DIALOG} [role=alert]", n=47)
    page.tab.fill(f"{DIALOG} input", "3")
    page.answer("gift.make", n=3)
    assert page.called("send") == [[3]]
    page.see("gift.ready-title", n=3)
    link, text = page.tab.value(f"{DIALOG} input"), page.tab.value(f"{DIALOG} textarea")
    assert link == page.tab.evaluate("location.origin") + "/ticketminer/wallet#receive=" + text
    page.tab.evaluate("void (document.querySelector('.ticketminer-qr').style.width = '600px')")
    page.tab.screenshot(tmp_path / "gift.png", full=False)
    with Image.open(io.BytesIO((tmp_path / "gift.png").read_bytes())) as picture:
        (found,) = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    assert found.text == link


def test_a_gift_is_not_closed_by_mistake(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    page.press("gift.open")
    page.tab.fill(f"{DIALOG} input", "3")
    page.answer("gift.make", n=3)
    page.see("gift.ready-title", n=3)
    # Of several without anything between, Chromium lets a page prevent one.
    page.tab.press("Escape", "Escape", "Escape")
    page.see("gift.close-sure", n=3)
    assert page.tab.focused() == f'button "{said("wallet.gift.stay")}"'
    page.answer("gift.stay")
    page.answer("gift.save")
    page.see("gift.saved")
    page.answer("dialog.done")
    page.no_dialog()
    saved = t.cast("t.Any", page.tab)._profile.downloaded().read_text()
    assert "#receive=ticketminer-tickets-1." in saved
    page.tab.see("44", f"{BALANCE} .ticketminer-stub__number")


def test_a_large_gift_has_no_code_that_no_camera_reads(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    page.press("gift.open")
    page.tab.fill(f"{DIALOG} input", "47")
    page.answer("gift.make", n=47)
    page.see("gift.no-qr")
    assert not page.tab.has(".ticketminer-qr")
    page.answer("dialog.done")
    page.see("gift.close-lost", n=47)
    page.answer("gift.leave-lost")
    page.no_dialog()


def test_a_gift_is_taken_over_from_text_or_link(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    text = gift(page)
    page.press("receive.open")
    page.tab.fill(f"{DIALOG} textarea", "Hello! These are for you:")
    page.answer("receive.take")
    page.see("receive.no-gift", f"{DIALOG} [role=alert]")
    page.tab.fill(f"{DIALOG} textarea", f"Hello! https://x.example/wallet#receive={text} Yours")
    page.answer("receive.take")
    assert page.called("receive") == [[text]]
    page.see("receive.received", n=5)
    page.answer("dialog.done")
    page.tab.see("52", f"{BALANCE} .ticketminer-stub__number")


def test_tickets_of_another_site_go_nowhere(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    text = gift(page, origin="https://other.example")
    page.press("receive.open")
    page.tab.fill(f"{DIALOG} textarea", text)
    page.answer("receive.take")
    page.see("receive.foreign", f"{DIALOG} [role=alert]", origin="https://other.example")
    assert page.core.called("receive") == []


@pytest.mark.parametrize("answer", ["take", "leave"])
def test_a_link_asks_first_and_is_taken_out_of_the_address(open_wallet: OpenWallet, answer: str) -> None:
    page = open_wallet()
    text = gift(page)
    page.tab.evaluate("void (location.hash = args[0])", f"#receive={text}")
    page.see("receive.ask", n=2)
    assert page.core.called("receive") == []
    assert page.tab.url.endswith(text)
    page.answer(f"receive.{answer}")
    if answer == "take":
        assert page.called("receive") == [[text]]
        page.answer("dialog.done")
    page.tab.wait_for("!location.href.includes('#')")
    page.no_dialog()
    assert len(page.core.called("receive")) == (answer == "take")


def test_a_link_is_never_sent_to_the_site(open_wallet: OpenWallet, demos: DemoSites) -> None:
    page = open_wallet(fragment="#receive=ticketminer-tickets-1.c2VjcmV0")
    page.see("receive.unreadable")
    seen = json.dumps([[seen.line, seen.query] for site in demos._sites for seen in site.seen])
    assert "c2VjcmV0" not in seen
    assert "receive" not in seen
