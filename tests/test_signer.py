"""The raw private operation, on every path that this machine has."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from flask_ticketminer.errors import BlindedMessageRange, MintUnavailable
from flask_ticketminer.mint.key_pool import pooled_keys
from flask_ticketminer.mint.signer import Path, Signer, blind_sign, paths
from miner.tokens import blind, finalize, verify


@pytest.fixture
def key() -> rsa.RSAPrivateKey:
    return pooled_keys()()


def below_modulus() -> bytes:
    return b"\0" + os.urandom(255)


def test_the_fallback_exists_everywhere() -> None:
    assert paths()[-1] == "gmpy2"


def test_all_paths_agree(key: rsa.RSAPrivateKey) -> None:
    message = below_modulus()
    assert len({Signer(key, path=path).sign(message) for path in paths()} | {blind_sign(key, message)}) == 1


@pytest.mark.parametrize("path", paths())
def test_a_signature_opens_with_the_public_key(key: rsa.RSAPrivateKey, path: Path) -> None:
    message, numbers = below_modulus(), key.public_key().public_numbers()
    signature = int.from_bytes(Signer(key, path=path).sign(message), "big")
    assert pow(signature, numbers.e, numbers.n) == int.from_bytes(message, "big")


@pytest.mark.parametrize("path", paths())
def test_a_blinded_message_becomes_a_verifiable_signature(key: rsa.RSAPrivateKey, path: Path) -> None:
    public = key.public_key()
    blinded, inverse = blind(
        public, b"message", salt=os.urandom(48), r=int.from_bytes(os.urandom(255), "big") | 1
    )
    signature = finalize(public, b"message", Signer(key, path=path).sign(blinded), inverse)
    assert verify(public, b"message", signature)


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("number", [0, 1, "n - 1"])
def test_the_ends_of_the_range_are_signed(key: rsa.RSAPrivateKey, path: Path, number: int | str) -> None:
    n = key.public_key().public_numbers().n
    message = (n - 1 if number == "n - 1" else int(number)).to_bytes(256, "big")
    assert Signer(key, path=path).sign(message) == message  # each is its own root for an odd exponent


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("size", [0, 255, 257])
def test_another_length_is_refused(key: rsa.RSAPrivateKey, path: Path, size: int) -> None:
    with pytest.raises(BlindedMessageRange):
        Signer(key, path=path).sign(bytes(size))


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("excess", [0, 1])
def test_what_is_not_below_the_modulus_is_refused(key: rsa.RSAPrivateKey, path: Path, excess: int) -> None:
    number = key.public_key().public_numbers().n + excess
    with pytest.raises(BlindedMessageRange):
        Signer(key, path=path).sign(number.to_bytes(256, "big"))


def test_threads_share_a_signer(key: rsa.RSAPrivateKey) -> None:
    signer, messages = Signer(key), [below_modulus() for _ in range(64)]
    with ThreadPoolExecutor(8) as pool:
        signatures = list(pool.map(signer.sign, messages))
    assert signatures == [Signer(key, path="gmpy2").sign(message) for message in messages]


def test_a_faulty_result_is_not_answered(key: rsa.RSAPrivateKey) -> None:
    numbers = key.private_numbers()
    # One wrong CRT exponent stands for a fault in one half of the computation.
    faulty = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d, numbers.dmp1 ^ 2, numbers.dmq1, numbers.iqmp, numbers.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    with pytest.raises(MintUnavailable):
        Signer(faulty, path="gmpy2").sign(below_modulus())
