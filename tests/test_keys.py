"""Ticket keys: one for each denomination and epoch, whoever makes it and whatever happens to the clock."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from mints import EPOCH, START, Mint, Wrapping
from sqlalchemy import event, select, update

from flask_ticketminer.errors import KeyNotSigning, MintUnavailable, RetiredKey, UnknownKey
from flask_ticketminer.mint.key_pool import pooled_keys
from flask_ticketminer.mint.keys import MintKey, generate_rsa
from flask_ticketminer.mint.retirement import prune
from miner.tokens import TokenChallenge, token_key_id

DAY = 86400


def test_a_generated_key_is_what_tickets_need() -> None:
    key = generate_rsa()
    assert (key.key_size, key.public_key().public_numbers().e) == (2048, 65537)


def test_a_key_has_the_dates_of_its_epoch(memory_mint: Mint) -> None:
    key = memory_mint.keys.current(4)
    start = START // EPOCH * EPOCH
    assert (key.value, key.starts, key.ends) == (4, start, start + EPOCH)
    assert key.redeem_until == key.ends + 14 * DAY
    assert key.signs_until == key.ends + 900 + 120


def test_a_key_is_bound_to_the_site_name(memory_mint: Mint) -> None:
    key = memory_mint.keys.current(1)
    assert key.challenge_digest == TokenChallenge("shop.example").digest
    assert key.key_id == token_key_id(key.public_key)


def test_the_key_stays_the_same_for_its_epoch_and_changes_after_it(memory_mint: Mint) -> None:
    first = memory_mint.keys.current(1)
    memory_mint.clock.advance(4 * DAY)
    assert memory_mint.keys.current(1) == first
    memory_mint.clock.advance(DAY)
    assert memory_mint.keys.current(1) != first


def test_another_process_uses_the_key_that_is_there(make_mint: Callable[..., Mint], ledger_url: str) -> None:
    assert make_mint(ledger_url).keys.current(1) == make_mint(ledger_url).keys.current(1)


def test_processes_that_make_a_key_together_agree(make_mint: Callable[..., Mint], ledger_url: str) -> None:
    pool = [pooled_keys() for _ in range(4)]
    for ahead, source in enumerate(pool):  # each would make another key
        for _ in range(ahead):
            source()
    mints = [make_mint(ledger_url, keys={"generate": source}) for source in pool]
    with ThreadPoolExecutor(4) as threads:
        keys = list(threads.map(lambda mint: mint.keys.current(1), mints))
    assert len({key.key_id for key in keys}) == 1


def test_the_last_bytes_of_key_ids_differ(memory_mint: Mint) -> None:
    memory_mint.keys.rotate()
    ids = [key.key_id for key in memory_mint.keys.live_keys()]
    assert len({key_id[-1] for key_id in ids}) == len(ids) == 20


def test_the_next_epoch_is_announced_two_days_ahead(memory_mint: Mint) -> None:
    assert len(memory_mint.keys.ensure_epoch()) == 10
    memory_mint.clock.advance(3 * DAY - 1)
    assert memory_mint.keys.ensure_epoch() == []
    memory_mint.clock.advance(1)
    assert {key.starts for key in memory_mint.keys.ensure_epoch()} == {START // EPOCH * EPOCH + EPOCH}


def test_new_keys_are_announced_once(make_mint: Callable[..., Mint]) -> None:
    heard: list[MintKey] = []
    mint = make_mint(keys={"on_new_keys": heard.extend})
    for _ in range(2):
        mint.keys.ensure_epoch()
    assert [key.value for key in heard] == [2**power for power in range(10)]


def test_a_key_signs_only_in_its_time(memory_mint: Mint) -> None:
    key, blinded = memory_mint.output(1)
    memory_mint.clock.time = key.signs_until - 1
    assert len(memory_mint.keys.sign(key, blinded)) == 256
    for outside in (key.signs_until, key.starts - 1):
        memory_mint.clock.time = outside
        with pytest.raises(KeyNotSigning):
            memory_mint.keys.sign(key, blinded)


def test_an_unknown_id_is_unknown(memory_mint: Mint) -> None:
    with pytest.raises(UnknownKey):
        memory_mint.keys.find(bytes(32))


def test_guessed_ids_do_not_read_the_database_each_time(make_mint: Callable[..., Mint]) -> None:
    mint = make_mint(keys={"reload_every": 3600.0})
    mint.keys.current(1)
    statements: list[str] = []
    event.listen(
        mint.database.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2])
    )
    for number in range(50):
        with pytest.raises(UnknownKey):
            mint.keys.find(number.to_bytes(32, "big"))
    assert statements == []


def test_a_key_made_elsewhere_is_found(make_mint: Callable[..., Mint], sqlite_url: str) -> None:
    here, there = make_mint(sqlite_url), make_mint(sqlite_url)
    here.keys.current(1)
    assert here.keys.find(there.keys.current(2).key_id).value == 2


def test_a_retired_key_is_told_from_an_unknown_one(memory_mint: Mint) -> None:
    key = memory_mint.keys.current(1)
    memory_mint.clock.time = key.redeem_until + DAY
    prune(memory_mint.database, memory_mint.settings, memory_mint.clock, force=True)
    with pytest.raises(RetiredKey):
        memory_mint.keys.find(key.key_id)


def test_a_clock_set_back_makes_no_second_key_for_an_epoch(memory_mint: Mint) -> None:
    key = memory_mint.keys.current(1)
    memory_mint.clock.time = key.redeem_until + DAY
    prune(memory_mint.database, memory_mint.settings, memory_mint.clock, force=True)
    memory_mint.clock.time = START
    with pytest.raises(MintUnavailable, match="clock"):
        memory_mint.keys.current(1)


def test_longer_epochs_begin_where_the_last_one_ended(
    make_mint: Callable[..., Mint], sqlite_url: str
) -> None:
    before = make_mint(sqlite_url).keys.current(1)
    mint = make_mint(sqlite_url, epoch_days=30)
    assert mint.keys.current(1) == before
    mint.clock.time = before.ends
    assert mint.keys.current(1).starts == before.ends


def test_private_keys_are_wrapped(memory_mint: Mint) -> None:
    key = memory_mint.keys.current(1)
    table = memory_mint.database.tables.key
    wrapped = memory_mint.database.read(lambda c: c.execute(select(table.c.wrapped_private)).scalar_one())
    assert key.spki[-270:-5] not in wrapped  # the modulus stands in a plain private key


def lost(make_mint: Callable[..., Mint], url: str) -> tuple[MintKey, Mint]:
    key = make_mint(url, wrapping=Wrapping("a")).keys.current(1)
    return key, make_mint(url, wrapping=Wrapping("b"))


def test_a_key_that_cannot_be_unwrapped_stops_the_mint(
    make_mint: Callable[..., Mint], sqlite_url: str
) -> None:
    _, mint = lost(make_mint, sqlite_url)
    with pytest.raises(MintUnavailable, match="TICKETMINER_KEY_SECRET"):
        mint.keys.current(1)


def test_a_key_that_cannot_be_unwrapped_is_never_replaced(
    make_mint: Callable[..., Mint], sqlite_url: str
) -> None:
    key, mint = lost(make_mint, sqlite_url)
    with pytest.raises(MintUnavailable):
        mint.keys.current(1)
    assert [known.key_id for known in mint.keys.live_keys()] == [key.key_id]


def test_an_old_secret_still_unwraps_and_rewrap_makes_it_needless(
    make_mint: Callable[..., Mint], sqlite_url: str
) -> None:
    key, _ = lost(make_mint, sqlite_url)
    assert make_mint(sqlite_url, wrapping=Wrapping("ba")).keys.rewrap() == 1
    assert make_mint(sqlite_url, wrapping=Wrapping("b")).keys.current(1) == key


def test_a_wrapped_key_moved_to_another_row_is_refused(memory_mint: Mint) -> None:
    mint = memory_mint
    one, two = mint.keys.current(1), mint.keys.current(2)
    table = mint.database.tables.key

    def swap(connection: t.Any) -> None:
        wrapped = connection.execute(
            select(table.c.wrapped_private).where(table.c.key_id == one.key_id)
        ).scalar_one()
        connection.execute(update(table).where(table.c.key_id == two.key_id).values(wrapped_private=wrapped))

    mint.database.transaction(swap)
    mint.keys._signers.clear()
    with pytest.raises(MintUnavailable):
        mint.keys.current(2)
