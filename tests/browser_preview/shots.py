"""Take a picture of every state, light and dark, wide and narrow: ``python -m tests.browser_preview.shots FOLDER [STATE …]``."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser_preview.serve import server, states

CHROMIUM = "/usr/bin/chromium"
WIDTHS = {"desktop": 1280, "phone": 390}
SCHEMES = ("light", "dark")
SETTLED = (
    "!document.querySelector('ticket-miner').shadowRoot.querySelector('.opening, .loading, section[hidden]')"
)


def take(browser: Browser, base: str, folder: Path, names: list[str], extra: str = "") -> list[str]:
    """Write the pictures and return what the pages complained of, faults that a state is made of excepted."""
    complaints = []
    for scheme in SCHEMES:
        for place, width in WIDTHS.items():
            context = browser.new_context(viewport={"width": width, "height": 760}, color_scheme=scheme)
            for name in names:
                page = context.new_page()
                page.on("pageerror", lambda error, name=name: complaints.append(f"{name}: {error}"))
                page.goto(f"{base}/?state={name}&nav=no{extra}")
                if name not in ("wordless",):
                    page.locator("html[data-ready=yes]").wait_for(state="attached", timeout=10_000)
                if name not in ("wordless", "loading"):
                    deadline = time.monotonic() + 20  # the page's policy forbids playwright to wait by itself
                    while not page.evaluate(SETTLED) and time.monotonic() < deadline:
                        page.wait_for_timeout(50)
                page.wait_for_timeout(500)
                page.screenshot(path=folder / f"{name}-{scheme}-{place}.png", full_page=True)
                page.close()
            context.close()
    return complaints


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    served = server()
    threading.Thread(target=served.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        complaints = take(browser, f"http://127.0.0.1:{served.server_port}", folder, sys.argv[2:] or states())
        browser.close()
    print("\n".join(complaints) or "no complaints")


if __name__ == "__main__":
    main()
