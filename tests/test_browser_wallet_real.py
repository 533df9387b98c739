"""The wallet page with everything behind it: a real core, a real site, tickets that are earned, given, spent and restored."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

from browsers import Profile
from demo_sites import DemoSite, DemoSites
from visits import DIALOG, WalletPage, Widget, original, said

from miner import SiteClient, Wallet
from miner.transport import open_http

BALANCE = ".ticketminer-balance"


def mined(profile: Profile, site: DemoSite, tickets: int) -> WalletPage:
    """Open an empty wallet and earn so many tickets in it."""
    page = WalletPage(profile, site)
    page.tab.fill("#ticketminer-earn ~ .ticketminer-fieldset input", str(tickets))
    page.press("wallet.empty.earn")
    Widget(page.tab).agree()
    page.tab.until(lambda: page.balance() >= tickets, f"{tickets} tickets", 60)
    return page


def link_to(page: WalletPage, tickets: int) -> str:
    """Take tickets out and return the link that carries them."""
    page.press("wallet.gift.open")
    page.tab.fill(f"{DIALOG} input", str(tickets))
    page.press("wallet.gift.make", n=tickets)
    page.tab.see(said("wallet.gift.ready-title", n=tickets), DIALOG, 30)
    link = page.tab.value(f"{DIALOG} input")
    page.press("wallet.dialog.done")
    ways = ("wallet.gift.leave", "wallet.gift.leave-lost")  # with a QR code, and without
    page.press(
        page.tab.until(
            lambda: next((way for way in ways if page.tab.has(f"{DIALOG} button", "=" + said(way))), None),
            "a way to close",
        )
    )
    return link


def test_what_was_mined_is_a_job_with_tickets_and_receipts(
    profile: Profile, demo_donation_site: DemoSite
) -> None:
    page = mined(profile, demo_donation_site, 3)
    page.tab.until(lambda: "Finished" in page.tab.text(".ticketminer-job"), "the end of the job", 30)
    page.tab.click(".ticketminer-job summary")
    figures = dict(
        zip(page.tab.texts(".ticketminer-job dt"), page.tab.texts(".ticketminer-job dd"), strict=True)
    )
    assert int(figures["Tickets"]) == page.balance() >= 3
    assert int(figures["Shares accepted"]) >= 1
    assert int(figures["Hashes"].replace(",", "")) > 0
    assert page.tab.texts(".ticketminer-history li")[0].startswith("Earned ")
    assert page.tab.errors() == []


def test_tickets_go_from_browser_to_browser_by_a_link(
    open_profile: Callable[..., Profile], demo_donation_site: DemoSite
) -> None:
    site = demo_donation_site
    giver, taker = mined(open_profile(), site, 5), open_profile()
    had = giver.balance()
    link = link_to(giver, 3)
    giver.has(had - 3)
    tab = taker.tab(link)
    tab.see(said("wallet.receive.take"), DIALOG, 30)
    tab.click(f"{DIALOG} button", "=" + said("wallet.receive.take"))
    tab.see(said("wallet.receive.received", n=3), DIALOG, 30)
    tab.click(f"{DIALOG} button", "=" + said("wallet.dialog.done"))
    tab.see("3", f"{BALANCE} .ticketminer-stub__number")
    tab.wait_for("!location.href.includes('#')")
    late = open_profile().tab(link)
    late.see(said("wallet.receive.take"), DIALOG, 30)
    late.click(f"{DIALOG} button", "=" + said("wallet.receive.take"))
    late.see(said("wallet.error.gift-spent"), f"{DIALOG} [role=alert]", 30)
    assert site.asked("GET /ticketminer/wallet") >= 3
    assert not any("receive" in seen.line + seen.query for seen in site.seen)


def test_where_pages_do_not_mine_the_wallet_still_spends(profile: Profile, demos: DemoSites) -> None:
    site = demos.shop(TICKETMINER_WIDGET=False)
    page = WalletPage(profile, site)
    assert not page.tab.has("main >>> button", "=" + said("wallet.empty.earn"))
    page.receive(site.tickets(2), 2)
    page.has(2)
    assert (page.tab.has("ticket-miner"), page.tab.has("nav a", said("wallet.nav.earn"))) == (False, False)
    for picture, price in (("birches", 3), ("estuary", 2)):
        tab = profile.tab(f"{site.url}/ticketminer/wallet#pay=/pictures/{picture}/original")
        tab.see(said("wallet.tickets", n=price), DIALOG, 30)
        assert tab.has(f"{DIALOG} button", "=" + said("wallet.purchase.pay", n=price)) == (price == 2)
        assert not tab.has(f"{DIALOG} button", "=" + said("wallet.purchase.mine", n=1))
    tab.click(f"{DIALOG} button", "=" + said("wallet.purchase.pay", n=2))
    assert profile.downloaded().read_bytes() == original("estuary")
    assert site.asked("GET *element/element.js") == 0


def test_a_deleted_wallet_comes_back_from_its_words(profile: Profile, demo_donation_site: DemoSite) -> None:
    page = mined(profile, demo_donation_site, 4)
    page.tab.until(lambda: "Finished" in page.tab.text(".ticketminer-job"), "the end of the job", 30)
    had, words = page.balance(), page.words()
    page.press("wallet.delete.open")
    page.press("wallet.delete.next")
    page.tab.click(f"{DIALOG} label", said("wallet.delete.agree", n=had))
    page.press("wallet.delete.go")
    page.tab.see(said("wallet.empty.have"), BALANCE)
    page.restore(words, had)
    page.has(had)
    assert page.words() == words


def test_a_gift_of_the_page_is_taken_by_the_command_lines_wallet(
    profile: Profile, demo_donation_site: DemoSite, tmp_path: pathlib.Path
) -> None:
    site = demo_donation_site
    link = link_to(mined(profile, site, 2), 2)
    with Wallet.open(tmp_path / "wallet.sqlite") as wallet, open_http() as http:
        assert SiteClient(site.url, wallet, http).receive(link.partition("#receive=")[2]) == 2
