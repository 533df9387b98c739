"""The wallet page's dialogs with a core that plays: donating, buying, and words."""

from __future__ import annotations

import pathlib

import pytest
from played_wallet import BALANCE, OpenWallet
from visits import DIALOG, said

TWELVE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
TWENTY_FOUR = " ".join(["abandon"] * 23 + ["art"])


# Donating


def test_a_donation_goes_from_the_balance_to_a_fund(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    page.press("donate.open")
    page.tab.click(f"{DIALOG} label", "The town library")
    page.tab.fill(f"{DIALOG} input[type=number]", "2")
    page.see("donate.least", n=3)
    page.answer("donate.give", n=2)
    assert page.core.called("donate") == []
    page.tab.fill(f"{DIALOG} input[type=number]", "7")
    page.see("donate.left", n=40)
    page.answer("donate.give", n=7)
    assert page.called("donate") == [[7, "library"]]
    page.see("donate.thanks", n=7, fund="The town library")
    assert page.facts(DIALOG) == {"Receipt": "pay_ba9876543210"}
    page.answer("dialog.done")
    page.no_dialog()
    page.tab.see("40", f"{BALANCE} .ticketminer-stub__number")
    assert page.tab.focused() == 'button "Donate"'


def test_the_slider_stops_at_thirds_of_the_balance(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    page.press("donate.open")
    number = f"{DIALOG} input[type=number]"
    page.tab.until(lambda: page.tab.has(number), "the amount")
    assert page.tab.value(number) == "5"
    page.tab.fill(f"{DIALOG} .ticketminer-slider", "20")
    assert page.tab.value(number) == "16"
    amounts = []
    for key in ("ArrowRight", "ArrowUp", "ArrowRight", "ArrowLeft", "Home", "End"):
        page.tab.press(key)
        amounts.append(page.tab.value(number))
    assert amounts == ["32", "47", "47", "32", "16", "47"]
    words = page.tab.evaluate(
        "document.querySelector('dialog .ticketminer-slider').getAttribute('aria-valuetext')"
    )
    assert words == "all, 47 tickets"


def test_without_enough_tickets_mining_is_offered_instead(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    page.press("donate.open")
    page.tab.fill(f"{DIALOG} input[type=number]", "90")
    page.see("donate.short", n=47)
    assert not page.tab.has(f"{DIALOG} button", said("wallet.donate.give", n=90))
    page.answer("donate.mine", n=90)
    page.tab.until(lambda: page.tab.has(f"{DIALOG} ticket-miner"), "the miner")
    miner = "document.querySelector('dialog ticket-miner')"
    given = page.tab.evaluate(
        f"['goal', 'price', 'fund', 'fund-title'].map((name) => {miner}.getAttribute(name))"
    )
    assert given == ["donate", "90", "articles", "Our articles"]


def test_what_the_core_refuses_is_said_and_can_be_repeated(open_wallet: OpenWallet) -> None:
    page = open_wallet(
        answers={"donate": {"problem": {"code": "site-refused", "cause": "busy", "detail": "Busy."}}}
    )
    page.press("donate.open")
    page.answer("donate.give", n=5)
    page.see("error.busy", f"{DIALOG} [role=alert]")
    page.answer("donate.give", n=5)
    page.called("donate", 2)
    page.tab.wait_for(
        "document.querySelector('dialog:not([data-busy])') !== null"
    )  # it stays open until it is answered
    page.tab.press("Escape")
    page.no_dialog()


# Buying


def test_a_purchase_says_what_is_left_and_opens_what_was_bought(open_wallet: OpenWallet) -> None:
    page = open_wallet(fragment="#pay=/?banner=small-blue")
    page.tab.until(lambda: page.tab.has(DIALOG), "the dialog")
    page.tab.see("44 tickets", DIALOG)
    assert page.called("price") == [["/?banner=small-blue"]]
    assert page.facts(DIALOG) == {
        "What": "/?banner=small-blue",
        "Price": "3 tickets",
        "You have": "47 tickets",
        "Left afterwards": "44 tickets",
    }
    assert page.core.called("pay") == []
    page.answer("purchase.pay", n=3)
    assert page.called("pay") == [["/?banner=small-blue", 3]]
    page.tab.until(lambda: page.tab.url.endswith("/?banner=small-blue"), "what was bought")


def test_a_purchase_without_enough_tickets_leads_to_the_miner(open_wallet: OpenWallet) -> None:
    page = open_wallet(fragment="#pay=/report", view={"balance": 1})
    page.see("purchase.short", n=2)
    page.answer("purchase.mine", n=2)
    page.tab.until(lambda: page.tab.has(f"{DIALOG} ticket-miner"), "the miner")
    miner = "document.querySelector('dialog ticket-miner')"
    given = page.tab.evaluate(f"['goal', 'price', 'resource'].map((name) => {miner}.getAttribute(name))")
    assert given == ["pay", "3", "/report"]


@pytest.mark.parametrize("elsewhere", ["//evil.example/x", "https://evil.example/x", "javascript:alert(1)"])
def test_only_what_this_site_sells_is_bought(open_wallet: OpenWallet, elsewhere: str) -> None:
    page = open_wallet(fragment=f"#pay={elsewhere}")
    page.tab.wait_for("location.hash === ''")
    assert page.core.called("price") == []
    assert not page.tab.has(DIALOG)


def test_what_asks_for_nothing_is_not_paid(open_wallet: OpenWallet) -> None:
    page = open_wallet(fragment="#pay=/report", answers={"price": None})
    page.see("purchase.free")
    assert not page.tab.has(f"{DIALOG} button", said("wallet.purchase.pay", n=3))


# Words


def test_words_are_shown_after_a_click_and_then_noted(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    page.press("words.show", "section")
    page.see("words.who")
    assert page.core.called("words") == []
    page.answer("words.reveal")
    page.tab.until(lambda: page.tab.has(f"{DIALOG} ol"), "the words")
    words = page.tab.texts(f"{DIALOG} ol li")
    assert (len(words), words[0], words[23]) == (24, "abandon", "zebra")
    assert page.core.called("wordsSeen") == []
    page.answer("words.written")
    page.called("wordsSeen")
    page.told("words.noted")
    page.no_dialog()
    page.see("words.state.seen", "main")


def test_printing_prints_the_words_alone(open_wallet: OpenWallet, tmp_path: pathlib.Path) -> None:
    page = open_wallet()
    page.press("words.show", "section")
    page.answer("words.reveal")
    page.tab.until(lambda: page.tab.has(f"{DIALOG} ol"), "the words")
    rules = page.tab.evaluate(
        "[...document.styleSheets].flatMap((s) => [...s.cssRules]).filter((r) => r.media?.mediaText === 'print')"
        ".flatMap((r) => [...r.cssRules]).map((r) => r.selectorText)"
    )
    hidden = next(rule for rule in rules if ":not(.ticketminer-dialog--print)" in rule)
    assert page.tab.evaluate("document.querySelectorAll(args[0]).length", hidden) > 0
    assert (
        page.tab.evaluate(
            "[...document.querySelectorAll(args[0])].includes(document.querySelector('dialog'))", hidden
        )
        is False
    )


@pytest.mark.parametrize("way", ["button", "paste"])
def test_the_words_of_a_whole_wallet_are_refused_at_once(open_wallet: OpenWallet, way: str) -> None:
    page = open_wallet()
    page.press("restore.open", "section")
    page.tab.fill(f"{DIALOG} textarea", TWELVE)
    page.see("restore.count", n=12, all=24)
    if way == "button":
        page.answer("restore.go")
    else:
        page.tab.evaluate(
            "void document.querySelector('dialog textarea').dispatchEvent(new ClipboardEvent('paste'))"
        )
    page.see("restore.master", f"{DIALOG} [role=alert]", origin=page.tab.evaluate("location.origin"))
    assert page.tab.value(f"{DIALOG} textarea") == ""
    assert page.core.called("restore") == []
    stored = page.tab.evaluate(
        "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])"
    )
    assert "sausage" not in stored


def test_restoring_says_what_came_back(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    page.press("restore.open", "section")
    page.tab.fill(f"{DIALOG} textarea", " ".join(TWENTY_FOUR.split()[:23]))
    page.answer("restore.go")
    page.see("restore.wrong-count", n=23, all=24)
    page.tab.fill(f"{DIALOG} textarea", TWENTY_FOUR.upper().replace(" ", "\n "))
    page.answer("restore.go")
    assert page.called("restore") == [[TWENTY_FOUR]]
    page.see("restore.found", n=7)
    assert page.facts(DIALOG) == {
        said("wallet.restore.tickets"): "3",
        said("wallet.restore.spent"): "1",
    }
    page.see("restore.former")
    page.answer("dialog.done")
    page.tab.see("54", f"{BALANCE} .ticketminer-stub__number")


def test_wrong_words_stay_to_be_mended(open_wallet: OpenWallet) -> None:
    page = open_wallet(answers={"restore": {"problem": {"code": "words-checksum", "detail": "…"}}})
    page.press("restore.open", "section")
    page.tab.fill(f"{DIALOG} textarea", TWENTY_FOUR)
    page.answer("restore.go")
    page.see("error.words-checksum", f"{DIALOG} [role=alert]")
    assert page.tab.value(f"{DIALOG} textarea") == TWENTY_FOUR
    assert not page.tab.has(f"{DIALOG} progress")
