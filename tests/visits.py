"""What a visitor does with the pages, in the words of the English catalogue."""

from __future__ import annotations

import functools
import json
import pathlib
import typing as t

from browsers import Profile, Tab
from demo_sites import DemoSite

CATALOGUE = pathlib.Path(__file__).parent.parent / "miner" / "browser" / "messages" / "en"
ORIGINALS = pathlib.Path(__file__).parent.parent / "demo_shop" / "originals"
WIDGET = "ticket-miner"
DIALOG = "dialog[open]"


@functools.cache
def _catalogue() -> dict[str, t.Any]:
    return {
        key: entry
        for file in sorted(CATALOGUE.glob("*.json"))
        for key, entry in json.loads(file.read_text()).items()
    }


def said(key: str, **values: object) -> str:
    """Return the English message called `key`; its plural form goes by `n`."""
    entry = _catalogue()[key]
    text = str(entry if isinstance(entry, str) else entry["one" if values.get("n") == 1 else "other"])
    return functools.reduce(
        lambda done, item: done.replace(f"{{{item[0]}}}", str(item[1])), values.items(), text
    )


class Widget:
    """The element that mines and pays, on the page of a tab."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    def press(self, key: str, **values: object) -> None:
        """Click the button that carries a message."""
        self.tab.click(f"{WIDGET} >>> :is(button, a)", "=" + said(key, **values))

    def agree(self) -> None:
        """Agree to what the site asks for."""
        self.press("agree")

    def see(self, key: str, seconds: float = 60, **values: object) -> str:
        """Wait until it shows a message, and return all that it shows."""
        return self.tab.see(said(key, **values), WIDGET, seconds)

    def shows(self, key: str, **values: object) -> bool:
        """Return whether it shows a message now."""
        return said(key, **values) in self.text

    @property
    def text(self) -> str:
        """All that it shows, in one line."""
        return " ".join(self.tab.text(WIDGET).split())

    def spoken(self) -> list[str]:
        """Return what a screen reader was told since the first call on this page."""
        return t.cast("list[str]", self.tab.dom("spoken", WIDGET))


class WalletPage:
    """The wallet page of a site."""

    def __init__(self, profile: Profile, site: DemoSite, at: str | None = None) -> None:
        self.tab = profile.tab(f"{at or site.url}/ticketminer/wallet")
        self.tab.see(said("wallet.title", site=site.app.config["TICKETMINER_SITE_NAME"]), "h1", 30)
        self.tab.until(lambda: self.tab.has(".ticketminer-wallet__body"), "the wallet")

    def press(self, key: str, **values: object) -> None:
        """Click the button that carries a message, in the dialog if one is open."""
        name = "=" + said(key, **values)
        behind = f"body:not(:has({DIALOG})) main"
        place = self.tab.until(
            lambda: next((p for p in (DIALOG, behind) if self.tab.has(f"{p} >>> button", name)), None), name
        )
        self.tab.click(f"{place} >>> button", name)

    def balance(self) -> int:
        """Return the number on the page."""
        return int(self.tab.text(".ticketminer-balance .ticketminer-stub__number"))

    def has(self, tickets: int) -> None:
        """Wait until the page shows this balance."""
        self.tab.until(lambda: self.balance() == tickets, f"a balance of {tickets}")

    def receive(self, text: str, tickets: int) -> None:
        """Take in tickets that somebody gave."""
        self.press("wallet.receive.open")
        self.tab.fill(f"{DIALOG} textarea", text)
        self.press("wallet.receive.take")
        self.tab.see(said("wallet.receive.received", n=tickets), DIALOG, 30)
        self.press("wallet.dialog.done")

    def words(self) -> str:
        """Look up the words of this wallet."""
        self.press("wallet.words.show")
        self.press("wallet.words.reveal")
        self.tab.until(lambda: self.tab.has(".ticketminer-words"), "the words")
        words = " ".join(self.tab.texts(".ticketminer-words li"))
        self.press("wallet.words.written")
        self.tab.until(lambda: not self.tab.has(DIALOG), "the end of the dialog")
        return words

    def restore(self, words: str, tickets: int) -> None:
        """Restore from words which bring back so many tickets."""
        self.press("wallet.restore.open")
        self.tab.fill(f"{DIALOG} textarea", words)
        self.press("wallet.restore.go")
        self.tab.see(said("wallet.restore.found", n=tickets), DIALOG, 60)
        self.press("wallet.dialog.done")


def fund(profile: Profile, site: DemoSite, tickets: int, at: str | None = None) -> None:
    """Put tickets worth so many into the wallet of a profile, as a gift."""
    page = WalletPage(profile, site, at)
    page.receive(site.tickets(tickets, at), tickets)
    page.has(tickets)
    page.tab.close()


def original(name: str) -> bytes:
    """Return a picture as whoever has bought it gets it."""
    return (ORIGINALS / f"{name}.png").read_bytes()


def walk_to(tab: Tab, wanted: str) -> None:
    """Press Tab until something has the focus."""
    seen = []
    for _ in range(60):
        tab.press("Tab")
        seen.append(tab.focused())
        if seen[-1] == wanted:
            return
    raise AssertionError(f"{wanted} is not among {seen}")
