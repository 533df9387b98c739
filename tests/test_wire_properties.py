"""Every structure that travels: what is written is read again, and all else is refused by its own error."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from hypothesis import assume
from hypothesis import strategies as st
from mints import START
from sites import make_shop
from spoiling import holds_for, spoilt_bytes, spoilt_json, spoilt_text

from flask_ticketminer.clock import ManualClock
from miner.errors import KeyMismatch, MinerError, SiteProtocolError, WalletError, WrongWords
from miner.service import TicketKey, read_directory, read_service
from miner.tokens import (
    MAX_AMOUNT,
    CodecError,
    Token,
    TokenChallenge,
    TokenRequest,
    TokenResponse,
    amount,
    b64url,
    decode_json,
    jcs,
    parse_amount,
    public_key_from_spki,
    spki_from_public_key,
    unb64url,
)
from miner.wallet.seed import from_words, to_words
from miner.wallet.transfer import decode_tickets, encode_tickets

hashes = st.binary(min_size=32, max_size=32)
large = st.binary(min_size=256, max_size=256)
tokens = st.builds(Token, hashes, hashes, hashes, large)
structures = st.one_of(
    tokens,
    st.builds(TokenRequest, st.integers(0, 255), large),
    st.builds(TokenResponse, large),
    st.builds(
        TokenChallenge,
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
        st.sampled_from((b"", bytes(range(32)))),
        st.text(st.characters(codec="utf-8"), max_size=40),
    ),
)


def refused(read: t.Callable[[], t.Any], causes: t.Collection[str]) -> bool:
    """Return whether `read` is refused, which must be for one of `causes`."""
    try:
        read()
    except CodecError as error:
        cause = error.cause
    else:
        return False
    assert cause in causes
    return True


# Structures of Privacy Pass


@holds_for(structures)
def test_a_structure_is_read_as_it_was_written(structure: t.Any) -> None:
    assert type(structure).from_bytes(structure.to_bytes()) == structure


@holds_for(structures, st.data())
def test_a_spoilt_structure_is_refused_or_another_one(structure: t.Any, data: st.DataObject) -> None:
    spoilt = data.draw(spoilt_bytes(structure.to_bytes()))
    decode = type(structure).from_bytes
    if not refused(lambda: decode(spoilt), ("wrong-size", "wrong-token-type", "malformed-token")):
        assert decode(spoilt) != structure
        assert decode(spoilt).to_bytes() == spoilt


@holds_for(structures, st.integers(0, 400))
def test_a_cut_structure_is_refused(structure: t.Any, size: int) -> None:
    whole = structure.to_bytes()
    with pytest.raises(CodecError):
        type(structure).from_bytes(whole[: size % len(whole)])


@holds_for(structures, st.binary(min_size=1, max_size=5))
def test_a_prolonged_structure_is_refused(structure: t.Any, more: bytes) -> None:
    with pytest.raises(CodecError, match=r"is \d+ bytes|follow"):
        type(structure).from_bytes(structure.to_bytes() + more)


@holds_for(structures, st.integers(0, 0xFFFF))
def test_another_token_type_is_refused(structure: t.Any, kind: int) -> None:
    assume(kind != 2 and not isinstance(structure, TokenResponse))
    with pytest.raises(CodecError) as caught:
        type(structure).from_bytes(kind.to_bytes(2, "big") + structure.to_bytes()[2:])
    assert caught.value.cause == "wrong-token-type"


# Texts


@holds_for(st.binary(max_size=60), st.data())
def test_spoilt_base64url_is_refused_or_something_else(data: bytes, draw: st.DataObject) -> None:
    text = draw.draw(spoilt_text(b64url(data)))
    if not refused(lambda: unb64url(text), ("malformed-base64",)):
        assert unb64url(text) != data
        assert b64url(unb64url(text)) == text


@holds_for(st.one_of(st.text(max_size=12), st.from_regex(r"[0-9]{1,11}", fullmatch=True)))
def test_text_is_an_amount_in_one_spelling_or_not_at_all(text: str) -> None:
    if not refused(lambda: parse_amount(text), ("bad-amount",)):
        assert str(parse_amount(text)) == text
        assert 0 <= parse_amount(text) <= MAX_AMOUNT


@holds_for(
    st.one_of(
        st.integers(), st.floats(), st.booleans(), st.text(max_size=4), st.none(), st.binary(max_size=3)
    )
)
def test_an_amount_is_an_integer_and_nothing_else(value: object) -> None:
    whole = type(value) is int and 0 <= value <= MAX_AMOUNT
    assert refused(lambda: amount(value), ("bad-amount",)) != whole


@holds_for(st.one_of(st.binary(max_size=80), st.text(max_size=60).map(str.encode)))
def test_bytes_are_a_json_object_or_refused(data: bytes) -> None:
    if not refused(lambda: decode_json(data), ("malformed-json",)):
        assert isinstance(decode_json(data), dict)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
)


@holds_for(st.dictionaries(st.text(max_size=6), json_values, max_size=4), st.data())
def test_spoilt_json_is_an_object_or_refused(members: dict[str, t.Any], data: st.DataObject) -> None:
    written = jcs(members)
    assert decode_json(written) == members
    spoilt = data.draw(spoilt_bytes(written))
    if not refused(lambda: decode_json(spoilt), ("malformed-json",)):
        assert json.dumps(decode_json(spoilt), ensure_ascii=False).encode()


# What a wallet reads and writes


@holds_for(st.lists(tokens, min_size=1, max_size=5, unique_by=lambda token: (token.key_id, token.nonce)))
def test_given_tickets_are_read_as_they_were_written(gift: list[Token]) -> None:
    text = encode_tickets("https://shop.example", [token.to_bytes() for token in gift])
    assert decode_tickets(text) == ("https://shop.example", gift)
    assert decode_tickets("\n".join(text[at : at + 70] for at in range(0, len(text), 70))) == decode_tickets(
        text
    )


@holds_for(
    st.lists(tokens, min_size=1, max_size=3, unique_by=lambda token: (token.key_id, token.nonce)), st.data()
)
def test_spoilt_gifts_are_refused_or_others(gift: list[Token], data: st.DataObject) -> None:
    text = encode_tickets("https://shop.example", [token.to_bytes() for token in gift])
    try:
        origin, found = decode_tickets(data.draw(spoilt_text(text)))
    except WalletError:
        return
    assert decode_tickets(encode_tickets(origin, [token.to_bytes() for token in found])) == (origin, found)


@holds_for(st.one_of(st.binary(min_size=16, max_size=16), hashes))
def test_words_are_read_as_they_were_written(secret: bytes) -> None:
    assert from_words(to_words(secret)) == secret
    assert from_words(f"  {to_words(secret).upper()}\n") == secret


@holds_for(st.one_of(st.binary(min_size=16, max_size=16), hashes), st.data())
def test_wrong_words_are_refused_or_another_backup(secret: bytes, data: st.DataObject) -> None:
    words = to_words(secret)
    spoilt = data.draw(st.one_of(spoilt_text(words), st.permutations(words.split()).map(" ".join)))
    try:
        found = from_words(spoilt)
    except WrongWords:
        return
    assert to_words(found) == " ".join(spoilt.lower().split())


# Documents of a site


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    """The public documents of a site, as they are served."""
    client = make_shop(tmp_path_factory.mktemp("shop"), "sqlite://", ManualClock(START)).app.test_client()
    return {name: client.get(f"/ticketminer/{name}").get_json(force=True) for name in ("", "keys")}


def test_a_wallet_reads_the_directory_as_it_is_served(documents: dict[str, t.Any]) -> None:
    assert [key.entry() for key in read_directory(documents["keys"])] == documents["keys"]["token-keys"]


@holds_for(data=st.data(), examples=60)
def test_a_spoilt_directory_is_refused_or_has_the_same_keys(
    documents: dict[str, t.Any], data: st.DataObject
) -> None:
    keys = {key.key_id: key for key in read_directory(documents["keys"])}
    try:
        found = read_directory(data.draw(spoilt_json(documents["keys"])))
    except (SiteProtocolError, KeyMismatch):
        return
    for (
        key
    ) in found:  # dates and names are not in the id; a wallet that has seen the key before compares them
        assert key.spki == keys[key.key_id].spki


@holds_for(data=st.data(), examples=60)
def test_a_spoilt_service_document_is_refused_or_read(
    documents: dict[str, t.Any], data: st.DataObject
) -> None:
    try:
        service = read_service(data.draw(spoilt_json(documents[""])))
    except MinerError:
        return
    assert service.links.redeem.startswith("/")
    assert not service.links.redeem.startswith("//")


@holds_for(data=st.data(), examples=60)
def test_a_spoilt_key_is_refused_or_another_key(documents: dict[str, t.Any], data: st.DataObject) -> None:
    spki = unb64url(documents["keys"]["token-keys"][0]["token-key"])
    spoilt = data.draw(spoilt_bytes(spki))
    if not refused(lambda: public_key_from_spki(spoilt), ("bad-key",)):
        assert spki_from_public_key(public_key_from_spki(spoilt)) == spoilt


def test_two_keys_of_one_period_are_refused(documents: dict[str, t.Any]) -> None:
    one, other, *rest = read_directory(documents["keys"])
    twin: TicketKey = dataclasses.replace(other, value=one.value)
    with pytest.raises(KeyMismatch):
        read_directory({"token-keys": [key.entry() for key in (one, twin, *rest)]})


@pytest.mark.parametrize(
    "origin", ["httq://shop.example", "shop.example", "http://[", "http://shop.example:99999", ""]
)
def test_gifts_of_no_site_are_refused(origin: str) -> None:
    with pytest.raises(WalletError, match="cannot be read"):
        decode_tickets(encode_tickets(origin, [b"\0\2" + bytes(352)]))
