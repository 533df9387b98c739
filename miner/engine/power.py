"""Whether the machine runs on battery."""

from __future__ import annotations

import pathlib
import typing as t


class PowerSource(t.Protocol):
    """Says what feeds the machine."""

    def on_battery(self) -> bool | None:
        """Return whether the machine runs on battery; ``None`` when it does not say."""


class SysfsPower:
    """Linux's ``/sys/class/power_supply``; unknown everywhere else."""

    def __init__(self, root: pathlib.Path = pathlib.Path("/sys/class/power_supply")) -> None:
        self._root = root

    def on_battery(self) -> bool | None:
        """A plugged-in mains supply settles it; without any, a battery that discharges does."""
        try:
            supplies = sorted(self._root.iterdir())
        except OSError:
            return None
        mains, batteries = [], []
        for supply in supplies:
            if _read(supply, "scope") == "Device":  # the battery of a mouse or headset
                continue
            kind = _read(supply, "type")
            if kind in ("Mains", "USB", "Wireless"):
                mains.append(_read(supply, "online") == "1")
            elif kind in ("Battery", "UPS"):
                batteries.append(_read(supply, "status"))
        if any(mains):
            return False
        if "Discharging" in batteries:
            return True
        if batteries and all(status in ("Charging", "Full", "Not charging") for status in batteries):
            return False
        return None


def _read(supply: pathlib.Path, name: str) -> str | None:
    try:
        return (supply / name).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
