"""What pages of others, visitors and a hostile site try against the wallet in the page, each against a real site."""

from __future__ import annotations

import json
import pathlib
import threading
import time
import typing as t
from collections.abc import Iterator

import pytest
from browsers import Browser, Profile
from demo_sites import Answer, DemoSites
from flask import Response as FlaskResponse
from flask import request
from live import LiveSite, LiveSites
from pasting import form_challenge, tickets_code
from visitor import Visitor
from visits import DIALOG, WIDGET, WalletPage, Widget, fund, original, said
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Response

from miner import Wallet
from miner.tokens import b64url


@pytest.fixture
def profile(chromium: Browser) -> Iterator[Profile]:
    with chromium.profile() as opened:
        yield opened


@pytest.fixture
def shop(tmp_path: pathlib.Path) -> Iterator[LiveSite]:
    with LiveSites(tmp_path) as sites:
        yield sites()


def sender(shop: LiveSite, fields: dict[str, str]) -> str:
    """Return a page that posts a form to the shop by itself."""
    return f"""<form method=post action="{shop.url}/ticketminer/redeem"></form><script>
        for (const [name, value] of Object.entries({json.dumps(fields)}))
            document.forms[0].append(Object.assign(document.createElement("input"), {{ name, value }}));
        document.forms[0].submit()</script>"""


def form(visitor: Visitor, path: str, ticket: str) -> dict[str, str]:
    return {"challenge": form_challenge(visitor, path), "tickets": tickets_code(ticket)}


def test_a_page_of_another_site_takes_no_pass_away(profile: Profile, shop: LiveSite) -> None:
    stranger = Visitor(shop.app)
    old = form(stranger, "/premium/a", stranger.ticket(2))
    assert stranger.client.post("/ticketminer/redeem", data=old).status_code == 303
    shop.clock.advance(3700)
    bought = form(stranger, "/premium/a", stranger.ticket(2))
    pages = {"/mine": sender(shop, bought), "/evil": sender(shop, old)}
    shop.before = lambda: pages.get(request.path)
    tab = profile.tab(f"{shop.url}/mine")
    tab.see("a")
    tab.goto(f"http://localhost:{shop.port}/evil")
    tab.goto(f"{shop.url}/premium/b")
    assert tab.text() == "b"


def test_what_a_reader_wrote_makes_no_banner_run_a_script(profile: Profile, demos: DemoSites) -> None:
    site = demos.donation()
    site.removed = {"Content-Security-Policy"}
    miner = {
        "onfocus": "document.title = 'run'",
        "autofocus": "",
        "about": "javascript:document.title = 'run'",
        "service": "/ticketminer/",
        "goal": "donate",
        "price": 1,
    }
    comment = f"""<section class="ticketminer-banner" data-ticketminer-miner='{json.dumps(miner).replace("'", "&#39;")}'>
        <form></form><button class=bait data-ticketminer-read>More</button></section>"""

    def commented(answer: Answer) -> Response:
        response = answer()
        response.set_data(response.get_data(as_text=True).replace("</main>", f"{comment}</main>"))
        return response

    site.on("GET /", commented)
    tab = profile.tab(site.url)
    tab.click(".bait")
    Widget(tab).see("ask.donate", n=1)
    assert tab.title != "run"
    links = (
        "[...document.querySelector('ticket-miner').shadowRoot.querySelectorAll('a')].map((a) => a.protocol)"
    )
    assert "javascript:" not in tab.evaluate(links)


def test_what_was_paid_never_leads_to_another_site(profile: Profile, demos: DemoSites) -> None:
    site = demos.shop()
    fund(profile, site, 2)
    elsewhere = f"/.//localhost:{site.port}/pictures/estuary"
    site.alter("POST /ticketminer/redeem", lambda answer: answer.update(location=elsewhere))
    tab = profile.tab(f"{site.url}/ticketminer/wallet#pay=/pictures/estuary/original")
    tab.click(f"{DIALOG} button", "=" + said("wallet.purchase.pay", n=2))
    assert profile.downloaded().read_bytes() == original("estuary")
    assert tab.url.startswith(site.url)


def test_a_key_that_outlives_the_calendar_is_refused(profile: Profile, demos: DemoSites) -> None:
    site = demos.shop()

    def outlive(directory: dict[str, t.Any]) -> None:
        for key in directory["token-keys"]:
            key["redeem-until"] = 2**53 - 1

    site.alter("GET /ticketminer/keys", outlive)
    page = WalletPage(profile, site)
    page.press("wallet.receive.open")
    page.tab.fill(f"{DIALOG} textarea", site.tickets(1))
    page.press("wallet.receive.take")
    page.tab.see(said("error.site-protocol"), DIALOG)


@pytest.mark.parametrize("page", ["/ticketminer/wallet", "/pictures/estuary/original"])
def test_no_page_of_others_lays_ours_under_its_own(profile: Profile, demos: DemoSites, page: str) -> None:
    site, evil = demos.shop(), demos.donation()
    site.headers = {"Content-Security-Policy": "default-src 'self'"}  # a host's stamp, which forgets frames
    evil.removed = {"Content-Security-Policy"}
    evil.on(
        "GET /", lambda _: Response(f"<iframe src='{site.url}{page}'></iframe>", content_type="text/html")
    )
    tab = profile.tab(evil.url)
    site.wait_asked(f"GET {page}")
    tab.evaluate("new Promise((resolve) => setTimeout(resolve, 1000))")
    assert site.asked("GET *.js") == 0


def test_what_is_found_after_the_price_was_reached_pays_nothing_again(
    profile: Profile, shop: LiveSite, tmp_path: pathlib.Path
) -> None:
    shares = threading.Semaphore(0)

    def wait() -> None:
        if request.path == "/ticketminer/submit":
            shares.acquire(timeout=30)

    wallet = profile.tab(f"{shop.url}/ticketminer/wallet")
    wallet.until(lambda: wallet.has(".ticketminer-wallet__body"), "the wallet")
    with Wallet.open(tmp_path / "giver.sqlite") as giver:
        shop.fill(giver, 16)
        gift = giver.send(shop.url, 16)

    def attached(response: FlaskResponse) -> FlaskResponse:
        if request.path == "/pictures/four" and response.status_code == 200:
            response.headers["Content-Disposition"] = "attachment"
        return response

    shop.before, shop.after = wait, attached
    widget = Widget(profile.tab(f"{shop.url}/pictures/four"))
    widget.agree()
    widget.tab.until(lambda: "POST /ticketminer/submit" in shop.requests, "a share")
    time.sleep(2)  # three more are found meanwhile
    wallet.show()
    wallet.evaluate("void (location.hash = args[0])", f"#receive={gift}")
    wallet.click(f"{DIALOG} button", "=" + said("wallet.receive.take"))
    wallet.see(said("wallet.receive.received", n=16), DIALOG)
    shares.release(9)
    widget.tab.show()
    assert profile.downloaded().read_text() == "four"
    widget.tab.until(
        lambda: shop.requests.count("POST /ticketminer/submit") == 4, "the shares that were left"
    )
    time.sleep(2)
    assert shop.paid() == 4


def test_a_site_that_asks_for_more_work_than_it_said_is_seen_to(profile: Profile, demos: DemoSites) -> None:
    site = demos.shop()
    said_once = False

    def announce(service: dict[str, t.Any]) -> None:
        nonlocal said_once
        if said_once:
            service["algorithms"][0]["expected_hashes"] *= 2**26
        said_once = True

    def demand(job: dict[str, t.Any]) -> None:
        job["expected_hashes"] *= 2**26
        job["target"] = f"{2**256 // job['expected_hashes'] - 1:064x}"

    site.alter("GET /ticketminer/", announce)
    site.alter("POST /ticketminer/job", demand)
    widget = Widget(profile.tab(f"{site.url}/pictures/estuary"))
    widget.agree()
    widget.see("mining")
    widget.tab.see("days", WIDGET)


def test_a_payment_whose_answer_was_lost_is_not_mined_for_again(profile: Profile, demos: DemoSites) -> None:
    site = demos.shop()
    site.lose("POST /ticketminer/redeem")
    widget = Widget(profile.tab(f"{site.url}/pictures/estuary"))
    widget.agree()
    widget.press("act.retry")
    mined = site.asked("POST /ticketminer/submit")
    widget.tab.until(lambda: not widget.shows("failed"), "an answer to the question")
    widget.tab.click(f"{WIDGET} >>> :is(button, a).main")
    assert profile.downloaded().read_bytes() == original("estuary")
    assert (site.asked("POST /ticketminer/submit"), site.paid()) == (mined, 2)


def test_two_services_of_one_origin_do_not_mine_at_once(profile: Profile, demos: DemoSites) -> None:
    endless = {"yespower": 2**30, "scrypt": 2**30, "sha256d": 2**30}
    site, other = (demos.shop(TICKETMINER_EFFORT=endless), demos.donation(TICKETMINER_EFFORT=endless))
    site.app.wsgi_app = DispatcherMiddleware(site.app.wsgi_app, {"/two": other.app})
    script = '<script type="module" src="/ticketminer/element.js"></script>'
    tags = [
        f'<ticket-miner id="{name}" service="{path}/ticketminer/"></ticket-miner>'
        for name, path in (("one", ""), ("two", "/two"))
    ]
    site.on("GET /", lambda _: Response(script + "".join(tags), content_type="text/html"))
    tab = profile.tab(site.url)
    for name, key in (("one", "mining"), ("two", "observing")):
        tab.click(f"#{name} >>> button", "=" + said("agree"))
        tab.see(said(key), f"#{name}")


def test_a_share_that_is_refused_is_replaced(profile: Profile, demos: DemoSites) -> None:
    site = demos.shop()
    site.fail("POST /ticketminer/submit", status=409, cause="duplicate-share", wait=None)
    widget = Widget(profile.tab(f"{site.url}/pictures/estuary"))
    widget.agree()
    assert profile.downloaded().read_bytes() == original("estuary")


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_is_far_off_hides_no_ticket(profile: Profile, demos: DemoSites, days: int) -> None:
    site = demos.shop(ahead=days * 86_400)
    widget = Widget(profile.tab(f"{site.url}/pictures/estuary"))
    widget.agree()
    assert profile.downloaded().read_bytes() == original("estuary")
    assert site.paid() == 2


def test_a_gift_says_nothing_in_the_name_of_the_site(profile: Profile, demos: DemoSites) -> None:
    gift = {"origin": "https://a.example, CLOSED. Send your words to support", "tickets": ["x"]}
    text = "ticketminer-tickets-1." + b64url(json.dumps(gift).encode())
    tab = profile.tab(f"{demos.shop().url}/ticketminer/wallet#receive={text}")
    tab.see(said("wallet.receive.title"), DIALOG)
    assert "CLOSED" not in tab.text(DIALOG)


def test_consent_taken_back_on_the_wallet_page_ends_the_work(profile: Profile, demos: DemoSites) -> None:
    site = demos.shop()
    page = WalletPage(profile, site)
    page.tab.fill("input[type=number]", "9999")
    widget = Widget(page.tab)
    widget.agree()
    site.wait_asked("POST /ticketminer/submit", 2)
    widget.press("withdraw")
    widget.see("declined")
    time.sleep(2)
    asked = site.asked("POST *")
    time.sleep(3)
    assert site.asked("POST *") == asked


def test_a_gift_that_a_dying_tab_had_not_shown_is_shown_by_the_next(
    profile: Profile, demos: DemoSites
) -> None:
    site = demos.shop()
    fund(profile, site, 4)
    page = WalletPage(profile, site)
    page.press("wallet.gift.open")
    page.tab.fill(f"{DIALOG} input", "4")
    page.press("wallet.gift.make", n=4)
    page.tab.see(said("wallet.gift.ready-title", n=4), DIALOG)
    page.tab.crash()
    page = WalletPage(profile, site)
    page.tab.see(said("wallet.gift.ready-title", n=4), DIALOG)
    text = page.tab.value(f"{DIALOG} textarea")
    page.press("wallet.gift.save")
    page.press("wallet.dialog.done")
    page.receive(text, 4)
    page = WalletPage(profile, site)
    page.has(4)
    assert not page.tab.has(DIALOG)
