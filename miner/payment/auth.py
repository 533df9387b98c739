"""``httpx.Client(auth=TicketAuth(wallet))``: a program that pays any gated URL within its budget."""

from __future__ import annotations

import time
import typing as t

import anyio
import httpx

from miner.errors import FarBehind, ForeignRequest
from miner.payment.bounded import bound
from miner.payment.budget import Budget
from miner.payment.payer import Payer
from miner.payment.sealed import SealedHeaders
from miner.payment.steps import Send, Wait
from miner.transport import Call, Reply, lower_headers, origin_of, too_large
from miner.wallet import Wallet

MAX_REQUESTS = 21
"""Requests that may become of one: httpx counts those of an auth as redirects, and allows 20 after the first."""

_Flow: t.TypeAlias = t.Generator[httpx.Request | Wait, httpx.Response | None, None]


class TicketAuth(httpx.Auth):
    """Answers 402 with tickets of the wallet, for any site, sync or async.

    At most `budget` tickets are spent over the life of this object; `spent` tells how many were. What an interrupted
    request has paid is not lost: the same request sends the same payment again.

    :param allow_http: pay over plain http to another machine, too.
    :param max_requests: requests that one request may become, with what the wallet has to ask besides; more than the client's
        ``max_redirects`` and one end in httpx's own ``TooManyRedirects``.
    :param sleep, async_sleep: how the sync and async flows let seconds pass while a site is busy.
    :raises BudgetExceeded, NotEnoughTickets, PaymentFailed, SecurityError: out of the client's request methods.
    """

    requires_request_body = True

    def __init__(
        self,
        wallet: Wallet,
        budget: int | None = 20,
        *,
        allow_http: bool = False,
        max_requests: int = MAX_REQUESTS,
        sleep: t.Callable[[float], None] = time.sleep,
        async_sleep: t.Callable[[float], t.Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._wallet = wallet
        self._sleep = sleep
        self._async_sleep = async_sleep
        self._budget = Budget(budget)
        self._allow_http = allow_http
        self._max_requests = max_requests
        self._payers: dict[str, Payer] = {}

    @property
    def spent(self) -> int:
        """Tickets spent so far, tied up in payments without an answer, or not yet proven to have been given back."""
        return self._budget.spent

    def sync_auth_flow(self, request: httpx.Request) -> t.Generator[httpx.Request, httpx.Response, None]:
        request.read()
        flow = self._flow(request)
        step = next(flow, None)
        while step is not None:
            response = None
            if isinstance(step, Wait):
                self._sleep(step.seconds)
            else:
                response = yield step
                if _wants_body(step, request, response):
                    bound(response)
                    response.read()
            step = _advance(flow, response)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> t.AsyncGenerator[httpx.Request, httpx.Response]:
        await request.aread()
        flow = self._flow(request)
        step = next(flow, None)
        while step is not None:
            response = None
            if isinstance(step, Wait):
                await self._async_sleep(step.seconds)
            else:
                response = yield step
                if _wants_body(step, request, response):
                    bound(response)
                    await response.aread()
            step = _advance(flow, response)

    def _flow(self, request: httpx.Request) -> _Flow:
        own = request.headers.copy()
        payer = self._payer(origin_of(str(request.url)))
        steps = payer.steps(
            request.method, str(request.url), request.content, authorization="Authorization" in own
        )
        step: Call | Send | Wait | None = next(steps, None)
        sent = 0
        while step is not None:
            reply: Reply | None = None
            sent += not isinstance(step, Wait)
            if sent > self._max_requests:
                raise _far_behind(payer.origin, self._max_requests)
            if isinstance(step, Wait):
                yield step
            elif isinstance(step, Call):
                response = yield _side_request(step, request)
                reply = _side_reply(step, t.cast(httpx.Response, response))
            else:
                # Not even a client that follows redirects carries these elsewhere.
                request.headers = SealedHeaders(own, step.headers) if step.headers else own.copy()
                response = yield request
                reply = _main_reply(t.cast(httpx.Response, response), request, paid=bool(step.headers))
            try:
                step = steps.send(t.cast(Reply, reply))
            except StopIteration:
                return

    def _payer(self, origin: str) -> Payer:
        return self._payers.setdefault(
            origin, Payer(self._wallet, origin, budget=self._budget, allow_http=self._allow_http)
        )


def _advance(flow: _Flow, response: httpx.Response | None) -> httpx.Request | Wait | None:
    try:
        return flow.send(response)
    except StopIteration:
        return None


def _far_behind(origin: str, count: int) -> FarBehind:
    return FarBehind(
        f"This wallet has more to ask of {origin} than fits into one request of a program ({count} requests in all). Nothing is "
        f"lost. Catch up with ticketminer wallet recover {origin}, or SiteClient.recover(), and try again."
    )


def _wants_body(step: httpx.Request, request: httpx.Request, response: httpx.Response) -> bool:
    """Problem documents and answers to our own requests; a delivered body stays a stream."""
    return step is not request or response.status_code >= 400


def _side_request(call: Call, request: httpx.Request) -> httpx.Request:
    headers = {"Accept": "*/*", "User-Agent": request.headers.get("User-Agent", ""), **call.headers}
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    # The extensions carry the client's timeouts.
    return httpx.Request(
        call.method, call.url, headers=headers, content=call.body, extensions=dict(request.extensions)
    )


def _side_reply(call: Call, response: httpx.Response) -> Reply:
    first = response
    if str(response.url) != call.url:
        # Redirected: the answer to what was asked is the redirect, which is refused.
        first = next(
            (past for past in reversed(response.history) if str(past.request.url) == call.url), response
        )
    if len(response.content) > call.limit:
        raise too_large(call)
    return Reply(first.status_code, lower_headers(first), response.content if first is response else b"")


def _main_reply(response: httpx.Response, request: httpx.Request, *, paid: bool) -> Reply:
    if response.request is request:
        body = response.content if response.status_code >= 400 else b""
        return Reply(response.status_code, lower_headers(response), body)
    # The client has followed a redirect. The payment, if there was one, was answered by the first response.
    if paid:
        first = next((past for past in reversed(response.history) if past.request is request), response)
        return Reply(first.status_code, lower_headers(first))
    if response.status_code == 402:
        raise ForeignRequest(
            f"{request.url} redirects to {response.url}, which asks for tickets. Payments never follow a redirect: "
            "request that address itself if you trust it."
        )
    return Reply(response.status_code, lower_headers(response))
