"""The picture shop in real browsers: consent, mining, buying, change, several tabs, and moving the wallet."""

from __future__ import annotations

from browsers import Profile
from demo_sites import DemoSite, DemoSites
from live import Person
from purchases import ENDLESS, OpenProfile, assert_bought, at
from visits import WalletPage, Widget, fund, original, said

BEFORE_CONSENT = 25_000
AFTER_CONSENT = 150_000
"""Bytes."""


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
    widget.tab.reload()
    widget.see("open.text")
    assert not widget.shows("act.start")
    sent = site.asked("POST *")
    widget.press("act.open")
    assert profile.downloaded().read_bytes() == original("estuary")
    assert (site.paid(), site.asked("POST *")) == (2, sent)


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
    site.wait_asked("HEAD /pictures/estuary/original", 2)  # each has looked whether it is open
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
