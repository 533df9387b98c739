"""The command ``ticketminer`` against served sites: what it does, prints and returns."""

from __future__ import annotations

import contextlib
import html
import os
import pathlib
import re
import sqlite3
import typing as t

import httpx
import pytest
from live import LiveSite, Person, SocksServer
from terminal import assert_refused, objects

from miner.tokens import Token
from miner.wallet.transfer import encode_tickets


def test_tickets_are_mined_until_there_are_enough(served: LiveSite, anna: Person) -> None:
    result = anna.run("mine", served.url, "--tickets", 3, "--duty", 100, "--yes")
    assert result.exit_code == 0
    assert re.match(r"Received \d+ tickets in ", result.stdout)
    assert anna.balance() == served.unspent() >= 3


def test_work_is_given_to_a_fund(served: LiveSite, anna: Person) -> None:
    words = ("--tickets", 2, "--duty", 100, "--yes", "--donate", "--fund", "articles")
    assert anna.run("mine", served.url, *words).stdout.startswith("Gave ")
    assert served.donated("articles") >= 2
    assert (anna.balance(), served.unspent()) == (0, 0)


def test_a_page_is_paid_and_kept_and_the_cost_is_said(served: LiveSite, funded: Person) -> None:
    file = funded.home / "report.txt"
    result = funded.run("get", served.url + "/report", "-o", file)
    assert file.read_text() == "the report"
    assert "Paid 3 tickets; change of 5 tickets came back" in result.stdout
    assert funded.balance() == served.unspent() == 5


def test_a_pass_opens_the_page_again_without_a_cost(served: LiveSite, funded: Person) -> None:
    for cost in ("Paid 3 tickets", "Nothing was paid"):
        assert cost in funded.run("get", served.url + "/report", "-o", funded.home / "report").stdout
    assert served.paid() == 3


def test_missing_tickets_are_mined_for_a_page(served: LiveSite, anna: Person) -> None:
    result = anna.run("get", served.url + "/once", "-o", "-", "--mine", "--yes")
    assert (result.exit_code, result.stdout.split()[-1]) == (0, "1")
    assert served.paid() == 1
    assert anna.balance() == served.unspent()


def test_a_printed_code_pays_in_the_form_of_the_page(served: LiveSite, funded: Person) -> None:
    code = funded.run("pay", served.url + "/report").stdout
    with httpx.Client(headers={"Accept": "text/html"}, follow_redirects=True) as browser:
        page = browser.get(served.url + "/report")
        challenge = re.search(r'name="challenge" value="([^"]+)"', page.text)
        assert challenge is not None
        fields = {"challenge": html.unescape(challenge[1]), "tickets": code}
        assert browser.post(served.url + "/ticketminer/redeem", data=fields).text == "the report"
    assert served.paid() == 3
    assert "5 tickets came in" in funded.run("wallet", "recover").stderr
    assert funded.balance() == served.unspent() == 5


def test_a_printed_code_that_nobody_used_gives_its_tickets_back(served: LiveSite, funded: Person) -> None:
    funded.run("pay", served.url + "/report")
    assert "if it is not used, they come back" in funded.run("wallet", "recover").stderr
    assert funded.balance() == 0
    sixteen_minutes_pass(funded)
    served.clock.advance(960)
    funded.run("wallet", "recover")
    assert funded.balance() == served.unspent() == 8


def sixteen_minutes_pass(person: Person) -> None:
    """Let what is written down in the wallet be that old."""
    with contextlib.closing(sqlite3.connect(person.wallet_file)) as connection:
        connection.execute("UPDATE requests SET created = created - 960")
        connection.commit()


def test_tickets_are_donated(served: LiveSite, funded: Person) -> None:
    result = funded.run("donate", served.url, 3, "--fund", "articles")
    assert "Gave 3 tickets to articles" in result.stdout
    assert (served.donated("articles"), funded.balance(), served.unspent()) == (3, 5, 5)


def test_tickets_are_given_from_one_terminal_to_another(
    served: LiveSite, funded: Person, tmp_path: pathlib.Path
) -> None:
    ben = Person(tmp_path / "ben")
    gift = funded.run("wallet", "send", 3, "--site", served.url).stdout
    assert "Received 3 tickets" in ben.run("wallet", "receive", stdin=gift).stdout
    assert (funded.balance(), ben.balance(), served.unspent()) == (5, 3, 8)
    assert funded.run("wallet", "receive", stdin=gift).exit_code == 6


def large_gift(tickets: int) -> str:
    """Return the text of a gift of an address where nobody listens."""
    tokens = [Token(os.urandom(32), bytes(32), bytes(32), bytes(256)).to_bytes() for _ in range(tickets)]
    return encode_tickets("http://127.0.0.1:9", tokens)


def test_a_gift_of_a_thousand_tickets_is_read_whole_and_its_site_named_first(anna: Person) -> None:
    result = anna.run("wallet", "receive", stdin=large_gift(1000))
    assert result.exit_code == 3
    assert "1,000 tickets of http://127.0.0.1:9, which is new" in result.stderr.splitlines()[0]


def test_what_is_too_long_for_a_gift_is_refused_and_not_cut(anna: Person) -> None:
    assert_refused(anna.run("wallet", "receive", stdin="x" * 1_000_001), 6, "1,000,000 characters")


def test_a_gift_of_another_site_than_was_said_is_not_looked_at(served: LiveSite, anna: Person) -> None:
    result = anna.run("wallet", "receive", "--site", served.url, stdin=large_gift(1))
    assert_refused(result, 7, "Nothing was sent")
    assert served.requests == []


def test_the_wallet_shows_balance_tickets_and_history(served: LiveSite, funded: Person) -> None:
    funded.run("donate", served.url, 3)
    assert f"{served.url}: 5 tickets" in funded.run("wallet").stdout
    assert len(funded.run("wallet", "tickets").stdout.splitlines()) == 2
    assert "paid" in funded.run("wallet", "history").stdout


def test_runs_are_listed_after_mining(served: LiveSite, anna: Person) -> None:
    anna.run("mine", served.url, "--tickets", 1, "--yes", "-q")
    [run] = objects(anna.run("jobs", "--json").stdout)
    assert (run["origin"], run["state"]) == (served.url, "stopped")
    assert run["tickets"] == anna.balance()


@pytest.mark.parametrize(
    ("words", "members"),
    [
        (("info", "URL"), {"site_name": "localhost"}),
        (("get", "URL/report", "-o", "report"), {"paid": 3, "bytes": 10}),
        (("pay", "URL/report"), {"amount": 3}),
        (("donate", "URL", "2"), {"amount": 2, "paid": 2}),
        (("wallet",), {"total": 8}),
        (("wallet", "tickets"), {"value": 8, "state": "available"}),
        (("wallet", "send", "8", "--site", "URL"), {"amount": 8}),
        (("wallet", "recover"), {"restored": 0, "balance": 8}),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, tuple) else None,
)
def test_results_are_objects_with_json(
    served: LiveSite, funded: Person, words: tuple[str, ...], members: dict[str, t.Any]
) -> None:
    with contextlib.chdir(funded.home):
        result = funded.run(*(word.replace("URL", served.url) for word in words), "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    [printed] = objects(result.stdout)
    assert members.items() <= printed.items()


def test_every_line_of_mining_is_an_object_with_json(served: LiveSite, anna: Person) -> None:
    lines = objects(anna.run("mine", served.url, "--tickets", 1, "--yes", "--json").stdout)
    assert {"job", "accepted", "finished", "summary"} <= {line["event"] for line in lines}
    assert lines[-1]["won"] == anna.balance()


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("get", "URL/report"), 4),  # an empty wallet
        (("mine", "URL"), 8),  # consent was not given
        (("get", "URL/missing"), 5),
        (("get", "URL/premium/a", "--budget", "1"), 4),
        (("donate", "URL", "1", "--fund", "nobody"), 5),
        (("mine",), 2),
    ],
)
def test_failures_have_their_exit_code_and_one_sentence(
    served: LiveSite, anna: Person, words: tuple[str, ...], status: int
) -> None:
    result = anna.run(*(word.replace("URL", served.url) for word in words), "--json")
    [error] = objects(result.stderr)
    assert (result.exit_code, error["exit"], result.stdout) == (status, status, "")


def test_a_price_above_the_budget_is_not_paid(served: LiveSite, funded: Person) -> None:
    result = funded.run("get", served.url + "/report", "--budget", 2)
    assert result.exit_code == 4
    assert "raise the budget" in result.stderr
    assert (funded.balance(), served.unspent(), list(funded.home.glob("report*"))) == (8, 8, [])


# A proxy


def test_mining_and_spending_in_one_command_take_different_circuits(served: LiveSite, anna: Person) -> None:
    with SocksServer(served) as socks:
        words = ("get", "http://shop.onion/once", "-o", "-", "--mine", "--yes", "-x", socks.url)
        assert anna.run(*words).exit_code == 0
    logins = {line: (user, password) for user, password, _, line in socks.seen}
    assert logins["POST /ticketminer/submit"] != logins["GET /once"]
    assert len({password for _, password, _, _ in socks.seen}) == 2
    assert {host for _, _, host, _ in socks.seen} == {"shop.onion"}
    assert anna.balance() == served.unspent()
