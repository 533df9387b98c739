"""Answering a request for payment, over any transport: send what was written down, wait, mend, and pay again."""

from __future__ import annotations

import typing as t

from miner.answers import refusal
from miner.dialogue.booking import book
from miner.dialogue.recovery import PRINTED, recover_steps
from miner.errors import (
    UNDECIDED,
    AlreadyDelivered,
    BudgetExceeded,
    ForeignRequest,
    NotEnoughTickets,
    PaymentFailed,
    SiteProtocolError,
    SiteRefused,
)
from miner.payment.challenge import HEADERS, Challenge, find_challenge
from miner.payment.prepared import PreparedPayment, payment_code
from miner.payment.register import Register
from miner.payment.steps import PaySteps, Send, Wait
from miner.transport import Call, Reply, Steps, check_transport
from miner.wallet import StoredPass

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
    "payment-released",
    "ticket-spent",
    "unknown-key",
)
_DELIVERED = (
    "This was paid, here or with another copy of this wallet, and has been delivered once; the change is in the wallet. "
    "To get it again, pay again."
)


class Payer(Register):
    """Pays for resources of a site, over any transport."""

    def steps(
        self, method: str, url: str, body: bytes | None = None, *, authorization: bool = False
    ) -> PaySteps:
        """Send a request and pay for it if asked to: yields :class:`Send`, ``Call`` and :class:`Wait`, takes replies.

        The answer to the last :class:`Send` is the outcome. The reply to a Send needs its body only when its status is
        400 or above.

        :param authorization: the request has an ``Authorization`` of its own, which is left alone.
        """
        prepared: PreparedPayment | None = None
        tried: list[PreparedPayment] = []
        # A pass first: it costs nothing, where a payment that is still open may be beside one that gave the pass.
        reply = yield from self._try_pass(self.stored_pass(method, url, body))
        if reply is None or reply.status == 402:
            prepared = self.resume(method, url, body)
            if prepared is None and reply is None:
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
            tried.append(prepared)
            if prepared.header_value is not None and not (
                authorization and prepared.header_name == HEADERS[0]
            ):
                reply, refused = yield from self._pay_by_header(tried)
            else:
                reply, refused = yield from self._pay_by_redeem(tried)
            if refused is None:
                return
            prepared = None
        raise PaymentFailed(
            f"The site asked for payment again and again. {self.what_is_left(tried)} Try again later."
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
            except BudgetExceeded:
                if not self.believed:
                    raise
                yield from self.check_believed()
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
        if reply.status == 402 and access.single_use and refusal(reply).cause == "pass-invalid":
            # It has been used, and the answer was lost: whoever asked decides whether to pay once more.
            raise AlreadyDelivered(_DELIVERED, cause="pass-invalid")
        return reply

    def _pay_by_header(
        self, tried: t.Sequence[PreparedPayment]
    ) -> t.Generator[Call | Send | Wait, Reply, tuple[Reply, SiteRefused | None]]:
        """Send the last of `tried`; return the answer, and the refusal after which another may be tried."""
        prepared, waits = tried[-1], 0
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
            if refused.cause in UNDECIDED or reply.status > 500:
                # Not the page's own failure but that of something on the way, which does not know.
                return reply, None
            if reply.status == 402 or refused.cause in _MENDED:
                yield from self._mend(tried, refused)
                return (reply if reply.status == 402 else (yield Send())), refused
            # The view failed; the failure is the visitor's answer, and nothing more can be asked before it is given.
            self.believe(prepared, refused)
            return reply, None

    def _pay_by_redeem(
        self, tried: t.Sequence[PreparedPayment]
    ) -> t.Generator[Call | Send | Wait, Reply, tuple[Reply, SiteRefused | None]]:
        prepared, waits = tried[-1], 0
        talk = self._talk(purse=prepared.request.origin)
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
            yield from self._mend(tried, refused)
            return (yield Send()), refused
        opened = yield from self._try_pass(
            self.wallet.find_pass(self.origin, prepared.request.resource or "")
        )
        if opened is None:
            raise AlreadyDelivered(_DELIVERED, cause="already-delivered")
        return opened, None

    def _mend(self, tried: t.Sequence[PreparedPayment], refused: SiteRefused) -> Steps[None]:
        """Book the refusal of the last of `tried`, and go on where paying again, within the budget, may succeed."""
        prepared = tried[-1]
        kept = yield from self.refused(prepared, refused)
        if kept and prepared.request.outputs:
            # Whatever the site says, this payment has been taken and its change signed.
            raise AlreadyDelivered(_DELIVERED, cause=refused.cause)
        if refused.cause not in _MENDED:
            raise PaymentFailed(
                f"The site did not take the payment ({refused.cause}): {refused.detail} "
                f"{self.what_is_left(tried)}",
                cause=refused.cause,
            )

    def _raise_if_delivered(self, prepared: PreparedPayment, refused: SiteRefused) -> None:
        receipt = refused.body.get("receipt")
        if refused.cause == "already-delivered" and isinstance(receipt, dict):
            self.complete(prepared, redeem_answer=receipt)
            raise AlreadyDelivered(_DELIVERED, cause=refused.cause)
