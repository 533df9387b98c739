"""Take a picture of every part and dialog of the wallet page: ``python -m tests.browser_preview.wallet_shots FOLDER [NAME …]``."""

from __future__ import annotations

import sys
import tempfile
import typing as t
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from demo_sites import DemoSite
from played_core import PlayedCore
from playwright.sync_api import Browser, Page, sync_playwright

import demo_donation

CHROMIUM = "/usr/bin/chromium"
WIDTHS = {"desktop": 1280, "phone": 390}
SCHEMES: tuple[t.Literal["light", "dark"], ...] = ("light", "dark")
NOTICES = [{"code": "words-unseen"}, {"code": "storage-temporary"}]
PAY = "location.hash = '#pay=/pictures/2/original'"


def press(*names: str) -> Callable[[Page], None]:
    """Return what presses visible buttons, by the beginning of their names, one after the other."""

    def act(page: Page) -> None:
        for name in names:
            inside = page.locator("dialog[open]") if page.locator("dialog[open]").count() else page
            inside.locator("button:visible").filter(has_text=name).first.click()
            page.wait_for_timeout(150)

    return act


def then(*acts: Callable[[Page], t.Any]) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        for one in acts:
            one(page)

    return act


def fill(selector: str, value: str) -> Callable[[Page], None]:
    return lambda page: page.locator(selector).fill(value)


def go(script: str) -> Callable[[Page], None]:
    return lambda page: page.evaluate(script)


NUMBER = "dialog input[type=number]"
TWELVE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
GIFT = then(press("Give tickets away"), fill(NUMBER, "3"), press("Take out 3"))
RECEIVE = (
    "location.hash = '#receive=ticketminer-tickets-1.' + btoa(JSON.stringify({origin: location.origin, tickets: ['a', 'b']}))"
    ".replace(/=/g, '')"
)

STATES: dict[str, tuple[dict[str, t.Any], Callable[[Page], t.Any]]] = {
    "page": ({"snapshot": {"notices": NOTICES}}, lambda page: page),
    "page-open": (
        {"view": {"wordsSeen": True}},
        go("document.querySelectorAll('details').forEach((d) => (d.open = true))"),
    ),
    "empty": ({"wallet": "empty"}, lambda page: page),
    "failed": (
        {
            "snapshot": {
                "phase": "failed",
                "siteName": "",
                "problem": {"code": "storage-refused", "detail": ""},
            }
        },
        lambda page: page,
    ),
    "loading": ({"snapshot": {"phase": "loading"}}, lambda page: page),
    "send": ({}, press("Give tickets away")),
    "gift": ({}, GIFT),
    "gift-large": ({}, then(press("Give tickets away"), fill(NUMBER, "31"), press("Take out 31"))),
    "gift-close": ({}, then(GIFT, press("Done"))),
    "receive": ({}, press("Receive tickets")),
    "receive-link": ({}, go(RECEIVE)),
    "received": ({}, then(go(RECEIVE), press("Take them"))),
    "donate": ({}, press("Donate")),
    "donate-short": ({}, then(press("Donate"), fill(NUMBER, "90"))),
    "donate-mine": ({}, then(press("Donate"), fill(NUMBER, "90"), press("Mine 90"))),
    "donate-thanks": ({}, then(press("Donate"), press("Give 5"))),
    "donate-refused": (
        {"answers": {"donate": {"problem": {"code": "site-unreachable", "detail": "No answer."}}}},
        then(press("Donate"), press("Give 5")),
    ),
    "purchase": ({}, go(PAY)),
    "purchase-short": ({"view": {"balance": 1}}, go(PAY)),
    "purchase-mine": ({"view": {"balance": 1}}, then(go(PAY), press("Mine 2"))),
    "words": ({}, press("Show the words")),
    "words-shown": ({}, press("Show the words", "Show them now")),
    "restore": ({}, press("Restore from words")),
    "restore-master": (
        {},
        then(press("Restore from words"), fill("dialog textarea", TWELVE), press("Restore")),
    ),
    "restore-working": (
        {"answers": {"restore": {"never": True}}},
        then(press("Restore from words"), fill("dialog textarea", "able " * 24), press("Restore")),
    ),
    "restored": (
        {},
        then(press("Restore from words"), fill("dialog textarea", "able " * 24), press("Restore")),
    ),
    "delete": ({}, press("Delete the wallet")),
    "delete-sure": ({}, press("Delete the wallet", "Go on without them")),
    "deleted": (
        {},
        then(
            press("Delete the wallet", "Go on"),
            lambda page: page.locator("dialog input").check(),
            press("Delete the wallet"),
        ),
    ),
    "reset": ({}, press("Reset")),
}


def take(browser: Browser, folder: Path, name: str) -> list[str]:
    """Write the pictures of one state; return what the page complained of."""
    played, act = STATES[name]
    complaints: list[str] = []
    site = DemoSite(demo_donation.create_app, Path(tempfile.mkdtemp()))
    PlayedCore(site, **played)
    for scheme in SCHEMES:
        for place, width in WIDTHS.items():
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
            )
            page = context.new_page()
            page.on("pageerror", lambda error: complaints.append(f"{name}: {error}"))
            page.goto(f"{site.url}/ticketminer/wallet")
            page.locator(".ticketminer-wallet").wait_for()
            page.wait_for_timeout(700)
            act(page)
            page.wait_for_timeout(700)
            full = not page.locator("dialog[open]").count()
            page.screenshot(path=folder / f"wallet-{name}-{scheme}-{place}.png", full_page=full)
            context.close()
    site.stop()
    site.close()
    return complaints


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        complaints = [line for name in sys.argv[2:] or STATES for line in take(browser, folder, name)]
        browser.close()
    print("\n".join(complaints) or "no complaints")


if __name__ == "__main__":
    main()
