"""How the fake site is paid: challenges, credentials, receipts and passes; strict about the protocol."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import secrets
import typing as t
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from fake_keys import sign

from miner.service import TicketKey
from miner.tokens import (
    Token,
    b64url,
    decode_json,
    jcs,
    unb64url,
    verify,
)


class Refusal(Exception):
    def __init__(self, status: int, cause: str, **members: t.Any) -> None:
        super().__init__(cause)
        self.status, self.cause, self.members = status, cause, members


class FakeTill:
    """The part of a fake site that takes tickets; what it keeps is :class:`fake_site.FakeSite`'s."""

    name: str
    now: int
    header: str | None
    extra_challenges: list[str]
    prices: dict[str, tuple[int, int | None]]
    views: dict[str, int]
    keys: dict[bytes, tuple[TicketKey, rsa.RSAPrivateKey]]
    spent: dict[tuple[bytes, bytes], str]
    signed: dict[bytes, bytes]
    signed_under: dict[bytes, bytes]
    payments: dict[str, dict[str, t.Any]]
    challenges: dict[str, dict[str, str]]
    passes: dict[str, tuple[str, int | None]]

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

    def _sign(self, key_id: bytes, message: bytes) -> bytes:
        digest = hashlib.sha256(message).digest()
        if digest in self.signed:
            raise Refusal(409, "output-already-signed")
        self.signed[digest] = signature = sign(self.keys[key_id][1], message)
        self.signed_under[digest] = key_id
        return signature

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
        credential = members_of(request, {"payload"}, {"challenge"})
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


def members_of(request: httpx.Request, required: set[str], optional: set[str]) -> dict[str, t.Any]:
    assert request.headers["Content-Type"] == "application/json"
    members = decode_json(request.content)
    assert required <= set(members) <= required | optional
    return members
