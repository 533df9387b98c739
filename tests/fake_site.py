"""A ticket site in one object, for the visitor's tests: strict about the protocol, and able to fail on demand.

It stands behind httpx's transport interface. Real RSA keys, a ledger of dictionaries, no Flask and no database.
"""

from __future__ import annotations

import base64
import datetime as dt
import functools
import hashlib
import json
import secrets
import typing as t
from email.utils import formatdate
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa

from miner.service import TicketKey
from miner.tokens import (
    Token,
    TokenRequest,
    b64url,
    decode_json,
    jcs,
    spki_from_public_key,
    token_key_id,
    unb64url,
    verify,
)

DAY = 86_400
NOW = 1_795_910_400
"""The fake world's date: within the epoch that begins at EPOCH."""
EPOCH = 1_795_651_200
CONSENT = "2026-11"


def private_key(value: int, epoch: int = 0, variant: int = 0) -> rsa.RSAPrivateKey:
    """Return the key of a denomination and epoch; the same for the whole test run."""
    return _drawn(value, epoch, variant)


@functools.cache
def _drawn(*_: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def sign(key: rsa.RSAPrivateKey, blinded: bytes) -> bytes:
    """Return the blind signature, with the plain private operation."""
    numbers = key.private_numbers()
    return pow(int.from_bytes(blinded, "big"), numbers.d, numbers.public_numbers.n).to_bytes(256, "big")


def ticket_key(value: int, *, epoch: int = 0, variant: int = 0, name: str = "shop.example") -> TicketKey:
    """Return the directory entry of a denomination in the current epoch, or `epoch` epochs later."""
    public = private_key(value, epoch, variant).public_key()
    start = EPOCH + epoch * 7 * DAY
    return TicketKey(
        token_key_id(public),
        value,
        start,
        start + 7 * DAY,
        start + 21 * DAY,
        name,
        spki_from_public_key(public),
    )


class Refusal(Exception):
    def __init__(self, status: int, cause: str, **members: t.Any) -> None:
        super().__init__(cause)
        self.status, self.cause, self.members = status, cause, members


class FakeSite:
    """A site at `origin`; `now` is its clock.

    `prices` maps paths to (price, seconds of validity or None). `views` maps paths to the status of the view. `list_of` is what
    it lists as spent, where that is not what is; `signed_under` tells the key of what it has signed.
    """

    def __init__(
        self,
        origin: str = "https://shop.example",
        *,
        name: str = "shop.example",
        denominations: t.Sequence[int] = (1, 2, 4, 8),
    ) -> None:
        self.origin, self.name, self.now = origin, name, NOW
        self.denominations = tuple(denominations)
        self.keys: dict[bytes, tuple[TicketKey, rsa.RSAPrivateKey]] = {}
        self.prices: dict[str, tuple[int, int | None]] = {
            "/report": (3, None),
            "/week": (3, 7 * DAY),
            "/big": (13, None),
        }
        self.views: dict[str, int] = {}
        self.effort = 2
        self.origins: list[str] = []
        self.header: str | None = None
        self.extra_challenges: list[str] = []
        self.spent: dict[tuple[bytes, bytes], str] = {}
        self.list_of: dict[tuple[bytes, bytes], str] | None = None
        self.signed: dict[bytes, bytes] = {}
        self.signed_under: dict[bytes, bytes] = {}
        self.shares: dict[str, tuple[bytes, bytes]] = {}
        self.payments: dict[str, dict[str, t.Any]] = {}
        self.jobs: dict[str, dict[str, t.Any]] = {}
        self.challenges: dict[str, dict[str, str]] = {}
        self.passes: dict[str, tuple[str, int | None]] = {}
        self.calls: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        self.faults: list[tuple[str, str, t.Any]] = []
        self.rewrite: dict[str, t.Callable[[dict[str, t.Any]], t.Any]] = {}
        self.add_epoch(0)

    # Arranging

    def add_epoch(self, epoch: int) -> None:
        for value in self.denominations:
            self.add_key(ticket_key(value, epoch=epoch, name=self.name), private_key(value, epoch))

    def add_key(self, key: TicketKey, private: rsa.RSAPrivateKey) -> None:
        self.keys[key.key_id] = (key, private)

    def drop(self, path: str, *, times: int = 1) -> None:
        """Do what is asked on `path`, and lose the answer."""
        self.faults += [(path, "after", None)] * times

    def vanish(self, path: str, *, times: int = 1) -> None:
        """Lose the request to `path` before it arrives."""
        self.faults += [(path, "before", None)] * times

    def answer(self, path: str, response: httpx.Response, *, times: int = 1) -> None:
        """Answer `path` with `response` instead of doing anything."""
        self.faults += [(path, "instead", response)] * times

    def client(self, **options: t.Any) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self.handle), **options)

    def counted(self, path: str) -> int:
        return sum(1 for _, called in self.calls if called == path)

    def key(self, value: int) -> TicketKey:
        return next(key for key, _ in self.keys.values() if key.value == value and key.issues(self.now))

    def signer(self, value: int) -> t.Callable[[bytes], bytes]:
        key_id = self.key(value).key_id
        return lambda blinded: self._sign(key_id, blinded)

    @property
    def issued(self) -> int:
        return len(self.signed)

    # Answering

    def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.calls.append((request.method, path))
        self.bodies.append(request.content)
        fault = next((fault for fault in self.faults if fault[0] == path), None)
        if fault is not None:
            self.faults.remove(fault)
            if fault[1] == "before":
                raise httpx.ConnectError("the network is gone", request=request)
            if fault[1] == "instead":
                return t.cast(httpx.Response, fault[2])
        response = self._respond(request)
        response.headers["Date"] = formatdate(self.now, usegmt=True)
        if fault is not None:
            raise httpx.ReadError("the answer is lost", request=request)
        return response

    def _respond(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        try:
            if path in self.prices:
                return self._gate(request)
            if path.startswith("/ticketminer/keys/"):
                return self._spent_file(bytes.fromhex(path.split("/")[3]))
            endpoints: dict[str, t.Callable[[httpx.Request], dict[str, t.Any]]] = {
                "/ticketminer/": self._service,
                "/ticketminer/keys": self._directory,
                "/ticketminer/job": self._job,
                "/ticketminer/submit": self._submit,
                "/ticketminer/redeem": self._redeem,
                "/ticketminer/restore": self._restore,
            }
            if path not in endpoints:
                raise Refusal(404, "not-found")
            members: t.Any = endpoints[path](request)
            if path in self.rewrite:
                members = self.rewrite[path](members)
            return httpx.Response(200, json=members)
        except Refusal as refusal:
            return self._problem(refusal)

    def _problem(self, refusal: Refusal) -> httpx.Response:
        headers = {"Content-Type": "application/problem+json"}
        if refusal.cause in ("in-progress", "ticket-in-use") or refusal.status == 503:
            headers["Retry-After"] = "2"
        body = {
            "type": f"urn:ticketminer:problem:{refusal.cause}",
            "title": refusal.cause,
            "status": refusal.status,
            "detail": "Do something else.",
            "cause": refusal.cause,
            **refusal.members,
        }
        return httpx.Response(refusal.status, content=json.dumps(body), headers=headers)

    def _service(self, request: httpx.Request) -> dict[str, t.Any]:
        links = {
            name: f"/ticketminer/{name}" for name in ("job", "submit", "redeem", "keys", "restore", "donate")
        }
        return {
            "service": "ticketminer",
            "version": 1,
            "site_name": self.name,
            "denominations": list(self.denominations),
            "algorithms": [{"algorithm": "sha256d", "expected_hashes": self.effort, "work": "local"}],
            "limits": {
                "inputs": 64,
                "outputs": 32,
                "body": 65536,
                "header_credential": 7000,
                "header_outputs": 3,
                "restore": 256,
                "job_value": max(self.denominations),
            },
            "consent": {"version": CONSENT, "text": "May we compute?"},
            "funds": [{"fund": "articles", "title": "Articles", "minimum": 1, "default": 5}],
            "origins": self.origins,
            "links": {
                **links,
                "spent": "/ticketminer/keys/{key_id}/spent",
                "openapi": "/ticketminer/openapi.json",
            },
        }

    def _directory(self, request: httpx.Request) -> dict[str, t.Any]:
        return {
            "issuer-request-uri": "/ticketminer/submit",
            "token-keys": [key.entry() for key, _ in self.keys.values() if self.now < key.redeem_until],
        }

    def _spent_file(self, key_id: bytes) -> httpx.Response:
        listed = self.spent if self.list_of is None else self.list_of
        entries = sorted(hashlib.sha256(nonce).digest()[:8] for key, nonce in listed if key == key_id)
        return httpx.Response(
            200, content=b"".join(entries), headers={"Content-Type": "application/octet-stream"}
        )

    def _job(self, request: httpx.Request) -> dict[str, t.Any]:
        asked = _members(request, {"consent", "algorithms"}, {"value", "donate", "fund"})
        if asked["consent"] != CONSENT:
            raise Refusal(403, "consent-required")
        if "sha256d" not in asked["algorithms"]:
            raise Refusal(400, "unknown-algorithm")
        return self.make_job(asked.get("value", 1), donate=asked.get("donate", False))

    def make_job(self, value: int, *, donate: bool = False) -> dict[str, t.Any]:
        expected = self.effort * value
        blob = b"ticketminer local v1" + secrets.token_bytes(16) + hashlib.sha256(self.name.encode()).digest()
        blob += (self.now + 600).to_bytes(8, "little") + bytes(8)
        job = {
            "job": secrets.token_urlsafe(12),
            "algorithm": "sha256d",
            "blob": blob.hex(),
            "nonce_offset": 76,
            "nonce_size": 8,
            "target": f"{2**256 // expected - 1:064x}",
            "expected_hashes": expected,
            "value": value,
            "key_id": None if donate else self.key(value).key_id.hex(),
            "expires_in": 600,
            "tip": None,
            "poll": None,
        }
        self.jobs[job["job"]] = job
        return job

    def _submit(self, request: httpx.Request) -> dict[str, t.Any]:
        sent = _members(request, {"job", "nonce"}, {"token_request", "value", "mix"})
        job = self.jobs.get(sent["job"])
        if job is None:
            raise Refusal(400, "forged-job")
        assert sent.get("value", job["value"]) == job["value"]
        data = bytes.fromhex(job["blob"])[:76] + bytes.fromhex(sent["nonce"])
        if int.from_bytes(hashlib.sha256(hashlib.sha256(data).digest()).digest(), "little") > int(
            job["target"], 16
        ):
            raise Refusal(422, "share-misses-target")
        answer: dict[str, t.Any] = {
            "accepted": True,
            "value": job["value"],
            "token_response": None,
            "upstream": None,
            "next": None,
        }
        share = data.hex()
        if job["key_id"] is None:
            assert "token_request" not in sent
            self.shares[share] = (b"", b"")
            return answer
        token_request = TokenRequest.from_bytes(unb64url(sent["token_request"]))
        key_id = bytes.fromhex(job["key_id"])
        assert token_request.truncated_key_id == key_id[-1]
        message = token_request.blinded_message
        if share in self.shares:
            if self.shares[share][0] != message:
                raise Refusal(409, "duplicate-share")
        else:
            self.shares[share] = (message, self._sign(key_id, message))
        return {**answer, "token_response": b64url(self.shares[share][1])}

    def _sign(self, key_id: bytes, message: bytes) -> bytes:
        digest = hashlib.sha256(message).digest()
        if digest in self.signed:
            raise Refusal(409, "output-already-signed")
        self.signed[digest] = signature = sign(self.keys[key_id][1], message)
        self.signed_under[digest] = key_id
        return signature

    def _restore(self, request: httpx.Request) -> dict[str, t.Any]:
        asked = _members(request, {"key_id", "hashes"}, set())
        assert len(asked["hashes"]) <= 256
        found = [self.signed.get(bytes.fromhex(item)) for item in asked["hashes"]]
        return {"signatures": [None if item is None else b64url(item) for item in found]}

    # Payment

    def challenge(self, method: str, resource: str, body: bytes, price: int) -> dict[str, str]:
        expires = dt.datetime.fromtimestamp(self.now + 900, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        wanted = {
            "amount": str(price),
            "currency": "ticket",
            "recipient": self.name,
            "methodDetails": {"redeem": "/ticketminer/redeem", "service": "/ticketminer/"},
        }
        parameters = {
            "id": b64url(secrets.token_bytes(32)),
            "realm": self.name,
            "method": "ticket",
            "intent": "charge",
            "request": b64url(jcs(wanted)),
            "expires": expires,
        }
        if method not in ("GET", "HEAD"):
            parameters["digest"] = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        opaque = {
            "nonce": b64url(secrets.token_bytes(16)),
            "method": method,
            "resource": resource,
            "binding": "",
        }
        parameters["opaque"] = b64url(jcs(opaque))
        if self.header is not None:
            parameters["header"] = self.header
        self.challenges[parameters["id"]] = parameters
        return parameters

    def _gate(self, request: httpx.Request) -> httpx.Response:
        price, valid_for = self.prices[request.url.path]
        token = request.headers.get("TicketMiner-Pass")
        area = request.url.raw_path.decode()
        if token is not None and self.passes.get(token, ("", None))[0] == area:
            if valid_for is None:
                del self.passes[token]
            return self._view(request)
        name = self.header or "Authorization"
        scheme, _, text = request.headers.get(name, "").partition(" ")
        try:
            if scheme == "Payment":
                assert len(text) <= 7000
                credential = decode_json(unb64url(text))
                assert len(credential["payload"]["outputs"]) <= 3
                opaque = decode_json(unb64url(credential["challenge"]["opaque"]))
                assert (opaque["method"], opaque["resource"]) == (request.method, area)
                payment = self._pay(credential)
                if payment["delivered"] and valid_for is None:
                    raise Refusal(409, "already-delivered", receipt=self._receipt(payment))
                response = self._view(request)
                if response.status_code >= 400:
                    self._release(payment)
                    return response
                payment["delivered"] = True
                if response.status_code < 300:
                    response.headers["Payment-Receipt"] = b64url(jcs(self._receipt(payment)))
                return response
            raise Refusal(402, "payment-required")
        except Refusal as refusal:
            response = self._problem(refusal)
            if refusal.status == 402:
                parameters = self.challenge(request.method, area, request.content, price)
                own = "Payment " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())
                fields = [("WWW-Authenticate", value) for value in (*self.extra_challenges, own)]
                response = httpx.Response(
                    402, content=response.content, headers=[*response.headers.items(), *fields]
                )
            return response

    def _view(self, request: httpx.Request) -> httpx.Response:
        status = self.views.get(request.url.path, 200)
        headers = {"Location": "/elsewhere"} if 300 <= status < 400 else {}
        return httpx.Response(status, text=f"goods of {request.url.path}", headers=headers)

    def _redeem(self, request: httpx.Request) -> dict[str, t.Any]:
        credential = _members(request, {"payload"}, {"challenge"})
        payment = self._pay(credential)
        receipt = self._receipt(payment)
        opaque = {"resource": None}
        if "challenge" in credential:
            opaque = decode_json(unb64url(credential["challenge"]["opaque"]))
        change, access = receipt.pop("change"), receipt.pop("pass")
        return {"receipt": receipt, "change": change, "pass": access, "location": opaque["resource"]}

    def _pay(self, credential: dict[str, t.Any]) -> dict[str, t.Any]:
        """Spend the tickets, sign the outputs; the same credential again gets the same payment."""
        body = credential["payload"]
        assert set(body) == {"tickets", "outputs"}
        payment_id = hashlib.sha256(jcs(credential)).hexdigest()
        if payment_id in self.payments:
            return self.payments[payment_id]
        echo = credential.get("challenge")
        price = 0
        if echo is not None:
            if self.challenges.get(echo["id"]) != echo:
                raise Refusal(402, "challenge-altered")
            if dt.datetime.fromisoformat(echo["expires"]).timestamp() <= self.now:
                raise Refusal(402, "challenge-expired")
            price = int(decode_json(unb64url(echo["request"]))["amount"])
        tokens = [Token.from_bytes(unb64url(item)) for item in body["tickets"]]
        outputs = [
            (bytes.fromhex(o["key_id"]), unb64url(o["blinded_message"], size=256)) for o in body["outputs"]
        ]
        assert 1 <= len(tokens) <= 64
        assert len(outputs) <= min(32, max(16, len(tokens)) if echo is None else 32)
        for token in tokens:
            key = self.keys[token.key_id][0]
            if self.now >= key.redeem_until:
                raise Refusal(402, "expired-key")
            assert token.challenge_digest == key.challenge_digest
            assert verify(key.public_key, token.signed_bytes, token.authenticator)
            if (token.key_id, token.nonce) in self.spent:
                raise Refusal(402, "ticket-spent")
        for key_id, _ in outputs:
            if not self.keys[key_id][0].issues(self.now):
                raise Refusal(402, "key-not-signing")
        total = sum(self.keys[token.key_id][0].value for token in tokens)
        assert total == price + sum(self.keys[key_id][0].value for key_id, _ in outputs)
        if any(hashlib.sha256(message).digest() in self.signed for _, message in outputs):
            raise Refusal(409, "output-already-signed")
        change = [self._sign(key_id, message) for key_id, message in outputs]
        for token in tokens:
            self.spent[token.key_id, token.nonce] = payment_id
        self.payments[payment_id] = payment = {
            "id": payment_id,
            "price": price,
            "change": change,
            "outputs": outputs,
            "echo": echo,
            "delivered": False,
        }
        return payment

    def _release(self, payment: dict[str, t.Any]) -> None:
        del self.payments[payment["id"]]
        self.spent = {ticket: used for ticket, used in self.spent.items() if used != payment["id"]}
        for _, message in payment["outputs"]:
            del self.signed[hashlib.sha256(message).digest()]
            del self.signed_under[hashlib.sha256(message).digest()]

    def _receipt(self, payment: dict[str, t.Any]) -> dict[str, t.Any]:
        access = None
        if payment["echo"] is not None:
            area = decode_json(unb64url(payment["echo"]["opaque"]))["resource"]
            valid_for = self.prices[urlsplit(area).path][1]
            if valid_for is not None or not payment["delivered"]:
                token = f"pass-{payment['id'][:16]}"
                expires = None if valid_for is None else self.now + valid_for
                self.passes[token] = (area, expires)
                access = {"token": token, "expires": expires, "single_use": valid_for is None}
        return {
            "status": "success",
            "method": "ticket",
            "timestamp": "2026-11-29T00:00:00Z",
            "reference": payment["id"],
            "amount": str(payment["price"]),
            "change": [b64url(signature) for signature in payment["change"]],
            "pass": access,
        }


def _members(request: httpx.Request, required: set[str], optional: set[str]) -> dict[str, t.Any]:
    assert request.headers["Content-Type"] == "application/json"
    members = decode_json(request.content)
    assert required <= set(members) <= required | optional
    return members


class Clock:
    """The visitor's clock: stands still until told."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def solve(job: t.Any, start: int = 0) -> int:
    """Return the first nonce from `start` on for a sha256d job."""
    for nonce in range(start, start + (1 << 20)):
        data = job.blob[:76] + nonce.to_bytes(8, "little")
        if int.from_bytes(hashlib.sha256(hashlib.sha256(data).digest()).digest(), "little") <= job.target:
            return nonce
    raise AssertionError("No share within a million hashes.")
