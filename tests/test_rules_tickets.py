"""Rules of tickets, keys and words that no other test states by name."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from mints import Mint
from sites import SECRET, Shop
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from test_holes_of_2016 import faulty
from visitor import PREFIX, Visitor, cause

from flask_ticketminer.config import read_settings
from flask_ticketminer.mint.key_pool import pooled_keys
from flask_ticketminer.mint.signer import _GmpKey
from flask_ticketminer.passes import read_pass
from flask_ticketminer.secrets import Secrets
from flask_ticketminer.work.floor import ValueFloor
from miner.tokens import Token, b64url, unb64url

SITE_SIDE = Path(__file__).parent.parent / "flask_ticketminer"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind of database: these rules do not depend on it."""
    return sqlite_url


# Value and dates


def test_a_ticket_relabelled_with_a_dearer_key_is_a_bad_signature(visitor: Visitor) -> None:
    token = Token.from_bytes(unb64url(visitor.ticket(1)))
    dear = next(entry for entry in visitor.entries() if entry["value"] == 4)
    relabelled = Token(
        token.nonce, token.challenge_digest, bytes.fromhex(dear["key-id"]), token.authenticator
    )
    credential = visitor.credential("/pictures/four", [b64url(relabelled.to_bytes())])
    assert cause(visitor.pay("/pictures/four", credential)) == (402, "bad-signature")


@pytest.mark.parametrize("kind", [b"\0\0", b"\0\1", b"\2\0", b"\xda\x7a"])
def test_tokens_of_another_scheme_are_not_tickets(visitor: Visitor, kind: bytes) -> None:
    other = kind + unb64url(visitor.ticket())[2:]
    credential = visitor.credential("/once", [b64url(other)])
    assert cause(visitor.pay("/once", credential)) == (402, "wrong-token-type")


def test_the_directory_offers_one_scheme(visitor: Visitor) -> None:
    assert {entry["token-type"] for entry in visitor.entries()} == {2}


# The site's name


def test_a_request_does_not_choose_the_sites_name(visitor: Visitor) -> None:
    plain = visitor.get(PREFIX + "/keys")
    other = visitor.get(PREFIX + "/keys", base_url="https://evil.example")
    assert other.data == plain.data
    assert visitor.challenge("/once", base_url="https://evil.example")["realm"] == "localhost"


def test_both_addresses_of_the_directory_serve_the_same_bytes(visitor: Visitor) -> None:
    well_known = visitor.get("/.well-known/private-token-issuer-directory")
    assert well_known.data == visitor.get(PREFIX + "/keys").data


def test_a_new_name_destroys_no_balance(make_site: Callable[..., Shop]) -> None:
    old = Visitor(make_site(TICKETMINER_SITE_NAME="old.example").app)
    ticket = old.ticket(2)
    new = Visitor(make_site(TICKETMINER_SITE_NAME="new.example").app)
    assert new.challenge("/once")["realm"] == "new.example"
    credential = new.credential("/once", [ticket], [new.output(1)])
    assert new.pay("/once", credential).status_code == 200


# Private keys


def stored_key(mint: Mint) -> dict[str, t.Any]:
    table = mint.database.tables.key
    return dict(mint.database.read(lambda connection: connection.execute(select(table)).mappings().one()))


@pytest.mark.parametrize(
    "change",
    [{"last_byte": -1}, {"value": 2, "starts": 0}],
    ids=["second-key-for-a-value", "last-byte-taken"],
)
def test_the_database_refuses_a_key_that_could_be_taken_for_another(
    memory_mint: Mint, change: dict[str, int]
) -> None:
    memory_mint.keys.current(1)
    row = stored_key(memory_mint) | {"key_id": bytes(32)} | change
    table = memory_mint.database.tables.key
    with pytest.raises(IntegrityError):
        memory_mint.database.transaction(lambda connection: connection.execute(insert(table), row))


def test_only_the_mint_ever_holds_a_private_key() -> None:
    word = re.compile(r"RSAPrivateKey|wrapped_private|load_der_private_key|private_numbers")
    holders = {
        file.relative_to(SITE_SIDE).parts[0]
        for file in SITE_SIDE.rglob("*.py")
        if word.search(file.read_text())
    }
    assert holders == {"mint", "tables.py", "extension.py"}  # where they are kept, and where they are drawn


def test_the_fallback_blinds_what_it_computes_on() -> None:
    """A fault shows in the result what went in: the same message gives another result each time."""
    key: rsa.RSAPrivateKey = faulty(pooled_keys()())
    message = bytes([0, *os.urandom(255)])
    assert len({_GmpKey(key)(message) for _ in range(4)}) == 4


def test_each_purpose_has_a_key_of_its_own() -> None:
    app = Flask("secrets")
    app.config["SECRET_KEY"] = SECRET
    secrets = Secrets(app, read_settings(app))
    purposes = ("job", "pass localhost", "payment challenge")
    keys = [*secrets.wrapping_keys, *(key for purpose in purposes for key in secrets.mac_keys(purpose))]
    assert len(set(keys)) == 4
    assert SECRET.encode() not in keys


def test_secrets_are_never_compared_byte_by_byte() -> None:
    """What a MAC or a secret is compared with goes through ``hmac.compare_digest`` or itsdangerous."""
    name = re.compile(r"(^|_)(mac|tag|secret|hmac)s?$")
    compared = [
        f"{file.name}:{node.lineno}"
        for file in SITE_SIDE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
        for side in (node.left, *node.comparators)
        if name.search(ast.unparse(side).rpartition(".")[2])
    ]
    assert compared == []


# Jobs and passes


def test_a_share_is_paid_by_its_own_job_when_the_floor_has_risen(shop: Shop, visitor: Visitor) -> None:
    seconds = [0.0]
    job = visitor.job(value=1)
    floor = ValueFloor(512, monotonic=lambda: seconds[0])
    shop.app.extensions["ticketminer"].floor = floor
    for _ in range(201):
        floor.count_share()
    seconds[0] = 1.0
    assert visitor.job(value=1)["value"] == 2
    assert visitor.post("/submit", visitor.share(job, visitor.output())).json["value"] == 1


@pytest.mark.parametrize(
    ("rates", "floor"), [([201], 2), ([201, 201, 100], 4), ([201, 201, 49], 2), ([49], 1), ([900] * 12, 512)]
)
def test_the_floor_doubles_above_200_shares_a_second_and_halves_below_50(
    rates: list[int], floor: int
) -> None:
    seconds = [0.0]
    value_floor = ValueFloor(512, monotonic=lambda: seconds[0])
    for rate in rates:
        for _ in range(rate):
            value_floor.count_share()
        seconds[0] += 1
        value_floor.value()
    assert value_floor.value() == floor


def test_a_pass_that_was_altered_is_not_a_pass(shop: Shop, visitor: Visitor) -> None:
    paid = visitor.post("/redeem", visitor.credential("/report", [visitor.ticket(1), visitor.ticket(2)]))
    genuine = paid.json["pass"]["token"]
    serializer = shop.app.extensions["ticketminer"].passes
    access = read_pass(genuine, serializer)
    assert access is not None
    payload, _, tag = genuine.rpartition(".")
    members = serializer.load_payload(payload.encode())
    for at, value in ((1, "scope:premium"), (3, access.expires + 10**6)):
        altered = list(members)
        altered[at] = value
        forged = serializer.dump_payload(altered).decode() + "." + tag
        assert read_pass(forged, serializer) is None


# Restore


def test_a_restore_needs_no_private_key(make_site: Callable[..., Shop]) -> None:
    before = Visitor(make_site().app)
    job = before.job()
    output = before.output(key_id=job["key_id"])
    signed = before.post("/submit", before.share(job, output)).json["token_response"]
    lost = Visitor(make_site(SECRET_KEY="the old secret is gone for ever").app)
    assert cause(lost.post("/job", lost.job_request())) == (503, "mint-unavailable")
    wanted = {"key_id": job["key_id"], "hashes": [hashlib.sha256(output.blinded).hexdigest()]}
    assert lost.post("/restore", wanted).json == {"signatures": [signed]}


def test_no_endpoint_tells_the_state_of_a_ticket_that_is_asked_about(visitor: Visitor) -> None:
    ticket = unb64url(visitor.ticket())
    visitor.pay("/once", visitor.credential("/once", [b64url(ticket)]))
    nonce, key_id = ticket[2:34], ticket[66:98].hex()
    asked = [nonce.hex(), hashlib.sha256(nonce).hexdigest(), hashlib.sha256(ticket).hexdigest()]
    reply = visitor.post("/restore", {"key_id": key_id, "hashes": asked})
    assert reply.json == {"signatures": [None, None, None]}
