"""Take pictures of all that visitors see, wide and narrow, light and dark: ``python -m tests.browser_preview.shots FOLDER [NAME …]``.

Names are patterns such as ``element/ask*``. Each state is opened once, and the browser is given the four looks one after the other.
"""

from __future__ import annotations

import fnmatch
import json
import shutil
import sys
import tempfile
import threading
import time
import typing as t
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from browsers import DESKTOP, PHONE, Browser, PageError, Profile, Tab, launch
from chromium_tab import ChromiumTab
from demo_sites import DemoSite, DemoSites
from played_core import PlayedCore
from visits import DIALOG, Widget, fund, said

from tests.browser_preview.serve import server, states

Before = Callable[[Profile], object]
Step = Callable[[Tab], object]

LANGUAGES = ("en", "de", "fr", "lb", "es", "ar")
SIZES = {"desktop": DESKTOP, "phone": PHONE}
SCHEMES = {"light": False, "dark": True}
SLOW = {"yespower": 2**14, "scrypt": 2**17, "sha256d": 2**26}
"""Expected hashes a ticket that take a page about half a minute."""
SETTLED = """(() => {
  const found = (selector) => document.querySelector(selector);
  const miner = found("ticket-miner")?.shadowRoot;
  return [...document.images].every((image) => image.complete || image.loading === "lazy")
    && (!found("#place") || document.documentElement.dataset.ready)
    && (!found("#ticketminer-wallet") || found(".ticketminer-wallet > :is(.ticketminer-wallet__body, .ticketminer-problem):not([hidden])"))
    && (!found("[data-ticketminer-read][hidden]") || miner)
    && !miner?.querySelector(".opening, .loading, section[hidden]");
})()"""
UNSETTLED = ("element/loading", "element/wordless", "wallet/loading")
SCENES = Path(__file__).with_name("scenes.json")


class Studio:
    """Takes pictures of what matches one of the patterns `wanted` (none: of everything) into `folder`.

    :ivar complaints: what went wrong in the pages.
    """

    def __init__(self, browser: Browser, folder: Path, wanted: list[str]) -> None:
        self._browser, self._folder, self._wanted = browser, folder, wanted or ["*"]
        self.complaints: list[str] = []

    def take(self, name: str, url: str, *steps: Step, before: Before | None = None, **look: t.Any) -> None:
        """Open an address, do the steps, and take the four pictures; what is to be done `before` is done in the profile first."""
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in self._wanted):
            return
        with self._browser.profile(reduced_motion=True, **look) as profile:
            if before:
                before(profile)
            tab = t.cast(ChromiumTab, profile.tab(url))
            try:
                for step in steps:
                    step(tab)
                if name not in UNSETTLED and tab.look.javascript:
                    tab.wait_for(SETTLED)
                self._four(name, tab)
            except (AssertionError, PageError) as error:
                self.complaints.append(f"{name}: {error}")
            self.complaints += [f"{name}: {error}" for error in tab.errors()]

    def _four(self, name: str, tab: ChromiumTab) -> None:
        for place, size in SIZES.items():
            for scheme, dark in SCHEMES.items():
                tab.wear(replace(tab.look, size=size, dark=dark))
                time.sleep(0.3)  # by then the page has followed
                file = self._folder / f"{name}-{scheme}-{place}.png"
                tab.screenshot(file, full=not tab.has(DIALOG))
        print(name, flush=True)


def pasted(site: DemoSite, tickets: int) -> Step:
    """Return what pastes tickets of the site into the form without scripts."""
    return lambda tab: tab.fill("textarea[name=tickets]", site.tickets(tickets))


def press(key: str, n: int | None = None) -> Step:
    """Return what clicks the button of the wallet's dialog, or of the page if none is open, that carries a message."""
    return lambda tab: tab.click(
        f":is({DIALOG}, body:not(:has({DIALOG})) main) >>> button", start(f"wallet.{key}", n)
    )


def fill(value: str, selector: str = f"{DIALOG} input[type=number]") -> Step:
    return lambda tab: tab.fill(selector, value)


def click(selector: str, name: str | None = None) -> Step:
    return lambda tab: tab.click(selector, name)


def touch(key: str, n: int | None = None) -> Step:
    """Return what clicks a button of the element."""
    return lambda tab: Widget(tab).press(key, n=n)


def see(key: str, within: str = DIALOG, n: int | None = None) -> Step:
    """Return what waits for a message."""
    return lambda tab: tab.see(start(key, n), within, 60)


def run(script: str) -> Step:
    return lambda tab: tab.evaluate(script)


def start(key: str, n: int | None = None) -> str:
    """Return what a message says before its first value."""
    return said(key, **({} if n is None else {"n": n})).partition("{")[0]


def measured(tab: Tab) -> None:
    """Wait until the speed of the miner is known."""
    tab.until(lambda: said("per-second").partition("}")[2] in Widget(tab).text, "a speed", 60)


def elements(studio: Studio, base: str) -> None:
    """Take every state of states.js, and some in every language."""
    for state in states():
        studio.take(f"element/{state}", f"{base}/?state={state}&nav=no")
    for language in LANGUAGES[1:]:
        for state in ("ask", "mining-details"):
            query = f"state={state}&nav=no&lang={language}" + ("&dir=rtl" if language == "ar" else "")
            studio.take(f"element/{state}-{language}", f"{base}/?{query}")


def scenes(studio: Studio, sites: DemoSites) -> None:
    """Take what is in scenes.json. There, `holds` are tickets that the visitor has, `plays` is for wallet_core.js."""
    found = {
        "wallet": sites.donation(),
        "shop": sites.shop(TICKETMINER_EFFORT=SLOW),
        "donation": sites.donation(TICKETMINER_EFFORT=SLOW),
    }
    core = PlayedCore(found["wallet"])
    kinds: dict[str, Callable[..., Step]] = {
        "press": press,
        "fill": fill,
        "click": click,
        "touch": touch,
        "see": see,
        "run": run,
        "measured": lambda: measured,
    }
    for name, (how, *words) in json.loads(SCENES.read_text()).items():
        site = found[how["site"]]
        core.play(**{"told": None, **how.get("plays", {})})
        kinds["paste"] = partial(pasted, site)
        for language in LANGUAGES if "languages" in how else LANGUAGES[:1]:
            studio.take(
                name if language == "en" else f"{name}-{language}",
                site.url + how.get("path", "/ticketminer/wallet"),
                *(kinds[kind](*values) for kind, *values in words),
                before=partial(fund, site=site, tickets=how["holds"]) if "holds" in how else None,
                language=language,
                javascript=how.get("javascript", True),
            )


def main() -> int:
    folder, wanted = Path(sys.argv[1]), sys.argv[2:]
    if not shutil.which("chromium"):
        sys.exit("needs chromium: apt-get install chromium")
    with (
        tempfile.TemporaryDirectory() as scratch,
        launch("chromium", Path(scratch, "chromium")) as browser,
        DemoSites(Path(scratch)) as sites,
        server() as served,
    ):
        threading.Thread(target=served.serve_forever, daemon=True).start()
        studio = Studio(browser, folder, wanted)
        elements(studio, f"http://127.0.0.1:{served.server_port}")
        scenes(studio, sites)
        served.shutdown()
    print("\n".join(studio.complaints) or f"the pictures are in {folder}")
    return int(bool(studio.complaints))


if __name__ == "__main__":
    sys.exit(main())
