"""Tickets with code nobody here wrote: Cloudflare's Privacy Pass for JavaScript as client, issuer and origin."""

from __future__ import annotations

import json
import pathlib
import typing as t
from collections.abc import Iterator

import httpx
import pytest
from conftest import missing
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from live import LiveSite, LiveSites
from privacypass_peer import Peer, PeerError, absent
from sites import DEFAULT_WORK, EASY
from visitor import Visitor

from flask_ticketminer.mint.key_pool import pooled_keys
from flask_ticketminer.mint.signer import blind_sign
from miner import Wallet
from miner.service import TicketKey
from miner.tokens import (
    Token,
    TokenChallenge,
    TokenRequest,
    TokenResponse,
    b64url,
    spki_from_public_key,
    token_key_id,
    unb64url,
    verify,
)


@pytest.fixture
def peer() -> Iterator[Peer]:
    what = absent()
    if what is not None:
        missing(what)
    with Peer() as peer:
        yield peer


@pytest.fixture
def site(tmp_path: pathlib.Path) -> Iterator[LiveSite]:
    """A site where a share takes two hashes."""
    with LiveSites(tmp_path) as sites:
        yield sites(TICKETMINER_SITE_NAME="shop.example", TICKETMINER_EFFORT=EASY)


@pytest.fixture
def wallet(tmp_path: pathlib.Path) -> Iterator[Wallet]:
    with Wallet.open(tmp_path / "anna" / "wallet.sqlite") as opened:
        yield opened


@pytest.fixture
def http(site: LiveSite) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url) as client:
        yield client


def entries(http: httpx.Client) -> dict[str, dict[str, t.Any]]:
    """Return the keys of the well-known directory, by id."""
    directory = http.get("/.well-known/private-token-issuer-directory").raise_for_status()
    return {entry["key-id"]: entry for entry in directory.json()["token-keys"]}


def mined(http: httpx.Client, site: LiveSite, peer: Peer, value: int) -> str:
    """Return a ticket that `peer` made with a share found here."""
    consent = http.get("/ticketminer/").json()["consent"]["version"]
    wanted = {"consent": consent, "algorithms": [DEFAULT_WORK], "value": value}
    job = http.post("/ticketminer/job", json=wanted).raise_for_status().json()
    entry = entries(http)[job["key_id"]]
    challenge = TokenChallenge(entry["issuer-name"]).to_bytes()
    share = {
        "job": job["job"],
        "nonce": next(Visitor(site.app).nonces(job)),
        "token_request": peer("request", challenge=b64url(challenge), key=entry["token-key"]),
    }
    answer = http.post("/ticketminer/submit", json=share).raise_for_status().json()
    return str(peer("finalize", response=answer["token_response"]))


# Its client


def test_its_suite_for_this_token_type_is_ours(peer: Peer) -> None:
    assert peer("suite") == "RSABSSA-SHA384-PSS-Deterministic"


def test_a_ticket_of_its_client_is_redeemed_once(http: httpx.Client, site: LiveSite, peer: Peer) -> None:
    ticket = mined(http, site, peer, 4)
    visitor = Visitor(site.app)
    first, second = (visitor.credential("/pictures/four", [ticket]) for _ in range(2))
    paid = http.post("/ticketminer/redeem", json=first)
    assert (paid.status_code, paid.json()["receipt"]["amount"]) == (200, "4")
    token = paid.json()["pass"]["token"]
    assert http.get("/pictures/four", headers={"TicketMiner-Pass": token}).text == "four"
    again = http.post("/ticketminer/redeem", json=second)
    assert (again.status_code, again.json()["cause"]) == (402, "ticket-spent")
    assert (site.paid(), site.unspent()) == (4, 0)


def test_a_ticket_of_its_client_pays_in_a_header(http: httpx.Client, site: LiveSite, peer: Peer) -> None:
    ticket = mined(http, site, peer, 1)
    credential = Visitor(site.app).credential("/pictures/one", [ticket])
    header = "Payment " + b64url(json.dumps(credential).encode())
    assert http.get("/pictures/one", headers={"Authorization": header}).text == "one"


def test_its_client_refuses_a_signature_of_another_key(peer: Peer) -> None:
    generate = pooled_keys()
    key, other = generate(), generate()
    spki = b64url(spki_from_public_key(key.public_key()))
    challenge = TokenChallenge("shop.example").to_bytes()
    request = TokenRequest.from_bytes(unb64url(peer("request", challenge=b64url(challenge), key=spki)))
    assert request.truncated_key_id == token_key_id(key.public_key())[-1]
    signature = blind_sign(other, bytes(1) + request.blinded_message[1:])
    with pytest.raises(PeerError, match="invalid signature"):
        peer("finalize", response=b64url(signature))


# Its origin


def test_it_accepts_the_tickets_of_our_wallet(
    http: httpx.Client, site: LiveSite, wallet: Wallet, peer: Peer
) -> None:
    site.fill(wallet, 1, 2)
    keys = entries(http)
    for ticket in wallet.tickets():
        key = keys[ticket.key_id.hex()]["token-key"]
        assert peer("verify", token=b64url(ticket.token), key=key) is True


def test_it_refuses_our_tickets_with_one_bit_changed_anywhere(
    http: httpx.Client, site: LiveSite, wallet: Wallet, peer: Peer
) -> None:
    site.fill(wallet, 1)
    [ticket] = wallet.tickets()
    key = entries(http)[ticket.key_id.hex()]["token-key"]
    for position in (2, 34, 66, 98, Token.SIZE - 1):
        token = bytearray(ticket.token)
        token[position] ^= 1
        assert peer("verify", token=b64url(bytes(token)), key=key) is False


# Its issuer


def test_a_wallet_takes_tickets_signed_by_its_issuer(wallet: Wallet, peer: Peer) -> None:
    private_key = pooled_keys()()
    public_key = private_key.public_key()
    key_id, spki = token_key_id(public_key), spki_from_public_key(public_key)
    der = private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def sign(blinded: bytes) -> bytes:
        request = TokenRequest(key_id[-1], blinded).to_bytes()
        answer = peer("issue", request=b64url(request), privateKey=b64url(der), key=b64url(spki))
        return TokenResponse.from_bytes(unb64url(answer)).blind_signature

    key = TicketKey(key_id, 1, 0, 2**40, 2**41, "shop.example", spki)
    wallet.deposit("https://shop.example", key, sign, 2)
    tokens = [Token.from_bytes(ticket.token) for ticket in wallet.tickets()]
    assert len(tokens) == 2
    assert all(verify(public_key, token.signed_bytes, token.authenticator) for token in tokens)


# Structures


def test_it_reads_the_keys_of_our_directory(http: httpx.Client, peer: Peer) -> None:
    for key_id, entry in entries(http).items():
        key = peer("key", key=entry["token-key"])
        assert (entry["token-type"], key["key"]) == (2, entry["token-key"])
        assert unb64url(key["id"]).hex() == key_id


@pytest.mark.parametrize(
    ("context", "origins"),
    [(b"", ""), (bytes(range(32)), "a.example"), (b"", "a.example,b.example"), (bytes(32), "")],
    ids=["plain", "bound", "origins", "context"],
)
def test_it_reads_our_token_challenges(peer: Peer, context: bytes, origins: str) -> None:
    ours = b64url(TokenChallenge("bücher.example", context, origins).to_bytes())
    theirs = peer("challenge", challenge=ours)
    assert (theirs["tokenType"], theirs["issuerName"], theirs["bytes"]) == (2, "bücher.example", ours)
    assert (unb64url(theirs["context"]), theirs.get("originInfo")) == (
        context,
        origins.split(",") if origins else None,
    )
