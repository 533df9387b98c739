"""Buying a picture in the shop, as a visitor with a browser does it."""

from __future__ import annotations

from collections.abc import Callable

from browsers import Profile
from demo_sites import DemoSite
from visits import Widget, original, said

ENDLESS = {"yespower": 2**30, "scrypt": 2**30, "sha256d": 2**30}
"""Expected hashes a ticket of which no test finds one."""

OpenProfile = Callable[..., Profile]


def at(profile: Profile, site: DemoSite, picture: str = "estuary", host: str | None = None) -> Widget:
    """Open the page of a picture; estuary costs 2 tickets, birches 3."""
    widget = Widget(profile.tab(f"{host or site.url}/pictures/{picture}"))
    widget.tab.until(lambda: widget.text, "the widget")
    return widget


def assert_bought(profile: Profile, widget: Widget, picture: str = "estuary") -> None:
    widget.see("paid")
    assert profile.downloaded().read_bytes() == original(picture)


def prefix(key: str) -> str:
    """Return what a message says before its first value."""
    return said(key).partition("{")[0]
