"""Browsers with a screen that nobody sees: what Chromium and Firefox from Debian have in common for a test."""

from __future__ import annotations

import abc
import contextlib
import json
import pathlib
import shutil
import time
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import dataclass

HERE = pathlib.Path(__file__).parent / "browser"
DOM = (HERE / "dom.js").read_text()
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")

DESKTOP = (1280, 900)
PHONE = (390, 844)
HOSTS = ("shop.test", "donation.test")
"""Names that lead to this machine and yet are no loopback names: pages of http://shop.test are no secure contexts."""

PATIENCE = 45.0
"""Seconds that a page has to become what a test waits for."""
LOADING = 60.0
"""Seconds that a page has to load."""


class PageError(Exception):
    """A script of the test failed in the page, or the page was not what the script needs."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a profile's browser is set up. Without `webassembly` neither pages nor workers have it."""

    size: tuple[int, int] = DESKTOP
    dark: bool = False
    reduced_motion: bool = False
    language: str = "en-US"
    javascript: bool = True
    webassembly: bool = True


@dataclass(frozen=True, slots=True)
class Fetched:
    """A request that a tab or its workers made. `size` is that of the body, uncompressed, in bytes.

    It is 0 while the request is under way, and for the script that a worker begins with, of which Chromium does not tell.
    """

    method: str
    url: str
    status: int
    size: int
    cached: bool


class Tab(abc.ABC):
    """A tab. Scripts of tests are JavaScript expressions; they may contain ``await`` and have `arguments` as ``args``."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.noises: list[str] = []

    # What each browser does in its own way

    @abc.abstractmethod
    def goto(self, url: str) -> None:
        """Open an address and wait until the page is loaded; an address that is a download leaves the page as it is."""

    @abc.abstractmethod
    def reload(self) -> None:
        """Load the page again, and wait for it."""

    @abc.abstractmethod
    def back(self) -> None:
        """Go back one page, and wait for it."""

    @abc.abstractmethod
    def evaluate(self, expression: str, *args: t.Any) -> t.Any:
        """Return the value of an expression in the page's own world, awaited.

        :raises PageError: it threw, or the page went away meanwhile.
        """

    @abc.abstractmethod
    def press(self, *keys: str) -> None:
        """Press keys one after the other: names as of ``KeyboardEvent.key``, such as ``Tab`` or ``Shift+Tab``."""

    @abc.abstractmethod
    def type(self, text: str) -> None:
        """Enter text where the focus is."""

    @abc.abstractmethod
    def screenshot(self, file: pathlib.Path, *, full: bool = True) -> None:
        """Write a picture of the page (`full`) or of what is in view, as PNG."""

    @abc.abstractmethod
    def show(self) -> None:
        """Bring the tab to the front: others of its profile are hidden then."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the tab as its button does."""

    @abc.abstractmethod
    def crash(self) -> None:
        """Kill the process of the page with its workers, as when the system is short of memory, and close what is left."""

    @abc.abstractmethod
    def errors(self) -> list[str]:
        """Return what went wrong in page and workers since the last call: uncaught errors, ``console.error``, breaches of policy."""

    @abc.abstractmethod
    def _ask(self, body: str) -> t.Any:
        """Return what the body of an async function returns, in a world beside the page's."""

    @abc.abstractmethod
    def _mouse(self, x: float, y: float) -> None: ...

    # What they have in common

    @property
    def url(self) -> str:
        return str(self._ask("return location.href"))

    @property
    def title(self) -> str:
        return str(self._ask("return document.title"))

    def dom(self, call: str, *args: t.Any) -> t.Any:
        """Call a function of ``browser/dom.js``."""
        return self._ask(f"{DOM}\nreturn {call}(...{json.dumps(args)})")

    def texts(self, selector: str) -> list[str]:
        """Return the text of every visible element that matches, as it is read; selectors see into shadow roots."""
        return [
            str(words)
            for words in self._ask(
                f"{DOM}\nreturn all({json.dumps(selector)}).filter(visible).map((e) => text(e))"
            )
        ]

    def text(self, selector: str = "body") -> str:
        """Return the text of the first visible element that matches; empty when there is none."""
        return next(iter(self.texts(selector)), "")

    def has(self, selector: str, name: str | None = None) -> bool:
        """Return whether a visible element matches whose name contains `name` (is it, when `name` begins with ``=``)."""
        return bool(self._ask(f"{DOM}\nreturn matching(...{json.dumps([selector, name])}).length > 0"))

    def value(self, selector: str) -> str:
        """Return what stands in an input."""
        return str(self._ask(f"{DOM}\nreturn all({json.dumps(selector)})[0].value"))

    def until(self, holds: Callable[[], t.Any], what: str, seconds: float = PATIENCE) -> t.Any:
        """Wait until `holds` returns something true, and return that.

        :raises AssertionError: it did not; with what the page says instead.
        """
        deadline, pause = time.monotonic() + seconds, pauses()
        while True:
            with contextlib.suppress(PageError):
                if result := holds():
                    return result
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {seconds:.0f} s. {self._story()}")
            time.sleep(next(pause))

    def wait_for(self, expression: str, *args: t.Any, seconds: float = PATIENCE) -> t.Any:
        """Wait until an expression is true in the page, and return it."""
        return self.until(lambda: self.evaluate(expression, *args), expression, seconds)

    def see(self, words: str, selector: str = "body", seconds: float = PATIENCE) -> str:
        """Wait until an element that matches shows `words`, and return its text."""

        def shown() -> str | None:
            return next((text for text in self.texts(selector) if words in " ".join(text.split())), None)

        return str(self.until(shown, f"{words!r} in {selector}", seconds))

    def click(self, selector: str, name: str | None = None, seconds: float = PATIENCE) -> None:
        """Click the middle of the first visible element that matches with the mouse, once it is there, still and not covered."""
        deadline, before, pause = time.monotonic() + seconds, None, pauses()
        while True:
            try:
                place = self.dom("point", selector, name)
            except PageError as error:
                place = {"why": str(error)}
            if "x" in place and place == before:
                self._mouse(place["x"], place["y"])
                if self._struck():
                    return
                place = {"why": "it moves away"}
            if time.monotonic() > deadline:
                raise AssertionError(f"{place.get('why', 'it moves')}. {self._story()}")
            before = place
            time.sleep(next(pause))

    def _struck(self) -> bool:
        """Return whether the last click arrived where it was aimed at; if not, the page moved in between."""
        if not self.look.javascript:  # there is nothing to hear it by, and nothing that moves
            return True
        try:
            return bool(self.dom("struck"))
        except PageError:  # it led away
            return True

    def fill(self, selector: str, value: str, name: str | None = None) -> None:
        """Put `value` in place of what stands in an input: by keys, except for sliders and selects."""
        self.until(lambda: self.has(selector, name), f"{selector} named {name}")
        prepared = self.dom("prepare", selector, name, value)
        if prepared.get("keys"):
            if prepared["empty"]:
                self.press("Delete")
            else:
                self.type(value)

    def focused(self) -> str:
        """Return role and name of what has the focus, such as ``button "Pay"``."""
        return str(self.dom("focused"))

    def focus_order(self, most: int = 80) -> list[str]:
        """Press Tab from the top of the page through all that takes the focus, and return what it was, in order."""
        # What was focused or clicked last is where Tab goes on from, even after it lost the focus.
        self._ask(
            "document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')"
        )
        self.show()
        order: list[str] = []
        seen: set[str] = set()
        listening = time.monotonic() + PATIENCE  # a tab that was opened a moment ago may not listen yet
        for _ in range(most):
            self.press("Tab")
            while not (place := str(self._ask(f"{DOM}\nreturn place()"))) and not order:
                if time.monotonic() > listening:
                    break
                time.sleep(0.2)
                self.press("Tab")
            if not place or place in seen:
                break
            seen.add(place)
            order.append(self.focused())
        return order

    def axe(self) -> list[str]:
        """Return what axe-core finds at WCAG 2.2 AA, shadow roots included: one line a place, once the page has all its looks.

        The script enters a world beside the page's, where the page's policy does not reach.
        """
        self.until(lambda: self._ask("return document.readyState === 'complete'"), "the whole page")
        found = self._ask(
            f"if (!globalThis.axe) {{ {AXE.read_text()} }}\n"
            f"const runOnly = {{ type: 'tag', values: {json.dumps(WCAG)} }};\n"
            "const { violations } = await axe.run(document, { runOnly, resultTypes: ['violations'] });\n"
            "return violations.flatMap((v) => v.nodes.map((n) => "
            "`${v.id} (${v.impact}): ${n.target.flat().join(' >>> ')}: ${n.failureSummary.replace(/\\s+/g, ' ')}`))"
        )
        return [str(line) for line in found]

    def _story(self) -> str:
        """Return where the tab is, what it shows, and what went wrong, for who has to find out why."""
        try:
            shown = f"{self.url} shows:\n{self.text()}\n"
            return shown + "".join(f"error: {error}\n" for error in self.errors())
        except PageError as error:
            return str(error)

    def requests(self) -> list[Fetched]:
        """Return what this tab has requested, workers included. Chromium only: elsewhere ask the site that was asked."""
        raise NotImplementedError(
            "only Chromium tells what it requests; DemoSite.seen knows for every browser"
        )


class Profile(abc.ABC):
    """Somebody's browser: storage and cookies that nobody else sees."""

    look: Look
    downloads: pathlib.Path

    @abc.abstractmethod
    def tab(self, url: str | None = None) -> Tab:
        """Open a tab, in front of the others."""

    @abc.abstractmethod
    def tabs(self) -> list[Tab]:
        """Return all tabs, those that pages opened included, the oldest first."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the tabs and forget all that the profile holds, unless it is the durable one."""

    def downloaded(self, seconds: float = PATIENCE) -> pathlib.Path:
        """Wait for a file to be downloaded, take it out of the folder of downloads, and return where it is now."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            done = [file for file in self.downloads.iterdir() if file.is_file() and not _partial(file)]
            if done and done[0].stat().st_size:
                kept = self.downloads / "taken"
                kept.mkdir(exist_ok=True)
                return pathlib.Path(shutil.move(done[0], kept / done[0].name))
            time.sleep(0.05)
        raise AssertionError(f"nothing was downloaded within {seconds:.0f} s")

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Browser(abc.ABC):
    """A browser's process, started when it is made, and its folder.

    :ivar folder: what is on its disk.
    """

    kind: str
    folder: pathlib.Path

    @abc.abstractmethod
    def profile(self, **look: t.Any) -> Profile:
        """Return a profile that is empty and stays in memory; its options are the fields of :class:`Look`."""

    @abc.abstractmethod
    def durable(self, **look: t.Any) -> Profile:
        """Return the profile in :attr:`folder`, which outlives the process."""

    @abc.abstractmethod
    def kill(self) -> None:
        """End the process with SIGKILL, its tabs and workers with it."""

    @abc.abstractmethod
    def start(self) -> None:
        """Start the process again, on the same folder."""

    @abc.abstractmethod
    def close(self) -> None:
        """End the process in good order."""

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def pauses() -> Iterator[float]:
    """Yield seconds to wait between two looks at a page, the longer the more there were: looking takes its time away."""
    pause = 0.02
    while True:
        yield pause
        pause = min(0.25, pause * 1.3)


def absent(kind: str) -> str | None:
    """Return what is missing to run a browser and how to get that; None when all is here."""
    package = {"chromium": "chromium", "firefox": "firefox-esr"}[kind]
    if shutil.which(package) is None:
        return f"needs {kind}: apt-get install {package}"
    if not AXE.is_file():
        return "needs axe-core: make test installs it, or: cd tests/browser && npm ci"
    return None


def launch(kind: str, folder: pathlib.Path) -> Browser:
    """Start a browser, ``chromium`` or ``firefox``, whose files are in `folder`."""
    if kind == "chromium":
        from chromium import Chromium

        return Chromium(folder)
    from firefox import Firefox

    return Firefox(folder)


def _partial(file: pathlib.Path) -> bool:
    if file.suffix in {".part", ".crdownload"} or file.name.startswith("."):
        return True
    return file.with_name(file.name + ".part").exists()
