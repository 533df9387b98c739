"""The client's half of RSABSSA-SHA384-PSS (RFC 9474) and the key encodings of RFC 9578.

Blinding runs on the visitor's own machine with one-time secrets, so plain GMP arithmetic is acceptable here; the
signer's half, which handles a long-lived private key, is :mod:`flask_ticketminer.mint.signer`.
"""

from __future__ import annotations

import functools
import hashlib

import gmpy2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from miner.tokens.codec import CodecError
from miner.tokens.structures import SALT_SIZE

_HASH_SIZE = 48
# SubjectPublicKeyInfo of an RSA key, up to and including the algorithm identifier (RFC 9578 section 6.5: id-RSASSA-PSS,
# SHA-384, MGF1 with SHA-384, salt length 48). What follows is the BIT STRING, equal in both forms.
_PSS_ALGORITHM = bytes.fromhex(
    "303d06092a864886f70d01010a3030a00d300b0609608648016503040202a11a301806092a864886f70d010108300b"
    "0609608648016503040202a203020130"
)
_RSA_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")


def blind(public_key: rsa.RSAPublicKey, message: bytes, *, salt: bytes, r: int) -> tuple[bytes, int]:
    """Return ``(blinded_message, inverse)`` for the prepared `message` (RFC 9474 section 4.2).

    :param salt: the PSS salt; its length is the salt length (48 for tickets, 0 for the PSSZERO variants).
    :param r: the blinding factor, uniform in 1 … n-1; never used twice.
    :raises ValueError: `r` is out of range or shares a factor with the modulus.
    """
    numbers = public_key.public_numbers()
    n = gmpy2.mpz(numbers.n)
    if not 0 < r < numbers.n or gmpy2.gcd(r, n) != 1:
        raise ValueError("The blinding factor must be invertible modulo n; draw another.")
    encoded = int.from_bytes(_emsa_pss_encode(message, salt, public_key.key_size - 1), "big")
    blinded = encoded * gmpy2.powmod(r, numbers.e, n) % n
    return int(blinded).to_bytes(_size(public_key), "big"), int(gmpy2.invert(r, n))


def finalize(public_key: rsa.RSAPublicKey, message: bytes, blind_signature: bytes, inverse: int) -> bytes:
    """Return the signature on `message` once it has been verified (RFC 9474 section 4.4).

    The salt length is recovered from the signature, so that every RSABSSA variant can be finalized; redemption
    demands 48 bytes (:func:`verify`).

    :raises CodecError: ``wrong-size`` or ``bad-signature``: the issuer did not sign what was asked.
    """
    if len(blind_signature) != _size(public_key):
        raise CodecError(
            "wrong-size", f"A blind signature is {_size(public_key)} bytes, not {len(blind_signature)}."
        )
    n = public_key.public_numbers().n
    value = int.from_bytes(blind_signature, "big")
    if value >= n:
        raise CodecError("bad-signature", "The blind signature is not below the modulus of its key.")
    signature = (value * inverse % n).to_bytes(_size(public_key), "big")
    try:
        public_key.verify(signature, message, _pss(padding.PSS.AUTO), _SHA384)
    except InvalidSignature as error:
        raise CodecError(
            "bad-signature", "The site's signature does not verify under its published key."
        ) from error
    return signature


def verify(public_key: rsa.RSAPublicKey, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` is a ticket's: RSASSA-PSS, SHA-384, MGF1-SHA-384, salt of exactly 48 bytes.

    A signature is as long as the modulus (RFC 8017 section 8.1.2, step 1); OpenSSL would let a leading zero be left out.
    """
    if len(signature) != _size(public_key):
        return False
    try:
        public_key.verify(signature, message, _PSS, _SHA384)
    except InvalidSignature:
        return False
    return True


def spki_from_public_key(public_key: rsa.RSAPublicKey) -> bytes:
    """Return the SubjectPublicKeyInfo in RSASSA-PSS form, as RFC 9578 section 6.5 publishes and hashes it."""
    plain = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    bits = plain[plain.index(_RSA_ALGORITHM) + len(_RSA_ALGORITHM) :]
    return _sequence(_PSS_ALGORITHM + bits)


def public_key_from_spki(spki: bytes) -> rsa.RSAPublicKey:
    """Return the RSA-2048 key of a SubjectPublicKeyInfo in RSASSA-PSS form, or refuse any other encoding.

    :raises CodecError: ``bad-key``.
    """
    start = spki.find(_PSS_ALGORITHM)
    if start != 4:
        raise CodecError("bad-key", "A ticket key is an RSASSA-PSS SubjectPublicKeyInfo (SHA-384, salt 48).")
    try:
        key = load_der_public_key(_sequence(_RSA_ALGORITHM + spki[start + len(_PSS_ALGORITHM) :]))
    except ValueError as error:
        raise CodecError("bad-key", "The ticket key cannot be read.") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size != 2048 or key.public_numbers().e != 65537:
        raise CodecError("bad-key", "A ticket key is RSA with 2048 bits and exponent 65537.")
    if spki_from_public_key(key) != spki:
        raise CodecError("bad-key", "The ticket key is not in its canonical encoding.")
    return key


def token_key_id(public_key: rsa.RSAPublicKey) -> bytes:
    """Return the 32-byte id of a ticket key: SHA-256 of its RSASSA-PSS SubjectPublicKeyInfo (RFC 9578 section 6.5)."""
    return hashlib.sha256(spki_from_public_key(public_key)).digest()


@functools.cache
def _pss(salt_length: object) -> padding.PSS:
    return padding.PSS(mgf=padding.MGF1(_SHA384), salt_length=salt_length)  # type: ignore[arg-type]


_SHA384 = hashes.SHA384()
_PSS = _pss(SALT_SIZE)


def _size(public_key: rsa.RSAPublicKey) -> int:
    return (public_key.key_size + 7) // 8


def _sequence(body: bytes) -> bytes:
    return b"\x30\x82" + len(body).to_bytes(2, "big") + body


def _emsa_pss_encode(message: bytes, salt: bytes, bits: int) -> bytes:
    """EMSA-PSS-ENCODE with SHA-384 (RFC 8017 section 9.1.1)."""
    size = (bits + 7) // 8
    digest = hashlib.sha384(bytes(8) + hashlib.sha384(message).digest() + salt).digest()
    block = bytes(size - len(salt) - _HASH_SIZE - 2) + b"\x01" + salt
    masked = bytes(a ^ b for a, b in zip(block, _mgf1(digest, len(block)), strict=True))
    first = masked[0] & (0xFF >> (8 * size - bits))
    return bytes((first,)) + masked[1:] + digest + b"\xbc"


def _mgf1(seed: bytes, size: int) -> bytes:
    """MGF1 with SHA-384 (RFC 8017 appendix B.2.1)."""
    blocks = range((size + _HASH_SIZE - 1) // _HASH_SIZE)
    return b"".join(hashlib.sha384(seed + i.to_bytes(4, "big")).digest() for i in blocks)[:size]
