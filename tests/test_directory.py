"""The key directory and the spent files, which everyone gets alike."""

from __future__ import annotations

import hashlib
import json
import typing as t
from collections.abc import Callable

import pytest
from mints import Mint

from flask_ticketminer.errors import UnknownKey
from flask_ticketminer.mint.directory import Directory
from flask_ticketminer.mint.spent import SpentFiles
from miner.tokens import public_key_from_spki, token_key_id, unb64url

DAY = 86400


def entries(mint: Mint) -> list[dict[str, t.Any]]:
    return t.cast(
        list[dict[str, t.Any]], json.loads(Directory(mint.keys).document("/submit").body)["token-keys"]
    )


def test_it_names_where_to_ask(memory_mint: Mint) -> None:
    document = Directory(memory_mint.keys).document("/shop/ticketminer/submit")
    assert json.loads(document.body)["issuer-request-uri"] == "/shop/ticketminer/submit"


def test_every_denomination_is_listed_by_value(memory_mint: Mint) -> None:
    assert [entry["value"] for entry in entries(memory_mint)] == [2**power for power in range(10)]


def test_an_entry_describes_its_key(memory_mint: Mint) -> None:
    entry, key = entries(memory_mint)[0], memory_mint.keys.current(1)
    public = public_key_from_spki(unb64url(entry["token-key"]))
    assert token_key_id(public).hex() == entry["key-id"]
    assert (entry["token-type"], entry["issuer-name"]) == (2, "shop.example")
    assert (entry["not-before"], entry["issue-until"], entry["redeem-until"]) == (
        key.starts,
        key.ends,
        key.redeem_until,
    )


def test_current_keys_come_first_in_the_announced_overlap(memory_mint: Mint) -> None:
    memory_mint.keys.ensure_epoch()
    memory_mint.clock.advance(4 * DAY)
    listed = entries(memory_mint)
    starts = [entry["not-before"] for entry in listed]
    assert len(listed) == 20
    assert starts == sorted(starts)
    memory_mint.clock.advance(DAY)  # now the second ten are current
    again = entries(memory_mint)
    assert [entry["key-id"] for entry in again[:10]] == [entry["key-id"] for entry in listed[10:]]


def test_entries_never_change_and_are_only_added(memory_mint: Mint) -> None:
    before = {entry["key-id"]: entry for entry in entries(memory_mint)}
    memory_mint.clock.advance(10 * DAY)
    after = {entry["key-id"]: entry for entry in entries(memory_mint)}
    assert before.items() <= after.items()


def test_expired_keys_leave_the_directory(memory_mint: Mint) -> None:
    old = entries(memory_mint)[0]
    memory_mint.clock.time = old["redeem-until"]
    assert old["key-id"] not in {entry["key-id"] for entry in entries(memory_mint)}


def test_processes_serve_the_same_bytes(make_mint: Callable[..., Mint], sqlite_url: str) -> None:
    one, two = (Directory(make_mint(sqlite_url).keys).document("/submit") for _ in range(2))
    assert one == two


def test_the_tag_changes_with_the_keys(memory_mint: Mint) -> None:
    directory = Directory(memory_mint.keys)
    before = directory.document("/submit")
    assert directory.document("/submit") is before
    memory_mint.keys.rotate()
    assert directory.document("/submit").etag != before.etag


def test_the_spent_file_holds_sorted_truncated_hashes(mint: Mint) -> None:
    tickets = [mint.ticket() for _ in range(3)]
    mint.ledger.pay_at_once(mint.order(tickets))
    body = SpentFiles(mint.database, mint.keys).document(tickets[0].key_id).body
    assert body == b"".join(sorted(hashlib.sha256(ticket.nonce).digest()[:8] for ticket in tickets))


def test_the_spent_file_of_an_unknown_key_is_refused(memory_mint: Mint) -> None:
    with pytest.raises(UnknownKey):
        SpentFiles(memory_mint.database, memory_mint.keys).document(bytes(32))
