"""Debian's Chromium, driven through the DevTools protocol."""

from __future__ import annotations

import pathlib
import shutil
import typing as t
from collections.abc import Iterator

from browsers import HOSTS, Browser, Look, Profile, Tab
from cdp import Connection, Session
from chromium_tab import ChromiumTab

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,Translate,OptimizationHints,MediaRouter",
    "--password-store=basic",
    "--use-mock-keychain",
    "--hide-scrollbars",
    "--host-resolver-rules="
    + ", ".join(
        [
            *(f"MAP {host} 127.0.0.1" for host in HOSTS),
            "MAP * ~NOTFOUND",
            "EXCLUDE 127.0.0.1",
            "EXCLUDE localhost",
        ]
    ),
)


class ChromiumProfile(Profile):
    """A browser context; the durable one is that of the process."""

    def __init__(self, browser: Chromium, look: Look, context: str | None) -> None:
        self.browser, self.look, self._context = browser, look, context
        self.downloads = browser.folder / "downloads" / (context or "durable")
        self.downloads.mkdir(parents=True, exist_ok=True)
        self._tabs: dict[str, ChromiumTab] = {}
        self._browser_wide = {"browserContextId": context} if context else {}
        browser.connection.browser.send(
            "Browser.setDownloadBehavior",
            behavior="allow",
            downloadPath=str(self.downloads),
            **self._browser_wide,
        )

    def tab(self, url: str | None = None) -> ChromiumTab:
        target = self._devtools.send("Target.createTarget", url="about:blank", **self._browser_wide)
        tab = self._tabs[target["targetId"]] = ChromiumTab(self, target["targetId"])
        tab.show()
        if url is not None:
            tab.goto(url)
        return tab

    def tabs(self) -> list[Tab]:
        for target in self._targets():
            if target not in self._tabs:
                self._tabs[target] = ChromiumTab(self, target)
        return list(self._tabs.values())

    def lost(self, tab: ChromiumTab) -> None:
        self._tabs.pop(tab.target, None)

    def close(self) -> None:
        if self._context:
            self._devtools.send("Target.disposeBrowserContext", browserContextId=self._context)
            shutil.rmtree(self.downloads, ignore_errors=True)
        else:
            for tab in list(self._tabs.values()):
                tab.close()
        self._tabs.clear()

    @property
    def _devtools(self) -> Session:
        return self.browser.connection.browser

    def _targets(self) -> Iterator[str]:
        for target in self._devtools.send("Target.getTargets")["targetInfos"]:
            ours = target["type"] == "page" and target.get("browserContextId") == (
                self._context or self.browser.durable_context
            )
            if ours and target["targetId"] not in self.browser.first_targets:
                yield target["targetId"]


class Chromium(Browser):
    """A Chromium of one's own."""

    kind = "chromium"

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        program = shutil.which("chromium")
        assert program is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        arguments = [*_ARGUMENTS, f"--user-data-dir={self.folder / 'profile'}"]
        self.connection = Connection(program, arguments, self.folder / "chromium.log")
        devtools = self.connection.browser
        self.user_agent = str(devtools.send("Browser.getVersion")["userAgent"]).replace(
            "HeadlessChrome", "Chrome"
        )
        infos = [info for info in devtools.send("Target.getTargets")["targetInfos"] if info["type"] == "page"]
        self.first_targets = {info["targetId"] for info in infos}
        self.durable_context = infos[0].get("browserContextId") if infos else None

    def profile(self, **look: t.Any) -> ChromiumProfile:
        context = self.connection.browser.send("Target.createBrowserContext")["browserContextId"]
        return ChromiumProfile(self, Look(**look), context)

    def durable(self, **look: t.Any) -> ChromiumProfile:
        return ChromiumProfile(self, Look(**look), None)

    def kill(self) -> None:
        self.connection.kill()

    def close(self) -> None:
        self.connection.close()
