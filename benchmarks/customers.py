"""Requests made ahead of the measurement, so that the load costs nothing but sending: each can be sent once."""

from __future__ import annotations

import json
import os
import re
import secrets
import typing as t

from flask import Flask

from flask_ticketminer.site import Site
from miner.pow import ALGORITHMS
from miner.tokens import Token, TokenRequest, b64url, blind, finalize

if t.TYPE_CHECKING:
    from flask_ticketminer.mint.keys import MintKey


class Customers:
    """Makes requests to the application of :mod:`benchmarks.site`, on the database that its server uses."""

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()
        self._site: Site = app.extensions["ticketminer"]
        self._job: dict[str, t.Any] = {}
        self._nonces: t.Iterator[str] = iter(())

    def bare(self, path: str = "/bare") -> bytes:
        """JSON as large as a redemption's, for a view that does nothing with it."""
        filler = {"challenge": {"id": os.urandom(272).hex()}, "payload": {"tickets": [os.urandom(236).hex()]}}
        return _http("POST", path, body=json.dumps(filler).encode())

    def bare_durable(self) -> bytes:
        """The same for a view that also waits until the disk has it."""
        return self.bare("/bare-durable")

    def bare_get(self) -> bytes:
        return _http("GET", "/bare")

    def key_id(self) -> bytes:
        """Return the id of the key that the tickets of these requests are of."""
        return self._site.keys.current(1).key_id

    def redeem(self) -> bytes:
        """One ticket for a page, no change: ``POST /ticketminer/redeem``."""
        return _http("POST", "/ticketminer/redeem", body=json.dumps(self._credential("/day")).encode())

    def pay(self) -> bytes:
        """One ticket for a page, no change, in a header field of the request for the page."""
        credential = b64url(json.dumps(self._credential("/report")).encode())
        return _http("GET", "/report", f"Authorization: Payment {credential}\r\n")

    def submit(self) -> bytes:
        """A share of a job for one ticket."""
        if not self._job:
            members = {"consent": self._site.settings.consent_version, "algorithms": ["sha256d"], "value": 1}
            self._job = t.cast("dict[str, t.Any]", self._client.post("/ticketminer/job", json=members).json)
            self._nonces = _hits(self._job)
        key = self._site.keys.find(bytes.fromhex(self._job["key_id"]))
        _, blinded, _ = _blinded(key)
        wanted = TokenRequest(key.key_id[-1], blinded).to_bytes()
        share = {"job": self._job["job"], "nonce": next(self._nonces), "token_request": b64url(wanted)}
        return _http("POST", "/ticketminer/submit", body=json.dumps(share).encode())

    def _credential(self, path: str) -> dict[str, t.Any]:
        scheme = self._client.get(path).headers["WWW-Authenticate"]
        challenge = dict(re.findall(r'([a-z]+)="([^"]*)"', scheme))
        return {"challenge": challenge, "payload": {"tickets": [self._ticket()]}}

    def _ticket(self) -> str:
        key = self._site.keys.current(1)
        message, blinded, inverse = _blinded(key)
        paid = self._site.ledger.accept_share(
            os.urandom(32), os.urandom(32), value=1, key=key, blinded=blinded
        )
        signature = finalize(key.public_key, message, t.cast("bytes", paid.signature), inverse)
        return b64url(message + signature)


def _blinded(key: MintKey) -> tuple[bytes, bytes, int]:
    message = Token.input(os.urandom(32), key.challenge_digest, key.key_id)
    r = secrets.randbelow(2**2040) + 1
    return (message, *blind(key.public_key, message, salt=os.urandom(48), r=r))


def _hits(job: dict[str, t.Any]) -> t.Iterator[str]:
    blob, at, size = bytes.fromhex(job["blob"]), job["nonce_offset"], job["nonce_size"]
    algorithm = ALGORITHMS[job["algorithm"]]
    for number in range(2**32):
        nonce = number.to_bytes(size, "little")
        if algorithm.meets(algorithm.hash(blob[:at] + nonce + blob[at + size :]), int(job["target"], 16)):
            yield nonce.hex()


def _http(method: str, path: str, fields: str = "", body: bytes = b"") -> bytes:
    if body:
        fields += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n".encode() + body
