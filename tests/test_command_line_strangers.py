"""The command ``ticketminer`` at sites that misbehave: one sentence, an exit code, and no ticket lost."""

from __future__ import annotations

import json
import pathlib
import re
import time
import typing as t
from collections.abc import Callable

import pytest
from flask import Response, redirect, request
from live import LiveSite, LiveSites, LossyProxy, Person, answering
from terminal import assert_refused

from flask_ticketminer.clock import ManualClock
from miner.tokens import b64url, jcs, unb64url

DAY = 86400


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


def test_a_site_that_is_not_there_costs_nothing(served: LiveSite, funded: Person) -> None:
    gone = "http://127.0.0.1:9"
    assert_refused(funded.run("get", gone + "/report"), 3, "try again")
    assert funded.balance() == 8


def test_a_site_that_vanishes_after_it_was_paid_owes_the_change(served: LiveSite, anna: Person) -> None:
    with LossyProxy(served) as line:
        with anna.wallet() as wallet:
            served.fill(wallet, 8, at=line.url)
        served.before = lambda: line.lose("GET /report") if "Authorization" in request.headers else None
        assert_refused(anna.run("get", line.url + "/report"), 3, "will be repeated")
        served.before = lambda: None
        result = anna.run("get", line.url + "/report", "-o", "-")
    assert (result.exit_code, result.stdout) == (0, "the report")
    assert (anna.balance(), served.unspent(), served.paid()) == (5, 5, 3)


def test_a_payment_does_not_follow_a_redirect(served: LiveSite, serve: LiveSites, funded: Person) -> None:
    thief = serve()
    served.before = lambda: redirect(thief.url) if "Authorization" in request.headers else None  # type: ignore[assignment,return-value]
    assert_refused(funded.run("get", served.url + "/report"), 7, "Payments never follow")
    assert thief.requests == []
    served.before = lambda: None
    assert funded.run("get", served.url + "/report", "-o", "-").stdout == "the report"
    assert (funded.balance(), served.unspent(), served.paid()) == (5, 5, 3)


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
    served: LiveSite, serve: LiveSites, funded: Person
) -> None:
    other = serve(TICKETMINER_SITE_NAME="other.example")
    with funded.wallet() as wallet:
        other.fill(wallet, 4)
    served.after = altered(recipient="other.example")
    assert_refused(funded.run("get", served.url + "/report"), 7, "'other.example', which is not its name")
    assert (served.paid(), other.unspent(), funded.balance()) == (0, 4, 12)


def test_another_sites_tickets_are_not_paid_to_a_stranger(
    served: LiveSite, serve: LiveSites, funded: Person
) -> None:
    stranger = serve()  # calls itself what the other one is called
    assert_refused(funded.run("get", stranger.url + "/report"), 4, "0 in the wallet")
    assert funded.balance() == 8


def test_tickets_are_not_sent_to_another_place(served: LiveSite, serve: LiveSites, funded: Person) -> None:
    thief = serve()
    details = {"redeem": thief.url + "/ticketminer/redeem", "service": "/ticketminer/"}
    served.after = altered(methodDetails=details)
    assert_refused(funded.run("get", served.url + "/report"), 7, "another place")
    assert (thief.requests, funded.balance()) == ([], 8)


def marking(served: LiveSite) -> Callable[[Response], Response]:
    """Return a hook that gives out work for a second key of value 1, as a site would that marks its visitors."""
    mark = served.key_id(2)

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
def test_nothing_is_mined_where_a_value_has_a_second_key(served: LiveSite, anna: Person, held: int) -> None:
    with anna.wallet() as wallet:
        served.fill(wallet, held)
    served.after = marking(served)
    result = anna.run("mine", served.url, "--yes", "--tickets", 1, "-q")
    assert_refused(result, 7, "second key for tickets of value 1")
    assert anna.balance() == served.unspent() == held


def test_nothing_is_restored_where_a_value_has_a_second_key(served: LiveSite, funded: Person) -> None:
    served.after = marking(served)
    words = funded.run("wallet", "words").stdout
    result = funded.run("wallet", "restore", served.url, "-q", stdin=words)
    assert_refused(result, 7, "second key for tickets of value 1")
    assert funded.balance() == 8


def test_a_wallet_from_before_is_paid_with_by_the_keys_it_knows(served: LiveSite, funded: Person) -> None:
    served.after = marking(served)
    assert funded.run("get", served.url + "/report", "-o", "-").stdout == "the report"
    assert funded.balance() == served.unspent() == 5


@pytest.mark.parametrize("days", [-30, 30])
def test_a_wrong_clock_is_said_in_one_sentence_and_nothing_is_lost(
    tmp_path: pathlib.Path, anna: Person, days: int
) -> None:
    with LiveSites(tmp_path, ManualClock(int(time.time()) + days * DAY)) as sites:
        served = sites()
        with anna.start("mine", served.url, "--tickets", 1, "--duty", 100, "--yes") as process:
            _, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert err.count("This machine's clock is") == 1
        assert served.unspent() >= 1
        with anna.wallet() as wallet:
            held = sum(ticket.value for ticket in wallet.tickets())
        assert held == served.unspent()
        assert anna.run("get", served.url + "/once", "-o", anna.home / "once").exit_code == 0
        assert served.paid() == 1


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
