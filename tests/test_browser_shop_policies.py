"""A purchase under policies of every kind, on plain http, without WebAssembly and without JavaScript."""

from __future__ import annotations

import re

import httpx
from browsers import Profile
from demo_sites import DemoSite, DemoSites
from flask import make_response, render_template_string
from purchases import ENDLESS, OpenProfile, assert_bought, at
from visits import WIDGET, Widget, original, said
from werkzeug.wrappers import Response


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


def test_a_page_may_admit_scripts_by_nonce_alone(profile: Profile, demo_shop_site: DemoSite) -> None:
    site = demo_shop_site

    def page() -> Response:
        source = "<!doctype html><title>Page</title>{{ ticketminer_widget(2, resource='/pictures/estuary/original', nonce='r4nd0m') }}"
        response = make_response(render_template_string(source))
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'nonce-r4nd0m'; worker-src 'self'; style-src 'self'; "
            "connect-src 'self'; img-src 'self'"
        )
        return response

    site.app.add_url_rule("/page", "page", page)
    widget = Widget(profile.tab(f"{site.url}/page"))
    widget.agree()
    assert_bought(profile, widget)
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
