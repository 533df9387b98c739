"""Numbers, durations and foreign text as people read them in a terminal."""

from __future__ import annotations

import re
import time

from miner.wording import plural as plural
from miner.wording import tickets as tickets

_UNSAFE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def escaped(document: str) -> str:
    """Return the JSON `document` with the same characters written as escapes, which a terminal does not obey."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def safe(text: str) -> str:
    """Return `text` of a site without what could rewrite the terminal; line breaks stay."""
    return _UNSAFE.sub("", text.replace("\r\n", "\n").replace("\t", "    "))


def rate(hashes: float) -> str:
    """Return a hash rate with three digits: ``718 kH/s``."""
    return f"{_scaled(hashes)}H/s"


def hashes(count: float) -> str:
    """Return a number of hashes, with three digits when it is large: ``4,096 hashes``, ``16.8 million hashes``."""
    if count < 99_999.5:
        return f"{count:,.0f} hashes"
    number, _, unit = _scaled(count).partition(" ")
    word = {"": "", "k": "thousand ", "M": "million ", "G": "billion ", "T": "trillion "}[unit]
    return f"{number} {word}hashes"


def _scaled(number: float) -> str:
    for unit in ("", "k", "M", "G"):
        if number < 999.5:
            digits = (
                0 if number >= 99.5 or (not unit and number == int(number)) else 1 if number >= 9.95 else 2
            )
            return f"{number:.{digits}f} {unit}"
        number /= 1000
    return f"{number:,.0f} T"


def duration(seconds: float) -> str:
    """Return a length of time in at most two units: ``45 s``, ``3 min 20 s``, ``2 h 5 min``, ``4 days``."""
    whole = round(seconds)
    if whole < 1:
        return "under 1 s"
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"


def usually_under(seconds: float) -> str:
    """Return an upper estimate, rounded up to a number one reads at a glance."""
    steps = [1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 600, 900, 1200, 1800, 2700, 3600]
    rounded = next((step for step in steps if seconds <= step), None)
    return duration(rounded if rounded is not None else -(-seconds // 3600) * 3600)


def day(moment: int) -> str:
    """Return the UTC date of `moment` (Unix seconds): ``2026-11-22``."""
    return time.strftime("%Y-%m-%d", time.gmtime(moment))


def local_time(moment: float | None = None) -> str:
    """Return a local time of day: ``12:03:04``."""
    return time.strftime("%H:%M:%S", time.localtime(moment))


def moment(seconds: int) -> str:
    """Return a local date and time: ``2026-11-22 12:03``."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
