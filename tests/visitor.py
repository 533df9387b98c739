"""A visitor who speaks the protocol by hand: no wallet, no client library, every field open to tampering."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import typing as t

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from miner.pow import ALGORITHMS
from miner.tokens import (
    Token,
    TokenChallenge,
    TokenRequest,
    b64url,
    blind,
    finalize,
    public_key_from_spki,
    unb64url,
)

PREFIX = "/ticketminer"


class Output(t.NamedTuple):
    """A blinded message and what it takes to finish it."""

    entry: dict[str, t.Any]
    message: bytes
    nonce: bytes
    blinded: bytes
    inverse: int

    def member(self) -> dict[str, str]:
        return {"key_id": self.entry["key-id"], "blinded_message": b64url(self.blinded)}

    def ticket(self, blind_signature: str) -> str:
        key = public_key_from_spki(unb64url(self.entry["token-key"]))
        signature = finalize(key, self.message, unb64url(blind_signature), self.inverse)
        return b64url(self.message + signature)


class Visitor:
    """Mines and pays through a Flask test client."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client: FlaskClient = app.test_client()

    def get(self, path: str, **options: t.Any) -> TestResponse:
        return self.client.get(path, **options)

    def post(self, path: str, body: t.Any, **options: t.Any) -> TestResponse:
        return self.client.post(PREFIX + path, json=body, **options)

    def service(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", self.get(PREFIX + "/").json)

    def entries(self) -> list[dict[str, t.Any]]:
        directory = self.get(PREFIX + "/keys").get_json(force=True)
        return t.cast("list[dict[str, t.Any]]", directory["token-keys"])

    def job_request(self, **members: t.Any) -> dict[str, t.Any]:
        return {
            "consent": self.service()["consent"]["version"],
            "algorithms": ["yespower", "scrypt", "sha256d"],
            **members,
        }

    def job(self, **members: t.Any) -> dict[str, t.Any]:
        reply = self.post("/job", self.job_request(**members))
        assert reply.status_code == 200, reply.json
        return t.cast("dict[str, t.Any]", reply.json)

    def nonces(self, job: dict[str, t.Any], *, hits: bool = True) -> t.Iterator[str]:
        """Yield the nonces that meet the job's target, or those that miss it."""
        for number in range(2**20):
            nonce = number.to_bytes(job["nonce_size"], "little").hex()
            if self.meets(job, nonce) == hits:
                yield nonce

    def meets(self, job: dict[str, t.Any], nonce: str) -> bool:
        """Return whether `nonce` meets the job's target."""
        blob, at, size = bytes.fromhex(job["blob"]), job["nonce_offset"], job["nonce_size"]
        digest = ALGORITHMS[job["algorithm"]].hash(blob[:at] + bytes.fromhex(nonce) + blob[at + size :])
        return int.from_bytes(digest, "little") <= int(job["target"], 16)

    def output(self, value: int = 1, *, key_id: str | None = None) -> Output:
        keys = self.entries()
        entry = next(k for k in keys if (k["value"] == value if key_id is None else k["key-id"] == key_id))
        key = public_key_from_spki(unb64url(entry["token-key"]))
        nonce = os.urandom(32)
        message = Token.input(
            nonce, TokenChallenge(entry["issuer-name"]).digest, bytes.fromhex(entry["key-id"])
        )
        blinded, inverse = blind(key, message, salt=os.urandom(48), r=secrets.randbelow(2**2040) + 1)
        return Output(entry, message, nonce, blinded, inverse)

    def token_request(self, output: Output) -> str:
        return b64url(TokenRequest(int(output.entry["key-id"][-2:], 16), output.blinded).to_bytes())

    def share(
        self, job: dict[str, t.Any], output: Output | None = None, **changes: t.Any
    ) -> dict[str, t.Any]:
        """Return a submit request for a share of `job`."""
        body = {"job": job["job"], "nonce": changes.pop("nonce", None) or next(self.nonces(job))}
        if output is not None:
            body["token_request"] = self.token_request(output)
        return {**body, **changes}

    def ticket(self, value: int = 1) -> str:
        """Mine one ticket."""
        job = self.job(value=value)
        output = self.output(key_id=job["key_id"])
        reply = self.post("/submit", self.share(job, output))
        assert reply.status_code == 200, reply.json
        return output.ticket(t.cast("dict[str, t.Any]", reply.json)["token_response"])

    def challenge(self, path: str, method: str = "GET", **options: t.Any) -> dict[str, str]:
        """Return the parameters of the challenge that `path` answers with."""
        reply = self.client.open(path, method=method, **options)
        assert reply.status_code == 402, (reply.status_code, reply.data)
        return challenge_parameters(reply)

    def credential(
        self, path: str, tickets: t.Sequence[str], outputs: t.Sequence[Output] = (), **options: t.Any
    ) -> dict[str, t.Any]:
        return {
            "challenge": self.challenge(path, **options),
            "payload": {"tickets": list(tickets), "outputs": [output.member() for output in outputs]},
        }

    def pay(
        self, path: str, credential: dict[str, t.Any], method: str = "GET", **options: t.Any
    ) -> TestResponse:
        headers = {**options.pop("headers", {}), **authorization(credential)}
        return self.client.open(path, method=method, headers=headers, **options)


def authorization(credential: dict[str, t.Any]) -> dict[str, str]:
    return {"Authorization": "Payment " + b64url(json.dumps(credential).encode())}


def challenge_parameters(reply: TestResponse) -> dict[str, str]:
    scheme, _, rest = reply.headers["WWW-Authenticate"].partition(" ")
    assert scheme == "Payment"
    return dict(re.findall(r'([a-z]+)="([^"]*)"', rest))


def receipt(reply: TestResponse) -> dict[str, t.Any]:
    """Return the receipt in the header of `reply`."""
    text = reply.headers["Payment-Receipt"]
    return t.cast("dict[str, t.Any]", json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))


def cause(reply: TestResponse) -> tuple[int, str]:
    """Return status and cause of a problem document."""
    assert reply.mimetype == "application/problem+json", (reply.status_code, reply.data[:200])
    return reply.status_code, t.cast("dict[str, t.Any]", reply.get_json(force=True))["cause"]
