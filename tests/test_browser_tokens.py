"""The page's tokens in Node: the vectors that test Python, and Python itself on whatever hypothesis thinks of."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import typing as t

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fake_keys import private_key, sign
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nodes import WALLET, WALLETS, Case, Node, PageRefused, keys, same, spki_of, vectors

from miner.tokens import Token, TokenChallenge, TokenRequest, blind, finalize, token_key_id, verify
from miner.wallet.seed import seed_id, ticket_secrets

hexed = bytes.fromhex


def cases(name: str, having: str) -> t.Any:
    found = [case for case in vectors(name)["cases"] if having in case]
    return pytest.mark.parametrize("case", found, ids=[case.get("id", "") for case in found])


# Hashes


@pytest.mark.parametrize("context", ["secure", "insecure"])
def test_each_way_to_hash_is_the_one_meant(context):
    node = Node(context)
    assert node("secure") is (context == "secure")
    node.close()


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
def test_hashes_of_every_length(node, name):
    for size in (*range(300), 4095, 100_000):
        data = bytes(i * 7 % 251 for i in range(size))
        assert node("hash", name, data.hex()) == hashlib.new(name, data).hexdigest()


@given(data=st.binary(max_size=1000), name=st.sampled_from(["sha256", "sha384", "sha512"]))
@settings(deadline=None)
def test_hashes(node, data, name):
    assert node("hash", name, data.hex()) == hashlib.new(name, data).hexdigest()


@given(key=st.binary(max_size=300), data=st.binary(max_size=300))
@example(key=b"k" * 128, data=b"")
@example(key=b"k" * 129, data=b"")
@settings(deadline=None)
def test_hmac_sha512(node, key, data):
    assert node("hmac", key.hex(), data.hex()) == hmac.digest(key, data, "sha512").hex()


# RFC 9474, 9577, 9578


def numbers_of(case: Case) -> dict[str, str]:
    return {"n": case["n"], "e": case["e"]}


@cases("rfc9474", "blind_sig")
def test_rfc9474_blinds(node, case):
    n, inverse = int(case["n"], 16), int(case["inv"], 16)
    made = node("blind", numbers_of(case), case["prepared_msg"], case["salt"], str(pow(inverse, -1, n)))
    assert made == [case["blinded_msg"], str(inverse)]


@cases("rfc9474", "blind_sig")
def test_rfc9474_finalizes(node, case):
    inverse = str(int(case["inv"], 16))
    made = node("finalize", numbers_of(case), case["prepared_msg"], case["blind_sig"], inverse)
    assert made == case["sig"]


@cases("rfc9474", "blind_sig")
def test_rfc9474_verifies_a_salt_of_48_bytes_only(node, case):
    genuine = node("verify", numbers_of(case), case["prepared_msg"], case["sig"])
    assert genuine is (case["salt_length"] == 48)


@cases("rfc9577", "token_authenticator_input")
def test_rfc9577_authenticator_input(node, case):
    digest = hashlib.sha256(hexed(case["derived_token_challenge_hex"])).hexdigest()
    made = node("tokenInput", case["nonce"], digest, case["token_key_id"])
    assert made == case["token_authenticator_input"]


def test_rfc9577_challenge_with_an_issuer_only(node):
    [case] = (
        case
        for case in vectors("rfc9577")["cases"]
        if case.get("derived_token_challenge_hex") and not case["redemption_context"] + case["origin_info"]
    )
    name = hexed(case["issuer_name"]).decode()
    wanted = hashlib.sha256(hexed(case["derived_token_challenge_hex"])).hexdigest()
    assert node("challengeDigest", name) == wanted


@cases("rfc9578_type2", "skS_pem")
def test_rfc9578_key_id(node, case):
    key = load_pem_private_key(case["skS_pem"].encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert node("keyId", case["pkS_spki_hex"]) == case["derived"]["token_key_id_hex"]
    assert int(node("publicKey", case["pkS_spki_hex"]), 16) == key.public_key().public_numbers().n


@cases("rfc9578_type2", "skS_pem")
def test_rfc9578_issuance(node, case):
    derived, spki = case["derived"], case["pkS_spki_hex"]
    r = str(int(case["blind_hex"], 16))
    message = node(
        "tokenInput", case["nonce_hex"], derived["challenge_digest_hex"], derived["token_key_id_hex"]
    )
    assert message == derived["token_input_hex"]
    blinded, inverse = node("blind", spki, message, case["salt_hex"], r)
    request = node("tokenRequest", derived["token_key_id_hex"], blinded)
    assert request == case["token_request_hex"]
    authenticator = node("finalize", spki, message, case["token_response_hex"], inverse)
    assert authenticator == derived["authenticator_hex"]
    assert node("encodeToken", message, authenticator) == case["token_hex"]
    assert node("verify", spki, message, authenticator)


# What a wallet derives


@WALLETS
def test_ticket_secrets_match_the_published_ones(node, case):
    for ticket in case["tickets"]:
        made = node("ticketSecrets", case["site_seed"], WALLET["key_id"], WALLET["spki"], ticket["counter"])
        assert made == [ticket["nonce"], ticket["salt"], str(int(ticket["r"], 16))]


@WALLETS
def test_blinded_messages_match_the_published_ones(node, case):
    assert node("challengeDigest", case["issuer_name"]) == case["challenge_digest"]
    for ticket in case["tickets"]:
        message = node("tokenInput", ticket["nonce"], case["challenge_digest"], WALLET["key_id"])
        assert message == ticket["message"]
        r = str(int(ticket["r"], 16))
        blinded, _ = node("blind", WALLET["spki"], message, ticket["salt"], r)
        assert blinded == ticket["blinded_message"]


@WALLETS
def test_a_sites_words_spell_its_seed(word_node, case):
    assert word_node("fromWords", case["site_words"]) == case["site_seed"]
    assert word_node("toWords", case["site_seed"]) == case["site_words"]


@given(
    seed=st.binary(min_size=32, max_size=32),
    counter=st.integers(0, 2**64 - 1),
    i=st.integers(0, 2),
    issuer=st.text(),
)
@settings(max_examples=40, deadline=None)
def test_tickets_are_those_of_python(node, seed, counter, i, issuer):
    key = keys()[i]
    public, spki, name = key.public_key(), spki_of(key), f"{issuer.encode(errors='ignore').decode()}."
    key_id = token_key_id(public)
    secrets = ticket_secrets(seed, public, counter)
    made = node("ticketSecrets", seed.hex(), key_id.hex(), spki, str(counter))
    assert made == [secrets.nonce.hex(), secrets.salt.hex(), str(secrets.r)]

    digest = TokenChallenge(name).digest
    assert node("challengeDigest", name) == digest.hex()
    message = Token.input(secrets.nonce, digest, key_id)
    assert node("tokenInput", secrets.nonce.hex(), digest.hex(), key_id.hex()) == message.hex()
    blinded, inverse = blind(public, message, salt=secrets.salt, r=secrets.r)
    assert node("blind", spki, message.hex(), secrets.salt.hex(), str(secrets.r)) == [
        blinded.hex(),
        str(inverse),
    ]
    assert (
        node("tokenRequest", key_id.hex(), blinded.hex())
        == TokenRequest(key_id[-1], blinded).to_bytes().hex()
    )

    signature = sign(key, blinded)
    authenticator = finalize(public, message, signature, inverse)
    assert node("finalize", spki, message.hex(), signature.hex(), str(inverse)) == authenticator.hex()
    token = Token(secrets.nonce, digest, key_id, authenticator).to_bytes()
    assert node("encodeToken", message.hex(), authenticator.hex()) == token.hex()
    assert node("decodeToken", token.hex()) == {
        "nonce": secrets.nonce.hex(),
        "digest": digest.hex(),
        "keyId": key_id.hex(),
        "authenticator": authenticator.hex(),
        "input": message.hex(),
    }
    assert node("seedId", seed.hex()) == seed_id(seed).hex()


# Signatures that are none


@st.composite
def forged(draw):
    """A message, and a signature on it by a made-up rule."""
    message = draw(st.binary(max_size=120))
    key = keys()[draw(st.integers(0, 2))]
    n, d = key.public_key().public_numbers().n, key.private_numbers().d
    kind = draw(
        st.sampled_from(["genuine", "flipped", "salt", "raw", "hash", "short", "long", "plus n", "huge"])
    )
    salt = draw(st.sampled_from([0, 1, 20, 47, 49, 64, 206])) if kind == "salt" else 48
    digest = hashes.SHA256() if kind == "hash" else hashes.SHA384()
    signature = bytearray(key.sign(message, padding.PSS(padding.MGF1(digest), salt), digest))
    value = int.from_bytes(signature, "big")
    if kind == "flipped":
        signature[draw(st.integers(0, 255))] ^= 1 << draw(st.integers(0, 7))
    elif kind == "raw":
        # An encoding that is off by a little: the padding, the trailer, the bits that have to be clear.
        encoded = bytearray(pow(value, 65537, n).to_bytes(256, "big"))
        encoded[draw(st.sampled_from([0, 1, 100, 158, 207, 254, 255]))] ^= 1 << draw(st.integers(0, 7))
        signature = bytearray(pow(int.from_bytes(encoded, "big") % n, d, n).to_bytes(256, "big"))
    elif kind == "short":
        del signature[draw(st.integers(0, 255))]
    elif kind == "long":
        signature.insert(0, 0)
    elif kind == "plus n" and value + n < 2**2048:
        signature = bytearray((value + n).to_bytes(256, "big"))
    elif kind == "huge":
        signature = bytearray(b"\xff" * 256)
    return key.public_key(), message, bytes(signature)


@given(forged())
@settings(max_examples=150, deadline=None)
def test_both_verify_the_same_signatures(node, case):
    public, message, signature = case
    wanted = verify(public, message, signature)
    assert node("verify", spki_of(public), message.hex(), signature.hex()) is wanted


@given(forged())
@settings(max_examples=150, deadline=None)
def test_both_finalize_the_same_signatures(node, case):
    public, message, signature = case
    args = (spki_of(public), message.hex(), signature.hex(), "1")
    same(node, lambda: finalize(public, message, signature, 1), "finalize", *args)


def test_an_encoding_without_padding_is_no_signature(node):
    """Nothing but zeros before the hash: there is no place where the salt would begin."""
    key = private_key(1)
    digest = hashlib.sha384(b"any").digest()
    mask = b"".join(hashlib.sha384(digest + bytes((0, 0, 0, i))).digest() for i in range(5))[:207]
    encoded = bytes((mask[0] & 0x7F,)) + mask[1:] + digest + b"\xbc"
    n, d = key.public_key().public_numbers().n, key.private_numbers().d
    signature = pow(int.from_bytes(encoded, "big"), d, n).to_bytes(256, "big")
    assert int.from_bytes(encoded, "big") < n
    assert node("verify", spki_of(key), b"any".hex(), signature.hex()) is False
    same(
        node,
        lambda: finalize(key.public_key(), b"any", signature, 1),
        "finalize",
        spki_of(key),
        "",
        signature.hex(),
        "1",
    )


def test_a_blind_signature_above_the_modulus_is_refused_whatever_it_hides(node):
    key = private_key(1)
    public, n = key.public_key(), key.public_key().public_numbers().n
    message = b"a message"
    values = (
        int.from_bytes(
            key.sign(message, padding.PSS(padding.MGF1(hashes.SHA384()), 48), hashes.SHA384()), "big"
        )
        for _ in itertools.count()
    )
    value = next(value for value in values if value + n < 2**2048)
    args = (spki_of(public), message.hex())
    assert node("finalize", *args, value.to_bytes(256, "big").hex(), "1")
    with pytest.raises(PageRefused, match="bad-signature"):
        node("finalize", *args, (value + n).to_bytes(256, "big").hex(), "1")
    assert not node("verify", *args, (value + n).to_bytes(256, "big").hex())


@pytest.mark.parametrize("factor", ["zero", "n", "above", "below", "p"])
def test_a_factor_without_inverse_is_refused(plain_node, factor):
    key = private_key(1)
    n, p = key.public_key().public_numbers().n, key.private_numbers().p
    r = {"zero": 0, "n": n, "above": n + 2, "below": -2, "p": p}[factor]
    with pytest.raises(ValueError, match="invertible"):
        blind(key.public_key(), b"", salt=bytes(48), r=r)
    with pytest.raises(PageRefused, match="invertible"):
        plain_node("blind", spki_of(key), "", bytes(48).hex(), str(r))


# Speed


def test_each_step_takes_few_milliseconds(node):
    key = private_key(1)
    public, spki = key.public_key(), spki_of(key)
    secrets = ticket_secrets(bytes(32), public, 0)
    message = Token.input(secrets.nonce, bytes(32), token_key_id(public))
    blinded, inverse = blind(public, message, salt=secrets.salt, r=secrets.r)
    signature = sign(key, blinded)
    finalized = finalize(public, message, signature, inverse)
    key_id = token_key_id(public).hex()
    assert node("time", 101, "hash", "sha384", bytes(104).hex()) < 2
    steps = {
        "secrets": node("time", 31, "ticketSecrets", bytes(32).hex(), key_id, spki, "0"),
        "blind": node("time", 31, "blind", spki, message.hex(), secrets.salt.hex(), str(secrets.r)),
        "finalize": node("time", 31, "finalize", spki, message.hex(), signature.hex(), str(inverse)),
        "verify": node("time", 31, "verify", spki, message.hex(), finalized.hex()),
    }
    assert {step: time for step, time in steps.items() if time > 10} == {}
