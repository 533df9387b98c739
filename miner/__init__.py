"""The visitor's side of tickets: wallet, client, payment, mining. Imports no Flask.

The names below are loaded when they are first used, so that ``miner.tokens`` and ``miner.pow`` stay light.
"""

from __future__ import annotations

import importlib
import typing as t

if t.TYPE_CHECKING:
    from miner.client import SiteClient
    from miner.payment import TicketAuth
    from miner.wallet import Wallet

__all__ = ["SiteClient", "TicketAuth", "Wallet"]

_HOMES = {"SiteClient": "miner.client", "TicketAuth": "miner.payment", "Wallet": "miner.wallet"}


def __getattr__(name: str) -> t.Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
