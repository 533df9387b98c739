"""The command ``ticketminer`` against served sites: what it does, prints and returns, and what bad input it survives."""

from __future__ import annotations

import contextlib
import html
import json
import os
import pathlib
import re
import resource
import signal
import sqlite3
import subprocess
import time
import typing as t
from collections.abc import Callable, Iterator

import httpx
import pytest
from flask import Response, redirect, request
from live import LiveSite, LiveSites, LossyProxy, Person, SocksServer, answering

from flask_ticketminer.clock import ManualClock
from miner.tokens import Token, b64url, jcs, unb64url
from miner.wallet.transfer import encode_tickets

DAY = 86400


@pytest.fixture
def serve(tmp_path: pathlib.Path) -> Iterator[LiveSites]:
    with LiveSites(tmp_path) as sites:
        yield sites


@pytest.fixture
def site(serve: LiveSites) -> LiveSite:
    return serve()


@pytest.fixture
def anna(tmp_path: pathlib.Path) -> Person:
    return Person(tmp_path / "anna")


@pytest.fixture
def funded(site: LiveSite, anna: Person) -> Person:
    """Somebody with a ticket of value 8."""
    with anna.wallet() as wallet:
        site.fill(wallet, 8)
    return anna


def objects(text: str) -> list[dict[str, t.Any]]:
    return [json.loads(line) for line in text.splitlines()]


# What it does


def test_tickets_are_mined_until_there_are_enough(site: LiveSite, anna: Person) -> None:
    result = anna.run("mine", site.url, "--tickets", 3, "--duty", 100, "--yes")
    assert result.exit_code == 0
    assert re.match(r"Received \d+ tickets in ", result.stdout)
    assert anna.balance() == site.unspent() >= 3


def test_work_is_given_to_a_fund(site: LiveSite, anna: Person) -> None:
    words = ("--tickets", 2, "--duty", 100, "--yes", "--donate", "--fund", "articles")
    assert anna.run("mine", site.url, *words).stdout.startswith("Gave ")
    assert site.donated("articles") >= 2
    assert (anna.balance(), site.unspent()) == (0, 0)


def test_a_page_is_paid_and_kept_and_the_cost_is_said(site: LiveSite, funded: Person) -> None:
    file = funded.home / "report.txt"
    result = funded.run("get", site.url + "/report", "-o", file)
    assert file.read_text() == "the report"
    assert "Paid 3 tickets; change of 5 tickets came back" in result.stdout
    assert funded.balance() == site.unspent() == 5


def test_a_pass_opens_the_page_again_without_a_cost(site: LiveSite, funded: Person) -> None:
    for cost in ("Paid 3 tickets", "Nothing was paid"):
        assert cost in funded.run("get", site.url + "/report", "-o", funded.home / "report").stdout
    assert site.paid() == 3


def test_missing_tickets_are_mined_for_a_page(site: LiveSite, anna: Person) -> None:
    result = anna.run("get", site.url + "/once", "-o", "-", "--mine", "--yes")
    assert (result.exit_code, result.stdout.split()[-1]) == (0, "1")
    assert site.paid() == 1
    assert anna.balance() == site.unspent()


def test_a_printed_code_pays_in_the_form_of_the_page(site: LiveSite, funded: Person) -> None:
    code = funded.run("pay", site.url + "/report").stdout
    with httpx.Client(headers={"Accept": "text/html"}, follow_redirects=True) as browser:
        page = browser.get(site.url + "/report")
        challenge = re.search(r'name="challenge" value="([^"]+)"', page.text)
        assert challenge is not None
        fields = {"challenge": html.unescape(challenge[1]), "tickets": code}
        assert browser.post(site.url + "/ticketminer/redeem", data=fields).text == "the report"
    assert site.paid() == 3
    assert "5 tickets came in" in funded.run("wallet", "recover").stderr
    assert funded.balance() == site.unspent() == 5


def test_a_printed_code_that_nobody_used_gives_its_tickets_back(site: LiveSite, funded: Person) -> None:
    funded.run("pay", site.url + "/report")
    assert "if it is not used, they come back" in funded.run("wallet", "recover").stderr
    assert funded.balance() == 0
    sixteen_minutes_pass(funded)
    site.clock.advance(960)
    funded.run("wallet", "recover")
    assert funded.balance() == site.unspent() == 8


def sixteen_minutes_pass(person: Person) -> None:
    """Let what is written down in the wallet be that old."""
    with contextlib.closing(sqlite3.connect(person.wallet_file)) as connection:
        connection.execute("UPDATE requests SET created = created - 960")
        connection.commit()


def test_tickets_are_donated(site: LiveSite, funded: Person) -> None:
    result = funded.run("donate", site.url, 3, "--fund", "articles")
    assert "Gave 3 tickets to articles" in result.stdout
    assert (site.donated("articles"), funded.balance(), site.unspent()) == (3, 5, 5)


def test_tickets_are_given_from_one_terminal_to_another(
    site: LiveSite, funded: Person, tmp_path: pathlib.Path
) -> None:
    ben = Person(tmp_path / "ben")
    gift = funded.run("wallet", "send", 3, "--site", site.url).stdout
    assert "Received 3 tickets" in ben.run("wallet", "receive", stdin=gift).stdout
    assert (funded.balance(), ben.balance(), site.unspent()) == (5, 3, 8)
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


def test_a_gift_of_another_site_than_was_said_is_not_looked_at(site: LiveSite, anna: Person) -> None:
    result = anna.run("wallet", "receive", "--site", site.url, stdin=large_gift(1))
    assert_refused(result, 7, "Nothing was sent")
    assert site.requests == []


def test_the_wallet_shows_balance_tickets_and_history(site: LiveSite, funded: Person) -> None:
    funded.run("donate", site.url, 3)
    assert f"{site.url}: 5 tickets" in funded.run("wallet").stdout
    assert len(funded.run("wallet", "tickets").stdout.splitlines()) == 2
    assert "paid" in funded.run("wallet", "history").stdout


def test_runs_are_listed_after_mining(site: LiveSite, anna: Person) -> None:
    anna.run("mine", site.url, "--tickets", 1, "--yes", "-q")
    [run] = objects(anna.run("jobs", "--json").stdout)
    assert (run["origin"], run["state"]) == (site.url, "stopped")
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
    site: LiveSite, funded: Person, words: tuple[str, ...], members: dict[str, t.Any]
) -> None:
    with contextlib.chdir(funded.home):
        result = funded.run(*(word.replace("URL", site.url) for word in words), "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    [printed] = objects(result.stdout)
    assert members.items() <= printed.items()


def test_every_line_of_mining_is_an_object_with_json(site: LiveSite, anna: Person) -> None:
    lines = objects(anna.run("mine", site.url, "--tickets", 1, "--yes", "--json").stdout)
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
    site: LiveSite, anna: Person, words: tuple[str, ...], status: int
) -> None:
    result = anna.run(*(word.replace("URL", site.url) for word in words), "--json")
    [error] = objects(result.stderr)
    assert (result.exit_code, error["exit"], result.stdout) == (status, status, "")


def test_a_price_above_the_budget_is_not_paid(site: LiveSite, funded: Person) -> None:
    result = funded.run("get", site.url + "/report", "--budget", 2)
    assert result.exit_code == 4
    assert "raise the budget" in result.stderr
    assert (funded.balance(), site.unspent(), list(funded.home.glob("report*"))) == (8, 8, [])


# Interruptions


@pytest.fixture
def slow_site(serve: LiveSites) -> LiveSite:
    """A site where a share takes long enough for the next one not to be there yet."""
    return serve(TICKETMINER_EFFORT={"scrypt": 64})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_keeps_what_it_found(
    slow_site: LiveSite, anna: Person, number: signal.Signals
) -> None:
    with anna.start("mine", slow_site.url, "--yes", "--json") as process:
        wait_for(process, "accepted")
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert objects(out)[-1]["interrupted"] is True
    assert anna.balance() == slow_site.unspent() >= 1


def test_a_killed_run_loses_nothing(slow_site: LiveSite, anna: Person) -> None:
    with anna.start("mine", slow_site.url, "--yes", "--json") as process:
        wait_for(process, "accepted")
        process.kill()
    assert anna.run("wallet", "recover").exit_code == 0
    assert anna.balance() == slow_site.unspent() >= 1


def test_the_next_command_fetches_what_a_lost_answer_kept(site: LiveSite, funded: Person) -> None:
    with LossyProxy(site) as line:
        with funded.wallet() as wallet:
            site.fill(wallet, 4, at=line.url)
        line.lose("POST /ticketminer/redeem")
        assert funded.run("wallet", "send", 1, "--site", line.url).exit_code == 3
        assert "4 tickets came in" in funded.run("wallet", "recover", line.url).stderr
    assert funded.balance() == site.unspent() == 12


def wait_for(process: subprocess.Popen[str], event: str) -> None:
    """Read what a run prints until it tells of `event`."""
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == event:
            return
    raise AssertionError(process.stderr and process.stderr.read())


# The wallet's file


def assert_refused(result: t.Any, status: int, words: str) -> None:
    """Assert that a command ended with one sentence on stderr and an exit code."""
    assert result.exit_code == status, result.output
    [line] = result.stderr.splitlines()
    assert line.startswith("ticketminer: ")
    assert words in line


def test_a_damaged_wallet_is_left_as_it_is(site: LiveSite, funded: Person) -> None:
    whole = funded.wallet_file.read_bytes()
    damaged = whole[:4096] + b"\xff" * 4096 + whole[8192:]
    funded.wallet_file.write_bytes(damaged)
    assert_refused(funded.run("get", site.url + "/report"), 6, "wallet restore")
    assert funded.wallet_file.read_bytes() == damaged
    assert site.paid() == 0


def test_a_wallet_of_a_later_version_is_left_as_it_is(site: LiveSite, funded: Person) -> None:
    with contextlib.closing(sqlite3.connect(funded.wallet_file)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = funded.wallet_file.read_bytes()
    assert_refused(funded.run("mine", site.url, "--yes"), 6, "Update this program")
    assert funded.wallet_file.read_bytes() == before


class Disk(t.NamedTuple):
    """A folder whose disk can be full: a small one of its own where we may mount one, else by a limit on files."""

    folder: pathlib.Path
    mounted: bool

    @contextlib.contextmanager
    def full(self, *, limit: int = 4096) -> Iterator[dict[str, t.Any]]:
        """Yield how a process is to be started that then finds the disk full."""
        if not self.mounted:
            yield {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))}
            return
        filler = self.folder / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        yield {}
        filler.unlink()


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    yield Disk(folder, mounted)
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("words", [("mine", "--tickets", "1", "--yes"), ("wallet", "send", "1", "--site")])
def test_a_full_disk_loses_no_ticket(site: LiveSite, disk: Disk, words: tuple[str, ...]) -> None:
    person = Person(disk.folder / "anna")
    with person.wallet() as wallet:
        site.fill(wallet, 8)
    with disk.full() as options, person.start(*words, site.url, **options) as process:
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err.count("\n")) == (6, 1), err
    assert person.run("wallet", "recover", site.url).exit_code == 0
    assert person.balance() == site.unspent() == 8


def test_what_was_paid_for_and_did_not_fit_is_fetched_again(
    site: LiveSite, disk: Disk, funded: Person
) -> None:
    large = "x" * 1_000_000
    site.after = lambda reply: (
        site.app.response_class(large, 200, reply.headers) if delivers(reply) else reply
    )
    words = ("get", site.url + "/report", "-o")
    with (
        disk.full(limit=500_000) as options,
        funded.start(*words, disk.folder / "report", **options) as process,
    ):
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err.count("\n")) == (1, 1), err
    assert list(disk.folder.iterdir()) == []
    assert funded.run(*words, funded.home / "report").exit_code == 0
    assert (funded.home / "report").read_text() == large
    assert (site.paid(), funded.balance()) == (3, 5)


def delivers(reply: Response) -> bool:
    """Return whether this is what was paid for."""
    return request.path == "/report" and reply.status_code == 200


# Sites that misbehave

HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "


@pytest.mark.parametrize("words", [("info", "URL"), ("mine", "URL", "--yes"), ("donate", "URL", "1")])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff\n\n",
        HTTP + b"900\r\n\r\n{",
        HTTP + b"9\r\n\r\n<p>hello!",
        HTTP + b"2\r\n\r\n{}",
        HTTP + b"2000000\r\n\r\n" + b"[" * 2_000_000,
    ],
    ids=["nothing", "noise", "half-an-answer", "no-json", "another-object", "far-too-much"],
)
def test_nonsense_is_one_sentence_and_exit_code_3(
    anna: Person, words: tuple[str, ...], answer: bytes
) -> None:
    with answering(answer) as url:
        result = anna.run(*(word.replace("URL", url) for word in words))
    assert_refused(result, 3, "")


@pytest.mark.parametrize("status", [b"302 Found\r\nLocation: https://elsewhere.example/", b"500 Error"])
def test_what_is_no_ticket_site_has_refused(anna: Person, status: bytes) -> None:
    with answering(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n") as url:
        assert_refused(anna.run("mine", url, "--yes"), 5, "The site refused")


def test_a_site_that_is_not_there_costs_nothing(site: LiveSite, funded: Person) -> None:
    gone = "http://127.0.0.1:9"
    assert_refused(funded.run("get", gone + "/report"), 3, "try again")
    assert funded.balance() == 8


def test_a_site_that_vanishes_after_it_was_paid_owes_the_change(site: LiveSite, anna: Person) -> None:
    with LossyProxy(site) as line:
        with anna.wallet() as wallet:
            site.fill(wallet, 8, at=line.url)
        site.before = lambda: line.lose("GET /report") if "Authorization" in request.headers else None
        assert_refused(anna.run("get", line.url + "/report"), 3, "will be repeated")
        site.before = lambda: None
        result = anna.run("get", line.url + "/report", "-o", "-")
    assert (result.exit_code, result.stdout) == (0, "the report")
    assert (anna.balance(), site.unspent(), site.paid()) == (5, 5, 3)


def test_a_payment_does_not_follow_a_redirect(site: LiveSite, serve: LiveSites, funded: Person) -> None:
    thief = serve()
    site.before = lambda: redirect(thief.url) if "Authorization" in request.headers else None  # type: ignore[assignment,return-value]
    assert_refused(funded.run("get", site.url + "/report"), 7, "Payments never follow")
    assert thief.requests == []
    site.before = lambda: None
    assert funded.run("get", site.url + "/report", "-o", "-").stdout == "the report"
    assert (funded.balance(), site.unspent(), site.paid()) == (5, 5, 3)


def altered(**changes: t.Any) -> Callable[[Response], Response]:
    """Return a hook that changes members of the request in a challenge."""

    def alter(reply: Response) -> Response:
        found = re.search(r'request="([^"]+)"', reply.headers.get("WWW-Authenticate", ""))
        if found is not None:
            asked = {**json.loads(unb64url(found[1], name="request")), **changes}
            challenge = reply.headers["WWW-Authenticate"].replace(found[1], b64url(jcs(asked)))
            reply.headers["WWW-Authenticate"] = challenge
        return reply

    return alter


def test_another_sites_tickets_are_not_paid_to_a_site_that_is_known(
    site: LiveSite, serve: LiveSites, funded: Person
) -> None:
    other = serve(TICKETMINER_SITE_NAME="other.example")
    with funded.wallet() as wallet:
        other.fill(wallet, 4)
    site.after = altered(recipient="other.example")
    assert_refused(funded.run("get", site.url + "/report"), 7, "'other.example', which is not its name")
    assert (site.paid(), other.unspent(), funded.balance()) == (0, 4, 12)


def test_another_sites_tickets_are_not_paid_to_a_stranger(
    site: LiveSite, serve: LiveSites, funded: Person
) -> None:
    stranger = serve()  # calls itself what the other one is called
    assert_refused(funded.run("get", stranger.url + "/report"), 4, "0 in the wallet")
    assert funded.balance() == 8


def test_tickets_are_not_sent_to_another_place(site: LiveSite, serve: LiveSites, funded: Person) -> None:
    thief = serve()
    details = {"redeem": thief.url + "/ticketminer/redeem", "service": "/ticketminer/"}
    site.after = altered(methodDetails=details)
    assert_refused(funded.run("get", site.url + "/report"), 7, "another place")
    assert (thief.requests, funded.balance()) == ([], 8)


def marking(site: LiveSite) -> Callable[[Response], Response]:
    """Return a hook that gives out work for a second key of value 1, as a site would that marks its visitors."""
    mark = site.key_id(2)

    def alter(reply: Response) -> Response:
        if request.path == "/ticketminer/job":
            reply.set_data(json.dumps({**json.loads(reply.get_data()), "value": 1, "key_id": mark}))
        elif request.path == "/ticketminer/keys":
            keys = json.loads(reply.get_data())["token-keys"]
            marked = [{**key, "value": 1} if key["key-id"] == mark else key for key in keys]
            reply.set_data(json.dumps({"token-keys": marked}))
        return reply

    return alter


@pytest.mark.parametrize("held", [0, 1])
def test_nothing_is_mined_where_a_value_has_a_second_key(site: LiveSite, anna: Person, held: int) -> None:
    with anna.wallet() as wallet:
        site.fill(wallet, held)
    site.after = marking(site)
    result = anna.run("mine", site.url, "--yes", "--tickets", 1, "-q")
    assert_refused(result, 7, "second key for tickets of value 1")
    assert anna.balance() == site.unspent() == held


def test_nothing_is_restored_where_a_value_has_a_second_key(site: LiveSite, funded: Person) -> None:
    site.after = marking(site)
    words = funded.run("wallet", "words").stdout
    result = funded.run("wallet", "restore", site.url, "-q", stdin=words)
    assert_refused(result, 7, "second key for tickets of value 1")
    assert funded.balance() == 8


def test_a_wallet_from_before_is_paid_with_by_the_keys_it_knows(site: LiveSite, funded: Person) -> None:
    site.after = marking(site)
    assert funded.run("get", site.url + "/report", "-o", "-").stdout == "the report"
    assert funded.balance() == site.unspent() == 5


@pytest.mark.parametrize("days", [-30, 30])
def test_a_wrong_clock_is_said_in_one_sentence_and_nothing_is_lost(
    tmp_path: pathlib.Path, anna: Person, days: int
) -> None:
    with LiveSites(tmp_path, ManualClock(int(time.time()) + days * DAY)) as sites:
        site = sites()
        with anna.start("mine", site.url, "--tickets", 1, "--duty", 100, "--yes") as process:
            _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert err.count("This machine's clock is") == 1
        assert site.unspent() >= 1
        with anna.wallet() as wallet:
            held = sum(ticket.value for ticket in wallet.tickets())
        assert held == site.unspent()
        assert anna.run("get", site.url + "/once", "-o", anna.home / "once").exit_code == 0
        assert site.paid() == 1


@pytest.mark.parametrize(
    "words",
    [
        ("mine", "http://shop.example", "--yes"),
        ("get", "http://192.0.2.1/report"),
        ("donate", "http://shop.example", "1"),
        ("pay", "http://localhost.example/report"),
    ],
)
def test_plain_http_is_for_this_machine_only(funded: Person, words: tuple[str, ...]) -> None:
    assert_refused(funded.run(*words), 7, "plain http")
    assert funded.balance() == 8


# A proxy


def test_mining_and_spending_in_one_command_take_different_circuits(site: LiveSite, anna: Person) -> None:
    with SocksServer(site) as socks:
        words = ("get", "http://shop.onion/once", "-o", "-", "--mine", "--yes", "-x", socks.url)
        assert anna.run(*words).exit_code == 0
    logins = {line: (user, password) for user, password, _, line in socks.seen}
    assert logins["POST /ticketminer/submit"] != logins["GET /once"]
    assert len({password for _, password, _, _ in socks.seen}) == 2
    assert {host for _, _, host, _ in socks.seen} == {"shop.onion"}
    assert anna.balance() == site.unspent()
