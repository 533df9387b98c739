"""The wallet page with a core that plays: what it shows, settings, reset and delete, and what goes wrong."""

from __future__ import annotations

import json
import re
import typing as t

from browsers import Profile
from chromium_tab import ChromiumTab
from demo_sites import DemoSites
from played_wallet import BALANCE, TITLE, OpenWallet
from visits import CATALOGUE, DIALOG, said

PAGES = CATALOGUE.parents[1] / "pages"


# What is there to see


def test_the_balance_is_large_and_says_what_it_means(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    assert page.tab.text(f"{BALANCE} .ticketminer-stub__number") == "47"
    words = page.tab.text(BALANCE)
    assert said("wallet.balance.have", n=47) in words
    assert said("wallet.balance.means", site="tidepool.example") in words
    assert "about 4,096 yespower hashes" in words
    assert "The first 3 end in 6 days" in words
    assert said("wallet.balance.pending", n=2) in words


def test_the_sections_can_be_reached_by_headings_and_by_links(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    links = page.tab.evaluate("[...document.querySelectorAll('.ticketminer-nav a')].map((a) => a.hash)")
    headings = page.tab.evaluate(
        "[...document.querySelectorAll('main h2')].filter((e) => e.checkVisibility()).map((e) => `#${e.id}`)"
    )
    assert links == headings
    assert len(links) == 7
    page.tab.click(".ticketminer-nav a", "Settings")
    page.tab.wait_for("location.hash === '#ticketminer-settings'")


def test_an_empty_wallet_has_one_action_and_says_what_it_costs(open_wallet: OpenWallet) -> None:
    page = open_wallet(wallet="empty")
    assert page.tab.texts(f"{BALANCE} .ticketminer-act--main") == [said("wallet.empty.earn")]
    words = page.tab.text(BALANCE)
    assert "about 4,096 yespower hashes" in words
    assert "about 7 seconds" in words
    assert page.tab.texts("main h2")[:4] == ["Earn tickets", "Backup", "Settings", "Reset and delete"]
    page.press("empty.earn")
    page.tab.until(lambda: "Earn tickets" in page.tab.focused(), "the focus on the miner")


def test_the_miner_is_asked_for_as_many_more_as_the_visitor_says(open_wallet: OpenWallet) -> None:
    page = open_wallet(view={"balance": 4})
    number = "#ticketminer-earn ~ .ticketminer-fieldset input"
    page.tab.fill(number, "6")
    page.see("earn.total", "main", n=10)
    assert page.tab.evaluate("document.querySelector('ticket-miner').getAttribute('price')") == "10"
    page.tab.fill(number, "3")  # what the balance holds already is added to it
    page.see("earn.total", "main", n=7)
    assert page.tab.evaluate("document.querySelector('ticket-miner').getAttribute('price')") == "3"
    assert page.tab.evaluate("document.querySelector('ticket-miner').getAttribute('goal')") == "tickets"


def test_tickets_stand_together_by_value_end_and_state(open_wallet: OpenWallet) -> None:
    page = open_wallet()
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


def test_a_job_has_its_line_and_all_figures(open_wallet: OpenWallet) -> None:
    page = open_wallet()
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
        "Threads": "1 thread",
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


def test_a_job_is_stopped_and_deleted(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    page.tab.click(".ticketminer-job button", "Stop: the job of")
    assert page.called("stop") == [[]]
    page.told("jobs.stopped")
    page.tab.until(lambda: not page.tab.has(".ticketminer-badge"), "no running job")
    page.tab.click(".ticketminer-job:nth-child(2) button", "Delete from the list: the job of")
    assert page.called("deleteRun") == [[2]]
    page.told("jobs.deleted")
    page.tab.until(lambda: len(page.tab.texts(".ticketminer-job")) == 2, "two jobs")
    assert page.tab.focused() == 'h2 "Mining jobs"'


def test_receipts_are_listed_and_saved_as_text(open_wallet: OpenWallet) -> None:
    page = open_wallet()
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


def test_notices_say_what_to_do(open_wallet: OpenWallet) -> None:
    page = open_wallet(
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


def test_settings_reach_the_core_at_once(open_wallet: OpenWallet) -> None:
    page = open_wallet()
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


def test_notifications_are_asked_for_only_on_click(open_wallet: OpenWallet) -> None:
    page = open_wallet()
    page.tab.evaluate(
        "void (globalThis.asked = 0, globalThis.Notification.requestPermission = async () => (asked++, 'denied'))"
    )
    assert page.tab.evaluate("asked") == 0
    page.tab.click("label", said("wallet.settings.notifications"))
    page.told("settings.notifications-denied")
    if isinstance(page.tab, ChromiumTab):  # Firefox shows its own functions to the page, not the test's
        assert page.tab.evaluate("asked") == 1
    assert page.core.called("limits") == []


def test_the_browser_is_asked_to_keep_the_wallet(open_wallet: OpenWallet) -> None:
    page = open_wallet()
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


# Reset and delete


def test_deleting_takes_two_steps_and_offers_the_words_first(open_wallet: OpenWallet) -> None:
    page = open_wallet()
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


def test_a_reset_keeps_the_tickets(open_wallet: OpenWallet) -> None:
    page = open_wallet()
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


def test_a_wallet_that_does_not_open_says_why_and_tries_again(open_wallet: OpenWallet) -> None:
    problem = {"code": "storage-refused", "detail": "No."}
    page = open_wallet(ready=False, snapshot={"phase": "failed", "siteName": "", "problem": problem})
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
