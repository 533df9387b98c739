"""What tests of the limits share: emptied budgets, and a count of how often the database was asked."""

from __future__ import annotations

import contextlib
import typing as t

from sites import Shop
from sqlalchemy import event

from flask_ticketminer.budgets import Bucket
from flask_ticketminer.site import Site


def site_of(shop: Shop) -> Site:
    return t.cast("Site", shop.app.extensions["ticketminer"])


def use_up(bucket: Bucket) -> None:
    """Leave `bucket` in a debt that no test outlasts."""
    bucket.give_back(bucket.burst)
    bucket.take(1000 * bucket.burst)


@contextlib.contextmanager
def connections(shop: Shop) -> t.Iterator[list[None]]:
    """Collect one entry each time a connection to the ledger's database is used for anything."""
    used: list[None] = []

    def note(*_: object) -> None:
        used.append(None)

    pool = site_of(shop).database.engine.pool
    event.listen(pool, "checkout", note)
    try:
        yield used
    finally:
        event.remove(pool, "checkout", note)
