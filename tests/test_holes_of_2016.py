"""The holes of the TicketMiner of 2016, each tried against this one.

That program's tickets could be followed from earning to spending, its signing key could be computed by visitors, clients named
their own price, and what was lost between two messages was lost. ``claims.toml`` lists the holes and every test that closes one.
"""

from __future__ import annotations

import json
import math
import os
import typing as t
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from fake_site import Clock, FakeSite
from flask import Response, abort
from mints import Mint
from sites import DEFAULT_WORK, Shop
from sqlalchemy import func, select
from visitor import Visitor, cause

from flask_ticketminer import ticket_required
from flask_ticketminer.database import Database
from flask_ticketminer.errors import MintUnavailable
from flask_ticketminer.mint.key_pool import pooled_keys
from flask_ticketminer.mint.keys import generate_rsa
from flask_ticketminer.mint.signer import Signer, _GmpKey
from miner.tokens import Token, b64url, blind, finalize, unb64url, verify
from miner.wallet import Wallet


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind of database: what depends on the kind is tried on each by the ledger's own tests."""
    return sqlite_url


def rows(shop: Shop) -> dict[str, int]:
    """Return the number of rows of each table."""
    database: Database = shop.app.extensions["ticketminer"].database

    def count(connection: t.Any) -> dict[str, int]:
        tables = database.tables.all
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar()
            for table in tables
        }

    return database.read(count)


# 1: tickets could be followed


def windows(data: bytes, size: int = 8) -> set[bytes]:
    return {data[at : at + size] for at in range(len(data) - size + 1)}


def test_earning_and_spending_a_ticket_have_only_its_key_in_common(visitor: Visitor) -> None:
    job = visitor.job()
    output = visitor.output(key_id=job["key_id"])
    sent = visitor.share(job, output)
    answer = visitor.post("/submit", sent).json
    at_issue = {bytes.fromhex(job[name]) for name in ("blob", "key_id", "target")}
    at_issue |= {unb64url(text) for text in (sent["token_request"], answer["token_response"])}
    at_issue |= {bytes.fromhex(sent["nonce"]), job["job"].encode()}
    token = unb64url(output.ticket(answer["token_response"]))
    common = windows(token) & set().union(*map(windows, at_issue))
    assert common <= windows(bytes.fromhex(job["key_id"]))
    assert common


# 2, 3, 4: the signing key could be computed, and signatures forged


def test_the_ros_attack_needs_signer_state_that_does_not_exist(make_site: Callable[..., Shop]) -> None:
    shop, other = make_site(), make_site()
    visitor = Visitor(shop.app)
    visitor.entries()
    before = rows(shop)
    jobs = [visitor.job() for _ in range(260)]  # more sessions at a time than the attack asks for
    assert rows(shop) == before
    ring = other.app.extensions["ticketminer"].keys
    for job in reversed(jobs[:4]):  # in another order than they were opened, and by another process
        output = visitor.output(key_id=job["key_id"])
        signature = visitor.post("/submit", visitor.share(job, output)).json["token_response"]
        key = ring.find(bytes.fromhex(job["key_id"]))
        assert unb64url(signature) == ring.sign(key, output.blinded)


def test_a_signature_draws_no_nonce_that_could_be_guessed_or_used_twice() -> None:
    key, message = pooled_keys()(), bytes([0, *os.urandom(255)])
    assert len({Signer(key).sign(message) for _ in range(20)}) == 1


def test_two_signatures_multiplied_make_no_ticket() -> None:
    key = pooled_keys()()
    public, n = key.public_key(), key.public_key().public_numbers().n
    messages = [Token.input(bytes([i]) * 32, bytes(32), bytes(32)) for i in range(2)]
    pairs = [blind(public, message, salt=bytes(48), r=3 + i) for i, message in enumerate(messages)]
    tickets = [
        finalize(public, message, Signer(key).sign(blinded), inverse)
        for message, (blinded, inverse) in zip(messages, pairs, strict=True)
    ]
    product = math.prod(int.from_bytes(ticket, "big") for ticket in tickets) % n
    assert not any(verify(public, message, product.to_bytes(256, "big")) for message in messages)


def faulty(key: rsa.RSAPrivateKey) -> rsa.RSAPrivateKey:
    """Return `key` with one wrong CRT exponent: a fault in one half of each computation."""
    numbers = key.private_numbers()
    broken = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d, numbers.dmp1 ^ 2, numbers.dmq1, numbers.iqmp, numbers.public_numbers
    )
    return broken.private_key(unsafe_skip_rsa_key_validation=True)


def test_the_signing_key_cannot_be_recovered_from_a_faulty_signature() -> None:
    key, message = pooled_keys()(), bytes([0, *os.urandom(255)])
    public, private = key.public_key().public_numbers(), key.private_numbers()
    answer = int.from_bytes(_GmpKey(faulty(key))(message), "big")
    excess = pow(answer, public.e, public.n) - int.from_bytes(message, "big")
    assert math.gcd(excess, public.n) in (private.p, private.q)  # what the unchecked answer would give away
    with pytest.raises(MintUnavailable):
        Signer(faulty(key), path="gmpy2").sign(message)


def test_the_signing_key_does_not_follow_from_the_sites_secret(make_mint: Callable[..., Mint]) -> None:
    mints = [make_mint(keys={"generate": generate_rsa}) for _ in range(2)]
    assert mints[0].wrapping.wrapping_keys == mints[1].wrapping.wrapping_keys
    assert mints[0].keys.current(1) != mints[1].keys.current(1)


# 5: the client named the price


def test_a_client_cannot_set_its_own_price(shop: Shop, visitor: Visitor) -> None:
    ticket, change = visitor.ticket(4), visitor.output(2)
    cheap = visitor.credential("/pictures/one", [ticket])
    named = visitor.credential("/pictures/four", [ticket])
    named["payload"]["amount"] = "1"
    kept = visitor.credential("/pictures/four", [ticket], [change])
    replies = [visitor.pay("/pictures/four", credential) for credential in (cheap, named, kept)]
    assert [cause(reply)[1] for reply in replies] == [
        "wrong-resource",
        "malformed-credential",
        "not-enough",
    ]
    assert shop.served == []
    assert visitor.pay("/pictures/four", visitor.credential("/pictures/four", [ticket])).text == "four"


def test_no_tickets_pay_for_nothing_and_bring_no_change(shop: Shop, visitor: Visitor) -> None:
    credential = visitor.credential("/once", [], [visitor.output(512)])
    assert cause(visitor.pay("/once", credential)) == (402, "not-enough")
    assert cause(visitor.pay("/once", visitor.credential("/once", []))) == (402, "not-enough")
    assert shop.balanced()


def test_tickets_paid_for_what_is_no_longer_for_sale_are_kept(shop: Shop) -> None:
    for_sale = {"a"}
    price = ticket_required(price=lambda name: 1 if name in for_sale else abort(404))
    shop.app.add_url_rule("/goods/<name>", "goods", price(lambda name: name))
    visitor = Visitor(shop.app)
    ticket = visitor.ticket()
    credential = visitor.credential("/goods/a", [ticket])
    for_sale.clear()
    assert visitor.post("/redeem", credential).status_code == 404
    assert visitor.pay("/goods/a", credential).status_code == 404
    assert visitor.pay("/once", visitor.credential("/once", [ticket])).status_code == 200


# 6, 7: shares and tickets counted twice, and spent tickets written down too late


@pytest.mark.parametrize("algorithm", ["scrypt", "sha256d"])
def test_a_share_is_paid_once_whatever_its_algorithm(make_site: Callable[..., Shop], algorithm: str) -> None:
    visitor = Visitor(make_site(TICKETMINER_ALGORITHM=algorithm).app)
    job = visitor.job()
    share = visitor.share(job, visitor.output())
    replies = [
        visitor.post("/submit", share | {"token_request": token_request})
        for token_request in (
            share["token_request"],
            visitor.token_request(visitor.output()),
        )
    ]
    assert job["algorithm"] == algorithm
    assert replies[0].status_code == 200
    assert cause(replies[1]) == (409, "duplicate-share")


def test_a_ticket_is_stored_as_spent_before_the_answer_leaves(shop: Shop) -> None:
    seen: list[int] = []

    @shop.app.after_request
    def look(response: Response) -> Response:
        if "Payment-Receipt" in response.headers:
            other = Database(shop.app.config["TICKETMINER_DATABASE_URI"])  # as after a crash just here
            table = other.tables.spent
            seen.append(other.read(lambda c: c.execute(select(func.count()).select_from(table)).scalar_one()))
            other.dispose()
        return response

    visitor = Visitor(shop.app)
    assert visitor.pay("/once", visitor.credential("/once", [visitor.ticket()])).status_code == 200
    assert seen == [1]


def test_anothers_ticket_cannot_be_marked_as_spent(visitor: Visitor) -> None:
    token = Token.from_bytes(unb64url(visitor.ticket()))
    forged = Token(token.nonce, token.challenge_digest, token.key_id, bytes(255) + b"\1")
    attempt = visitor.credential("/once", [b64url(forged.to_bytes())])
    assert cause(visitor.pay("/once", attempt)) == (402, "bad-signature")
    ticket = b64url(token.to_bytes())
    assert visitor.pay("/once", visitor.credential("/once", [ticket])).status_code == 200


# 8 to 10: messages that overwrite each other, crash the server, or change what a ticket is worth


def test_shares_under_way_at_the_same_time_do_not_displace_each_other(visitor: Visitor) -> None:
    jobs = [visitor.job() for _ in range(2)]
    outputs = [visitor.output(key_id=job["key_id"]) for job in jobs]
    shares = [visitor.share(job, output) for job, output in zip(jobs, outputs, strict=True)]
    answers = [visitor.post("/submit", share).json["token_response"] for share in reversed(shares)]
    tickets = [output.ticket(answer) for output, answer in zip(reversed(outputs), answers, strict=True)]
    assert len(set(tickets)) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"{}",
        b'{"data":null}',
        b'{"job":null,"nonce":null}',
        b'{"payload":{"tickets":[{}]}}',
    ],
)
@pytest.mark.parametrize("path", ["/job", "/submit", "/redeem", "/restore"])
def test_no_message_of_a_stranger_stops_the_site(visitor: Visitor, path: str, body: bytes) -> None:
    reply = visitor.client.post("/ticketminer" + path, data=body, content_type="application/json")
    assert 400 <= cause(reply)[0] < 500
    assert visitor.get("/free").text == "free"


def test_a_ticket_keeps_its_value_when_work_becomes_dearer(make_site: Callable[..., Shop]) -> None:
    ticket = Visitor(make_site().app).ticket(4)
    dearer = Visitor(make_site(TICKETMINER_EFFORT={DEFAULT_WORK: 64}).app)
    assert dearer.pay("/pictures/four", dearer.credential("/pictures/four", [ticket])).text == "four"


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example.evil.test",
        "https://notshop.example",
        "https://shop.example:8443",
        "http://shop.example",
    ],
)
def test_an_origin_is_compared_whole(tmp_path: t.Any, origin: str) -> None:
    site = FakeSite()
    with Wallet.open(tmp_path / "w" / "wallet.sqlite", clock=Clock()) as wallet:
        wallet.deposit("https://shop.example", site.key(4), site.signer(4), 1)
        assert wallet.purses(origin) == [origin]
        assert wallet.balance(origin) == 0


def test_money_is_never_a_float(visitor: Visitor) -> None:
    for value in (1.0, 1.5, 1e3):
        body = json.dumps(visitor.job_request(value=value)).encode()
        reply = visitor.client.post("/ticketminer/job", data=body, content_type="application/json")
        assert cause(reply) == (400, "malformed-json")
