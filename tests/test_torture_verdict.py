"""What the torture must not overlook: records that lie, and a ledger that was tampered with."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import random
import sqlite3
import typing as t

import pytest
from mints import Mint
from torture_siege import Siege
from torture_spenders import Answer
from torture_till import Blank, Coin, Till
from torture_verdict import Credential, Verdict, compare, judge
from torture_visitors import Holdings
from torture_world import Books, World

from miner.tokens import b64url


@pytest.fixture
def till(memory_mint: Mint) -> Till:
    """Makes tickets for the records below."""
    return Till(memory_mint, random.Random(1))


def bought(coin: Coin, blank: Blank | None = None) -> Credential:
    return Credential(
        (coin,), coin.value if blank is None else coin.value - blank.value, (blank,) if blank else ()
    )


def won(number: int, credential: Credential, change: tuple[str, ...] = ()) -> Answer:
    """The answer to the credential with this number, which has won."""
    reference, amount = f"{number:064x}", str(credential.price)
    return Answer(number, "header", 200, "", reference, amount, change, f"{reference} {amount}")


def test_one_ticket_spent_once_is_right(till: Till) -> None:
    coin = till.coin(2)
    credentials = [bought(coin), bought(coin)]
    answers = [won(0, credentials[0]), Answer(1, "header", 402, "ticket-spent")]
    verdict = judge(credentials, answers, {coin.name})
    assert (verdict.problems, verdict.winners) == ([], [0])


def test_two_winners_of_one_ticket_are_noticed(till: Till) -> None:
    coin = till.coin(2)
    credentials = [bought(coin), bought(coin)]
    verdict = judge(credentials, [won(0, credentials[0]), won(1, credentials[1])], {coin.name})
    assert verdict.doubled == 1


def test_a_payment_made_after_it_was_given_back_is_noticed(till: Till) -> None:
    coin = till.coin(2)
    answers = [Answer(0, "header", 402, "payment-released"), won(0, bought(coin))]
    assert judge([bought(coin)], answers, {coin.name}).lost == 1


def test_two_deliveries_of_one_payment_are_noticed(till: Till) -> None:
    coin = till.coin(2)
    answer = won(0, bought(coin))
    assert judge([bought(coin)], [answer, answer], {coin.name}).doubled == 1


def test_a_ticket_spent_for_nothing_is_noticed(till: Till) -> None:
    coin = till.coin(2)
    verdict = judge([bought(coin)], [Answer(0, "header", 402, "ticket-spent")], {coin.name})
    assert verdict.lost == 1


def test_a_win_that_the_ledger_does_not_know_is_noticed(till: Till) -> None:
    coin = till.coin(2)
    assert judge([bought(coin)], [won(0, bought(coin))], set()).doubled == 1


def test_change_that_does_not_verify_is_noticed(till: Till) -> None:
    coin, blank = till.coin(2), till.blank(1)
    credential = bought(coin, blank)
    verdict = judge([credential], [won(0, credential, (b64url(bytes(256)),))], {coin.name})
    assert verdict.lost == 2  # the output, and the value that is missing


@pytest.mark.parametrize("cause", ["output-already-signed", "http-500", "outcome-unknown", "bad-signature"])
def test_refusals_that_nobody_deserves_are_noticed(till: Till, cause: str) -> None:
    coin = till.coin(2)
    answers = [Answer(0, "header", 500, cause), won(0, bought(coin))]
    assert judge([bought(coin)], answers, {coin.name}).problems != []


def test_an_effect_without_payment_is_noticed(till: Till) -> None:
    coin = till.coin(2)
    credential = dataclasses.replace(bought(coin), effect="a")
    answer = won(0, credential)
    paid = {(answer.reference, "a")}
    assert judge([credential], [answer], {coin.name}, paid).problems == []
    assert judge([credential], [answer], {coin.name}, paid | {("ff", "b")}).doubled == 1
    assert judge([credential], [answer], {coin.name}, set()).lost == 1


KEY = b"k" * 32
HERE, GONE = (KEY, b"1" * 32), (KEY, b"2" * 32)
BALANCED = Books(spent={GONE}, held=set(), issued={KEY: 2}, payments=[(b"p" * 32, 3, b"b" * 32)], shares=2)
EFFECTS = [((b"p" * 32).hex(), "a")]


def compared(books: Books = BALANCED, effects: list[tuple[str, str]] = EFFECTS, **wallet: t.Any) -> Verdict:
    return compare(books, [Holdings(**{"available": [HERE], "spent": [GONE], **wallet})], effects, 3)


def test_wallets_and_ledger_that_agree_are_right() -> None:
    assert compared().problems == []


@pytest.mark.parametrize(
    "lie",
    [
        {"available": []},
        {"available": [GONE], "spent": []},
        {"spent": [HERE, GONE], "available": []},
        {"unanswered": 1},
        {"other": [HERE]},
        {"available": [HERE, HERE]},
        {"effects": []},
        {"effects": [*EFFECTS, ("ff", "b")]},
        {"books": BALANCED._replace(issued={KEY: 3})},
        {"books": BALANCED._replace(spent=set())},
        {"books": BALANCED._replace(held={HERE})},
        {"books": BALANCED._replace(payments=[*BALANCED.payments, (b"q" * 32, 2, b"b" * 32)])},
    ],
    ids=str,
)
def test_wallets_and_ledger_that_differ_are_noticed(lie: dict[str, t.Any]) -> None:
    assert compared(**lie).problems != []


def test_a_ledger_that_forgets_spent_tickets_is_noticed(tmp_path: pathlib.Path) -> None:
    world = World(tmp_path / "site", "sqlite", None, seed="1", lease=1)
    with contextlib.closing(world):
        world.server.start()
        with contextlib.closing(Siege(world, None, "client-kill", "1")) as siege:
            before = siege.round()
            with contextlib.closing(sqlite3.connect(world.folder / "ticketminer.sqlite")) as ledger:
                ledger.execute("DELETE FROM ticketminer_spent")
                ledger.commit()
            after = siege.round()
    assert before.problems == []
    assert after.problems != []
    assert after.lost + after.doubled > 0
