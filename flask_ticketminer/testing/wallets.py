"""Wallets filled in process: their tickets are issued through the ledger, as if they had been mined."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
import typing as t
import weakref
from collections import Counter

from flask import Flask
from flask.testing import EnvironBuilder

from flask_ticketminer.errors import ConfigurationError
from flask_ticketminer.mint.keys import MintKey
from flask_ticketminer.site import Site
from miner.service import TicketKey
from miner.tokens import amount, split
from miner.transport import origin_of
from miner.wallet import Wallet

if t.TYPE_CHECKING:
    from miner.wallet.store import Store


def wallet(app: Flask, tickets: int = 0) -> Wallet:
    """Return a wallet with tickets worth `tickets` for the site of `app`; its file goes when it is closed or collected.

    :raises ConfigurationError: `app` is not under test, or has no tickets.
    """
    site = site_under_test(app)
    made = _TemporaryWallet.make(site.clock.now)
    fill(made, site, origin_under_test(app), tickets)
    return made


def fill(into: Wallet, site: Site, origin: str, tickets: int) -> None:
    """Put tickets worth `tickets` for `origin` into a wallet: as few as make that sum.

    Each is issued for a share that nobody found, so the books balance.
    """
    values = split(amount(tickets, name="tickets"))
    if not values:
        return
    # Change may come in any smaller denomination; pinning those keys now saves fetching (and making) all of them.
    keys = {value: site.keys.current(value) for value in site.settings.denominations if value <= max(values)}
    into.pin(origin, [_public(key) for key in keys.values()])
    for value, count in Counter(values).items():
        into.deposit(origin, _public(keys[value]), _signer(site, keys[value]), count)


def site_under_test(app: Flask) -> Site:
    """Return the site of `app`.

    :raises ConfigurationError: `app` is not under test, or has no tickets.
    """
    if not app.testing:
        raise ConfigurationError(
            "flask_ticketminer.testing issues tickets that nobody earned: set app.testing = True, in tests only."
        )
    site = app.extensions.get("ticketminer")
    if site is None:
        raise ConfigurationError(
            "This application has no tickets: call TicketMiner(app), or tickets.init_app(app) in its factory."
        )
    return t.cast("Site", site)


def origin_under_test(app: Flask) -> str:
    """Return the origin that requests of the test client of `app` are for: ``http://localhost`` unless it is configured."""
    builder = EnvironBuilder(app)
    try:
        return origin_of(builder.base_url)
    finally:
        builder.close()


class _TemporaryWallet(Wallet):
    """A wallet whose file goes with it."""

    @classmethod
    def make(cls, clock: t.Callable[[], int]) -> t.Self:
        folder = tempfile.mkdtemp(prefix="ticketminer-")
        made = cls.open(pathlib.Path(folder) / "wallet.sqlite", clock=clock)
        made._discard = weakref.finalize(made, _discard, made._store, folder)
        return made

    _discard: weakref.finalize[t.Any, t.Any]

    def close(self) -> None:
        self._discard()


def _discard(store: Store, folder: str) -> None:
    store.close()
    shutil.rmtree(folder, ignore_errors=True)


def _public(key: MintKey) -> TicketKey:
    return TicketKey(key.key_id, key.value, key.starts, key.ends, key.redeem_until, key.issuer_name, key.spki)


def _signer(site: Site, key: MintKey) -> t.Callable[[bytes], bytes]:
    def sign(blinded: bytes) -> bytes:
        paid = site.ledger.accept_share(
            os.urandom(32), os.urandom(32), value=key.value, key=key, blinded=blinded
        )
        return t.cast("bytes", paid.signature)

    return sign
