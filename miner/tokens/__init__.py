"""Tickets on the wire: Privacy Pass structures, the client's half of blind RSA, and strict codecs.

Both sides of the protocol (``docs/protocol.md``) use this package; it needs neither a database nor a network.
"""

from miner.tokens.amounts import DENOMINATIONS, MAX_AMOUNT, amount, parse_amount, split
from miner.tokens.blind import (
    blind,
    finalize,
    public_key_from_spki,
    spki_from_public_key,
    token_key_id,
    verify,
)
from miner.tokens.codec import CodecError, b64url, decode_json, hex_bytes, jcs, unb64url
from miner.tokens.structures import (
    KEY_ID_SIZE,
    MODULUS_SIZE,
    NONCE_SIZE,
    SALT_SIZE,
    TOKEN_TYPE,
    Token,
    TokenChallenge,
    TokenRequest,
    TokenResponse,
)

__all__ = [
    "DENOMINATIONS",
    "KEY_ID_SIZE",
    "MAX_AMOUNT",
    "MODULUS_SIZE",
    "NONCE_SIZE",
    "SALT_SIZE",
    "TOKEN_TYPE",
    "CodecError",
    "Token",
    "TokenChallenge",
    "TokenRequest",
    "TokenResponse",
    "amount",
    "b64url",
    "blind",
    "decode_json",
    "finalize",
    "hex_bytes",
    "jcs",
    "parse_amount",
    "public_key_from_spki",
    "spki_from_public_key",
    "split",
    "token_key_id",
    "unb64url",
    "verify",
]
