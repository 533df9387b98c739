"""Fixtures of the tests that need a browser. Processes are shared by the session, profiles belong to one test."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import pytest
from browsers import Browser, Profile, absent, launch
from demo_sites import DemoSite, DemoSites
from parts import missing

KINDS = ("chromium", "firefox")


def _started(kind: str, folder: pathlib.Path) -> Iterator[Browser]:
    reason = absent(kind)
    if reason is not None:
        missing(reason)
    with launch(kind, folder) as browser:
        yield browser


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for the session."""
    yield from _started("chromium", tmp_path_factory.mktemp("chromium"))


@pytest.fixture(scope="session")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Firefox for the session."""
    yield from _started("firefox", tmp_path_factory.mktemp("firefox"))


@pytest.fixture(scope="session", params=KINDS)
def browser(request: pytest.FixtureRequest) -> Browser:
    """Each browser in turn: the test runs in both."""
    found: Browser = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def open_profile(browser: Browser) -> Iterator[Callable[..., Profile]]:
    """Return a factory of empty profiles; its options are the fields of :class:`browsers.Look`."""
    profiles: list[Profile] = []

    def open_one(**look: object) -> Profile:
        profiles.append(browser.profile(**look))
        return profiles[-1]

    yield open_one
    for profile in profiles:
        profile.close()


@pytest.fixture
def profile(open_profile: Callable[..., Profile]) -> Profile:
    """An empty profile."""
    return open_profile()


@pytest.fixture
def own_browser(browser: Browser, tmp_path: pathlib.Path) -> Iterator[Callable[[], Browser]]:
    """Return a factory of browsers of the same kind with a process and a folder of their own, to be killed."""
    started: list[Browser] = []

    def start() -> Browser:
        started.append(launch(browser.kind, tmp_path / f"browser-{len(started)}"))
        return started[-1]

    yield start
    for own in started:
        own.close()


@pytest.fixture
def demos(tmp_path: pathlib.Path) -> Iterator[DemoSites]:
    """Return a starter of demonstration sites, served on loopback."""
    with DemoSites(tmp_path) as sites:
        yield sites


@pytest.fixture
def demo_shop_site(demos: DemoSites) -> DemoSite:
    """The picture shop."""
    return demos.shop()


@pytest.fixture
def demo_donation_site(demos: DemoSites) -> DemoSite:
    """The article with donation banners."""
    return demos.donation()
