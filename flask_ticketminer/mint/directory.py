"""The key directory: the same bytes for everyone, so that no visitor can be told apart by the keys he is shown."""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass

from flask_ticketminer.mint.keys import KeyRing, MintKey
from miner.tokens import TOKEN_TYPE, b64url

WELL_KNOWN = "/.well-known/private-token-issuer-directory"
MEDIA_TYPE = "application/private-token-issuer-directory"
"""RFC 9578 section 4: where it is found, whatever the prefix, and what it is."""
MAX_AGE = 600
"""Seconds for which anyone may cache the directory."""
_KEPT = 8


@dataclass(frozen=True, slots=True)
class Document:
    """What to answer with, and its entity tag (without quotes)."""

    body: bytes
    etag: str


class Directory:
    """Writes the directory of `keyring` and keeps it until its keys or their order change."""

    def __init__(self, keyring: KeyRing) -> None:
        self._keyring = keyring
        self._documents: dict[tuple[str, tuple[bytes, ...]], Document] = {}

    def document(self, request_uri: str) -> Document:
        """Return the directory.

        :param request_uri: path-absolute address of ``submit``, with the application's mount point.
        :raises MintUnavailable: keys are missing and cannot be made.
        """
        keys = self._keyring.directory_keys()
        wanted = (request_uri, tuple(key.key_id for key in keys))
        document = self._documents.get(wanted)
        if document is None:
            content = {"issuer-request-uri": request_uri, "token-keys": [_entry(key) for key in keys]}
            body = json.dumps(content, separators=(",", ":")).encode()
            document = Document(body, hashlib.sha256(body).hexdigest()[:32])
            if len(self._documents) >= _KEPT:
                self._documents.clear()
            self._documents[wanted] = document
        return document


def _entry(key: MintKey) -> dict[str, t.Any]:
    return {
        "token-type": TOKEN_TYPE,
        "token-key": b64url(key.spki),
        "not-before": key.starts,
        "key-id": key.key_id.hex(),
        "value": key.value,
        "issuer-name": key.issuer_name,
        "issue-until": key.ends,
        "redeem-until": key.redeem_until,
    }
