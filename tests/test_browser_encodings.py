"""What the page reads and writes, byte by byte as Python does, and its exceptions."""

from __future__ import annotations

import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from nodes import LETTERS, WALLET, Node, PageRefused, same, spki_of

from miner.errors import UNDECIDED, SiteRefused
from miner.tokens import Token, TokenChallenge, b64url, hex_bytes, public_key_from_spki, unb64url

hexed = bytes.fromhex


# Encodings

almost_base64 = st.one_of(
    st.text(LETTERS, max_size=12), st.text(LETTERS + "+/= \n\x00é٣\ud800", max_size=12), st.text(max_size=6)
)
almost_hex = st.one_of(
    st.text("0123456789abcdef", max_size=12),
    st.text("0123456789abcdefABCDEF \nx٣", max_size=12),
    st.text(max_size=6),
)
sizes = st.one_of(st.none(), st.integers(0, 9))
anything = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.lists(st.text(max_size=2), max_size=2))


@given(text=almost_base64 | anything, size=sizes)
@settings(max_examples=600, deadline=None)
def test_base64url_is_read_as_python_reads_it(plain_node, text, size):
    same(plain_node, lambda: unb64url(text, size=size), "fromBase64url", text, size)


@given(text=almost_hex | anything, size=sizes)
@settings(max_examples=300, deadline=None)
def test_hex_is_read_as_python_reads_it(plain_node, text, size):
    same(plain_node, lambda: hex_bytes(text, size=size), "fromHex", text, size)


@given(data=st.binary(max_size=400))
@settings(deadline=None)
def test_byte_strings_are_written_as_python_writes_them(plain_node, data):
    assert plain_node("toBase64url", data.hex()) == b64url(data)
    assert plain_node("toHex", data.hex()) == data.hex()
    assert plain_node("number", "01" + data.hex(), len(data) + 1) == "01" + data.hex()


@pytest.mark.parametrize("last", LETTERS)
@pytest.mark.parametrize("before", ["", "A", "AA", "AAA", "AAAA"])
def test_every_last_letter(plain_node, before, last):
    same(plain_node, lambda: unb64url(before + last), "fromBase64url", before + last)


def test_megabytes_are_read(plain_node):
    data = bytes(range(256)) * 4096
    assert plain_node("fromBase64url", b64url(data)) == data.hex()
    assert plain_node("fromHex", data.hex()) == data.hex()


@given(data=st.binary(min_size=1, max_size=9), other=st.binary(max_size=9))
@settings(deadline=None)
def test_equality(plain_node, data, other):
    assert plain_node("equal", data.hex(), data.hex())
    assert plain_node("equal", data.hex(), other.hex()) is (data == other)
    assert not plain_node("equal", data.hex(), data.hex() + "00")


def test_a_number_that_is_too_large_is_refused(plain_node):
    with pytest.raises(PageRefused):
        plain_node("number", "010000", 2)


SPKI = hexed(WALLET["spki"])


@st.composite
def spoilt_keys(draw):
    spki = bytearray(SPKI)
    place = draw(st.integers(0, len(spki) - 1))
    match draw(st.sampled_from(["flip", "insert", "delete", "end", "cut"])):
        case "flip":
            spki[place] ^= 1 << draw(st.integers(0, 7))
        case "insert":
            spki.insert(place, draw(st.integers(0, 255)))
        case "delete":
            del spki[place]
        case "end":
            spki += draw(st.binary(max_size=3))
        case "cut":
            del spki[place:]
    return bytes(spki)


def same_key(node: Node, spki: bytes) -> None:
    same(node, lambda: f"{public_key_from_spki(spki).public_numbers().n:x}", "publicKey", spki.hex())


@given(spoilt_keys())
@settings(max_examples=400, deadline=None)
def test_keys_are_read_as_python_reads_them(plain_node, spki):
    same_key(plain_node, spki)


@pytest.mark.parametrize("place", [*range(90), 340, *range(len(SPKI) - 6, len(SPKI))])
def test_every_bit_around_a_modulus_matters(plain_node, place):
    for bit in range(8):
        spki = bytearray(SPKI)
        spki[place] ^= 1 << bit
        same_key(plain_node, bytes(spki))


def test_keys_of_another_kind_are_refused(plain_node):
    for size, exponent in ((3072, 65537), (2048, 3)):
        public = rsa.generate_private_key(exponent, size).public_key()
        with pytest.raises(PageRefused, match="bad-key"):
            plain_node("publicKey", spki_of(public))


@pytest.mark.parametrize("size", [0, 353, 355])
def test_a_token_of_another_size_is_refused(plain_node, size):
    same(plain_node, lambda: Token.from_bytes(bytes(size)), "decodeToken", bytes(size).hex())


@pytest.mark.parametrize("token_type", ["0000", "0001", "0003", "0102", "0202"])
def test_a_token_of_another_type_is_refused(plain_node, token_type):
    token = hexed(token_type) + bytes(352)
    same(plain_node, lambda: Token.from_bytes(token), "decodeToken", token.hex())


@pytest.mark.parametrize(
    ("operation", "sizes"),
    [
        ("tokenInput", (31, 32, 32)),
        ("tokenInput", (32, 33, 32)),
        ("tokenInput", (32, 32, 0)),
        ("encodeToken", (97, 256)),
        ("encodeToken", (98, 255)),
        ("tokenRequest", (31, 256)),
        ("tokenRequest", (32, 257)),
    ],
)
def test_parts_of_another_size_are_refused(plain_node, operation, sizes):
    with pytest.raises(PageRefused, match="wrong-size"):
        plain_node(operation, *("00" * size for size in sizes))


@pytest.mark.parametrize("name", ["", "x" * 65_536])
def test_an_issuer_needs_a_name_that_fits(plain_node, name):
    same(plain_node, lambda: TokenChallenge(name).digest, "challengeDigest", name)


def test_the_longest_name_of_an_issuer_fits(plain_node):
    same(plain_node, lambda: TokenChallenge("é" * 32_767 + "x").digest, "challengeDigest", "é" * 32_767 + "x")


# Exceptions

TREE = {
    "TicketMinerError": "Error",
    "SiteError": "TicketMinerError",
    "SiteUnreachable": "SiteError",
    "SiteRefused": "SiteError",
    "SiteProtocolError": "SiteError",
    "CodecError": "SiteProtocolError",
    "KeyMismatch": "SiteError",
    "ForeignRequest": "SiteError",
    "WalletError": "TicketMinerError",
    "NotEnoughTickets": "WalletError",
    "TicketsTaken": "WalletError",
    "WrongWords": "WalletError",
    "StorageRefused": "WalletError",
    "StorageFull": "WalletError",
    "PaymentFailed": "TicketMinerError",
    "AlreadyDelivered": "PaymentFailed",
    "EngineError": "TicketMinerError",
    "NoKernel": "EngineError",
    "OutOfMemory": "EngineError",
}


def test_the_tree_of_exceptions(plain_node):
    assert plain_node("tree") == TREE


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("SiteUnreachable", "site-unreachable"),
        ("SiteRefused", "site-refused"),
        ("SiteProtocolError", "site-protocol"),
        ("CodecError", "site-protocol"),
        ("KeyMismatch", "key-mismatch"),
        ("ForeignRequest", "foreign-request"),
        ("WalletError", "wallet"),
        ("NotEnoughTickets", "not-enough-tickets"),
        ("TicketsTaken", "tickets-taken"),
        ("StorageRefused", "storage-refused"),
        ("StorageFull", "storage-full"),
        ("PaymentFailed", "payment-failed"),
        ("AlreadyDelivered", "already-delivered"),
        ("NoKernel", "no-kernel"),
        ("OutOfMemory", "out-of-memory"),
    ],
)
def test_codes_choose_the_translation(plain_node, name, code):
    assert plain_node("code", name) == code


def test_a_refusal_is_told_with_the_sites_cause(plain_node):
    with pytest.raises(PageRefused) as refused:
        plain_node("refuse", 409, "ticket-spent", "One is spent.", {"body": {"tickets": [0]}})
    assert refused.value.problem == {
        "code": "site-refused",
        "cause": "ticket-spent",
        "detail": "The site refused (ticket-spent): One is spent.",
        "values": {"detail": "One is spent."},
    }


@pytest.mark.parametrize(
    ("thrown", "detail"), [("TypeError", "Not ours."), ("a string", "a string"), (None, "null")]
)
def test_what_is_not_ours_is_unexpected(plain_node, thrown, detail):
    with pytest.raises(PageRefused) as refused:
        plain_node("raise", thrown)
    assert refused.value.problem == {"code": "unexpected", "detail": detail}


@pytest.mark.parametrize("cause", [*UNDECIDED, "ticket-spent", "http-400", "not-busy", "in-progress-not"])
def test_both_think_the_same_refusals_definite(plain_node, cause):
    for status, retry in itertools.product((400, 402, 404, 408, 409, 425, 429, 500, 503), (None, 0, 5)):
        assert plain_node("definite", status, cause, retry) is SiteRefused(status, cause, "", retry).definite
