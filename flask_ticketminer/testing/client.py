"""A test client that pays."""

from __future__ import annotations

import io
import typing as t

from flask import Flask
from flask.testing import EnvironBuilder, FlaskClient
from werkzeug.test import EnvironBuilder as BaseBuilder
from werkzeug.test import TestResponse
from werkzeug.wrappers import Request

from flask_ticketminer.testing.wallets import fill, origin_under_test, site_under_test
from flask_ticketminer.testing.wallets import wallet as new_wallet
from miner.dialogue.conversation import Conversation
from miner.dialogue.recovery import recover_steps
from miner.errors import NotEnoughTickets, PaymentFailed
from miner.payment import Payer, pay
from miner.transport import Call, Reply, run
from miner.wallet import Wallet

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_EVERYTHING = 2**31
"""Entries of a wallet's history: all of them."""
_REDIRECTS = (301, 302, 303, 305, 307, 308)
_MOST_REDIRECTS = 20


class PaidRequest(t.NamedTuple):
    """What was paid: tickets, and the request that they opened, such as ``GET /report``."""

    amount: int
    resource: str


class TicketClient(FlaskClient):
    """Flask's test client, but a 402 is paid from a wallet, the change is kept, and passes are used.

    A request that cannot be paid for returns the site's 402 (or its refusal), as an ordinary client's does.

    :param tickets: worth of tickets to start with, issued on the spot.
    :param wallet: pay from this one, into which `tickets` then go; by default from a new one.
    :param options: as for :meth:`flask.Flask.test_client`.
    :raises ConfigurationError: `app` is not under test, or has no tickets.
    """

    def __init__(
        self, app: Flask, *args: t.Any, tickets: int = 0, wallet: Wallet | None = None, **options: t.Any
    ) -> None:
        site = site_under_test(app)
        super().__init__(app, *(args or (app.response_class,)), **options)
        #: The origin that the tickets are filed under.
        self.origin = origin_under_test(app)
        if wallet is None:
            wallet = new_wallet(app, tickets)
        else:
            fill(wallet, site, self.origin, tickets)
        #: The wallet that pays.
        self.wallet = wallet
        #: What this client has paid, oldest first.
        self.payments: list[PaidRequest] = []
        self._payer = Payer(wallet, self.origin, allow_http=True)

    @property
    def balance(self) -> int:
        """Tickets that can be spent."""
        return self.wallet.balance(self.origin)

    def open(
        self, *args: t.Any, buffered: bool = False, follow_redirects: bool = False, **kwargs: t.Any
    ) -> TestResponse:
        """Send a request, paying for it if asked to. Parameters as for werkzeug's ``Client.open``."""
        exchange = _Exchange(self, _environ(self.application, args, kwargs), buffered)
        before = len(self._paid())
        try:
            response = exchange.outcome()
        finally:
            self.payments += self._paid()[before:]
        history: list[TestResponse] = []
        while follow_redirects and response.status_code in _REDIRECTS and len(history) < _MOST_REDIRECTS:
            response.make_sequence()
            history.append(response)
            # The request as it was given: a payment never follows a redirect.
            response.request = Request(exchange.environ_again())
            response = self.resolve_redirect(response, buffered=buffered)
        if history:
            response.history = (*history, *response.history)
        return response

    def send(self, environ: WSGIEnvironment, *, buffered: bool = False) -> TestResponse:
        """Send a request as it is; nothing is paid."""
        return super().open(Request(environ), buffered=buffered)

    def _paid(self) -> list[PaidRequest]:
        entries = self.wallet.history(_EVERYTHING)
        return [
            PaidRequest(entry.amount, entry.detail)
            for entry in reversed(entries)
            if (entry.kind, entry.origin) == ("paid", self.origin)
        ]


class _Exchange:
    """One request of the test, and whatever it takes to pay for it."""

    def __init__(self, client: TicketClient, environ: WSGIEnvironment, buffered: bool) -> None:
        self.client = client
        self.buffered = buffered
        self.body = environ["wsgi.input"].read()
        self.environ = environ
        self.last: TestResponse | None = None

    def environ_again(self) -> WSGIEnvironment:
        return {**self.environ, "wsgi.input": io.BytesIO(self.body)}

    def outcome(self) -> TestResponse:
        request = Request(self.environ_again())
        # The wallet knows one origin for the application, whatever host name the test uses.
        url = self.client.origin + _path(request)
        steps = self.client._payer.steps(
            request.method, url, self.body, authorization="Authorization" in request.headers
        )
        open_before = self._open_payments()
        try:
            pay(steps, send=self._send, call=self._call, sleep=lambda _: None)
        except (NotEnoughTickets, PaymentFailed):
            pass  # the site's own answer says so
        except BaseException:
            # The view raised, through the gate, which has given the tickets back.
            for pending in self.client.wallet.unanswered(kind="payment"):
                if pending.id not in open_before:
                    self.client.wallet.release(pending, "view-raised")
            raise
        response = t.cast("TestResponse", self.last)
        if response.status_code < 400 and self._open_payments() - open_before:
            # Delivered without a receipt, as redirects are: the change is fetched.
            talk = Conversation(self.client.wallet, self.client.origin, allow_http=True)
            run(recover_steps(talk), self._call)
        return response

    def _open_payments(self) -> set[int]:
        return {pending.id for pending in self.client.wallet.unanswered(kind="payment")}

    def _send(self, headers: t.Mapping[str, str]) -> Reply:
        if self.last is not None:
            self.last.close()
        environ = self.environ_again()
        environ.update({f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()})
        self.last = self.client.send(environ, buffered=self.buffered)
        return _reply(self.last, body=self.last.status_code >= 400)

    def _call(self, call: Call) -> Reply:
        root = self.environ.get("SCRIPT_NAME", "")
        builder = EnvironBuilder(
            self.client.application,
            path=call.url.removeprefix(self.client.origin).removeprefix(root),
            base_url=Request(self.environ).root_url,
            method=call.method,
            data=call.body,
            content_type=None if call.body is None else "application/json",
            headers=dict(call.headers),
        )
        try:
            response = self.client.send(builder.get_environ())
            return _reply(response, body=True)
        finally:
            builder.close()


def _environ(app: Flask, args: tuple[t.Any, ...], kwargs: dict[str, t.Any]) -> WSGIEnvironment:
    """Return the environment of the request that the test describes, in any of the ways that Flask's client takes."""
    first = args[0] if args else None
    if isinstance(first, Request):
        return first.environ
    if isinstance(first, dict):
        return first
    builder = first if isinstance(first, BaseBuilder) else EnvironBuilder(app, *args, **kwargs)
    try:
        environ = builder.get_environ()
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read())
        return environ
    finally:
        if builder is not first:
            builder.close()


def _path(request: Request) -> str:
    """Return mount point, path and query string as they were requested."""
    # The server sees the path decoded; what both sides compare is only its text.
    path = "/" + (request.root_path + request.path).lstrip("/")
    query = request.query_string.decode("latin-1")
    return f"{path}?{query}" if query else path


def _reply(response: TestResponse, *, body: bool) -> Reply:
    # The wallet goes by the site's clock, which need not be the time of day.
    headers = tuple((name.lower(), value) for name, value in response.headers if name != "Date")
    return Reply(response.status_code, headers, response.get_data() if body else b"")
