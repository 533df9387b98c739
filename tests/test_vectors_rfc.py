"""The published vectors of RFC 9474, 9577 and 9578 (token type 2); each file names its sources."""

from __future__ import annotations

import hashlib
import json
import pathlib
import typing as t

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from flask_ticketminer.mint.signer import Path, Signer, blind_sign, paths
from miner.tokens import (
    Token,
    TokenChallenge,
    TokenRequest,
    blind,
    finalize,
    public_key_from_spki,
    spki_from_public_key,
    token_key_id,
    verify,
)

VECTORS = pathlib.Path(__file__).parent / "vectors"
Case = dict[str, t.Any]
hexed = bytes.fromhex


def cases(name: str, having: str) -> list[t.Any]:
    found = json.loads((VECTORS / f"{name}.json").read_text())["cases"]
    return [pytest.param(case, id=case["id"]) for case in found if having in case]


def key_of(case: Case) -> rsa.RSAPrivateKey:
    if "skS_pem" in case:
        key = load_pem_private_key(case["skS_pem"].encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key
    p, q, d, e = (int(case[name], 16) for name in "pqde")
    public = rsa.RSAPublicNumbers(e, p * q)
    return rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), rsa.rsa_crt_iqmp(p, q), public
    ).private_key()


def message_of(case: Case) -> bytes:
    challenge = hashlib.sha256(hexed(case["token_challenge_hex"])).digest()
    return Token.input(hexed(case["nonce_hex"]), challenge, hexed(case["derived"]["token_key_id_hex"]))


@pytest.mark.parametrize("case", cases("rfc9474", "blind_sig"))
def test_rfc9474_blinds(case: Case) -> None:
    key = key_of(case).public_key()
    inverse = int(case["inv"], 16)
    r = pow(inverse, -1, key.public_numbers().n)
    wanted = (hexed(case["blinded_msg"]), inverse)
    assert blind(key, hexed(case["prepared_msg"]), salt=hexed(case["salt"]), r=r) == wanted


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("case", cases("rfc9474", "blind_sig"))
def test_rfc9474_signs(case: Case, path: Path) -> None:
    assert Signer(key_of(case), path=path).sign(hexed(case["blinded_msg"])) == hexed(case["blind_sig"])


@pytest.mark.parametrize("case", cases("rfc9474", "blind_sig"))
def test_rfc9474_finalizes(case: Case) -> None:
    key, message = key_of(case).public_key(), hexed(case["prepared_msg"])
    assert finalize(key, message, hexed(case["blind_sig"]), int(case["inv"], 16)) == hexed(case["sig"])


@pytest.mark.parametrize("case", cases("rfc9577", "derived_token_challenge_hex"))
def test_rfc9577_token_challenge(case: Case) -> None:
    challenge = TokenChallenge(
        hexed(case["issuer_name"]).decode(),
        hexed(case["redemption_context"]),
        hexed(case["origin_info"]).decode(),
    )
    assert challenge.to_bytes() == hexed(case["derived_token_challenge_hex"])
    assert TokenChallenge.from_bytes(challenge.to_bytes()) == challenge


@pytest.mark.parametrize("case", cases("rfc9577", "token_authenticator_input"))
def test_rfc9577_authenticator_input(case: Case) -> None:
    challenge = TokenChallenge.from_bytes(hexed(case["derived_token_challenge_hex"]))
    made = Token.input(hexed(case["nonce"]), challenge.digest, hexed(case["token_key_id"]))
    assert made == hexed(case["token_authenticator_input"])


@pytest.mark.parametrize("case", cases("rfc9578_type2", "skS_pem"))
def test_rfc9578_key_id_and_encoding(case: Case) -> None:
    key = key_of(case).public_key()
    assert spki_from_public_key(key) == hexed(case["pkS_spki_hex"])
    assert token_key_id(key) == hexed(case["derived"]["token_key_id_hex"])
    assert public_key_from_spki(hexed(case["pkS_spki_hex"])) == key


@pytest.mark.parametrize("case", cases("rfc9578_type2", "skS_pem"))
def test_rfc9578_token_request(case: Case) -> None:
    key = key_of(case).public_key()
    r = int(case["blind_hex"], 16)
    blinded, _ = blind(key, message_of(case), salt=hexed(case["salt_hex"]), r=r)
    request = TokenRequest(token_key_id(key)[-1], blinded)
    assert request.to_bytes() == hexed(case["token_request_hex"])
    assert TokenRequest.from_bytes(request.to_bytes()) == request


@pytest.mark.parametrize("case", cases("rfc9578_type2", "skS_pem"))
def test_rfc9578_token_response(case: Case) -> None:
    blinded = TokenRequest.from_bytes(hexed(case["token_request_hex"])).blinded_message
    assert blind_sign(key_of(case), blinded) == hexed(case["token_response_hex"])


@pytest.mark.parametrize("case", cases("rfc9578_type2", "skS_pem"))
def test_rfc9578_token(case: Case) -> None:
    key = key_of(case).public_key()
    r = int(case["blind_hex"], 16)
    _, inverse = blind(key, message_of(case), salt=hexed(case["salt_hex"]), r=r)
    signature = finalize(key, message_of(case), hexed(case["token_response_hex"]), inverse)
    token = Token.from_bytes(hexed(case["token_hex"]))
    assert token.to_bytes() == message_of(case) + signature
    assert verify(key, token.signed_bytes, token.authenticator)
