"""Wire structures and codecs: one spelling each, and nothing else gets through."""

from __future__ import annotations

import json
import pathlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.tokens import (
    DENOMINATIONS,
    MAX_AMOUNT,
    CodecError,
    Token,
    TokenChallenge,
    TokenRequest,
    TokenResponse,
    amount,
    b64url,
    blind,
    decode_json,
    finalize,
    hex_bytes,
    jcs,
    parse_amount,
    public_key_from_spki,
    spki_from_public_key,
    split,
    unb64url,
    verify,
)

KEY = rsa.generate_private_key(65537, 2048)


def sign(blinded: bytes) -> bytes:
    numbers = KEY.private_numbers()
    return pow(int.from_bytes(blinded, "big"), numbers.d, numbers.public_numbers.n).to_bytes(256, "big")


def test_a_blind_signature_verifies_once_unblinded() -> None:
    message = bytes(98)
    blinded, inverse = blind(KEY.public_key(), message, salt=b"s" * 48, r=12345)
    assert verify(KEY.public_key(), message, finalize(KEY.public_key(), message, sign(blinded), inverse))


def test_a_wrong_signature_is_not_finalized() -> None:
    blinded, inverse = blind(KEY.public_key(), bytes(98), salt=b"s" * 48, r=12345)
    with pytest.raises(CodecError, match="does not verify"):
        finalize(KEY.public_key(), b"\1" * 98, sign(blinded), inverse)


def test_a_ticket_signed_with_another_salt_length_does_not_verify() -> None:
    blinded, inverse = blind(KEY.public_key(), bytes(98), salt=b"", r=12345)
    signature = finalize(KEY.public_key(), bytes(98), sign(blinded), inverse)
    assert not verify(KEY.public_key(), bytes(98), signature)


def test_a_signature_that_leaves_its_leading_zero_out_does_not_verify() -> None:
    pss, sha384 = padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384()
    signature = next(s for s in iter(lambda: KEY.sign(b"any", pss, sha384), None) if s[0] == 0)
    assert verify(KEY.public_key(), b"any", signature)
    assert not verify(KEY.public_key(), b"any", signature[1:])


@pytest.mark.parametrize("r", [0, -1, KEY.public_key().public_numbers().n], ids=["zero", "negative", "n"])
def test_a_blinding_factor_is_invertible(r: int) -> None:
    with pytest.raises(ValueError, match="draw another"):
        blind(KEY.public_key(), bytes(98), salt=bytes(48), r=r)


def test_a_key_travels_in_one_encoding_only() -> None:
    spki = spki_from_public_key(KEY.public_key())
    assert public_key_from_spki(spki) == KEY.public_key()
    for other in (spki + b"\0", spki[:-1], spki.replace(b"\x30\x82", b"\x30\x83", 1), b""):
        with pytest.raises(CodecError):
            public_key_from_spki(other)


def test_a_short_key_is_refused() -> None:
    short = spki_from_public_key(rsa.generate_private_key(65537, 1024).public_key())
    with pytest.raises(CodecError):
        public_key_from_spki(short)


@given(st.binary(min_size=354, max_size=354))
def test_a_token_round_trips_or_is_refused(data: bytes) -> None:
    data = b"\0\2" + data[2:]
    assert Token.from_bytes(data).to_bytes() == data


@given(st.binary(max_size=400))
def test_bytes_of_any_other_kind_are_refused(data: bytes) -> None:
    for structure, size in ((Token, 354), (TokenRequest, 259), (TokenResponse, 256)):
        if len(data) != size:
            with pytest.raises(CodecError):
                structure.from_bytes(data)


@given(st.text(min_size=1, max_size=80), st.sampled_from([b"", bytes(32)]), st.text(max_size=80))
def test_a_challenge_round_trips(issuer: str, context: bytes, origin: str) -> None:
    try:
        challenge = TokenChallenge(issuer, context, origin)
    except UnicodeEncodeError:
        return
    assert TokenChallenge.from_bytes(challenge.to_bytes()) == challenge


@given(st.binary(max_size=120))
def test_a_challenge_reads_only_what_it_writes(data: bytes) -> None:
    try:
        challenge = TokenChallenge.from_bytes(data)
    except CodecError:
        return
    assert challenge.to_bytes() == data


@given(st.binary(max_size=100))
def test_base64url_has_one_spelling(data: bytes) -> None:
    text = b64url(data)
    assert unb64url(text) == data
    for other in (text + "=", text + "\n", " " + text):
        with pytest.raises(CodecError):
            unb64url(other)


@given(st.text(alphabet="ABCabc019-_", max_size=12))
def test_base64url_is_read_canonically_or_not_at_all(text: str) -> None:
    try:
        data = unb64url(text)
    except CodecError:
        return
    assert b64url(data) == text


@given(st.binary(max_size=40))
def test_hexadecimal_is_lower_case(data: bytes) -> None:
    assert hex_bytes(data.hex()) == data
    if data.hex().upper() != data.hex():
        with pytest.raises(CodecError):
            hex_bytes(data.hex().upper())


@given(st.integers(0, 10**6))
@settings(max_examples=200)
def test_an_amount_splits_into_the_fewest_denominations(value: int) -> None:
    parts = split(value)
    assert sum(parts) == value
    assert set(parts) <= set(DENOMINATIONS)
    assert len([part for part in parts if part < 512]) == (value % 512).bit_count()


@pytest.mark.parametrize("value", [True, 1.0, "1", None, -1, MAX_AMOUNT + 1])
def test_what_is_not_an_amount_is_refused(value: object) -> None:
    with pytest.raises(CodecError):
        amount(value)


@pytest.mark.parametrize(
    "text", ["", "00", "01", "+1", "-1", "1.0", "1e3", " 1", "1\n", "٣", "2147483648", "99999999999", 1]
)
def test_what_does_not_spell_an_amount_is_refused(text: object) -> None:
    with pytest.raises(CodecError):
        parse_amount(text)


@given(st.integers(0, MAX_AMOUNT))
def test_an_amount_is_spelt_one_way(value: int) -> None:
    assert parse_amount(str(value)) == value


@given(
    st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), st.integers(-(2**53) + 1, 2**53 - 1))
)
def test_canonical_json_is_read_back(value: dict[str, int]) -> None:
    assert decode_json(jcs(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'{"a":1,"a":2}',
        b'{"a":1.5}',
        b'{"a":Infinity}',
        b"\xff{}",
        b"{}x",
        b'{"a":"\\udc00"}',
    ],
)
def test_json_of_another_kind_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        decode_json(data)


def test_deep_nesting_is_refused_not_fatal() -> None:
    with pytest.raises(CodecError):
        decode_json(b'{"a":' + b"[" * 100_000)


def test_huge_numbers_are_refused_not_slow() -> None:
    with pytest.raises(CodecError):
        decode_json(json.dumps({"a": "x"}).encode().replace(b'"x"', b"9" * 10_000))


def test_the_visitors_half_imports_no_flask() -> None:
    root = pathlib.Path(__file__).parent.parent / "miner"
    sources = [path.read_text() for path in root.rglob("*.py")]
    assert sources
    assert not [text for text in sources if "import flask" in text or "from flask" in text]
