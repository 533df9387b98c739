"""Valid requests of every kind, ready to be sent or to be spoilt: real jobs, tickets, challenges and passes."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import typing as t
from collections.abc import Callable

from flask import Flask
from fuzz_books import Books
from fuzz_requests import Wire
from sites import DEFAULT_WORK
from visitor import PREFIX, Output, Visitor, authorization, challenge_parameters, receipt
from werkzeug.test import TestResponse

from flask_ticketminer.site import Site
from miner.tokens import b64url

_FORM = ("Content-Type", "application/x-www-form-urlencoded")
_HTML = ("Accept", "text/html")


class Stock:
    """Makes a valid request of any kind, and keeps it until it was accepted: then it is no longer worth spoiling.

    :param books: told of each ticket that is issued here without a request.
    """

    def __init__(self, app: Flask, books: Books) -> None:
        self._visitor = _Visitor(app)
        self._books = books
        self._site: Site = app.extensions["ticketminer"]
        self._kept: dict[str, Wire] = {}
        self._used: dict[str, Wire] = {}
        self._entries = {entry["value"]: entry for entry in self._visitor.entries()}
        self.consent = self._visitor.service()["consent"]["version"]
        self._makers: dict[str, Callable[[], Wire]] = {
            "service": lambda: Wire("GET", f"{PREFIX}/"),
            "openapi": lambda: Wire("GET", f"{PREFIX}/openapi.json"),
            "keys": lambda: Wire("GET", f"{PREFIX}/keys"),
            "well known keys": lambda: Wire("GET", "/.well-known/private-token-issuer-directory"),
            "spent": lambda: Wire("GET", f"{PREFIX}/keys/{self.key_id()}/spent"),
            "tip": lambda: Wire("GET", f"{PREFIX}/tip/{DEFAULT_WORK}"),
            "stats": lambda: Wire("GET", f"{PREFIX}/stats"),
            "dashboard": lambda: Wire("GET", f"{PREFIX}/dashboard"),
            "job": lambda: self._post("/job", self._job_request(value=4)),
            "job for a fund": lambda: self._post("/job", self._job_request(donate=True, fund="articles")),
            "share": self._share,
            "donated share": self._donated_share,
            "share that misses": lambda: self._share(hits=False),
            "share paid before": self._share_paid_before,
            "restore": self._restore,
            "redeem": lambda: self._redeem("/report", [4], [1]),
            "redeem for one use": lambda: self._redeem("/once", [2], [1]),
            "redeem for a donation": lambda: self._redeem(f"{PREFIX}/donate?amount=2&fund=articles", [2], []),
            "exchange": self._exchange,
            "exchange for a signed output": self._exchange_for_a_signed_output,
            "spent ticket": self._spent_ticket,
            "form with tickets": lambda: self._form(self._tickets_code([1])),
            "form with too many": lambda: self._form(self._tickets_code([2, 1]), "&donate_rest=yes"),
            "form with payment": lambda: self._form(self._payment_code()),
            "page": lambda: Wire("GET", "/report", (_HTML,)),
            "donation page": lambda: Wire("GET", f"{PREFIX}/donate?amount=3", (_HTML,)),
            "header": lambda: self.header("/once", [2], [1]),
            "header for a while": lambda: self.header("/report", [1, 2], []),
            "header for arguments": lambda: self.header("/pictures/four", [4], []),
            "header for a body": lambda: self.header("/echo", [1], [], "POST", b"some text"),
            "header for a donation": lambda: self.header(f"{PREFIX}/donate?amount=1", [1], []),
            "header for a failure": lambda: self.header("/broken/404", [1], []),
            "pass": lambda: self._passed("/report", "header"),
            "pass in a cookie": lambda: self._passed("/report", "cookie"),
            "pass for a scope": lambda: self._passed("/premium/a", "header").change(path="/premium/b"),
            "pass for one use": lambda: self._passed("/once", "header"),
            "optional": lambda: self.header("/optional", [1], []),
        }

    @property
    def kinds(self) -> list[str]:
        return list(self._makers)

    def take(self, kind: str) -> Wire:
        """Return a request of this kind that would be accepted."""
        if kind not in self._kept:
            self._kept[kind] = self._makers[kind]()
        return self._kept[kind]

    def used(self, kind: str) -> Wire:
        """Return a request of this kind that something has come of already, if there is one."""
        return self._used.get(kind) or self.take(kind)

    def note(self, kind: str, reply: TestResponse) -> None:
        """Replace the request of this kind if something came of it or of a spoilt one."""
        if (reply.status_code < 400 or reply.status_code == 409) and kind in self._kept:
            self._used[kind] = self._kept.pop(kind)

    def renew(self) -> None:
        """Forget all requests: they may have become too old."""
        self._used.update(self._kept)
        self._kept.clear()

    def job_token(self) -> str:
        """Return the token of a fresh job."""
        return t.cast("str", self._job(1)["job"])

    def key_id(self) -> str:
        """Return the id of a key."""
        return t.cast("str", self._entries[1]["key-id"])

    def challenge(self) -> dict[str, str]:
        """Return a challenge for one ticket."""
        return self._visitor.challenge("/once")

    def ticket(self, value: int = 1) -> str:
        """Return a ticket that the ledger issues at once, for a share that nobody found."""
        output = self.output(value)
        return output.ticket(self._sign(output))

    def output(self, value: int) -> Output:
        """Return an output that nobody asked for yet."""
        return self._visitor.output(key_id=self._entries[value]["key-id"])

    def header(
        self, path: str, tickets: list[int], change: list[int], method: str = "GET", body: bytes = b""
    ) -> Wire:
        """Return a request for `path` that pays in a header field, with tickets and change of these values."""
        options: dict[str, t.Any] = {"method": method, "data": body} if body else {}
        credential = self._credential(path, tickets, change, **options)
        return Wire(method, path, tuple(authorization(credential).items()), body)

    # Within

    def _post(self, path: str, members: object) -> Wire:
        return Wire.json("POST", PREFIX + path, members)

    def _job_request(self, **members: t.Any) -> dict[str, t.Any]:
        return {"consent": self.consent, "algorithms": [DEFAULT_WORK], **members}

    def _job(self, value: int, **members: t.Any) -> dict[str, t.Any]:
        reply = self._visitor.post("/job", self._job_request(value=value, **members))
        return t.cast("dict[str, t.Any]", reply.json)

    def _sign(self, output: Output) -> str:
        site, value = self._site, output.entry["value"]
        key = site.keys.find(bytes.fromhex(output.entry["key-id"]))
        paid = site.ledger.accept_share(
            os.urandom(32), os.urandom(32), value=value, key=key, blinded=output.blinded
        )
        signature = b64url(t.cast("bytes", paid.signature))
        self._books.issue(signature, value)
        return signature

    def _share(self, *, hits: bool = True) -> Wire:
        job = self._job(2)
        nonce = next(self._visitor.nonces(job, hits=hits))
        return self._post("/submit", {**self._visitor.share(job, self.output(2), nonce=nonce), "value": 2})

    def _share_paid_before(self) -> Wire:
        share = self._share()
        self._books.note(share.send(self._visitor.app))
        other = self._visitor.token_request(self.output(2))
        return self._post("/submit", {**json.loads(share.body), "token_request": other})

    def _exchange_for_a_signed_output(self) -> Wire:
        output = self.output(1)
        self._sign(output)
        return self._post("/redeem", {"payload": {"tickets": [self.ticket(1)], "outputs": [output.member()]}})

    def _spent_ticket(self) -> Wire:
        ticket = self.ticket(1)
        paid = self._visitor.pay("/once", self._visitor.credential("/once", [ticket]))
        self._books.note(paid)
        return Wire("GET", "/once", tuple(authorization(self._visitor.credential("/once", [ticket])).items()))

    def _donated_share(self) -> Wire:
        return self._post("/submit", self._visitor.share(self._job(2, donate=True)))

    def _restore(self) -> Wire:
        hashes = [hashlib.sha256(self.output(1).blinded).hexdigest() for _ in range(3)]
        return self._post("/restore", {"key_id": self.key_id(), "hashes": hashes})

    def _credential(
        self, path: str, tickets: list[int], change: list[int], **options: t.Any
    ) -> dict[str, t.Any]:
        made, outputs = [self.ticket(value) for value in tickets], [self.output(value) for value in change]
        return self._visitor.credential(path, made, outputs, **options)

    def _redeem(self, path: str, tickets: list[int], change: list[int]) -> Wire:
        return self._post("/redeem", {**self._credential(path, tickets, change), "source": "somebody"})

    def _exchange(self) -> Wire:
        outputs = [self.output(1).member() for _ in range(2)]
        return self._post("/redeem", {"payload": {"tickets": [self.ticket(2)], "outputs": outputs}})

    def _form(self, code: str, rest: str = "") -> Wire:
        challenge = b64url(json.dumps(self._visitor.challenge("/once")).encode())
        body = f"challenge={challenge}&tickets={code}{rest}"
        return Wire("POST", f"{PREFIX}/redeem", (_FORM, _HTML), body.encode())

    def _tickets_code(self, values: list[int]) -> str:
        members = {"origin": "http://localhost", "tickets": [self.ticket(value) for value in values]}
        return "ticketminer-tickets-1." + b64url(json.dumps(members).encode())

    def _payment_code(self) -> str:
        return "ticketminer-payment-1." + b64url(json.dumps(self._credential("/once", [2], [1])).encode())

    def _passed(self, path: str, place: str) -> Wire:
        """Return a request with a pass that was just paid for."""
        single_use = path == "/once"
        price = {"/report": [1, 2], "/premium/a": [2], "/once": [1]}[path]
        if single_use:
            reply = self._visitor.post("/redeem", self._credential(path, price, []))
            document = t.cast("dict[str, t.Any]", reply.json)["pass"]
        else:
            reply = self.header(path, price, []).send(self._visitor.app)
            document = receipt(reply)["pass"]
        self._books.note(reply)
        if place == "cookie":
            cookie = reply.headers["Set-Cookie"].partition(";")[0]
            return Wire("GET", path, (("Cookie", cookie),))
        return Wire("GET", path, (("TicketMiner-Pass", document["token"]),))


class _Visitor(Visitor):
    """A visitor who looks at the directory once, keeps no cookie, and takes the offer of a page that is also free."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self.client = app.test_client(use_cookies=False)

    def challenge(self, path: str, method: str = "GET", **options: t.Any) -> dict[str, str]:
        return challenge_parameters(self.client.open(path, method=method, **options))

    @functools.cached_property
    def _directory(self) -> list[dict[str, t.Any]]:
        return super().entries()

    def entries(self) -> list[dict[str, t.Any]]:
        return self._directory
