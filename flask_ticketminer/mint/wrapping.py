"""Private ticket keys at rest: PKCS #8 under AES-256-GCM, bound to the key's id."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

_NONCE = 12


def wrap(private_key: RSAPrivateKey, key_id: bytes, wrapping_key: bytes) -> bytes:
    """Return nonce (12) | ciphertext and tag of `private_key` under the 32-byte `wrapping_key`."""
    nonce = os.urandom(_NONCE)
    plain = private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return nonce + AESGCM(wrapping_key).encrypt(nonce, plain, key_id)


def unwrap(wrapped: bytes, key_id: bytes, wrapping_keys: Sequence[bytes]) -> RSAPrivateKey | None:
    """Return the private key that the first fitting of `wrapping_keys` opens, or None when none does."""
    nonce, ciphertext = wrapped[:_NONCE], wrapped[_NONCE:]
    for wrapping_key in wrapping_keys:
        try:
            plain = AESGCM(wrapping_key).decrypt(nonce, ciphertext, key_id)
        except InvalidTag:
            continue
        # The tag has shown that this is the key that was stored, and the signer checks every result, so the 40 ms of
        # primality tests would tell nothing new.
        private_key = load_der_private_key(plain, None, unsafe_skip_rsa_key_validation=True)
        return private_key if isinstance(private_key, RSAPrivateKey) else None
    return None
