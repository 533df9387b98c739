"""The article with donation banners in real browsers: computing while one reads, giving from the balance, thanks."""

from __future__ import annotations

import time
from collections.abc import Callable

from browsers import Browser, Profile, Tab
from demo_sites import DemoSite, DemoSites
from visits import DIALOG, WalletPage, Widget, fund, said, walk_to

import demo_donation

STYLES = tuple(demo_donation.BANNERS)
FUND = "Our articles"


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


def test_a_reader_computes_for_the_articles_under_each_banner(
    profile: Profile, demo_donation_site: DemoSite
) -> None:
    site = demo_donation_site
    for style in STYLES:
        before = site.donated()
        tab = at(profile, site, style)
        tab.click(".ticketminer-banner button", "=" + said("page.banner.read"))
        widget = Widget(tab)
        if before:
            widget.press("act.gift")
        else:
            widget.see("ask.donate.open")
            assert site.asked("GET *core.js") + site.asked("POST *") == 0
            widget.agree()
        tab.until(lambda least=before + 2: site.donated() >= least, "work for the site", 60)
        widget.press("act.stop")
        widget.see("thanks")
        widget.see("act.gift")
        assert tab.errors() == []
        tab.close()
    assert site.unspent() == 0
    tab = at(profile, site)
    tab.see(said("page.banner.total", n=site.donated()), ".ticketminer-banner")


def test_a_reader_gives_from_the_balance_under_each_banner(
    profile: Profile, demo_donation_site: DemoSite
) -> None:
    site = demo_donation_site
    fund(profile, site, 15)
    for given, style in enumerate(STYLES):
        tab = at(profile, site, style)
        tab.see(said("page.banner.total", n=3 * given), ".ticketminer-banner")
        give(tab, style, 3)
        tab.see(said("wallet.donate.balance", n=15 - 3 * given), DIALOG)
        press(tab, "wallet.donate.give", n=3)
        tab.see(said("wallet.donate.thanks", n=3, fund=FUND), DIALOG)
        press(tab, "wallet.dialog.done")
        tab.see(said("wallet.donate.thank-you"), ".ticketminer-banner__thanks")
        assert tab.errors() == []
        tab.close()
    assert (site.donated(), site.unspent()) == (12, 3)
    WalletPage(profile, site).has(3)


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


def test_axe_finds_nothing_in_any_state_of_a_gift(profile: Profile, demo_donation_site: DemoSite) -> None:
    assert_accessible(profile, demo_donation_site)


def test_nor_in_the_dark(chromium: Browser, demo_donation_site: DemoSite) -> None:
    with chromium.profile(dark=True) as profile:
        assert_accessible(profile, demo_donation_site)


def assert_accessible(profile: Profile, site: DemoSite) -> None:
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
