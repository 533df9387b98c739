"""A purchase under policies of every kind, on plain http, without WebAssembly and without JavaScript."""

from __future__ import annotations

import pathlib
import re

import httpx
import pytest
from browsers import Profile
from demo_sites import DemoSite, DemoSites
from flask import render_template_string
from purchases import ENDLESS, OpenProfile, assert_bought, at
from visits import WIDGET, Widget, original, said

DOCS = pathlib.Path(__file__).parent.parent / "docs"


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


@pytest.mark.parametrize(
    "scripts",
    ["'nonce-r4nd0m'", "'self'; require-trusted-types-for 'script'; trusted-types ticketminer"],
    ids=["nonce", "trusted-types"],
)
def test_a_page_may_be_stricter_about_scripts(
    profile: Profile, demo_shop_site: DemoSite, scripts: str
) -> None:
    site = demo_shop_site
    body = "{{ ticketminer_widget(2, resource='/pictures/estuary/original', nonce='r4nd0m') }}"
    policy = "default-src 'none'; worker-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    add_page(site, "/page", body, {"Content-Security-Policy": policy + f"script-src {scripts}"})
    widget = Widget(profile.tab(f"{site.url}/page"))
    widget.agree()
    assert_bought(profile, widget)
    assert widget.tab.errors() == []


def test_the_tag_of_the_documentation_works_in_a_page_that_no_template_of_ours_writes(
    profile: Profile, demo_shop_site: DemoSite
) -> None:
    site = demo_shop_site
    (tag,) = re.findall(r"```html\n(.*?)```", (DOCS / "browser.md").read_text(), re.DOTALL)
    add_page(site, "/page", tag.replace('"/report"', '"/pictures/birches/original"'))
    widget = Widget(profile.tab(f"{site.url}/page"))
    widget.agree()
    assert_bought(profile, widget, "birches")
    assert widget.tab.errors() == []


def add_page(site: DemoSite, path: str, body: str, headers: dict[str, str] | None = None) -> None:
    """Add a page to a site that has answered nothing yet."""
    source = f"<!doctype html><html lang=en><title>Page</title>{body}"
    site.app.add_url_rule(path, path, lambda: (render_template_string(source), headers or {}))


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
    tab.see(said("page.widget.script"), WIDGET)
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
