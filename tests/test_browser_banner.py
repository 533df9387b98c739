"""Donation banners in real browsers: computing while one reads, giving from the balance, and the form without all that."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import pytest
from browsers import PHONE, Profile, Tab
from demo_sites import DemoSite, DemoSites
from played_core import PlayedCore
from visits import DIALOG, WIDGET, Widget, fund, said

import demo_donation

STYLES = tuple(demo_donation.BANNERS)
BANNER = ".ticketminer-banner"
READ = "=" + said("page.banner.read")


def article(profile: Profile, site: DemoSite, style: str = "large-coffee") -> Tab:
    tab = profile.tab(f"{site.url}/?banner={style}")
    tab.until(lambda: tab.has(f"{BANNER} button", READ) or not profile.look.javascript, "the second button")
    return tab


def donate(tab: Tab, amount: int | None = None) -> None:
    """Press the button of the form."""
    if amount is not None:
        tab.fill(f"{BANNER} input", str(amount))
    tab.click(f"{BANNER} [type=submit]")


@pytest.mark.parametrize("style", STYLES)
def test_a_banner_loads_little_before_anything_is_pressed(
    profile: Profile, demo_donation_site: DemoSite, style: str
) -> None:
    tab = article(profile, demo_donation_site, style)
    assert demo_donation_site.asked("GET /ticketminer/assets/*") == 1
    assert demo_donation_site.sent("GET /ticketminer/assets/*") < 6_000
    assert tab.errors() == []


@pytest.mark.parametrize("style", ["large-lightbulb", "small-coffee"])
def test_a_reader_gives_computing_until_it_is_enough(
    profile: Profile, demo_donation_site: DemoSite, style: str
) -> None:
    site = demo_donation_site
    tab = article(profile, site, style)
    tab.click(f"{BANNER} button", READ)
    widget = Widget(tab)
    widget.see("ask.donate.open")
    assert site.asked("POST *") == 0
    widget.agree()
    tab.until(lambda: site.donated() >= 2, "two donated tickets", 60)
    widget.press("act.stop")
    assert site.paid() == 0
    assert tab.errors() == []


def test_a_gift_from_the_balance_needs_no_mining(
    open_profile: Callable[..., Profile], demo_donation_site: DemoSite
) -> None:
    site, profile = demo_donation_site, open_profile()
    fund(profile, site, 8)
    tab = article(profile, site)
    donate(tab, 3)
    tab.see(said("wallet.donate.balance", n=8), DIALOG)
    tab.click(f"{DIALOG} button", "=" + said("wallet.donate.give", n=3))
    thanks = said("wallet.donate.thanks", n=3, fund="Our articles")
    tab.see(thanks, DIALOG)
    tab.click(f"{DIALOG} button", "=" + said("wallet.dialog.done"))
    tab.until(lambda: not tab.has(DIALOG), "the end of the dialog")
    tab.see(thanks, f"{BANNER} [role=status]")
    assert site.donated() == 3
    assert tab.focused() == f'button "{said("page.banner.donate-by-ticket")}"'
    assert tab.errors() == []


def test_without_tickets_mining_is_offered_in_the_dialog(
    profile: Profile, demo_donation_site: DemoSite
) -> None:
    site = demo_donation_site
    tab = article(profile, site, "small-blue")
    donate(tab, 2)
    tab.see(said("wallet.donate.none"), DIALOG)
    tab.click(f"{DIALOG} button", "=" + said("wallet.donate.mine", n=2))
    widget = Widget(tab)
    widget.see("ask.donate.to", n=2, fund="Our articles")
    widget.agree()
    widget.see("thanks", 60)
    assert site.donated() == 2


def test_where_the_dialog_is_kept_away_the_form_does_it(
    profile: Profile, demo_donation_site: DemoSite
) -> None:
    site = demo_donation_site
    site.lose("GET /ticketminer/assets/*/pages/donate.js", times=None)
    site.lose("GET /ticketminer/assets/*/pages/context.js", times=None)
    tab = article(profile, site)
    donate(tab, 4)
    tab.see(said("page.pay.give-title", n=4), "h1")


@pytest.mark.parametrize("style", STYLES)
def test_without_javascript_it_is_a_form(
    open_profile: Callable[..., Profile], demo_donation_site: DemoSite, style: str
) -> None:
    tab = article(open_profile(javascript=False), demo_donation_site, style)
    assert not tab.has(f"{BANNER} button", READ)
    donate(tab, 4)
    tab.see(said("page.pay.give-title", n=4), "h1")


LOOKS: dict[str, dict[str, t.Any]] = {"desktop": {}, "phone-dark": {"size": PHONE, "dark": True}}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("style", STYLES)
def test_axe_finds_nothing(
    open_profile: Callable[..., Profile], demos: DemoSites, style: str, look: str
) -> None:
    site = demos.donation()
    PlayedCore(site)
    tab = article(open_profile(**LOOKS[look], reduced_motion=True), site, style)
    tab.click(f"{BANNER} button", READ)
    Widget(tab).see("ask.donate.open")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.axe() == []
    donate(tab, 90)
    tab.see(said("wallet.donate.short", n=47), DIALOG)
    assert tab.axe() == []


def test_the_pages_own_styles_do_not_reach_the_dialog(profile: Profile, demos: DemoSites) -> None:
    site = demos.donation()
    PlayedCore(site)
    tab = article(profile, site)
    tab.evaluate(
        "void document.adoptedStyleSheets.push(await new CSSStyleSheet().replace("
        "'button, input, dialog, p, h2 { color: red !important; font-size: 60px !important; display: none !important }'))"
    )
    tab.evaluate("void document.querySelector('.ticketminer-banner form').requestSubmit()")
    tab.see(said("wallet.donate.balance", n=47), DIALOG)
    size = tab.evaluate(
        "getComputedStyle([...document.querySelectorAll('div')].find((e) => e.shadowRoot).shadowRoot.querySelector('.ticketminer-act')).fontSize"
    )
    assert size == "16px"
    assert not tab.has(WIDGET)
