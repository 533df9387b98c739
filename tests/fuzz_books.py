"""What the answers to fuzzed requests say that was issued and paid, against what the ledger holds."""

from __future__ import annotations

import typing as t

from flask import Flask
from werkzeug.test import TestResponse

from flask_ticketminer.mint.audit import audit
from flask_ticketminer.mint.statistics import statistics
from flask_ticketminer.passes import COOKIE_PREFIX, read_pass
from flask_ticketminer.site import Site
from miner.tokens import decode_json, unb64url


class Books:
    """The value in circulation, reckoned from answers alone.

    An answer may come many times for one deed: a share is known by its signature and a payment by its id.
    """

    def __init__(self, app: Flask) -> None:
        self._site: Site = app.extensions["ticketminer"]
        self._issued: dict[str, int] = {}
        self._paid: dict[str, int] = {}

    def issue(self, signature: str, value: int) -> None:
        """Note a ticket that was issued without a request."""
        self._issued[signature] = value

    def note(self, reply: TestResponse) -> None:
        """Note what `reply` says that happened."""
        if reply.status_code < 400:
            if reply.is_json and reply.data:
                self._note_members(reply.get_json())
            self._note_fields(reply)
        elif reply.mimetype == "application/problem+json" and reply.data:
            receipt = reply.get_json(force=True).get("receipt")
            if receipt is not None:
                self._pay(receipt)

    def _note_members(self, members: t.Any) -> None:
        if not isinstance(members, dict):
            return
        if isinstance(members.get("token_response"), str):
            self.issue(members["token_response"], members["value"])
        if "receipt" in members:
            self._pay(members["receipt"])

    def _note_fields(self, reply: TestResponse) -> None:
        receipt = reply.headers.get("Payment-Receipt")
        if receipt is not None:
            self._pay(decode_json(unb64url(receipt)))
        for cookie in reply.headers.getlist("Set-Cookie"):
            name, _, rest = cookie.partition("=")
            access = read_pass(rest.partition(";")[0], self._site.passes)
            if name.startswith(COOKIE_PREFIX) and access is not None:
                self._paid[access.payment_id.hex()] = access.amount

    def _pay(self, receipt: dict[str, t.Any]) -> None:
        self._paid[receipt["reference"]] = int(receipt["amount"])

    def errors(self) -> list[str]:
        """Return what does not add up: lines of the audit, and circulation that no answer told of."""
        database = self._site.database
        wrong = [
            f"{line.name}: expected {line.expected}, found {line.found}"
            for line in audit(database).lines
            if not line.holds
        ]
        value = statistics(database, self._site.clock.now())["value"]
        held = value["issued"] - value["spent"]
        told = sum(self._issued.values()) - sum(self._paid.values())
        if held != told:
            wrong.append(f"tickets worth {held} circulate, and answers told of {told}")
        return wrong
