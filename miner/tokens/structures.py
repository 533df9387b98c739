"""The structures of Privacy Pass token type 0x0002 (RFC 9577 section 2, RFC 9578 section 6)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Self

from miner.tokens.codec import CodecError

TOKEN_TYPE = 0x0002
MODULUS_SIZE = 256
"""Bytes of an RSA-2048 modulus, a blinded message, a signature."""
NONCE_SIZE = 32
KEY_ID_SIZE = 32
SALT_SIZE = 48
"""Bytes of the PSS salt (RFC 9474, RSABSSA-SHA384-PSS)."""

_TYPE = TOKEN_TYPE.to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class TokenChallenge:
    """What a token is bound to.

    On the wire: token_type (2) | issuer_name (2-byte length) | redemption_context (1-byte length, 0 or 32 bytes) |
    origin_info (2-byte length); lengths big-endian.
    """

    issuer_name: str
    redemption_context: bytes = b""
    origin_info: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.issuer_name.encode()) <= 0xFFFF or len(self.origin_info.encode()) > 0xFFFF:
            raise CodecError(
                "wrong-size", "A token challenge needs an issuer name; names are at most 65,535 bytes."
            )
        if len(self.redemption_context) not in (0, 32):
            raise CodecError("wrong-size", "A redemption context is empty or 32 bytes.")

    def to_bytes(self) -> bytes:
        issuer, origin = self.issuer_name.encode(), self.origin_info.encode()
        return b"".join(
            (
                _TYPE,
                len(issuer).to_bytes(2, "big"),
                issuer,
                len(self.redemption_context).to_bytes(1, "big"),
                self.redemption_context,
                len(origin).to_bytes(2, "big"),
                origin,
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the challenge that `data` holds exactly.

        :raises CodecError: ``wrong-size`` or ``wrong-token-type``.
        """
        _check_type(data)
        issuer, rest = _vector(data[2:], 2)
        context, rest = _vector(rest, 1)
        origin, rest = _vector(rest, 2)
        if rest:
            raise CodecError("wrong-size", "Bytes follow the token challenge.")
        try:
            return cls(issuer.decode(), context, origin.decode())
        except UnicodeDecodeError as error:
            raise CodecError("malformed-token", "The names in a token challenge must be UTF-8.") from error

    @property
    def digest(self) -> bytes:
        """SHA-256 of the encoded challenge, as it stands in every token made for it."""
        return hashlib.sha256(self.to_bytes()).digest()


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Asks for one blind signature: token_type (2) | truncated_token_key_id (1) | blinded_msg (256)."""

    truncated_key_id: int
    blinded_message: bytes

    SIZE = 3 + MODULUS_SIZE

    def __post_init__(self) -> None:
        if not 0 <= self.truncated_key_id <= 0xFF:
            raise CodecError("wrong-size", "A truncated key id is one byte.")
        _check_size("blinded message", self.blinded_message, MODULUS_SIZE)

    def to_bytes(self) -> bytes:
        return _TYPE + bytes((self.truncated_key_id,)) + self.blinded_message

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """:raises CodecError: ``wrong-size`` or ``wrong-token-type``."""
        _check_size("token request", data, cls.SIZE)
        _check_type(data)
        return cls(data[2], data[3:])


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """Answers a :class:`TokenRequest`: blind_sig (256)."""

    blind_signature: bytes

    SIZE = MODULUS_SIZE

    def __post_init__(self) -> None:
        _check_size("token response", self.blind_signature, MODULUS_SIZE)

    def to_bytes(self) -> bytes:
        return self.blind_signature

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """:raises CodecError: ``wrong-size``."""
        return cls(data)


@dataclass(frozen=True, slots=True)
class Token:
    """A ticket: token_type (2) | nonce (32) | challenge_digest (32) | token_key_id (32) | authenticator (256)."""

    nonce: bytes
    challenge_digest: bytes
    key_id: bytes
    authenticator: bytes

    SIZE = 2 + NONCE_SIZE + 32 + KEY_ID_SIZE + MODULUS_SIZE

    def __post_init__(self) -> None:
        _check_size("nonce", self.nonce, NONCE_SIZE)
        _check_size("challenge digest", self.challenge_digest, 32)
        _check_size("token key id", self.key_id, KEY_ID_SIZE)
        _check_size("authenticator", self.authenticator, MODULUS_SIZE)

    @staticmethod
    def input(nonce: bytes, challenge_digest: bytes, key_id: bytes) -> bytes:
        """Return the 98 bytes that the authenticator signs (RFC 9578 section 6.1, ``token_input``)."""
        return _TYPE + nonce + challenge_digest + key_id

    @property
    def signed_bytes(self) -> bytes:
        """The 98 bytes that the authenticator signs."""
        return self.input(self.nonce, self.challenge_digest, self.key_id)

    def to_bytes(self) -> bytes:
        return self.signed_bytes + self.authenticator

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """:raises CodecError: ``wrong-size`` or ``wrong-token-type``."""
        _check_size("token", data, cls.SIZE)
        _check_type(data)
        return cls(data[2:34], data[34:66], data[66:98], data[98:])


def _check_size(name: str, data: bytes, size: int) -> None:
    if len(data) != size:
        raise CodecError("wrong-size", f"A {name} is {size} bytes, not {len(data)}.")


def _check_type(data: bytes) -> None:
    if data[:2] != _TYPE:
        raise CodecError("wrong-token-type", "Only token type 0x0002 (blind RSA, 2048 bits) is used here.")


def _vector(data: bytes, prefix: int) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:prefix], "big")
    if len(data) < prefix + size:
        raise CodecError("wrong-size", "The token challenge ends early.")
    return data[prefix : prefix + size], data[prefix + size :]
