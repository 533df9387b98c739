"""A ticket site in one object, for the visitor's tests: strict about the protocol, and able to fail on demand.

It stands behind httpx's transport interface. Real RSA keys, a ledger of dictionaries, no Flask and no database.
"""

from __future__ import annotations

import hashlib
import secrets
import typing as t
from email.utils import formatdate

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from fake_keys import DAY, NOW, private_key, ticket_key
from fake_till import FakeTill, Refusal, members_of

from miner.service import TicketKey
from miner.tokens import (
    TokenRequest,
    b64url,
    unb64url,
)

CONSENT = "2026-11"


class FakeSite(FakeTill):
    """A site at `origin`; `now` is its clock.

    `prices` maps paths to (price, seconds of validity or None). `views` maps paths to the status of the view. `list_of` is what
    it lists as spent, where that is not what is; `signed_under` tells the key of what it has signed. `tip` is the tip document of its
    work, None for local work; `asked_if` is what requests for it had as If-None-Match.
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
        self.tip: dict[str, t.Any] | None = None
        self.asked_if: list[str | None] = []
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
            if path == "/ticketminer/tip/sha256d":
                return self._tip(request)
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
                "tip": "/ticketminer/tip/{algorithm}",
            },
        }

    def _tip(self, request: httpx.Request) -> httpx.Response:
        if self.tip is None:
            raise Refusal(404, "no-tip")
        asked = request.headers.get("If-None-Match")
        self.asked_if.append(asked)
        etag = f'"{self.tip["tip"]}"'
        if asked == etag:
            return httpx.Response(304, headers={"ETag": etag})
        return httpx.Response(200, json=self.tip, headers={"ETag": etag})

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
        asked = members_of(request, {"consent", "algorithms"}, {"value", "donate", "fund"})
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
            "tip": self.tip and self.tip["tip"],
            "poll": self.tip and self.tip["poll"],
        }
        self.jobs[job["job"]] = job
        return job

    def _submit(self, request: httpx.Request) -> dict[str, t.Any]:
        sent = members_of(request, {"job", "nonce"}, {"token_request", "value", "mix"})
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

    def _restore(self, request: httpx.Request) -> dict[str, t.Any]:
        asked = members_of(request, {"key_id", "hashes"}, set())
        assert len(asked["hashes"]) <= 256
        found = [self.signed.get(bytes.fromhex(item)) for item in asked["hashes"]]
        return {"signatures": [None if item is None else b64url(item) for item in found]}


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
