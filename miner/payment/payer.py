"""Answering a request for payment, over any transport: choose tickets, write the payment down, book the outcome."""

from __future__ import annotations

import typing as t

from miner.answers import is_path, nonsense, refusal
from miner.dialogue.booking import book, settle_payment
from miner.dialogue.conversation import Conversation, encode
from miner.dialogue.exchange import payload
from miner.dialogue.recovery import PRINTED, reconcile, recover_steps
from miner.errors import (
    UNDECIDED,
    AlreadyDelivered,
    ForeignRequest,
    NotEnoughTickets,
    PaymentFailed,
    SiteProtocolError,
    SiteRefused,
)
from miner.payment.budget import Budget
from miner.payment.challenge import HEADERS, Challenge, body_digest, find_challenge
from miner.payment.prepared import PreparedPayment, payment_code, prepared_payment, resource_name
from miner.payment.steps import PaySteps, Send, Wait
from miner.tokens import CodecError, decode_json, unb64url
from miner.transport import Call, Reply, Steps, check_transport, origin_of
from miner.wallet import Draft, HeldTicket, StoredPass, Wallet, choose

PASS_FIELD = "TicketMiner-Pass"  # noqa: S105
MAX_WAITS = 5
"""Times a payment is repeated while the site is busy with it."""
LONGEST_WAIT = 30
"""Seconds between two of them."""
STALE = 120
"""Seconds after which an unanswered payment is taken up again when its tickets are needed: the site's lease."""

# Refusals that a fresh challenge, fresh keys or other tickets mend. Nothing was spent.
_MENDED = (
    "challenge-expired",
    "challenge-altered",
    "price-changed",
    "key-not-signing",
    "output-already-signed",
    "ticket-spent",
    "unknown-key",
)
_DELIVERED = (
    "This was paid and has been delivered once; its change is in the wallet. To get it again, pay again."
)


class Payer:
    """Pays for resources of the site at `origin` with its tickets in `wallet`.

    :param budget: tickets that may be spent altogether, or a :class:`Budget` shared with other payers.
    """

    def __init__(
        self,
        wallet: Wallet,
        origin: str,
        *,
        budget: Budget | int | None = None,
        allow_http: bool = False,
    ) -> None:
        self.wallet = wallet
        self.origin = origin_of(origin)
        self.budget = budget if isinstance(budget, Budget) else Budget(budget)
        self._allow_http = allow_http
        self._counted: set[int] = set()

    def prepare(
        self,
        challenge: Challenge,
        method: str,
        url: str,
        body: bytes | None = None,
        *,
        header: bool = True,
        label: str = "",
        talk: Conversation | None = None,
    ) -> PreparedPayment:
        """Choose tickets for `challenge`, the answer to the request (`method`, `url`, `body`), and write the payment down.

        :param header: whether the credential may go in a header field of the request.
        :raises SecurityError: the payment would leave the site, or travel in the clear.
        :raises BudgetExceeded: the price is above what is left.
        :raises NotEnoughTickets: the tickets of this site do not cover it.
        :raises SiteProtocolError: the challenge is not for this request, has expired, or the keys for the change are
            unknown (look at the directory and prepare again).
        """
        check_transport(self.origin, allow_http=self._allow_http)
        talk = talk or self._talk(challenge)
        self._check(challenge, url, body, talk.now())
        purse = self._purse(challenge, talk.now())
        keys = {key.value: key for key in self.wallet.keys(purse) if key.issues(talk.now())}

        def plan(available: list[HeldTicket]) -> t.Any:
            selection = choose(available, challenge.amount, denominations=tuple(keys))
            return selection.inputs, [keys[value] for value in selection.change]

        if not keys:
            raise SiteProtocolError(
                f"{self.origin} has no current keys for the change; look at its directory again."
            )
        self.budget.take(challenge.amount)
        try:
            request = self.wallet.begin(
                Draft(
                    "payment",
                    purse,
                    self.origin + challenge.redeem,
                    challenge.amount,
                    resource_name(method, url, body),
                    label,
                ),
                plan,
                lambda inputs, outputs: encode(
                    {"challenge": dict(challenge.echo), "payload": payload(inputs, outputs)}
                ),
                now=talk.now(),
            )
        except BaseException:
            self.budget.give_back(challenge.amount)
            raise
        self._counted.add(request.id)
        return prepared_payment(request, header=header)

    def resume(
        self, method: str, url: str, body: bytes | None = None, *, header: bool = True
    ) -> PreparedPayment | None:
        """Return the payment for this very request that was sent before and never answered, if there is one."""
        name = resource_name(method, url, body)
        for request in self.wallet.unanswered(kind="payment"):
            if request.resource == name and request.origin_of_url == self.origin and request.label != PRINTED:
                return prepared_payment(request, header=header)
        return None

    def complete(
        self,
        prepared: PreparedPayment,
        receipt_header: str | None = None,
        redeem_answer: t.Mapping[str, t.Any] | None = None,
    ) -> list[HeldTicket]:
        """Book a payment that went through, from its ``Payment-Receipt`` or redeem's answer; return the change.

        :raises SiteProtocolError: that is not its receipt; the payment stays open for ``SiteClient.recover``.
        """
        if redeem_answer is None:
            try:
                redeem_answer = decode_json(unb64url(receipt_header, name="Payment-Receipt"))
            except CodecError as error:
                raise nonsense(str(error)) from error
        return settle_payment(self._talk(purse=prepared.request.origin), prepared.request, redeem_answer)

    def failed(self, prepared: PreparedPayment, problem: SiteRefused) -> None:
        """Book a payment that `problem` refused: its tickets are free again.

        Where the site has not decided, or says that tickets were spent before, the payment stays open instead;
        ``SiteClient.recover`` finds out.
        """
        if problem.definite and problem.cause != "ticket-spent":
            burn = problem.cause == "output-already-signed"
            self.wallet.release(prepared.request, problem.cause, burn=burn)
            self._refund(prepared)

    def stored_pass(
        self, method: str, url: str, body: bytes | None = None, scope: str | None = None
    ) -> StoredPass | None:
        """Return a pass that opens this request without paying again, if one was left by an earlier payment."""
        return self.wallet.find_pass(self.origin, resource_name(method, url, body), scope)

    def steps(
        self, method: str, url: str, body: bytes | None = None, *, authorization: bool = False
    ) -> PaySteps:
        """Send a request and pay for it if asked to: yields :class:`Send`, ``Call`` and :class:`Wait`, takes replies.

        The answer to the last :class:`Send` is the outcome. The reply to a Send needs its body only when its status is
        400 or above.

        :param authorization: the request has an ``Authorization`` of its own, which is left alone.
        """
        reply: Reply | None = None
        prepared = self.resume(method, url, body)
        if prepared is None:
            reply = yield from self._try_pass(self.stored_pass(method, url, body))
            if reply is None:
                reply = yield Send()
        for _ in range(3):
            if prepared is None:
                assert reply is not None
                challenge = find_challenge(reply.all("www-authenticate")) if reply.status == 402 else None
                if challenge is None:
                    return
                if challenge.scope is not None:
                    opened = yield from self._try_pass(self.stored_pass(method, url, body, challenge.scope))
                    if opened is not None and opened.status != 402:
                        return
                header = not (authorization and challenge.header == HEADERS[0])
                prepared = yield from self._prepare(challenge, method, url, body, header=header)
            if prepared.header_value is not None and not (
                authorization and prepared.header_name == HEADERS[0]
            ):
                reply, refused = yield from self._pay_by_header(prepared)
            else:
                reply, refused = yield from self._pay_by_redeem(prepared)
            if refused is None:
                return
            if refused.cause not in _MENDED:
                raise PaymentFailed(
                    f"The site did not take the payment ({refused.cause}): {refused.detail} The tickets are still yours.",
                    cause=refused.cause,
                )
            prepared = None
        raise PaymentFailed(
            "The site asked for payment again and again. The tickets are still yours; try again later."
        )

    def code_steps(self, url: str) -> Steps[str]:
        """Return text that pays for the page `url` when it is pasted into the form there."""
        reply = yield Call("GET", url)
        challenge = find_challenge(reply.all("www-authenticate")) if reply.status == 402 else None
        if challenge is None:
            raise PaymentFailed(f"{url} does not ask for tickets (status {reply.status}); nothing to pay.")
        prepared = yield from self._prepare(challenge, "GET", url, None, header=True, label=PRINTED)
        return payment_code(prepared)

    # Within

    def _talk(self, challenge: Challenge | None = None, *, purse: str | None = None) -> Conversation:
        service = None if challenge is None else challenge.service
        return Conversation(
            self.wallet, self.origin, allow_http=self._allow_http, service_path=service, purse=purse
        )

    def _check(self, challenge: Challenge, url: str, body: bytes | None, now: int) -> None:
        if origin_of(url) != self.origin:
            raise ForeignRequest(
                f"{url} is not on {self.origin}; tickets never leave the site they belong to."
            )
        if not is_path(challenge.redeem):
            raise ForeignRequest(
                f"{self.origin} wants its tickets sent to another place. Nothing was paid; tell the site's operator."
            )
        if challenge.expires is not None and challenge.expires <= now:
            raise SiteProtocolError(
                "The request for payment has already expired. Check this machine's clock, and load the page again."
            )
        if challenge.digest is not None and challenge.digest != body_digest(body or b""):
            raise nonsense("the request for payment is for another request body than the one that was sent.")

    def _purse(self, challenge: Challenge, now: int) -> str:
        """Return the origin whose tickets pay: one that has issued under the recipient's name, and holds enough."""
        names: set[str] = set()
        most = 0
        for purse in self.wallet.purses(self.origin):
            issued = {key.issuer_name for key in self.wallet.keys(purse)}
            names |= issued
            if challenge.recipient not in issued:
                continue
            held = sum(
                ticket.value
                for ticket in self.wallet.tickets(purse)
                if ticket.state in ("available", "expired") and ticket.redeem_until > now
            )
            if held >= challenge.amount:
                return purse
            most = max(most, held)
        if names and challenge.recipient not in names:
            raise ForeignRequest(
                f"{self.origin} asks for tickets of {challenge.recipient!r}, which is not its name in this wallet. Nothing "
                "was paid. If the site has moved here, say so with: ticketminer wallet move OLD NEW."
            )
        raise NotEnoughTickets(
            f"{_tickets(challenge.amount)} of {self.origin} needed, {most} in the wallet. Mine "
            f"{challenge.amount - most} more: ticketminer mine {self.origin} --tickets {challenge.amount - most}",
            needed=challenge.amount,
            available=most,
        )

    def _prepare(
        self,
        challenge: Challenge,
        method: str,
        url: str,
        body: bytes | None,
        *,
        header: bool,
        label: str = "",
    ) -> Steps[PreparedPayment]:
        check_transport(self.origin, allow_http=self._allow_http)
        talk = self._talk(challenge)
        refreshed = recovered = False
        purses = self.wallet.purses(self.origin)
        while True:
            try:
                return self.prepare(challenge, method, url, body, header=header, label=label, talk=talk)
            except (SiteProtocolError, ForeignRequest):
                known = [purse for purse in purses if self.wallet.keys(purse)]
                if refreshed or not known:
                    raise
                # New keys since the last look, a renamed site, or a wrong clock: ask the directory, once.
                refreshed = True
                for purse in known:
                    talk.purse = purse
                    yield from talk.keys(refresh=True)
            except NotEnoughTickets:
                if recovered or not self.wallet.unanswered(kind="payment"):
                    raise
                recovered = True
                yield from recover_steps(self._talk(challenge), older_than=STALE)

    def _try_pass(self, access: StoredPass | None) -> t.Generator[Send, Reply, Reply | None]:
        """Send the request with `access`; None when there is none."""
        if access is None:
            return None
        check_transport(self.origin, allow_http=self._allow_http)
        reply = yield Send({PASS_FIELD: access.token})
        if reply.status == 402 or (access.single_use and reply.status < 400):
            self.wallet.drop_pass(access)
        return reply

    def _pay_by_header(
        self, prepared: PreparedPayment
    ) -> t.Generator[Call | Send | Wait, Reply, tuple[Reply, SiteRefused | None]]:
        waits = 0
        while True:
            reply = yield Send({prepared.header_name: t.cast(str, prepared.header_value)})
            receipt = reply.get("payment-receipt")
            if 200 <= reply.status < 300 and receipt is not None:
                self.complete(prepared, receipt)
                return reply, None
            if reply.status < 400:
                # Delivered without a receipt (a redirect has none): recover() fetches the change.
                return reply, None
            refused = refusal(reply)
            self._raise_if_delivered(prepared, refused)
            if refused.cause in UNDECIDED and waits < MAX_WAITS:
                waits += 1
                yield Wait(min(refused.retry_after or 1, LONGEST_WAIT))
                continue
            if refused.cause in UNDECIDED or reply.status in (502, 503, 504):
                return reply, None
            if reply.status == 402:
                yield from self._refused(prepared, refused)
                return reply, refused
            # The view failed, so the site has released the tickets; the failure is the visitor's answer.
            self.wallet.release(prepared.request, refused.cause)
            self._refund(prepared)
            return reply, None

    def _pay_by_redeem(
        self, prepared: PreparedPayment
    ) -> t.Generator[Call | Send | Wait, Reply, tuple[Reply, SiteRefused | None]]:
        talk = self._talk(purse=prepared.request.origin)
        waits = 0
        while True:
            reply = yield Call("POST", prepared.redeem_url, prepared.redeem_body)
            if 200 <= reply.status < 300:
                book(talk, prepared.request, reply)
                break
            refused = refusal(reply)
            self._raise_if_delivered(prepared, refused)
            if refused.cause in UNDECIDED and waits < MAX_WAITS:
                waits += 1
                yield Wait(min(refused.retry_after or 1, LONGEST_WAIT))
                continue
            if not refused.definite:
                raise refused
            yield from self._refused(prepared, refused)
            return (yield Send()), refused
        opened = yield from self._try_pass(
            self.wallet.find_pass(self.origin, prepared.request.resource or "")
        )
        if opened is None:
            raise AlreadyDelivered(_DELIVERED, cause="already-delivered")
        return opened, None

    def _refused(self, prepared: PreparedPayment, refused: SiteRefused) -> Steps[None]:
        talk = self._talk(purse=prepared.request.origin)
        kept = None
        if refused.cause in ("ticket-spent", "output-already-signed"):
            kept = yield from reconcile(talk, prepared.request, refused.cause)
        else:
            self.wallet.release(prepared.request, refused.cause)
        if refused.cause in ("key-not-signing", "unknown-key"):
            yield from talk.keys(refresh=True)
        if kept is None:
            self._refund(prepared)
        elif prepared.request.outputs:
            # Whatever the site says, it has taken this payment and signed its change.
            raise AlreadyDelivered(_DELIVERED, cause=refused.cause)

    def _raise_if_delivered(self, prepared: PreparedPayment, refused: SiteRefused) -> None:
        receipt = refused.body.get("receipt")
        if refused.cause == "already-delivered" and isinstance(receipt, dict):
            self.complete(prepared, redeem_answer=receipt)
            raise AlreadyDelivered(_DELIVERED, cause=refused.cause)

    def _refund(self, prepared: PreparedPayment) -> None:
        if prepared.request.id in self._counted:
            self._counted.discard(prepared.request.id)
            self.budget.give_back(prepared.amount)


def _tickets(amount: int) -> str:
    return "1 ticket" if amount == 1 else f"{amount} tickets"
