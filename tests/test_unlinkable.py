"""Spending cannot be joined to earning: not by any byte that the site sees, and not by its tables afterwards."""

from __future__ import annotations

import base64
import contextlib
import os
import pathlib
import secrets
import typing as t
import zlib
from collections.abc import Callable, Iterator

import physical
import pytest
from crowd import Crowd, views, watched
from guesser import best_guesses, correlation
from guest import Guest
from mints import START, Mint
from sites import Shop, make_shop
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from visitor import Output, Visitor
from witness import Record, Witness, joins

from flask_ticketminer.clock import ManualClock
from flask_ticketminer.mint.ledger import Reservation
from flask_ticketminer.mint.retirement import prune
from miner.tokens import blind, public_key_from_spki, unb64url
from miner.wallet import Wallet

HOUR = 3600
WALLETS = 100
ALPHA = 1e-6
"""The probability that all of a view's guesses stay within the bound when nothing is given away, subtracted from one."""
DEVIATIONS = 5.0

Visits = dict[str, Record]
Tour = Callable[..., tuple[Visits, list[Record]]]


@pytest.fixture
def tour(tmp_path: pathlib.Path, manual_clock: ManualClock) -> Iterator[Tour]:
    """Return a function that lets two wallets do everything there is to do, at the same hours.

    It returns what was recorded of each visit of the first, and of all of the second: what is in both anybody could have sent.
    """
    opened = contextlib.ExitStack()

    def make(url: str, **careless: t.Any) -> tuple[Visits, list[Record]]:
        shop = make_shop(tmp_path, url, manual_clock)
        witness = Witness(shop.app)
        opened.callback(witness.close)
        one, other = (Wallet.open(tmp_path / f"{n}.sqlite", clock=manual_clock.now) for n in (1, 2))
        guests = [Guest(shop.app, one, **careless), Guest(shop.app, other)]
        visits: Visits = {}
        others: list[Record] = []
        opened.callback(one.close)
        opened.callback(other.close)

        def visit(name: str, act: Callable[..., object], *arguments: t.Any) -> None:
            manual_clock.advance(HOUR)
            # The other one goes first: rows and statements that are there from then on are not the first wallet's doing.
            with witness.visit() as record:
                act(guests[1], *arguments)
            others.append(record)
            with witness.visit() as visits[name]:
                act(guests[0], *arguments)

        visit("earn for exact payment", Guest.mine, 4)
        visit("exact payment", Guest.pay, "/pictures/four")
        visit("earn for payment with change", Guest.mine, 4)
        visit("payment with change", Guest.pay, "/report")
        visit("payment from change", Guest.pay, "/once")
        visit("earn for exchange", Guest.mine, 4)
        visit("exchange", Guest.split, 4, (2, 2))
        visit("payment from exchange", Guest.pay, "/premium/a")
        visit("donation from exchange", Guest.pay, "/ticketminer/donate?amount=2&fund=articles")
        visit("earn for restore", Guest.mine, 4)
        for number, wallet in enumerate((one, other)):
            path = tmp_path / f"again{number}.sqlite"
            again = Wallet.create_from_words(path, wallet.words(), clock=manual_clock.now)
            opened.callback(again.close)
            guests[number] = Guest(shop.app, again, **(careless if number == 0 else {}))
        visit("restore", Guest.restore)
        visit("payment after restore", Guest.pay, "/pictures/four")
        return visits, others

    with opened:
        yield make


def test_nothing_that_a_site_records_joins_two_visits(tour: Tour, database_url: str) -> None:
    visits, others = tour(database_url)
    del visits["restore"]
    assert joins(visits, others) == {}


def test_a_restore_joins_the_issues_of_a_wallet_and_no_spending(tour: Tour, sqlite_url: str) -> None:
    """A restore asks for what was issued, by hashes of blinded messages: change and exchanges issue, too."""
    found = joins(*tour(sqlite_url))
    issues = ("earn for exact payment", "earn for payment with change", "payment with change")
    issues += ("earn for exchange", "exchange", "earn for restore")
    assert found.keys() == {(issue, "restore") for issue in issues}


def test_every_channel_is_recorded(tour: Tour, sqlite_url: str) -> None:
    visits, _ = tour(sqlite_url)
    assert visits["payment with change"].channels.keys() == {
        "wire",
        "log",
        "signal",
        "statement",
        "row",
        "file",
    }


def test_a_cookie_joins_visits(tour: Tour, sqlite_url: str) -> None:
    found = joins(*tour(sqlite_url, headers={"Cookie": "visitor=4f1d93a0c27be865"}))
    assert bytes.fromhex("4f1d93a0c27be865") in found["earn for exact payment", "exact payment"]


def test_a_pass_for_many_pages_joins_the_visits_of_a_client_that_keeps_cookies(
    tour: Tour, sqlite_url: str
) -> None:
    found = joins(*tour(sqlite_url, keeps_cookies=True))
    assert ("payment from exchange", "earn for restore") in found


def test_an_address_joins_visits(tour: Tour, sqlite_url: str) -> None:
    found = joins(*tour(sqlite_url, address="203.0.113.77"))
    assert b"203.0.113.77" in found["earn for exact payment", "exact payment"]


FORMS: dict[str, Callable[[bytes], str]] = {
    "hex": bytes.hex,
    "little-endian": lambda value: value[::-1].hex(),
    "base64url": lambda value: base64.urlsafe_b64encode(value).decode().rstrip("="),
    "compressed": lambda value: base64.urlsafe_b64encode(zlib.compress(value.hex().encode())).decode(),
    "escaped": lambda value: repr(value),
    "twice encoded": lambda value: base64.b64encode(base64.b64encode(value)).decode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_blinded_message_that_comes_again_is_found(form: str) -> None:
    blinded = bytes(range(65, 97)) * 8
    issue, redemption = Record(), Record()
    issue.add("wire", blinded)
    redemption.add("wire", f"X-Note: {FORMS[form](blinded)}")
    assert joins({"issue": issue, "redemption": redemption}).keys() == {("issue", "redemption")}


def _output_with(fresh: Output, nonce: bytes) -> Output:
    message = fresh.message[:2] + nonce + fresh.message[34:]
    key = public_key_from_spki(unb64url(fresh.entry["token-key"]))
    blinded, inverse = blind(key, message, salt=os.urandom(48), r=secrets.randbelow(2**2040) + 1)
    return Output(fresh.entry, message, nonce, blinded, inverse)


def test_a_nonce_taken_from_the_job_is_found(sqlite_url: str, tmp_path: pathlib.Path) -> None:
    shop = make_shop(tmp_path, sqlite_url, ManualClock(START))
    witness, visitor = Witness(shop.app), Visitor(shop.app)
    with witness.visit() as issue:
        job = visitor.job()
        output = _output_with(visitor.output(), bytes.fromhex(job["blob"])[20:52])
        reply = visitor.post("/submit", visitor.share(job, output))
    ticket = output.ticket(t.cast("dict[str, t.Any]", reply.json)["token_response"])
    with witness.visit() as redemption:
        assert visitor.pay("/once", visitor.credential("/once", [ticket])).status_code == 200
    witness.close()
    runs = joins({"issue": issue, "redemption": redemption})["issue", "redemption"]
    assert any(output.nonce in run for run in runs)


@pytest.fixture
def crowd(make_mint: Callable[..., Mint], database_url: str) -> Crowd:
    """A crowd that has come and gone; the replay window is over and ``prune`` has run."""
    crowd = Crowd(make_mint(database_url), WALLETS, seed=3)
    crowd.live()
    return crowd


def test_tables_link_nothing_after_the_replay_window(crowd: Crowd) -> None:
    lasting = [seen for seen in views(crowd) if "write-ahead" not in seen.name]
    guesses = [guess for seen in lasting for guess in best_guesses(seen, crowd.truth, alpha=ALPHA)]
    assert [str(guess) for guess in guesses if guess.advantage] == []
    assert [seen.name for seen in lasting if abs(correlation(seen, crowd.truth)) > DEVIATIONS] == []
    # The same guesser does see the order where there is one.
    assert correlation(watched(crowd), crowd.truth) > DEVIATIONS


def test_the_guesser_finds_tickets_that_are_spent_at_once(
    make_mint: Callable[..., Mint], sqlite_url: str
) -> None:
    crowd = Crowd(make_mint(sqlite_url), 40, seed=3, habit="at once")
    crowd.live()
    assert any(guess.advantage for guess in best_guesses(watched(crowd), crowd.truth, alpha=ALPHA))


def test_the_guesser_finds_tickets_that_lie_in_order(
    make_mint: Callable[..., Mint], postgres_url: str
) -> None:
    crowd = Crowd(make_mint(postgres_url), 40, seed=3, habit="at once", pruned=False)
    crowd.live()
    dump = next(seen for seen in views(crowd) if "dump" in seen.name)
    assert correlation(dump, crowd.truth) > DEVIATIONS


@pytest.fixture
def mint_with_change(make_mint: Callable[..., Mint], postgres_url: str) -> Mint:
    """A mint on PostgreSQL that has given change."""
    mint = make_mint(postgres_url)
    for _ in range(4):
        mint.ledger.pay_at_once(mint.order([mint.ticket(4)], 1))
    return mint


def test_pruning_forgets_which_tickets_were_change_for_which(mint_with_change: Mint) -> None:
    mint = mint_with_change
    before = physical.transactions(mint.database)
    assert set(before["issued"].values()) & set(before["spent"].values())
    prune(mint.database, mint.settings, mint.clock, force=True)
    after = physical.transactions(mint.database)
    assert not set(after["issued"].values()) & set(after["spent"].values())
    assert after["issued"].keys() == before["issued"].keys()


def test_pruning_sorts_issued_rows(mint_with_change: Mint) -> None:
    mint = mint_with_change
    prune(mint.database, mint.settings, mint.clock, force=True)
    rows = physical.by_position(mint.database)["issued"]
    for key_id in {pair[0] for pair in rows}:
        hashes = [value for key, value in rows if key == key_id]
        assert hashes == sorted(hashes)


def test_pruning_again_writes_no_row(mint_with_change: Mint) -> None:
    mint = mint_with_change
    prune(mint.database, mint.settings, mint.clock, force=True)
    before = physical.transactions(mint.database)
    prune(mint.database, mint.settings, mint.clock, force=True)
    assert physical.transactions(mint.database) == before


def test_pruning_leaves_what_a_reservation_holds(make_mint: Callable[..., Mint], postgres_url: str) -> None:
    mint = make_mint(postgres_url)
    reserved = mint.ledger.reserve(mint.order([mint.ticket(4)], 1))
    before = physical.transactions(mint.database)["issued"]
    prune(mint.database, mint.settings, mint.clock, force=True)
    assert physical.transactions(mint.database)["issued"] == before
    assert isinstance(reserved, Reservation)
    assert mint.ledger.release(reserved)


def test_issued_and_spent_rows_have_no_time_and_no_sequence(memory_mint: Mint) -> None:
    tables = memory_mint.database.tables
    columns = {
        table.name: {column.name for column in table.columns} for table in (tables.issued, tables.spent)
    }
    assert columns == {
        "ticketminer_issued": {"key_id", "blinded_hash", "blind_signature"},
        "ticketminer_spent": {"key_id", "nonce"},
    }


def test_sqlite_stores_issued_and_spent_rows_by_their_key_alone(memory_mint: Mint) -> None:
    for name in ("issued", "spent"):
        with pytest.raises(OperationalError, match="no such column"):
            memory_mint.database.read(
                lambda connection, name=name: connection.execute(
                    text(f"SELECT rowid FROM ticketminer_{name}")
                )
            )


def test_the_directory_is_the_same_for_everyone(shop: Shop) -> None:
    answers = set()
    for headers in ({}, {"Cookie": "visitor=1"}, {"User-Agent": "other"}, {"Authorization": "Basic YTpi"}):
        reply = shop.app.test_client().get("/ticketminer/keys", headers=headers)
        answers.add((reply.data, tuple(pair for pair in reply.headers if pair[0] != "Date")))
    assert len(answers) == 1
    assert "Set-Cookie" not in reply.headers
