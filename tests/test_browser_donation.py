"""The article with donation banners in real browsers: computing while one reads, giving from the balance, thanks."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from browsers import Profile, Tab
from demo_sites import DemoSite, DemoSites
from visits import DIALOG, WalletPage, Widget, fund, said, walk_to

import demo_donation

STYLES = tuple(demo_donation.BANNERS)
FUND = "Our articles"

every_style = pytest.mark.parametrize("style", STYLES)


def at(profile: Profile, site: DemoSite, style: str = "large-coffee") -> Tab:
    """Open the article under one of its banners."""
    tab = profile.tab(f"{site.url}/?banner={style}")
    tab.see(said("page.banner.read"), ".ticketminer-banner")
    return tab


def press(tab: Tab, key: str, **values: object) -> None:
    """Click a button of the dialog."""
    tab.click(f"{DIALOG} >>> button", "=" + said(key, **values))


def give(tab: Tab, style: str, amount: int) -> None:
    """Ask in the banner to give so many."""
    tab.fill(".ticketminer-banner__amount", str(amount))
    tab.click(
        ".ticketminer-banner button",
        "=" + said("page.banner.donate-by-ticket" if style.startswith("large-") else "page.banner.donate"),
    )
    tab.until(lambda: tab.has(DIALOG), "the dialog")


@every_style
def test_a_reader_computes_for_the_articles(
    profile: Profile, demo_donation_site: DemoSite, style: str
) -> None:
    site = demo_donation_site
    tab = at(profile, site, style)
    assert site.asked("GET *core.js") + site.asked("POST *") == 0
    tab.click(".ticketminer-banner button", "=" + said("page.banner.read"))
    widget = Widget(tab)
    widget.see("ask.donate.open")
    widget.agree()
    site.wait_asked("POST /ticketminer/submit", 3, 60)
    widget.press("act.stop")
    widget.see("act.gift")
    assert site.donated() >= 3
    assert site.unspent() == 0
    assert tab.errors() == []

    def total() -> bool:
        tab.reload()  # a share that was under way may have been counted since
        return said("page.banner.total", n=site.donated()) in tab.text(".ticketminer-banner")

    tab.until(total, "the total on the page")


@every_style
def test_a_reader_gives_from_the_balance(profile: Profile, demo_donation_site: DemoSite, style: str) -> None:
    site = demo_donation_site
    fund(profile, site, 7)
    tab = at(profile, site, style)
    give(tab, style, 5)
    tab.see(said("wallet.donate.balance", n=7), DIALOG)
    press(tab, "wallet.donate.give", n=5)
    tab.see(said("wallet.donate.thanks", n=5, fund=FUND), DIALOG)
    press(tab, "wallet.dialog.done")
    tab.see(said("wallet.donate.thank-you"), ".ticketminer-banner__thanks")
    assert (site.donated(), site.unspent()) == (5, 2)
    tab.reload()
    tab.see(said("page.banner.total", n=5), ".ticketminer-banner")
    WalletPage(profile, site).has(2)
    assert tab.errors() == []


def test_a_reader_may_take_time_over_a_gift(profile: Profile, demo_donation_site: DemoSite) -> None:
    site = demo_donation_site
    fund(profile, site, 4)
    tab = at(profile, site)
    give(tab, "large-coffee", 2)
    tab.see(said("wallet.donate.balance", n=4), DIALOG)
    time.sleep(2.5)  # longer than the core outlives its last view
    site.delay("POST /ticketminer/redeem", 2.5)
    press(tab, "wallet.donate.give", n=2)
    tab.see(said("wallet.donate.thanks", n=2, fund=FUND), DIALOG)
    assert (site.donated(), site.unspent()) == (2, 2)


def test_who_has_too_little_computes_instead(profile: Profile, demo_donation_site: DemoSite) -> None:
    site = demo_donation_site
    fund(profile, site, 1)
    tab = at(profile, site)
    give(tab, "large-coffee", 3)
    tab.see(said("wallet.donate.short", n=1), DIALOG)
    press(tab, "wallet.donate.mine", n=3)
    widget = Widget(tab)
    widget.agree()
    widget.see("thanks", 60)
    assert (site.donated(), site.unspent()) == (3, 1)


def test_the_least_is_asked_for(profile: Profile, demos: DemoSites) -> None:
    site = demos.donation(TICKETMINER_FUNDS={"articles": {"title": FUND, "minimum": 3, "default": 4}})
    fund(profile, site, 5)
    tab = at(profile, site)
    give(tab, "large-coffee", 4)
    tab.fill(f"{DIALOG} input[type=number]", "2")
    tab.see(said("wallet.donate.least", n=3), DIALOG)
    press(tab, "wallet.donate.give", n=2)
    tab.fill(f"{DIALOG} input[type=number]", "3")
    press(tab, "wallet.donate.give", n=3)
    tab.see(said("wallet.donate.thanks", n=3, fund=FUND), DIALOG)
    assert (site.donated(), site.unspent()) == (3, 2)


def test_without_scripts_the_banner_leads_to_the_form(
    open_profile: Callable[..., Profile], demo_donation_site: DemoSite
) -> None:
    site = demo_donation_site
    tab = open_profile(javascript=False).tab(f"{site.url}/")
    assert not tab.has("button", "=" + said("page.banner.read"))
    tab.fill(".ticketminer-banner__amount", "3")
    tab.click(".ticketminer-banner button")
    tab.see(said("page.pay.give-title", n=3), "h1")
    tab.fill("textarea[name=tickets]", site.tickets(3))
    tab.click("button[type=submit]")
    tab.see(said("page.thanks.title"), "h1")
    assert (site.donated(), site.unspent()) == (3, 0)


def test_a_gift_by_keyboard_alone(profile: Profile, demo_donation_site: DemoSite) -> None:
    site = demo_donation_site
    tab = at(profile, site)
    walk_to(tab, f'button "{said("page.banner.read")}"')
    tab.press("Enter")
    Widget(tab).see("ask.donate.open")
    walk_to(tab, f'button "{said("agree")}"')
    tab.press("Space")
    site.wait_asked("POST /ticketminer/submit", 1, 60)
    walk_to(tab, f'button "{said("act.stop")}"')
    tab.press("Enter")
    Widget(tab).see("act.gift")
    assert site.donated() >= 1


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_in_any_state_of_a_gift(
    open_profile: Callable[..., Profile], demo_donation_site: DemoSite, dark: bool
) -> None:
    site, profile = demo_donation_site, open_profile(dark=dark)
    found = {}
    fund(profile, site, 6)
    for style in STYLES:
        tab = at(profile, site, style)
        found[style] = tab.axe()
    give(tab, style, 2)
    tab.see(said("wallet.donate.give", n=2), DIALOG)
    found["dialog"] = tab.axe()
    press(tab, "wallet.donate.give", n=2)
    tab.see(said("wallet.donate.thanks", n=2, fund=FUND), DIALOG)
    found["thanks"] = tab.axe()
    press(tab, "wallet.dialog.done")
    tab.click(".ticketminer-banner button", "=" + said("page.banner.read"))
    Widget(tab).see("ask.donate.open")
    found["asking"] = tab.axe()
    page = WalletPage(profile, site)
    found["wallet"] = page.tab.axe()
    page.press("wallet.gift.open")
    page.press("wallet.gift.make", n=1)
    page.tab.see(said("wallet.gift.ready-title", n=1), DIALOG)
    found["given away"] = page.tab.axe()
    assert {state: lines for state, lines in found.items() if lines} == {}
