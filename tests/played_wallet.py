"""The wallet page in a tab, with a core that plays behind it."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import pytest
from browsers import Profile, Tab
from demo_sites import DemoSites
from played_core import PlayedCore
from visits import DIALOG, said

TITLE = "Your tickets at tidepool.example"
BALANCE = ".ticketminer-balance"
TOAST = ".ticketminer-toast"


class PlayedWallet:
    """The wallet page in a tab, and the core behind it."""

    def __init__(self, tab: Tab, core: PlayedCore) -> None:
        self.tab, self.core = tab, core

    def press(self, key: str, within: str = "main", **values: object) -> None:
        """Click the button of the page that carries a message."""
        self.tab.click(f"{within} >>> button", "=" + said(f"wallet.{key}", **values))

    def answer(self, key: str, **values: object) -> None:
        """Click the button of the dialog that carries a message."""
        self.press(key, DIALOG, **values)

    def see(self, key: str, within: str = DIALOG, **values: object) -> str:
        return self.tab.see(said(f"wallet.{key}", **values), within)

    def told(self, key: str, **values: object) -> None:
        """Wait for an outcome that is spoken."""
        self.see(key, f"{TOAST} [role=status]", **values)

    def called(self, name: str, least: int = 1) -> list[list[t.Any]]:
        """Wait for so many calls of the core, and return the arguments of all."""
        return t.cast(
            "list[list[t.Any]]",
            self.tab.until(
                lambda: len(found := self.core.called(name)) >= least and found, f"{least} calls of {name}"
            ),
        )

    def no_dialog(self) -> None:
        self.tab.until(lambda: not self.tab.has(DIALOG), "the end of the dialog")

    def facts(self, within: str) -> dict[str, str]:
        """Return a list of terms and descriptions."""
        terms = self.tab.texts(f"{within} dt")
        return dict(zip(terms, self.tab.texts(f"{within} dd"), strict=True))


OpenWallet = Callable[..., PlayedWallet]


@pytest.fixture
def open_wallet(demos: DemoSites, open_profile: Callable[..., Profile]) -> t.Iterator[OpenWallet]:
    """Return what opens the wallet page; its options are those of wallet_core.js, and `fragment`, `look` and `ready`."""
    pages: list[PlayedWallet] = []

    def open_one(
        fragment: str = "", look: dict[str, t.Any] | None = None, ready: bool = True, **played: t.Any
    ) -> PlayedWallet:
        site = demos.donation()
        core = PlayedCore(site, **played)
        tab = open_profile(**(look or {})).tab(f"{site.url}/ticketminer/wallet{fragment}")
        pages.append(PlayedWallet(tab, core))
        if ready:
            tab.see(TITLE, f"{BALANCE} h1")
        return pages[-1]

    yield open_one
    for page in pages:
        # A page that went elsewhere in the end asks the site for what the core only plays to have bought.
        assert [noise for noise in page.tab.errors() if "404" not in noise] == []
