"""What a hostile visitor tries on a ledger that was made fast: free signatures, switches left behind, other sites' places."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

import pytest
from fake_keys import NOW, ticket_key
from mints import Mint, make_settings
from sqlalchemy import Connection, MetaData, create_engine

from flask_ticketminer.budgets import Budgets
from flask_ticketminer.database import Database
from flask_ticketminer.errors import (
    BlindedMessageRange,
    Busy,
    DuplicateShare,
    OutputAlreadySigned,
    TicketSpent,
)
from flask_ticketminer.mint.ledger import PaymentOrder
from flask_ticketminer.tables import define_tables
from miner.wallet import Wallet


@pytest.fixture
def still_mint(make_mint: Callable[..., Mint], ledger_url: str) -> Mint:
    """A mint whose budgets do not fill by themselves."""
    return make_mint(ledger_url, keys={"budgets": Budgets(make_settings(), monotonic=lambda: 0.0)})


def left(mint: Mint) -> float:
    """Return how many signatures the process would still make."""
    return mint.keys.budgets.signing.level


def make_scarce(mint: Mint) -> float:
    """Use up most signatures; return how many are left."""
    mint.keys.budgets.signing.take(left(mint) * 3 // 4)
    return left(mint)


def exchange(mint: Mint, value: int, *blinded: bytes) -> PaymentOrder:
    """Return the order that splits a new ticket of `value` into ones, the last of them for the messages `blinded`."""
    key = mint.keys.current(1)
    outputs = [mint.output(1) for _ in range(value - len(blinded))]
    outputs += [(key, message) for message in blinded]
    return PaymentOrder(os.urandom(32), [mint.ticket(value)], outputs, 0, "exchange")


# Signatures that nobody pays for


def test_a_payment_given_back_buys_no_signatures_once_its_tickets_are_spent(still_mint: Mint) -> None:
    ticket = still_mint.ticket(4)
    order = still_mint.order([ticket], 1)
    still_mint.give_up(order)
    still_mint.ledger.pay_at_once(still_mint.order([ticket], 4))
    before = left(still_mint)
    with pytest.raises(TicketSpent):
        still_mint.ledger.reserve(order)
    assert left(still_mint) == before


def test_an_output_that_is_signed_already_buys_no_signatures_for_the_others(still_mint: Mint) -> None:
    key, message = still_mint.output(1)
    still_mint.ledger.accept_share(os.urandom(32), os.urandom(32), value=1, key=key, blinded=message)
    order = exchange(still_mint, 16, message)
    before = make_scarce(still_mint)
    with pytest.raises(OutputAlreadySigned):
        still_mint.ledger.pay_at_once(order)
    assert left(still_mint) == before


def test_a_share_that_was_paid_buys_no_signatures_for_other_requests(still_mint: Mint) -> None:
    share, (key, message), (_, other) = os.urandom(32), still_mint.output(1), still_mint.output(1)
    first = still_mint.ledger.accept_share(share, b"a" * 32, value=1, key=key, blinded=message)
    before = make_scarce(still_mint)
    repeated = still_mint.ledger.accept_share(share, b"a" * 32, value=1, key=key, blinded=message)
    with pytest.raises(DuplicateShare):
        still_mint.ledger.accept_share(share, b"b" * 32, value=1, key=key, blinded=other)
    with pytest.raises(OutputAlreadySigned):
        still_mint.ledger.accept_share(os.urandom(32), b"c" * 32, value=1, key=key, blinded=message)
    assert (repeated.signature, left(still_mint)) == (first.signature, before)


def test_an_output_that_cannot_be_signed_buys_no_signatures_for_the_others(still_mint: Mint) -> None:
    order = exchange(still_mint, 16, b"\xff" * 256)
    before = left(still_mint)
    with pytest.raises(BlindedMessageRange):
        still_mint.ledger.pay_at_once(order)
    assert left(still_mint) == before


def test_what_a_site_is_too_busy_to_sign_takes_nothing_from_others(still_mint: Mint) -> None:
    order = exchange(still_mint, 16)
    still_mint.keys.budgets.signing.take(left(still_mint) - 10)
    with pytest.raises(Busy):
        still_mint.ledger.pay_at_once(order)
    assert left(still_mint) == 10


# SQLite's one connection that writes


def synchronous(connection: Connection) -> int:
    """Return how SQLite syncs: 2 is FULL."""
    return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())


def test_a_reservation_that_could_not_begin_leaves_later_payments_durable(
    make_mint: Callable[..., Mint], tmp_path: pathlib.Path
) -> None:
    mint = make_mint(f"sqlite:///{tmp_path}/tickets.sqlite")
    order = mint.order([mint.ticket()])

    def fail(connection: Connection) -> None:
        assert synchronous(connection) == 1
        raise LookupError("the unit failed")

    for _ in range(8):  # more often than a pool has connections
        with pytest.raises(LookupError):
            mint.database.transaction(fail, durable=False)
    assert mint.database.transaction(synchronous) == 2
    mint.ledger.pay_at_once(order)


def test_a_hosts_pool_of_one_connection_serves_readers_beside_the_writer(tmp_path: pathlib.Path) -> None:
    host = create_engine(f"sqlite:///{tmp_path}/host.sqlite", pool_size=1, max_overflow=0, pool_timeout=1)
    metadata = MetaData()
    tables = define_tables(metadata)
    metadata.create_all(host)
    database = Database(host=lambda: host, tables=tables)
    database.transaction(synchronous)
    assert database.read(synchronous) == 2
    database.dispose()
    host.dispose()


# A hostile site and the wallet


def test_a_site_that_repeats_anothers_keys_in_its_own_name_does_not_keep_the_wallet_from_it(
    tmp_path: pathlib.Path,
) -> None:
    with Wallet.open(tmp_path / "wallet", clock=lambda: NOW) as wallet:
        wallet.pin("https://evil.example", [ticket_key(1, name="evil.example")])
        wallet.pin("https://shop.example", [ticket_key(1, name="The Shop")])
        assert len(wallet.keys("https://shop.example")) == 1
