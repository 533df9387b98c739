"""What a wallet derives from its words."""

from __future__ import annotations

import hashlib
import hmac
import json
import pathlib

import pytest

from miner.errors import WrongWords
from miner.service import TicketKey
from miner.tokens import public_key_from_spki, token_key_id
from miner.wallet.outputs import derive
from miner.wallet.seed import from_words, seed_id, site_seed, ticket_secrets, to_words

VECTORS = json.loads((pathlib.Path(__file__).parent / "vectors" / "wallet.json").read_text())
CASES = pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["issuer_name"])
SPKI = bytes.fromhex(VECTORS["spki"])


@CASES
def test_words_spell_the_master(case):
    assert from_words(case["words"]).hex() == case["master"]
    assert to_words(bytes.fromhex(case["master"])) == case["words"]


@CASES
def test_a_sites_words_spell_its_seed(case):
    assert from_words(case["site_words"]) == site_seed(bytes.fromhex(case["master"]), case["issuer_name"])


@CASES
def test_the_site_seed_is_hkdf_of_the_master(case):
    prk = hmac.digest(b"ticketminer site v1", bytes.fromhex(case["master"]), "sha256")
    assert hmac.digest(prk, case["issuer_name"].encode() + b"\x01", "sha256").hex() == case["site_seed"]


@CASES
def test_ticket_secrets_match_the_published_ones(case):
    key = public_key_from_spki(SPKI)
    for ticket in case["tickets"]:
        secrets = ticket_secrets(bytes.fromhex(case["site_seed"]), key, int(ticket["counter"]))
        assert (secrets.nonce.hex(), secrets.salt.hex()) == (ticket["nonce"], ticket["salt"])
        assert secrets.r == int(ticket["r"], 16)


@CASES
def test_ticket_secrets_follow_the_protocols_formula(case):
    ticket = case["tickets"][-1]
    seed, context = (
        bytes.fromhex(case["site_seed"]),
        b"ticketminer secret v1" + bytes.fromhex(VECTORS["key_id"]),
    )
    context += int(ticket["counter"]).to_bytes(8, "big")
    blocks = [hmac.digest(seed, context + bytes((3, i)), "sha512") for i in range(5)]
    modulus = public_key_from_spki(SPKI).public_numbers().n
    assert int.from_bytes(b"".join(blocks), "big") % modulus == int(ticket["r"], 16)
    assert hmac.digest(seed, context + b"\x01\x00", "sha512")[:32].hex() == ticket["nonce"]
    assert hmac.digest(seed, context + b"\x02\x00", "sha512")[:48].hex() == ticket["salt"]


@CASES
def test_blinded_messages_match_the_published_ones(case):
    key = TicketKey(token_key_id(public_key_from_spki(SPKI)), 1, 0, 1, 2, case["issuer_name"], SPKI)
    for ticket in case["tickets"]:
        output = derive(bytes.fromhex(case["site_seed"]), key, int(ticket["counter"]))
        assert output.blinded_message.hex() == ticket["blinded_message"]


def test_spacing_and_case_of_words_do_not_matter():
    words = VECTORS["cases"][0]["words"]
    assert from_words(f"  {words.upper().replace(' ', chr(10))} ") == from_words(words)


def test_a_misspelt_word_is_named_with_a_suggestion():
    words = VECTORS["cases"][0]["words"].split()
    with pytest.raises(WrongWords, match=r"Word 3, .*Did you mean"):
        from_words(" ".join([*words[:2], words[2] + "x", *words[3:]]))


def test_swapped_words_are_noticed():
    words = VECTORS["cases"][0]["words"].split()
    with pytest.raises(WrongWords, match="do not belong together"):
        from_words(" ".join([words[1], words[0], *words[2:]]))


def test_missing_words_are_noticed():
    with pytest.raises(WrongWords, match="These are 11 words"):
        from_words(" ".join(VECTORS["cases"][0]["words"].split()[:11]))


def test_a_seeds_name_does_not_give_it_away():
    assert seed_id(b"s" * 32) not in (b"s" * 8, hashlib.sha256(b"s" * 32).digest()[:8])


def test_secrets_do_not_show_in_a_traceback():
    secrets = ticket_secrets(b"s" * 32, public_key_from_spki(SPKI), 0)
    assert secrets.nonce.hex() not in repr(secrets)
    assert str(secrets.r) not in repr(secrets)
