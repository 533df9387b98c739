"""A purchase by keyboard alone, with a screen reader, and on a main thread that is never busy for long."""

from __future__ import annotations

from browsers import Browser, Profile
from chromium_tab import ChromiumTab
from demo_sites import DemoSite, DemoSites
from purchases import ENDLESS, assert_bought, at
from visits import WIDGET, Widget, said, walk_to

LONGEST_TASK = 50.0
"""Milliseconds."""


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
