"""A purchase in real browsers while tabs, browsers, sites and clocks fail: nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browsers import Browser, Profile
from demo_sites import Answer, DemoSite, DemoSites
from purchases import assert_bought, at, prefix
from visits import WIDGET, WalletPage, fund, original, said
from werkzeug.wrappers import Response

from demo_shop.pictures import Picture, db


@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
def test_a_tab_killed_while_it_pays_loses_nothing(
    profile: Profile, demo_shop_site: DemoSite, answered: bool
) -> None:
    site = demo_shop_site
    fund(profile, site, 8)
    widget = at(profile, site)
    widget.press("have")
    hold = site.hold("POST /ticketminer/redeem", answered=answered)
    widget.press("act.pay", n=2)
    hold.wait()
    widget.tab.crash()
    hold.drop()
    WalletPage(profile, site).has(6)
    assert (site.paid(), site.unspent()) == (2, 6)
    again = at(profile, site)
    again.press("have")
    again.press("act.open")
    assert profile.downloaded().read_bytes() == original("estuary")
    assert (site.paid(), site.unspent()) == (2, 6)


def test_a_browser_killed_while_it_pays_loses_nothing(
    own_browser: Callable[[], Browser], demo_shop_site: DemoSite
) -> None:
    site, browser = demo_shop_site, own_browser()
    profile = browser.durable()
    fund(profile, site, 8)
    widget = at(profile, site)
    widget.press("have")
    hold = site.hold("POST /ticketminer/redeem", answered=True)
    widget.press("act.pay", n=2)
    hold.wait()
    browser.kill()
    hold.drop()
    browser.start()
    WalletPage(browser.durable(), site).has(6)
    assert (site.paid(), site.unspent()) == (2, 6)


def test_a_tab_killed_while_its_share_is_paid_gets_the_ticket(
    profile: Profile, demo_shop_site: DemoSite
) -> None:
    site = demo_shop_site
    widget = at(profile, site)
    hold = site.hold("POST /ticketminer/submit", answered=True)
    widget.agree()
    hold.wait()
    widget.tab.crash()
    hold.drop()
    WalletPage(profile, site).has(site.unspent())
    assert site.unspent() >= 1


def test_a_site_that_stops_and_starts_again_loses_nothing(profile: Profile, demo_shop_site: DemoSite) -> None:
    site = demo_shop_site
    widget = at(profile, site)
    hold = site.hold("POST /ticketminer/submit", answered=True)
    widget.agree()
    hold.wait()
    hold.drop()
    site.stop()
    widget.tab.see(prefix("notice.site-restarted"), WIDGET)
    site.start()
    assert_bought(profile, widget)
    assert (site.paid(), site.unspent()) == (2, 0)


def test_a_site_without_work_is_told_from_one_that_does_not_answer(
    profile: Profile, demo_shop_site: DemoSite
) -> None:
    site = demo_shop_site
    site.fail("POST /ticketminer/job", 2, cause="no-work", wait=2)
    widget = at(profile, site)
    widget.agree()
    widget.tab.see(prefix("notice.no-work"), WIDGET)
    assert_bought(profile, widget)


def test_a_miner_that_is_kept_out_leaves_the_page_as_it_was(
    profile: Profile, demo_shop_site: DemoSite
) -> None:
    site = demo_shop_site
    site.on("GET /ticketminer/assets/*/core.js", cut, None)
    widget = at(profile, site)
    widget.agree()
    widget.see("trouble.blocked")
    assert said("page.widget.pay", n=2) in widget.text
    site.heal()
    widget.press("reload")
    widget.press("act.start")
    assert_bought(profile, widget)


def cut(answer: Answer) -> Response:
    """Hang up, as what stands between a browser and what its blocker dislikes does."""
    raise ConnectionResetError("cut")


@pytest.mark.parametrize("ahead", [-4000, 4000], ids=["fast", "slow"])
def test_a_clock_that_is_wrong_is_told_and_harms_nothing(
    profile: Profile, demos: DemoSites, ahead: int
) -> None:
    site = demos.shop(ahead=ahead)
    widget = at(profile, site)
    hold = site.hold("POST /ticketminer/submit", answered=False)
    widget.agree()
    widget.tab.see(prefix("notice.clock-wrong"), WIDGET)
    hold.release()
    assert_bought(profile, widget)


def test_a_higher_price_is_asked_for_again(profile: Profile, demos: DemoSites) -> None:
    site = demos.shop()
    fund(profile, site, 8)
    widget = at(profile, site)
    widget.press("have")
    widget.see("act.pay", n=2)
    with site.app.app_context():
        db.get_or_404(Picture, "estuary").price = 3
        db.session.commit()
    widget.press("act.pay", n=2)
    widget.see("error.price-changed", n=3)
    assert (site.paid(), site.unspent()) == (0, 8)
    widget.press("act.again")
    widget.press("have")
    widget.press("act.pay", n=3)
    assert_bought(profile, widget)
    assert (site.paid(), site.unspent()) == (3, 5)
