"""Where a wallet's secrets come from: a master, one seed a site, and three secrets a ticket (``docs/protocol.md``)."""

from __future__ import annotations

import difflib
import functools
import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from mnemonic import Mnemonic

from miner.errors import WrongWords
from miner.tokens import NONCE_SIZE, SALT_SIZE, token_key_id

MASTER_SIZE = 16
"""Bytes of a wallet's master: 12 words."""
SITE_SEED_SIZE = 32
"""Bytes of one site's seed: 24 words."""

_SITE = b"ticketminer site v1"
_SECRET = b"ticketminer secret v1"
_NONCE, _SALT, _BLIND = 1, 2, 3


@dataclass(frozen=True, slots=True)
class TicketSecrets:
    """What makes one ticket: its nonce (32 bytes), the PSS salt (48 bytes), the blinding factor (below n)."""

    nonce: bytes
    salt: bytes
    r: int

    def __repr__(self) -> str:
        return "TicketSecrets(…)"


def site_seed(master: bytes, name: str) -> bytes:
    """Return the 32-byte seed of the site with this :func:`seed_name`, from the 16-byte `master`."""
    if len(master) != MASTER_SIZE:
        raise ValueError(f"A master is {MASTER_SIZE} bytes, not {len(master)}.")
    return HKDF(hashes.SHA256(), SITE_SEED_SIZE, salt=_SITE, info=name.encode()).derive(master)


def is_own_name(origin: str, issuer_name: str) -> bool:
    """Return whether nobody but the owner of `issuer_name` can answer at `origin`: over https, or as an onion service.

    The name is the origin's host, with its port where that is not the default one.
    """
    scheme, _, host = origin.partition("://")
    return host == issuer_name.lower() and (scheme == "https" or host.endswith(".onion"))


def seed_name(origin: str, issuer_name: str) -> str:
    """Return what the seed for `origin` is derived from: the issuer's name where it is the origin's own, else `origin`.

    A name in a directory is only a claim. Were it believed, a site that republishes another's directory and relays its
    answers would be shown that site's tickets, and paid with them.
    """
    return issuer_name if is_own_name(origin, issuer_name) else origin


def ticket_secrets(seed: bytes, public_key: rsa.RSAPublicKey, counter: int) -> TicketSecrets:
    """Return the secrets of ticket number `counter` under `public_key`; the same number gives the same secrets."""
    context = _SECRET + token_key_id(public_key) + counter.to_bytes(8, "big")

    def block(purpose: int, i: int) -> bytes:
        return hmac.digest(seed, context + bytes((purpose, i)), hashlib.sha512)

    wide = b"".join(block(_BLIND, i) for i in range(5))
    r = int.from_bytes(wide, "big") % public_key.public_numbers().n
    return TicketSecrets(block(_NONCE, 0)[:NONCE_SIZE], block(_SALT, 0)[:SALT_SIZE], r)


def seed_id(seed: bytes) -> bytes:
    """Return 8 bytes that name `seed` in the wallet's tables without giving it away."""
    return hashlib.sha256(b"ticketminer seed id v1" + seed).digest()[:8]


def to_words(entropy: bytes) -> str:
    """Return the BIP 39 words of a master (16 bytes, 12 words) or of a site's seed (32 bytes, 24 words)."""
    return _english().to_mnemonic(entropy)


def from_words(words: str) -> bytes:
    """Return the master (16 bytes) or site seed (32 bytes) that `words` spell; case and spacing do not matter.

    :raises WrongWords: a word is unknown, words are missing, or the checksum does not hold.
    """
    spelt = words.lower().split()
    known = _english().wordlist
    for position, word in enumerate(spelt, 1):
        if word not in known:
            close = difflib.get_close_matches(word, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise WrongWords(f"Word {position}, {word!r}, is not a backup word.{hint}")
    if len(spelt) not in (12, 24):
        raise WrongWords(
            f"These are {len(spelt)} words. A whole wallet is 12 words, one site is 24; write down all of them in order."
        )
    try:
        return bytes(_english().to_entropy(spelt))
    except ValueError as error:
        raise WrongWords(
            "The words do not belong together: one of them is wrong or two are swapped. Compare them with your note."
        ) from error


@functools.cache
def _english() -> Mnemonic:
    return Mnemonic("english")
