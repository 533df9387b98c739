"""Payments of one site: tickets are chosen, the payment is written down, and what became of it is booked."""

from __future__ import annotations

import typing as t
from collections import Counter

from miner.answers import is_path, nonsense
from miner.dialogue.booking import settle_payment
from miner.dialogue.conversation import Conversation, encode
from miner.dialogue.exchange import payload
from miner.dialogue.recovery import PRINTED, reconcile, spent_inputs
from miner.errors import ForeignRequest, NotEnoughTickets, SiteProtocolError, SiteRefused
from miner.payment.budget import Budget
from miner.payment.challenge import Challenge, body_digest
from miner.payment.prepared import PreparedPayment, prepared_payment, resource_name
from miner.tokens import CodecError, decode_json, unb64url
from miner.transport import Steps, check_transport, origin_of
from miner.wallet import Draft, HeldTicket, PendingRequest, StoredPass, Wallet, choose
from miner.wording import tickets


class Register:
    """The payments to the site at `origin`, with its tickets in `wallet`.

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
        self._believed: list[PreparedPayment] = []

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

        Where the site has not decided, or says that tickets were spent or outputs signed before, the payment stays open:
        ``SiteClient.recover`` finds out.
        """
        if problem.definite and problem.cause not in ("ticket-spent", "output-already-signed"):
            self.wallet.release(prepared.request, problem.cause)
            self._count(prepared, 0)

    def stored_pass(
        self, method: str, url: str, body: bytes | None = None, scope: str | None = None
    ) -> StoredPass | None:
        """Return a pass that opens this request without paying again, if one was left by an earlier payment."""
        return self.wallet.find_pass(self.origin, resource_name(method, url, body), scope)

    def refused(self, prepared: PreparedPayment, problem: SiteRefused) -> Steps[bool]:
        """Find out what `problem` has left of a payment, and book that; return whether the site kept it all the same.

        What the site has kept stays counted as spent.

        :raises SiteError: that cannot be found out now; the payment stays open, and counted.
        """
        talk = self._talk(purse=prepared.request.origin)
        try:
            kept = yield from reconcile(talk, prepared.request, problem)
        except SiteRefused as error:
            if error is not problem:
                raise
            return False
        if problem.cause in ("key-not-signing", "unknown-key"):
            yield from talk.keys(refresh=True)
        if kept is not None:
            return True
        self._count(prepared, self._gone(prepared.request))
        return False

    def what_is_left(self, tried: t.Sequence[PreparedPayment]) -> str:
        """Return sentences about the tickets that the payments `tried` have offered."""
        offered = {(ticket.key_id, ticket.nonce) for each in tried for ticket in each.request.inputs}
        worth: Counter[str] = Counter()
        for purse in {each.request.origin for each in tried}:
            for ticket in self.wallet.tickets(purse):
                if (ticket.key_id, ticket.nonce) in offered:
                    worth[ticket.state] += ticket.value
        spent, pending = worth.pop("spent", 0), worth.pop("pending", 0)
        if not spent and not pending:
            return "The tickets are still yours."
        said = [f"Of the tickets offered, those worth {spent} are spent."] if spent else []
        if pending:
            said.append(
                f"Tickets worth {pending} are kept back until the site tells what became of them: ticketminer wallet recover "
                f"{self.origin}."
            )
        if worth:
            said.append("The others are still yours.")
        return " ".join(said)

    @property
    def believed(self) -> bool:
        """Whether tickets are free again on the site's word alone, and still count as spent."""
        return bool(self._believed)

    def believe(self, prepared: PreparedPayment, problem: SiteRefused) -> None:
        """Free the tickets of a payment that `problem` says was given back. It counts as spent until that is checked."""
        self.wallet.release(prepared.request, problem.cause)
        self._believed.append(prepared)

    def check_believed(self) -> Steps[None]:
        """Look at the site's lists for what it says it has given back, and count only what it has kept."""
        while self._believed:
            prepared = self._believed[-1]
            talk = self._talk(purse=prepared.request.origin)
            spent = yield from spent_inputs(talk, prepared.request)
            # What has been used since was given back indeed.
            free = {t.nonce for t in self.wallet.tickets(prepared.request.origin) if t.state == "available"}
            kept = [ticket for ticket in prepared.request.inputs if ticket.nonce in spent & free]
            for key_id in {ticket.key_id for ticket in kept}:
                key = yield from talk.key(key_id)
                if key is not None:
                    self.wallet.mark_spent(prepared.request.origin, key, spent.__contains__)
            self._believed.remove(prepared)
            self._count(prepared, sum(ticket.value for ticket in kept))

    def _gone(self, request: PendingRequest) -> int:
        """Return by how much `request`, which is closed, has made the wallet poorer."""
        held = {(ticket.key_id, ticket.nonce): ticket for ticket in self.wallet.tickets(request.origin)}
        spent = sum(
            ticket.value
            for ticket in request.inputs
            if held[ticket.key_id, ticket.nonce].state not in ("available", "expired")
        )
        came = sum(
            output.key.value for output in request.outputs if (output.key.key_id, output.nonce) in held
        )
        return max(0, spent - came)

    def _count(self, prepared: PreparedPayment, actual: int) -> None:
        if prepared.request.id in self._counted:
            self._counted.discard(prepared.request.id)
            self.budget.correct(prepared.amount, actual)

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
            f"{tickets(challenge.amount)} of {self.origin} needed, {most} in the wallet. Mine "
            f"{challenge.amount - most} more: ticketminer mine {self.origin} --tickets {challenge.amount - most}",
            needed=challenge.amount,
            available=most,
        )
