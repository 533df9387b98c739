"""What the wallet page works out before it draws: groups, figures, news, gifts in texts, dates."""

from __future__ import annotations

import base64
import json
import pathlib
import shutil
import subprocess
import typing as t

import pytest
from conftest import missing

DRIVER = pathlib.Path(__file__).parent / "browser" / "pages.mjs"
DAY = 86_400


def ask(*request: object) -> t.Any:
    node = shutil.which("node")
    if node is None:
        missing("needs Node: apt-get install nodejs")
    assert node is not None
    answer = subprocess.run(
        [node, DRIVER], input=json.dumps(request) + "\n", capture_output=True, text=True, check=True
    )
    return json.loads(answer.stdout)


def ticket(value: int, until: int, state: str = "available") -> dict[str, object]:
    return {"value": value, "redeemUntil": until, "state": state, "keyId": "00"}


def test_like_tickets_are_one_group_and_what_ends_first_stands_first() -> None:
    tickets = [
        ticket(1, 9),
        ticket(4, 5),
        ticket(1, 9),
        ticket(16, 9),
        ticket(1, 9, "spent"),
        ticket(4, 5),
        ticket(4, 5),
    ]
    groups = ask("tickets", "grouped", tickets)
    assert [(g["count"], g["value"], g["redeemUntil"], g["state"]) for g in groups] == [
        (3, 4, 5, "available"),
        (1, 16, 9, "available"),
        (2, 1, 9, "available"),
        (1, 1, 9, "spent"),
    ]


def run(**changes: object) -> dict[str, object]:
    return {
        "state": "finished",
        "started": 1000,
        "updated": 1200,
        "hashes": 50_000,
        "accepted": 7,
        "refused": 1,
        "rates": [200, 260],
    } | changes


def test_figures_of_a_job() -> None:
    assert ask("jobs", "figures", run(), None) == {
        "duration": 200,
        "speed": None,
        "average": 250,
        "sent": 8,
    }
    running = ask("jobs", "figures", run(state="running"), {"rate": 240, "shares": {"pending": 2}})
    assert (running["speed"], running["sent"]) == (240, 10)
    of_another_tab = ask("jobs", "figures", run(state="running"), None)
    assert (of_another_tab["speed"], of_another_tab["sent"]) == (260, 8)
    assert ask("jobs", "figures", run(updated=1000, hashes=0), None)["average"] is None


def test_the_line_begins_at_zero_and_fills_its_box() -> None:
    points = [tuple(map(float, point.split())) for point in ask("sparkline", "outline", [0, 50, 100])]
    assert points == [(0, 38), (80, 20), (160, 2)]
    assert len(ask("sparkline", "outline", [7])) == 2
    assert ask("sparkline", "outline", []) == []


def entry(at: int, kind: str = "mined", amount: int = 1) -> dict[str, object]:
    return {"at": at, "kind": kind, "amount": amount, "detail": "", "reference": None}


def test_what_was_earned_in_one_go_is_one_row() -> None:
    entries = [entry(5000), entry(4800, amount=4), entry(4700, "paid", 3), entry(4600), entry(100), entry(50)]
    rows = [(row["kind"], row["amount"], row["since"], row["at"]) for row in ask("history", "rows", entries)]
    assert rows == [
        ("mined", 5, 4800, 5000),
        ("paid", 3, 4700, 4700),
        ("mined", 1, 4600, 4600),
        ("mined", 2, 50, 100),
    ]


def shot(**changes: object) -> dict[str, object]:
    goal = {"kind": "tickets", "amount": 5, "resource": None, "fund": None}
    return {"phase": "mining", "goal": goal, "missing": 2, "earned": 3, "given": 0, "balance": 3} | changes


GIFT = {"kind": "donate", "amount": 4, "resource": None, "fund": "articles"}


@pytest.mark.parametrize(
    ("after", "news"),
    [
        (shot(phase="idle", missing=0, balance=5), {"key": "notify.reached", "n": 5}),
        (shot(phase="failed"), {"key": "notify.failed", "n": 0}),
        (shot(phase="paid"), {"key": "notify.paid", "n": 5}),
        (shot(phase="idle", goal=GIFT, missing=0, given=4), {"key": "notify.given", "n": 4}),
        (shot(phase="idle"), None),  # the visitor has stopped it
        (shot(phase="idle", goal=GIFT | {"amount": 0}, missing=0, given=9), None),
        (shot(phase="paused"), None),
        (shot(), None),
    ],
)
def test_only_an_end_is_news(after: dict[str, object], news: object) -> None:
    assert ask("notify", "news", shot(), after) == news
    assert ask("notify", "news", shot(phase="idle"), after) is None


def test_a_gift_is_found_in_what_was_pasted() -> None:
    text = "ticketminer-tickets-1." + base64.urlsafe_b64encode(
        json.dumps({"origin": "https://shop.example", "tickets": ["a", "b"]}).encode()
    ).decode().rstrip("=")
    for pasted in (
        text,
        f"  {text}\n",
        f"Look: https://shop.example/ticketminer/wallet#receive={text}, for you",
    ):
        assert ask("gifts", "giftIn", pasted) == text
    assert ask("gifts", "giftIn", "ticketminer-payment-1.abc") is None
    assert ask("gifts", "described", text) == {"origin": "https://shop.example", "count": 2}
    assert ask("gifts", "described", text[:-7]) is None
    assert ask("gifts", "described", "ticketminer-tickets-1.W10") is None


def test_words_are_counted_as_they_are_compared() -> None:
    assert ask("words", "split", " 1. Abandon\n2. ability,able ") == ["abandon", "ability", "able"]
    assert ask("words", "split", "") == []


@pytest.mark.parametrize(
    ("lang", "seconds", "words"),
    [
        ("en", 9.9 * DAY, "in 9 days"),
        ("en", 1.5 * DAY, "tomorrow"),
        ("en", 5.2 * 3600, "in 5 hours"),
        ("en", 30, "in 30 seconds"),
        ("en", -3.5 * DAY, "3 days ago"),
        ("de", 9.9 * DAY, "in 9 Tagen"),
    ],
)
def test_an_end_is_said_in_words(lang: str, seconds: float, words: str) -> None:
    assert ask("locale", lang, "away", 1_000_000 + seconds, 1_000_000) == words


def test_lengths_and_sizes_have_the_digits_that_matter() -> None:
    lengths = {
        0: "0 seconds",
        59: "59 seconds",
        61: "1 minute, 1 second",
        3600: "1 hour",
        7320: "2 hours, 2 minutes",
    }
    assert {seconds: ask("locale", "en", "length", seconds) for seconds in lengths} == lengths
    assert ask("locale", "en", "length", 3601) == "1 hour"
    assert [ask("locale", "en", "about", seconds) for seconds in (0.2, 43, 131)] == [
        "1 second", "45 seconds", "2 minutes",
    ]  # fmt: skip
    assert ask("locale", "en", "size", 0) == "0 bytes"
    assert ask("locale", "en", "size", 184_320) == "184 kB"
    assert ask("locale", "en", "size", 1_250_000) == "1.3 MB"
