"""The page's client against what a hostile or broken site could answer."""

from __future__ import annotations

import json
import time
import typing as t
from collections.abc import Callable, Iterator

import pytest
from buyers import Buyer, Stock, instead, rewrite
from flask import Response
from live import LiveSite

from miner.tokens import b64url

JSON = "application/json"


# Answers that are no answers


def plain(body: bytes, kind: str = JSON, status: int = 200, **headers: str) -> Callable[[], Response]:
    return lambda: Response(body, status, content_type=kind, headers=headers)


STRANGE = [
    plain(b"<h1>Hello</h1>", "text/html"),
    plain(b"{}"),
    plain(b"[]"),
    plain(b"[" * 100_000),
    plain(b'{"a":' * 100_000),
    plain(b'{"service": "ticketminer", "version": 1.0}'),
    plain(b'{"service": "ticketminer", "version": 1e0}'),
    plain(b"\xef\xbb\xbf{}"),
    plain(b'{"a": "\xff"}'),
    plain(b'{"a": 1e999}'),
]


def test_strange_documents_are_one_sentence(buyer: Buyer, market: LiveSite) -> None:
    for answer in STRANGE:
        instead(market, "/ticketminer/", answer)
        problem = buyer.fails("await client.service()")
        assert (problem.code, len(problem.detail) < 200) == ("site-protocol", True)


def test_an_endless_answer_is_cut_off(buyer: Buyer, market: LiveSite) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(4096):
            sent += 65536
            yield b" " * 65536

    instead(market, "/ticketminer/", lambda: Response(chunks(), mimetype=JSON))
    assert buyer.fails("await client.service()").code == "site-protocol"
    assert sent < 2**25


@pytest.mark.parametrize("body", [False, True])
def test_a_hanging_answer_is_given_up(buyer: Buyer, market: LiveSite, body: bool) -> None:
    def drip() -> Iterator[bytes]:
        for _ in range(40):
            yield b" "
            time.sleep(0.1)

    def hang() -> Response:
        if not body:
            time.sleep(2)
        return Response(drip() if body else b"{}", mimetype=JSON)

    buyer("await visit('wallet', 400)")
    instead(market, "/ticketminer/", hang)
    began = time.monotonic()
    assert buyer.fails("await client.service()").code == "site-unreachable"
    assert time.monotonic() - began < 1.8


def test_a_redirect_is_not_followed(buyer: Buyer, market: LiveSite) -> None:
    buyer("await client.service()")
    instead(market, "/ticketminer/job", lambda: Response(status=307, headers={"Location": "/elsewhere"}))
    problem = buyer.fails("await client.job(['sha256d'])")
    assert (problem.code, "redirects" in problem.detail) == ("site-refused", True)
    assert not any("elsewhere" in asked for asked in market.requests)


def test_a_redirected_share_stays_open(buyer: Buyer, market: LiveSite) -> None:
    instead(market, "/ticketminer/submit", lambda: Response(status=308, headers={"Location": "/elsewhere"}))
    assert buyer.fails("await mine()").code == "site-refused"
    assert buyer.open() == 1
    market.before = lambda: None
    assert buyer("(await client.recover()).value") == 1


def test_what_a_site_says_rewrites_nothing(buyer: Buyer, market: LiveSite) -> None:
    detail = "No.\u202e\u2066 \x1b[2J\u200f\ud800 Send more\n" + "x" * 2000
    body = json.dumps({"cause": "BAD cause", "detail": detail}).encode()
    instead(market, "/ticketminer/job", plain(body, "application/problem+json", 400))
    problem = buyer.fails("await client.job(['sha256d'])")
    assert problem.cause == "http-400"
    assert " ".join(problem.detail.split()).startswith("The site refused (http-400): No. [2J Send more xxx")
    assert len(problem.detail) < 600


def test_links_lead_nowhere_else(buyer: Buyer, market: LiveSite) -> None:
    rewrite(
        market, "/ticketminer/", lambda m: {**m, "links": {**m["links"], "redeem": "//evil.example/redeem"}}
    )
    assert buyer.fails("await client.service()").code == "site-protocol"


# Keys


@pytest.mark.parametrize("change", [{"value": 2}, {"redeem-until": 2**40}, {"issuer-name": "other"}])
def test_a_key_that_changes_is_refused(buyer: Buyer, market: LiveSite, change: dict[str, t.Any]) -> None:
    rewrite(market, "/ticketminer/keys", dict)
    buyer("await mine()")

    def later(members: dict[str, t.Any]) -> None:
        members["token-keys"][0].update(change)

    rewrite(market, "/ticketminer/keys", later)
    assert buyer.fails("await client.keys({ refresh: true })").code == "key-mismatch"
    assert buyer.balance() == 1


def test_a_second_key_for_one_value_is_refused(buyer: Buyer, market: LiveSite) -> None:
    def twice(members: dict[str, t.Any]) -> None:
        first, second = members["token-keys"][:2]
        second["value"] = first["value"]

    rewrite(market, "/ticketminer/keys", twice)
    assert buyer.fails("await mine()").code == "key-mismatch"
    assert (buyer.open(), "POST /ticketminer/submit" in market.requests) == (0, False)


BROKEN_KEYS: list[Callable[[dict[str, t.Any]], dict[str, t.Any]]] = [
    lambda entry: {"key-id": "00" * 32},
    lambda entry: {"token-key": entry["token-key"][:-8]},
    lambda entry: {"token-key": None},
    lambda entry: {"value": 3},
    lambda entry: {"value": True},
    lambda entry: {"not-before": entry["not-before"] + 1},
    lambda entry: {"issue-until": entry["not-before"]},
    lambda entry: {"redeem-until": entry["not-before"]},
    lambda entry: {"issuer-name": ""},
]


def test_a_directory_that_makes_no_sense_is_refused(buyer: Buyer, market: LiveSite) -> None:
    for change in BROKEN_KEYS:

        def broken(members: dict[str, t.Any], change: t.Any = change) -> None:
            members["token-keys"][0].update(change(members["token-keys"][0]))

        rewrite(market, "/ticketminer/keys", broken)
        assert buyer.fails("await client.keys()").code == "site-protocol"
    assert buyer("(await wallet.keys()).length") == 0


# Work


BROKEN_JOBS: list[Callable[[dict[str, t.Any]], dict[str, t.Any]]] = [
    lambda job: {"target": "f" * 64},
    lambda job: {"expected_hashes": job["expected_hashes"] * 2},
    lambda job: {
        "expected_hashes": job["expected_hashes"] * 2,
        "target": f"{2**256 // (job['expected_hashes'] * 2) - 1:064x}",
    },
    lambda job: {"nonce_offset": 80},
    lambda job: {"nonce_size": 1},
    lambda job: {"nonce_offset": 20},
    lambda job: {"blob": "ff" + job["blob"][2:]},
    lambda job: {"blob": job["blob"][:80] + "00" * 4 + job["blob"][88:]},
    lambda job: {"blob": job["blob"].upper()},
    lambda job: {"algorithm": "scrypt"},
    lambda job: {"value": 2},
    lambda job: {"key_id": "00" * 32},
    lambda job: {"key_id": None},
    lambda job: {"expires_in": 10**9},
    lambda job: {"expires_in": True},
    lambda job: {"job": None},
]


def test_work_that_is_not_what_was_announced_is_not_done(buyer: Buyer, market: LiveSite) -> None:
    for change in BROKEN_JOBS:
        rewrite(market, "/ticketminer/job", lambda job, change=change: {**job, **change(job)})
        assert buyer.fails("await client.job(['sha256d'], { value: 1 })").code == "site-protocol"
    rewrite(market, "/ticketminer/job", lambda job: {**job, "key_id": "00" * 32})
    assert buyer.fails("await client.job(['sha256d'], { donate: true })").code == "site-protocol"


BROKEN_SIGNATURES: list[dict[str, t.Any]] = [
    {"token_response": b64url(bytes(256))},
    {"token_response": b64url(b"\1" * 256)},
    {"token_response": b64url(b"\xff" * 256)},
    {"token_response": None},
    {"token_response": "x"},
    {"accepted": 1},
]


def test_a_signature_that_does_not_verify_leaves_the_share_open(buyer: Buyer, market: LiveSite) -> None:
    for change in BROKEN_SIGNATURES:
        rewrite(market, "/ticketminer/submit", lambda members, change=change: {**members, **change})
        assert buyer.fails("await mine()").code == "site-protocol"
    assert (buyer.balance(), buyer.open()) == (0, len(BROKEN_SIGNATURES))
    assert buyer("(await client.recover()).pending") == len(BROKEN_SIGNATURES)
    market.after = lambda response: response
    assert buyer("(await client.recover()).value") == len(BROKEN_SIGNATURES)


def test_a_share_that_is_worth_something_else_keeps_its_ticket(buyer: Buyer, market: LiveSite) -> None:
    rewrite(market, "/ticketminer/submit", lambda members: {**members, "value": 4})
    assert buyer.fails("await mine()").code == "site-protocol"
    assert (buyer.balance(), buyer.open()) == (1, 0)


@pytest.mark.parametrize(
    "change", [{"change": []}, {"change": [b64url(bytes(256))] * 2}, {"receipt": {"amount": "1"}}]
)
def test_change_that_is_none_leaves_the_payment_open(
    buyer: Buyer, market: LiveSite, stock: Stock, change: dict[str, t.Any]
) -> None:
    stock(8)
    rewrite(market, "/ticketminer/redeem", lambda members: {**members, **change})
    assert (
        buyer.fails("await client.pay(await client.challenge('/report'), '/report', 3)").code
        == "site-protocol"
    )
    assert (buyer.balance(), buyer.open()) == (0, 1)
    market.after = lambda response: response
    assert (buyer("(await client.recover()).value"), buyer.balance()) == (5, 5)
