"""A ``ticket`` payment method for pympp's client; docs/interoperability.md prints this file."""

from __future__ import annotations

import typing as t

import httpx
from mpp.client import ClientMethod, CredentialParams, Method, Mpp
from pydantic import BaseModel

from miner import Wallet
from miner.errors import PaymentFailed, SiteRefused
from miner.payment import Payer, find_challenge

_PAYMENT = "ticketminer.payment"


class ChargeRequest(BaseModel):
    amount: str
    currency: t.Literal["ticket"]
    recipient: str
    methodDetails: dict[str, str]


class ChargePayload(BaseModel):
    tickets: list[str]
    outputs: list[dict[str, str]] = []


class TicketMethod:
    """Pays what the site at `origin` asks, at most `budget` tickets; the change returns to the wallet.

    pympp reports no refusals to a method. What it paid without hearing of success stays written down in the wallet,
    until ``SiteClient.recover`` asks the site.
    """

    def __init__(self, wallet: Wallet, origin: str, budget: int) -> None:
        self._payer = Payer(wallet, origin, budget=budget)
        self._asked: dict[str, httpx.Request] = {}
        charge = Method(
            name="ticket", intent="charge", request_model=ChargeRequest, payload_model=ChargePayload
        )
        self._method = ClientMethod(method=charge, create_credential=self._pay)

    def client(self) -> Mpp:
        """Return pympp's engine, which pays this site and no other."""
        mpp = Mpp(methods=[self._method], allowed_origins=[self._payer.origin])
        mpp.on_challenge_received(self._note)
        mpp.on_payment_response(self._book)
        return mpp

    def _note(self, event: dict[str, t.Any]) -> None:
        # create_credential is not told which request it pays for, and exceptions raised here would be swallowed.
        self._asked[event["challenge"].id] = event["request"]

    async def _pay(self, params: CredentialParams) -> str:
        request = self._asked.pop(params.challenge.id)
        if _PAYMENT in request.extensions:
            raise PaymentFailed(
                "The site did not take the payment; SiteClient.recover() returns the tickets."
            )
        challenge = find_challenge([params.challenge.to_www_authenticate(params.challenge.realm)])
        prepared = self._payer.prepare(challenge, request.method, str(request.url), request.content)
        if prepared.header_value is None:
            refused = SiteRefused(413, "wrong-size", "Too many tickets for a header: pay with TicketAuth.")
            self._payer.failed(prepared, refused)
            raise refused
        request.extensions[_PAYMENT] = prepared
        return prepared.header_value

    def _book(self, event: dict[str, t.Any]) -> None:
        receipt = event["response"].headers.get("Payment-Receipt")
        if receipt is not None:
            self._payer.complete(event["request"].extensions[_PAYMENT], receipt)
