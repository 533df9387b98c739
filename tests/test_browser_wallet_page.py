"""The wallet page with a core that plays: every action calls the core as it should, and shows the outcome."""

from __future__ import annotations

import io
import json
import pathlib
import re
import typing as t
from collections.abc import Callable

import pytest
from browsers import PHONE, Profile, Tab
from chromium import ChromiumTab
from demo_sites import DemoSites
from PIL import Image
from played_core import PlayedCore
from visits import CATALOGUE, DIALOG, said

PAGES = CATALOGUE.parents[1] / "pages"
TITLE = "Your tickets at tidepool.example"
BALANCE = ".ticketminer-balance"
TOAST = ".ticketminer-toast"
TWELVE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
TWENTY_FOUR = " ".join(["abandon"] * 23 + ["art"])


class Page:
    """The wallet page in a tab, and the core behind it."""

    def __init__(self, tab: Tab, core: PlayedCore) -> None:
        self.tab, self.core = tab, core

    def press(self, key: str, within: str = "main", **values: object) -> None:
        """Click the button of the page that carries a message."""
        self.tab.click(f"{within} >>> button", "=" + said(f"wallet.{key}", **values))

    def answer(self, key: str, **values: object) -> None:
        """Click the button of the dialog that carries a message."""
        self.press(key, DIALOG, **values)

    def see(self, key: str, within: str = DIALOG, **values: object) -> str:
        return self.tab.see(said(f"wallet.{key}", **values), within)

    def told(self, key: str, **values: object) -> None:
        """Wait for an outcome that is spoken."""
        self.see(key, f"{TOAST} [role=status]", **values)

    def called(self, name: str, least: int = 1) -> list[list[t.Any]]:
        """Wait for so many calls of the core, and return the arguments of all."""
        return t.cast(
            "list[list[t.Any]]",
            self.tab.until(
                lambda: len(found := self.core.called(name)) >= least and found, f"{least} calls of {name}"
            ),
        )

    def no_dialog(self) -> None:
        self.tab.until(lambda: not self.tab.has(DIALOG), "the end of the dialog")

    def facts(self, within: str) -> dict[str, str]:
        """Return a list of terms and descriptions."""
        terms = self.tab.texts(f"{within} dt")
        return dict(zip(terms, self.tab.texts(f"{within} dd"), strict=True))


Visit = Callable[..., Page]


@pytest.fixture
def visit(demos: DemoSites, open_profile: Callable[..., Profile]) -> t.Iterator[Visit]:
    """Return what opens the wallet page; its options are those of wallet_core.js, and `fragment`, `look` and `ready`."""
    pages: list[Page] = []

    def open_one(
        fragment: str = "", look: dict[str, t.Any] | None = None, ready: bool = True, **played: t.Any
    ) -> Page:
        site = demos.donation()
        core = PlayedCore(site, **played)
        tab = open_profile(**(look or {})).tab(f"{site.url}/ticketminer/wallet{fragment}")
        pages.append(Page(tab, core))
        if ready:
            tab.see(TITLE, f"{BALANCE} h1")
        return pages[-1]

    yield open_one
    for page in pages:
        # A page that went elsewhere in the end asks the site for what the core only plays to have bought.
        assert [noise for noise in page.tab.errors() if "404" not in noise] == []


def gift(page: Page, tickets: int = 2, origin: str | None = None) -> str:
    """Return a text that looks like tickets."""
    return str(
        page.tab.evaluate(
            "'ticketminer-tickets-1.' + btoa(JSON.stringify({ origin: args[0] ?? location.origin, tickets: Array(args[1]).fill('AA') }))"
            ".replaceAll('=', '')",
            origin,
            tickets,
        )
    )


# What is there to see


def test_the_balance_is_large_and_says_what_it_means(visit: Visit) -> None:
    page = visit()
    assert page.tab.text(f"{BALANCE} .ticketminer-stub__number") == "47"
    words = page.tab.text(BALANCE)
    assert said("wallet.balance.have", n=47) in words
    assert said("wallet.balance.means", site="tidepool.example") in words
    assert "about 4,096 yespower hashes" in words
    assert "The first 3 end in 6 days" in words
    assert said("wallet.balance.pending", n=2) in words


def test_the_sections_can_be_reached_by_headings_and_by_links(visit: Visit) -> None:
    page = visit()
    links = page.tab.evaluate("[...document.querySelectorAll('.ticketminer-nav a')].map((a) => a.hash)")
    headings = page.tab.evaluate(
        "[...document.querySelectorAll('main h2')].filter((e) => e.checkVisibility()).map((e) => `#${e.id}`)"
    )
    assert links == headings
    assert len(links) == 7
    page.tab.click(".ticketminer-nav a", "Settings")
    page.tab.wait_for("location.hash === '#ticketminer-settings'")


def test_an_empty_wallet_has_one_action_and_says_what_it_costs(visit: Visit) -> None:
    page = visit(wallet="empty")
    assert page.tab.texts(f"{BALANCE} .ticketminer-act--main") == [said("wallet.empty.earn")]
    words = page.tab.text(BALANCE)
    assert "about 4,096 yespower hashes" in words
    assert "about 7 seconds" in words
    assert page.tab.texts("main h2")[:4] == ["Earn tickets", "Backup", "Settings", "Reset and delete"]
    page.press("empty.earn")
    page.tab.until(lambda: "Earn tickets" in page.tab.focused(), "the focus on the miner")


def test_the_miner_is_asked_for_as_many_more_as_the_visitor_says(visit: Visit) -> None:
    page = visit(view={"balance": 4})
    number = "#ticketminer-earn ~ .ticketminer-fieldset input"
    page.tab.fill(number, "6")
    page.see("earn.total", "main", n=10)
    assert page.tab.evaluate("document.querySelector('ticket-miner').getAttribute('price')") == "10"
    page.tab.fill(number, "3")  # what the balance holds already is added to it
    page.see("earn.total", "main", n=7)
    assert page.tab.evaluate("document.querySelector('ticket-miner').getAttribute('price')") == "3"
    assert page.tab.evaluate("document.querySelector('ticket-miner').getAttribute('goal')") == "tickets"


def test_tickets_stand_together_by_value_end_and_state(visit: Visit) -> None:
    page = visit()
    cards = [text.replace("\n", "|") for text in page.tab.texts(".ticketminer-card")]
    assert len(cards) == 4
    assert re.match(r"1\|ticket\|3 tickets worth 1 each\|Ready to spend\|Ends in 6 days, on ", cards[0])
    assert re.match(r"16\|tickets\|2 tickets worth 16 each\|Ready to spend\|Ends in 13 days, on ", cards[1])
    assert "In a request without an answer yet" in cards[3]
    page.tab.click("summary", said("wallet.tickets.past", n=7))
    past = page.tab.texts(".ticketminer-cards--past .ticketminer-card")
    assert [text.split("\n")[2:4] for text in past] == [
        ["4 tickets worth 1 each", "Spent"],
        ["1 ticket worth 8", "Given away"],
        ["2 tickets worth 1 each", "Expired"],
    ]


def test_a_job_has_its_line_and_all_figures(visit: Visit) -> None:
    page = visit()
    assert page.tab.text(".ticketminer-badge") == "1 running"
    line = page.tab.evaluate("document.querySelector('.ticketminer-sparkline').getAttribute('aria-label')")
    assert re.fullmatch(
        r"Speed over time: first \d+ hashes a second, last \d+ .*, between \d+ .* and \d+ .*", line
    )
    drawn = page.tab.evaluate(
        "document.querySelector('.ticketminer-sparkline .line').getAttribute('d').split('L').length"
    )
    assert drawn == 40
    page.tab.click(".ticketminer-job summary")
    figures = page.facts(".ticketminer-job:first-child")
    assert figures.pop("Speed now").endswith("hashes a second")
    assert figures == {
        "Status": "Running",
        "Algorithm": "yespower",
        "Workers": "1 worker",
        "Share of time at work": "50%",
        "Duration": "3 minutes, 25 seconds",
        "For": "your own tickets",
        "Tickets": "24",
        "Average speed": "617 hashes a second",
        "Shares sent": "25",
        "Shares accepted": "24",
        "Shares refused": "1",
        "Hashes": "126,400",
    }
    page.tab.click(".ticketminer-job:nth-child(2) summary")
    donation = page.facts(".ticketminer-job:nth-child(2)")
    assert donation["For"] == "donation to The town library"
    assert "Speed now" not in donation


def test_a_job_is_stopped_and_deleted(visit: Visit) -> None:
    page = visit()
    page.tab.click(".ticketminer-job button", "Stop: the job of")
    assert page.called("stop") == [[]]
    page.told("jobs.stopped")
    page.tab.until(lambda: not page.tab.has(".ticketminer-badge"), "no running job")
    page.tab.click(".ticketminer-job:nth-child(2) button", "Delete from the list: the job of")
    assert page.called("deleteRun") == [[2]]
    page.told("jobs.deleted")
    page.tab.until(lambda: len(page.tab.texts(".ticketminer-job")) == 2, "two jobs")
    assert page.tab.focused() == 'h2 "Mining jobs"'


def test_receipts_are_listed_and_saved_as_text(visit: Visit) -> None:
    page = visit()
    rows = page.tab.texts(".ticketminer-history li")
    assert rows[1].startswith("Paid 3 tickets · /pictures/2/original\n")
    assert "Receipt: pay_5f0c2a9e8b71" in rows[1]
    assert [row.split("\n")[0] for row in rows[3:7]] == [
        "Gave 8 tickets away",
        "Received 2 tickets",
        "Exchanged 12 tickets for some that last longer",
        "Restored 24 tickets",
    ]
    page.press("history.download")
    text = t.cast("t.Any", page.tab)._profile.downloaded().read_text()
    assert text.startswith(
        said("wallet.history.file", site="tidepool.example", origin=page.tab.evaluate("location.origin"))
    )
    assert "Paid 3 tickets · /pictures/2/original  Receipt: pay_5f0c2a9e8b71" in text
    assert len(text.strip().splitlines()) == 2 + 16


def test_notices_say_what_to_do(visit: Visit) -> None:
    page = visit(
        snapshot={
            "notices": [
                {"code": "words-unseen"},
                {"code": "storage-temporary"},
                {"code": "clock-wrong", "values": {"seconds": 7200}},
                {"code": "no-simd"},
            ]
        }
    )
    shown = page.tab.texts(".ticketminer-notices li")
    assert len(shown) == 3
    assert "differs from the site’s by 2 hours" in shown[2]
    page.press("words.show", ".ticketminer-notices")
    page.see("words.who")


# Settings


def test_settings_reach_the_core_at_once(visit: Visit) -> None:
    page = visit()
    sliders = ".ticketminer-group .ticketminer-slider"
    page.tab.fill(sliders, "2", said("wallet.settings.threads"))
    assert page.called("limits") == [[{"threads": 2}]]
    page.told("settings.saved")
    page.tab.fill(sliders, "30", said("wallet.settings.duty"))
    page.tab.click("label", said("wallet.settings.battery"))
    page.tab.click("label", said("wallet.settings.hidden"))
    assert page.called("limits", 4)[1:] == [
        [{"duty": 0.3}],
        [{"pauseOnBattery": False}],
        [{"pauseOnHidden": False}],
    ]
    assert page.tab.texts(".ticketminer-value") == ["2 cores", "30%"]


def test_notifications_are_asked_for_only_on_click(visit: Visit) -> None:
    page = visit()
    page.tab.evaluate(
        "void (globalThis.asked = 0, globalThis.Notification.requestPermission = async () => (asked++, 'denied'))"
    )
    assert page.tab.evaluate("asked") == 0
    page.tab.click("label", said("wallet.settings.notifications"))
    page.told("settings.notifications-denied")
    if isinstance(page.tab, ChromiumTab):  # Firefox shows its own functions to the page, not the test's
        assert page.tab.evaluate("asked") == 1
    assert page.core.called("limits") == []


def test_the_browser_is_asked_to_keep_the_wallet(visit: Visit) -> None:
    page = visit()
    assert page.facts(".ticketminer-group:last-of-type")["Space used by this site"] == "184 kB"
    page.tab.evaluate(
        "void (globalThis.kept = false, navigator.storage.persist = async () => (kept = true), navigator.storage.persisted = async () => kept)"
    )
    page.press("settings.keep")
    page.told("settings.kept-now")
    page.tab.until(
        lambda: any(call[0]["persisted"] is True for call in page.core.called("surroundings")), "the answer"
    )
    page.tab.see(said("wallet.settings.kept-yes"), "main")
    assert not page.tab.has("button", said("wallet.settings.keep"))


# Donating


def test_a_donation_goes_from_the_balance_to_a_fund(visit: Visit) -> None:
    page = visit()
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


def test_the_slider_stops_at_thirds_of_the_balance(visit: Visit) -> None:
    page = visit()
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


def test_without_enough_tickets_mining_is_offered_instead(visit: Visit) -> None:
    page = visit()
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


def test_what_the_core_refuses_is_said_and_can_be_repeated(visit: Visit) -> None:
    page = visit(
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


def test_a_purchase_says_what_is_left_and_opens_what_was_bought(visit: Visit) -> None:
    page = visit(fragment="#pay=/?banner=small-blue")
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


def test_a_purchase_without_enough_tickets_leads_to_the_miner(visit: Visit) -> None:
    page = visit(fragment="#pay=/report", view={"balance": 1})
    page.see("purchase.short", n=2)
    page.answer("purchase.mine", n=2)
    page.tab.until(lambda: page.tab.has(f"{DIALOG} ticket-miner"), "the miner")
    miner = "document.querySelector('dialog ticket-miner')"
    given = page.tab.evaluate(f"['goal', 'price', 'resource'].map((name) => {miner}.getAttribute(name))")
    assert given == ["pay", "3", "/report"]


@pytest.mark.parametrize("elsewhere", ["//evil.example/x", "https://evil.example/x", "javascript:alert(1)"])
def test_only_what_this_site_sells_is_bought(visit: Visit, elsewhere: str) -> None:
    page = visit(fragment=f"#pay={elsewhere}")
    page.tab.wait_for("location.hash === ''")
    assert page.core.called("price") == []
    assert not page.tab.has(DIALOG)


def test_what_asks_for_nothing_is_not_paid(visit: Visit) -> None:
    page = visit(fragment="#pay=/report", answers={"price": None})
    page.see("purchase.free")
    assert not page.tab.has(f"{DIALOG} button", said("wallet.purchase.pay", n=3))


# Words


def test_words_are_shown_after_a_click_and_then_noted(visit: Visit) -> None:
    page = visit()
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


def test_printing_prints_the_words_alone(visit: Visit, tmp_path: pathlib.Path) -> None:
    page = visit()
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
def test_the_words_of_a_whole_wallet_are_refused_at_once(visit: Visit, way: str) -> None:
    page = visit()
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


def test_restoring_says_what_came_back(visit: Visit) -> None:
    page = visit()
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


def test_wrong_words_stay_to_be_mended(visit: Visit) -> None:
    page = visit(answers={"restore": {"problem": {"code": "words-checksum", "detail": "…"}}})
    page.press("restore.open", "section")
    page.tab.fill(f"{DIALOG} textarea", TWENTY_FOUR)
    page.answer("restore.go")
    page.see("error.words-checksum", f"{DIALOG} [role=alert]")
    assert page.tab.value(f"{DIALOG} textarea") == TWENTY_FOUR
    assert not page.tab.has(f"{DIALOG} progress")


# Giving away and receiving


def test_a_gift_is_a_text_a_link_and_a_code(visit: Visit, tmp_path: pathlib.Path) -> None:
    zxingcpp = pytest.importorskip("zxingcpp")
    page = visit()
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


def test_a_gift_is_not_closed_by_mistake(visit: Visit) -> None:
    page = visit()
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


def test_a_large_gift_has_no_code_that_no_camera_reads(visit: Visit) -> None:
    page = visit()
    page.press("gift.open")
    page.tab.fill(f"{DIALOG} input", "47")
    page.answer("gift.make", n=47)
    page.see("gift.no-qr")
    assert not page.tab.has(".ticketminer-qr")
    page.answer("dialog.done")
    page.see("gift.close-lost", n=47)
    page.answer("gift.leave-lost")
    page.no_dialog()


def test_a_gift_is_taken_over_from_text_or_link(visit: Visit) -> None:
    page = visit()
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


def test_tickets_of_another_site_go_nowhere(visit: Visit) -> None:
    page = visit()
    text = gift(page, origin="https://other.example")
    page.press("receive.open")
    page.tab.fill(f"{DIALOG} textarea", text)
    page.answer("receive.take")
    page.see("receive.foreign", f"{DIALOG} [role=alert]", origin="https://other.example")
    assert page.core.called("receive") == []


@pytest.mark.parametrize("answer", ["take", "leave"])
def test_a_link_asks_first_and_is_taken_out_of_the_address(visit: Visit, answer: str) -> None:
    page = visit()
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


def test_a_link_is_never_sent_to_the_site(visit: Visit, demos: DemoSites) -> None:
    page = visit(fragment="#receive=ticketminer-tickets-1.c2VjcmV0")
    page.see("receive.unreadable")
    seen = json.dumps([[seen.line, seen.query] for site in demos._sites for seen in site.seen])
    assert "c2VjcmV0" not in seen
    assert "receive" not in seen


# Reset and delete


def test_deleting_takes_two_steps_and_offers_the_words_first(visit: Visit) -> None:
    page = visit()
    page.press("delete.open")
    page.see("delete.words-unseen")
    for key, values in {
        "loss.tickets": {"n": 47},
        "loss.pending": {"n": 2},
        "loss.history": {"n": 16},
    }.items():
        page.see(key, **values)
    page.answer("words.show")
    page.see("words.who")
    page.answer("dialog.cancel")
    page.see("delete.words-unseen")
    page.answer("delete.next")
    page.answer("delete.go")
    page.see("removal.tick", f"{DIALOG} [role=alert]")
    assert page.core.called("wipe") == []
    page.tab.click(f"{DIALOG} label", said("wallet.delete.agree", n=49))
    page.answer("delete.go")
    page.called("wipe")
    page.told("delete.done")
    page.see("empty.have", BALANCE)


def test_a_reset_keeps_the_tickets(visit: Visit) -> None:
    page = visit()
    page.press("reset.open")
    page.see("reset.stays")
    page.answer("reset.next")
    page.tab.click(f"{DIALOG} label", said("wallet.reset.agree"))
    page.answer("reset.go")
    page.called("reset")
    page.told("reset.done")
    assert page.core.called("wipe") == []
    assert page.tab.text(f"{BALANCE} .ticketminer-stub__number") == "47"


# Trouble


def test_a_wallet_that_does_not_open_says_why_and_tries_again(visit: Visit) -> None:
    problem = {"code": "storage-refused", "detail": "No."}
    page = visit(ready=False, snapshot={"phase": "failed", "siteName": "", "problem": problem})
    page.tab.see(said("error.storage-refused"), "[role=alert]")
    assert page.tab.text("h1") == TITLE
    page.press("trouble.retry")
    page.called("retry")


def test_a_core_that_is_kept_away_is_explained(demos: DemoSites, profile: Profile) -> None:
    site = demos.donation()
    site.lose("GET /ticketminer/assets/*/core.js", times=None)
    tab = profile.tab(f"{site.url}/ticketminer/wallet")
    tab.see(said("wallet.error.blocked"), "[role=alert]")
    site.heal()
    tab.click("button", said("wallet.trouble.retry"))
    tab.see(TITLE, f"{BALANCE} h1")


def test_without_its_texts_the_page_stays_as_it_was_sent(demos: DemoSites, profile: Profile) -> None:
    site = demos.donation()
    site.fail("GET /ticketminer/assets/*/messages/en/wallet.json", times=None)
    tab = profile.tab(f"{site.url}/ticketminer/wallet")
    tab.see("ticketminer wallet", "main")


# For everyone


def test_escape_closes_a_dialog_and_the_focus_goes_back(visit: Visit) -> None:
    page = visit()
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


def test_a_gift_is_made_with_keys_alone(visit: Visit) -> None:
    page = visit()
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
def test_axe_finds_nothing(visit: Visit, state: str, look: dict[str, t.Any]) -> None:
    played, keys = STATES[state]
    page = visit(look={**look, "reduced_motion": True}, **played)
    for number, key in enumerate(keys):
        place = DIALOG if number else "section" if key.startswith(("words", "restore")) else "main"
        page.press(key, place)
    if keys:
        page.tab.until(lambda: page.tab.has(f"{DIALOG} .ticketminer-actions"), "the dialog")
    page.tab.evaluate("void document.querySelectorAll('details').forEach((e) => (e.open = true))")
    assert page.tab.errors() == []
    assert page.tab.axe() == []
    page.tab.errors()  # axe itself sets styles


def test_a_phone_needs_no_sideways_scrolling(visit: Visit) -> None:
    page = visit(look={"size": PHONE})
    page.tab.evaluate("void document.querySelectorAll('details').forEach((e) => (e.open = true))")
    assert page.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.press("gift.open")
    page.tab.fill(f"{DIALOG} input", "3")
    page.answer("gift.make", n=3)
    page.see("gift.ready-title", n=3)
    assert page.tab.evaluate("document.querySelector('dialog').scrollWidth <= innerWidth")


def test_what_can_be_pressed_is_large_enough(visit: Visit) -> None:
    page = visit()
    small = page.tab.evaluate(
        "[...document.querySelectorAll('main :is(button, a, input, summary, label)')].filter((e) => e.checkVisibility())"
        ".filter((e) => { const b = e.getBoundingClientRect(); return b.height < 24 || b.width < 24; }).map((e) => e.outerHTML)"
    )
    assert small == []


# The catalogue


def test_every_text_that_the_pages_name_exists_and_is_used() -> None:
    texts = {key.removeprefix("wallet.") for key in json.loads((CATALOGUE / "wallet.json").read_text())}
    code = "".join(file.read_text() for file in sorted(PAGES.glob("*.js")))
    named = set(re.findall(r"""\bt\(["']([a-z0-9.-]+)["']""", code)) | set(
        re.findall(r"""["']((?:[a-z-]+\.)[a-z0-9.-]+)["']""", code)
    )
    patterns = [re.escape(name).replace(r"\$\{\}", "[a-z0-9-]+") for name in made(code)]
    missing = {name for name in re.findall(r"""\bt\(["']([a-z0-9.-]+)["']""", code) if name not in texts}
    unused = {
        text
        for text in texts
        if text not in named and not any(re.fullmatch(pattern, text) for pattern in patterns)
    }
    assert missing == set()
    assert {text for text in unused if not text.startswith("error.")} == set()


def made(code: str) -> set[str]:
    """Return the names of texts that are put together, with ${} for what is filled in."""
    names = {re.sub(r"\$\{[^}]*\}", "${}", name) for name in re.findall(r"`([^`]*)`", code)}
    return {name for name in names if re.fullmatch(r"[a-z0-9.${}-]+", name) and "." in name and "${}" in name}
