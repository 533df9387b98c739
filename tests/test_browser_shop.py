"""The picture shop in real browsers: consent, mining, buying, change, and what may go wrong meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from browsers import Browser, Profile
from chromium import ChromiumTab
from demo_sites import Answer, DemoSite, DemoSites
from live import Person
from visits import WIDGET, WalletPage, Widget, fund, original, said, walk_to
from werkzeug.wrappers import Response

from demo_shop.pictures import Picture, db

ENDLESS = {"yespower": 2**30, "scrypt": 2**30, "sha256d": 2**30}
"""Expected hashes a ticket of which no test finds one."""
LONGEST_TASK = 50.0
"""Milliseconds."""
BEFORE_CONSENT = 25_000
AFTER_CONSENT = 150_000
"""Bytes."""

OpenProfile = Callable[..., Profile]


def at(profile: Profile, site: DemoSite, picture: str = "estuary", host: str | None = None) -> Widget:
    """Open the page of a picture; estuary costs 2 tickets, birches 3."""
    widget = Widget(profile.tab(f"{host or site.url}/pictures/{picture}"))
    widget.tab.until(lambda: widget.text, "the widget")
    return widget


def assert_bought(profile: Profile, widget: Widget, picture: str = "estuary") -> None:
    widget.see("paid")
    assert profile.downloaded().read_bytes() == original(picture)


def prefix(key: str) -> str:
    """Return what a message says before its first value."""
    return said(key).partition("{")[0]


# The way it should go


def test_a_visitor_agrees_mines_and_has_the_picture(profile: Profile, demo_shop_site: DemoSite) -> None:
    site = demo_shop_site
    widget = at(profile, site)
    widget.see("ask.pay", n=2)
    assert widget.spoken() == []
    assert site.asked("POST *") == 0
    assert site.sent("GET /ticketminer/assets/*") <= BEFORE_CONSENT
    loaded = len(site.seen)
    widget.agree()
    assert_bought(profile, widget)
    assert sum(seen.size for seen in site.seen[loaded:] if "/assets/" in seen.line) <= AFTER_CONSENT
    assert site.paid() == 2
    assert not any(said("observing") in words for words in widget.spoken())
    assert widget.tab.errors() == []


def test_what_was_bought_opens_again_without_mining(profile: Profile, demo_shop_site: DemoSite) -> None:
    site = demo_shop_site
    widget = at(profile, site)
    widget.agree()
    assert_bought(profile, widget)
    mined = site.asked("POST /ticketminer/submit")
    widget.tab.reload()
    widget.press("act.start")
    assert_bought(profile, widget)
    assert (site.paid(), site.asked("POST /ticketminer/submit")) == (2, mined)


def test_no_is_one_click_and_stays_no(profile: Profile, demo_shop_site: DemoSite) -> None:
    site = demo_shop_site
    widget = at(profile, site)
    widget.press("decline")
    widget.see("declined")
    widget.tab.reload()
    widget.see("declined")
    assert site.asked("POST *") + site.asked("*core.js") == 0
    widget.press("reconsider")
    widget.see("ask.pay", n=2)
    assert widget.tab.errors() == []


def test_a_click_buys_from_the_balance_and_change_comes_back(
    profile: Profile, demo_shop_site: DemoSite
) -> None:
    site = demo_shop_site
    fund(profile, site, 8)
    widget = at(profile, site)
    widget.press("have")
    widget.press("act.pay", n=2)
    assert_bought(profile, widget)
    WalletPage(profile, site).has(6)
    assert (site.paid(), site.unspent(), site.asked("POST /ticketminer/job")) == (2, 6, 0)


def test_what_is_missing_is_mined(profile: Profile, demo_shop_site: DemoSite) -> None:
    site = demo_shop_site
    fund(profile, site, 1)
    widget = at(profile, site, "birches")
    widget.agree()
    assert_bought(profile, widget, "birches")
    assert site.paid() == 3
    assert sum(seen.line == "POST /ticketminer/submit" for seen in site.seen) <= 2


def test_mining_is_paused_and_stopped_by_hand(profile: Profile, demos: DemoSites) -> None:
    widget = at(profile, demos.shop(TICKETMINER_EFFORT=ENDLESS))
    widget.agree()
    widget.see("mining")
    widget.press("act.pause")
    widget.see("reason.user")
    widget.press("act.resume")
    widget.see("mining")
    widget.press("act.stop")
    widget.see("idle")
    assert widget.tab.errors() == []


def test_consent_can_be_taken_back(profile: Profile, demos: DemoSites) -> None:
    site = demos.shop(TICKETMINER_EFFORT=ENDLESS)
    widget = at(profile, site)
    widget.agree()
    widget.see("mining")
    widget.press("withdraw")
    widget.see("declined")
    widget.tab.reload()
    widget.see("declined")


# Several tabs


def test_of_two_tabs_the_one_in_view_mines(profile: Profile, demos: DemoSites) -> None:
    site = demos.shop(TICKETMINER_EFFORT=ENDLESS)
    first = at(profile, site)
    first.agree()
    first.see("mining")
    second = at(profile, site, "birches")
    first.see("reason.hidden")
    second.press("act.start")
    second.see("mining")
    first.tab.show()
    first.see("mining")
    second.see("reason.hidden")


def test_two_tabs_do_not_pay_with_the_same_tickets(profile: Profile, demo_shop_site: DemoSite) -> None:
    site = demo_shop_site
    fund(profile, site, 2)
    first, second = at(profile, site), at(profile, site)
    for widget in (first, second):
        widget.tab.show()
        widget.press("have")
        widget.see("act.pay", n=2)
    redeem = "POST /ticketminer/redeem"
    hold, asked = site.hold(redeem, answered=False), site.asked(redeem)
    first.tab.show()
    first.press("act.pay", n=2)
    hold.wait()
    second.tab.show()
    second.press("act.pay", n=2)
    site.wait_asked(redeem, asked + 1)  # the same payment once more, which frees the second tab's tickets
    hold.release()
    first.see("paid")
    second.see("paid")
    assert (site.paid(), site.unspent()) == (2, 0)


def test_a_tab_whose_tickets_just_paid_for_the_same_in_another_tab_opens_it(
    profile: Profile, demo_shop_site: DemoSite
) -> None:
    site = demo_shop_site
    fund(profile, site, 2)
    first, second = at(profile, site), at(profile, site)
    for widget in (first, second):
        widget.tab.show()
        widget.press("have")
        widget.see("act.pay", n=2)
    price = site.hold("HEAD /pictures/estuary/original", answered=True)
    second.press("act.pay", n=2)
    price.wait()
    first.tab.show()
    first.press("act.pay", n=2)
    first.see("paid")
    price.release()  # what it says is outdated
    second.tab.show()
    second.see("paid")
    assert (site.paid(), site.unspent()) == (2, 0)


# Killed, cut off, restarted


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
    again.press("act.pay", n=2)
    assert_bought(profile, again)
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


# Policies, networks, old browsers


def test_the_page_is_strict_and_its_worker_computes_webassembly(profile: Profile, demos: DemoSites) -> None:
    site = demos.shop(TICKETMINER_EFFORT=ENDLESS)
    policy = httpx.get(f"{site.url}/pictures/estuary").headers["Content-Security-Policy"]
    assert re.match("default-src '(none|self)';", policy)
    assert "unsafe" not in policy
    widget = at(profile, site)
    widget.agree()
    widget.see("mining")
    widget.tab.click(f"{WIDGET} >>> summary")
    widget.see("program.simd")
    assert widget.tab.errors() == []


def test_a_policy_on_every_answer_is_named_and_javascript_mines(
    profile: Profile, demo_shop_site: DemoSite
) -> None:
    site = demo_shop_site
    site.headers["Content-Security-Policy"] = "default-src 'self'"
    widget = at(profile, site)
    hold = site.hold("POST /ticketminer/submit", answered=False)
    widget.agree()
    widget.see("notice.wasm-forbidden")
    hold.release()
    assert_bought(profile, widget)


def test_without_webassembly_javascript_mines(open_profile: OpenProfile, demo_shop_site: DemoSite) -> None:
    site, profile = demo_shop_site, open_profile(webassembly=False)
    widget = at(profile, site)
    hold = site.hold("POST /ticketminer/submit", answered=False)
    widget.agree()
    widget.see("notice.javascript-kernel")
    hold.release()
    assert_bought(profile, widget)
    assert widget.tab.errors() == []


def test_on_plain_http_in_a_network_all_works(profile: Profile, demo_shop_site: DemoSite) -> None:
    site = demo_shop_site
    widget = at(profile, site, host=site.url_at())
    assert widget.tab.evaluate("isSecureContext") is False
    widget.agree()
    assert_bought(profile, widget)
    assert site.paid() == 2
    assert widget.tab.errors() == []


def test_without_scripts_the_402_page_takes_tickets(
    open_profile: OpenProfile, demo_shop_site: DemoSite
) -> None:
    site, profile = demo_shop_site, open_profile(javascript=False)
    tab = profile.tab(f"{site.url}/pictures/estuary")
    assert said("page.widget.script") in tab.text(WIDGET)
    tab.click("details summary")
    tab.click("a[href$='/original']")
    tab.see(said("page.pay.heading", n=2), "h1")
    tab.fill("textarea[name=tickets]", site.tickets(4))
    tab.click("button[type=submit]")
    tab.see("4", "[role=alert]")  # 4 tickets for 2: nothing is taken until the rest is given expressly
    assert site.paid() == 0
    tab.fill("textarea[name=tickets]", site.tickets(4))
    tab.click("label[for=ticketminer-rest]")
    tab.click("button[type=submit]")
    assert profile.downloaded().read_bytes() == original("estuary")
    assert site.paid() == 4


# Keys, screen readers, speed


def test_a_purchase_by_keyboard_alone(profile: Profile, demo_shop_site: DemoSite) -> None:
    site = demo_shop_site
    tab = profile.tab(f"{site.url}/")
    walk_to(tab, 'link "Evening on the estuary"')
    tab.press("Enter")
    widget = Widget(tab)
    widget.see("ask.pay", n=2)
    walk_to(tab, f'button "{said("agree")}"')
    tab.press("Enter")
    assert_bought(profile, widget)
    assert tab.focused() != ""


def test_axe_finds_nothing_in_any_state_of_a_purchase(profile: Profile, demos: DemoSites) -> None:
    assert_accessible(profile, demos)


def test_nor_in_the_dark(chromium: Browser, demos: DemoSites) -> None:
    with chromium.profile(dark=True) as profile:
        assert_accessible(profile, demos)


def assert_accessible(profile: Profile, demos: DemoSites) -> None:
    site, slow = demos.shop(), demos.shop(TICKETMINER_EFFORT=ENDLESS)
    found = {"gallery": profile.tab(f"{site.url}/").axe()}
    widget = at(profile, slow)
    found["asking"] = widget.tab.axe()
    widget.press("decline")
    widget.see("declined")
    found["declined"] = widget.tab.axe()
    widget.press("reconsider")
    widget.agree()
    widget.see("mining")
    widget.tab.click(f"{WIDGET} >>> summary")
    widget.see("duty")
    found["mining"] = widget.tab.axe()
    widget.press("act.pause")
    widget.see("paused")
    found["paused"] = widget.tab.axe()
    widget = at(profile, site)
    widget.agree()
    assert_bought(profile, widget)
    found["paid"] = widget.tab.axe()
    widget.tab.goto(f"{site.url}/pictures/birches/original")
    widget.tab.until(lambda: widget.text, "the widget")
    found["402"] = widget.tab.axe()
    assert {state: lines for state, lines in found.items() if lines} == {}


def test_the_main_thread_is_never_busy_for_long_while_mining(chromium: Browser, demos: DemoSites) -> None:
    site = demos.shop(TICKETMINER_EFFORT=ENDLESS)
    with chromium.profile() as profile:
        widget = at(profile, site)
        widget.agree()
        widget.see("mining")
        assert isinstance(widget.tab, ChromiumTab)
        with widget.tab.trace() as trace:
            widget.tab.wait_for("new Promise((done) => setTimeout(() => done(true), 4000))")
    # Time of the processor: on a machine that tests in parallel, the clock also counts what others did.
    assert max(task.worked for task in trace.tasks) < LONGEST_TASK, trace.longest


# Moving


def test_words_bring_the_tickets_into_another_browser(
    open_profile: OpenProfile, demo_shop_site: DemoSite
) -> None:
    site, old, new = demo_shop_site, open_profile(), open_profile()
    fund(old, site, 5)
    words = WalletPage(old, site).words()
    assert len(words.split()) == 24
    restored = WalletPage(new, site)
    restored.restore(words, 5)
    restored.has(5)
    widget = at(new, site)
    widget.press("have")
    widget.press("act.pay", n=2)
    assert_bought(new, widget)
    WalletPage(new, site).has(3)
    assert site.unspent() == 3


def test_a_wallet_mined_in_a_page_moves_to_the_command_line_and_back(
    open_profile: OpenProfile, demo_shop_site: DemoSite, anna: Person
) -> None:
    site, old, new = demo_shop_site, open_profile(), open_profile()
    page = WalletPage(old, site)
    Widget(page.tab).agree()
    page.has(5)  # what the page proposes to earn
    words = page.words()
    site.publish_spent_at_once()
    restored = anna.run("wallet", "restore", "--site", site.url, stdin=words + "\n")
    assert restored.exit_code == 0, restored.output
    assert anna.balance() == 5
    bought = anna.run("get", f"{site.url}/pictures/estuary/original", "-o", str(anna.home), "--yes")
    assert bought.exit_code == 0, bought.output
    assert anna.balance() == 3
    back = WalletPage(new, site)
    back.restore(words, 3)
    back.has(3)
    assert site.unspent() == 3
