"""Everything this package raises.

::

    TicketMinerError
    ├── ConfigurationError               the site's settings, key or set-up; raised to its developer
    │   ├── SchemaError                  the tables are missing or of another version
    │   ├── ClockJumped                  the database's clock cannot be believed, so nothing is pruned
    │   ├── UngatedView                  a gated function was registered without its gate
    │   └── UncommittedWrites            a paid view left writes open on the SQLite file the tickets share
    ├── UpstreamError                    a pool or node failed; `work.stratum.errors` draws what is below
    ├── LeaseLost                        another bridge talks to an upstream now
    └── Problem                          answered as application/problem+json (RFC 9457)
        ├── BadRequest (400)             MalformedRequest, BadAmount, UnknownAlgorithm, UnknownFund, ForgedJob,
        │                                WrongKey, BlindedMessageRange, ValueMismatch
        ├── UnsupportedMediaType (415), BodyTooLarge (413), AddressTooLong (414), NotFound (404: NoTip, NoSuchKey, NoSuchAsset)
        ├── Forbidden (403)              ConsentRequired, InsecureTransport
        ├── ShareMissesTarget (422), ExpiredJob (410)
        ├── Conflict (409)               StaleJob, DuplicateShare, OutputAlreadySigned, TicketInUse, InProgress,
        │                                AlreadyDelivered
        ├── PaymentProblem (402)         PaymentRequired, MalformedCredential, ChallengeAltered, ChallengeExpired,
        │                                WrongResource, WrongBody, PriceChanged, PaymentReleased, NotEnough,
        │                                AmountMismatch, TooManyTickets, TooManyOutputs, TicketRepeated,
        │                                OutputRepeated, KeyNotSigning, UnknownKey, RetiredKey, ExpiredKey,
        │                                ForeignTicket, BadSignature, TicketSpent, PassInvalid
        └── Unavailable (503)            Busy, DatabaseBusy, OutcomeUnknown, MintUnavailable, NoWork
"""

from __future__ import annotations

import typing as t


class TicketMinerError(Exception):
    """The root of this package's exceptions."""


class ConfigurationError(TicketMinerError, RuntimeError):
    """A setting or the way the extension is set up cannot work; the message names the remedy."""


class SchemaError(ConfigurationError):
    """The database does not have this version's tables."""


class ClockJumped(ConfigurationError):
    """The database's clock is implausible compared with the last prune."""


class UngatedView(ConfigurationError):
    """A function carries ``@ticket_required`` but its route would serve it free."""


class UncommittedWrites(ConfigurationError):
    """A delivering view left uncommitted writes on the SQLite database that it shares with the tickets."""


class LeaseLost(TicketMinerError):
    """Another bridge talks to this upstream now: this one was silent for longer than its lease."""


class Problem(TicketMinerError):
    """A refusal with a stable machine-readable cause and a sentence that says what to do.

    :param detail: the sentence.
    :param cause: names the fault more closely than the class does.
    :param members: further members of the problem document, e.g. ``retry_after`` (seconds, also sent as header).
    """

    status: t.ClassVar[int] = 400
    cause: str = "bad-request"
    title: t.ClassVar[str] = "Bad request"
    #: Problem code of the Payment scheme (draft-httpauth-payment-01, "Error Codes"), where it defines one.
    code: t.ClassVar[str | None] = None

    def __init__(self, detail: str, *, cause: str | None = None, **members: t.Any) -> None:
        super().__init__(detail)
        self.detail = detail
        if cause is not None:
            self.cause = cause
        self.members = members

    @property
    def type(self) -> str:
        if self.code is not None:
            return f"https://paymentauth.org/problems/{self.code}"
        return f"urn:ticketminer:problem:{self.cause}"

    @property
    def retry_after(self) -> int | None:
        """Seconds after which a repeat makes sense, when waiting helps."""
        return self.members.get("retry_after")

    def document(self) -> dict[str, t.Any]:
        """Return the members of the problem document."""
        head = {"type": self.type, "title": self.title, "status": self.status}
        return {**head, "detail": self.detail, "cause": self.cause, **self.members}


class BadRequest(Problem):
    """The request cannot be understood; sending it again will not help."""


class MalformedRequest(BadRequest):
    """A body, member, encoding or size is wrong; `cause` names the fault, as :class:`miner.tokens.CodecError` does."""

    cause = "malformed-request"
    title = "Malformed request"


class BadAmount(BadRequest):
    cause = "bad-amount"
    title = "Not an amount"


class UnknownAlgorithm(BadRequest):
    cause = "unknown-algorithm"
    title = "No algorithm in common"


class UnknownFund(BadRequest):
    cause = "unknown-fund"
    title = "No such fund"


class ForgedJob(BadRequest):
    cause = "forged-job"
    title = "Not a job of this site"


class WrongKey(BadRequest):
    cause = "wrong-key"
    title = "Token request for another key"


class BlindedMessageRange(BadRequest):
    cause = "blinded-message-range"
    title = "Blinded message out of range"


class ValueMismatch(BadRequest):
    cause = "value-mismatch"
    title = "Not the value of this job"


class UnsupportedMediaType(Problem):
    status = 415
    cause = "unsupported-media-type"
    title = "Unsupported media type"


class BodyTooLarge(Problem):
    status = 413
    cause = "body-too-large"
    title = "Body too large"


class AddressTooLong(Problem):
    status = 414
    cause = "address-too-long"
    title = "Address too long"


class NotFound(Problem):
    status = 404
    cause = "not-found"
    title = "Not found"


class NoTip(NotFound):
    cause = "no-tip"
    title = "This work has no tip"


class NoSuchKey(NotFound):
    cause = "no-such-key"
    title = "No such key"


class NoSuchAsset(NotFound):
    cause = "no-such-asset"
    title = "No such file"


class Forbidden(Problem):
    status = 403
    cause = "forbidden"
    title = "Forbidden"


class ConsentRequired(Forbidden):
    cause = "consent-required"
    title = "Consent required"


class InsecureTransport(Forbidden):
    cause = "insecure-transport"
    title = "Plain http is not safe here"


class ShareMissesTarget(Problem):
    status = 422
    cause = "share-misses-target"
    title = "The share misses its target"


class ExpiredJob(Problem):
    status = 410
    cause = "expired-job"
    title = "The job has expired"


class Conflict(Problem):
    status = 409
    cause = "conflict"
    title = "Conflict"


class StaleJob(Conflict):
    cause = "stale-job"
    title = "The job is out of date"


class DuplicateShare(Conflict):
    cause = "duplicate-share"
    title = "This share was already paid"


class OutputAlreadySigned(Conflict):
    cause = "output-already-signed"
    title = "This output was already signed"


class TicketInUse(Conflict):
    cause = "ticket-in-use"
    title = "A ticket is in use"


class InProgress(Conflict):
    cause = "in-progress"
    title = "This payment is under way"


class AlreadyDelivered(Conflict):
    cause = "already-delivered"
    title = "This payment was already delivered"


class PaymentProblem(Problem):
    """A payment is missing or was refused. Nothing was spent."""

    status = 402
    cause = "payment-refused"
    title = "Payment refused"
    code = "verification-failed"


class PaymentRequired(PaymentProblem):
    cause = "payment-required"
    title = "Payment required"
    code = "payment-required"


class MalformedCredential(PaymentProblem):
    """The credential cannot be read; `cause` names the fault."""

    cause = "malformed-credential"
    title = "Unreadable payment"
    code = "malformed-credential"


class ChallengeAltered(PaymentProblem):
    cause = "challenge-altered"
    title = "Not a challenge of this site"
    code = "invalid-challenge"


class ChallengeExpired(PaymentProblem):
    cause = "challenge-expired"
    title = "The challenge has expired"
    code = "payment-expired"


class WrongResource(PaymentProblem):
    cause = "wrong-resource"
    title = "This payment is for another resource"
    code = "invalid-challenge"


class WrongBody(PaymentProblem):
    cause = "wrong-body"
    title = "This payment is for another body"
    code = "invalid-challenge"


class PriceChanged(PaymentProblem):
    cause = "price-changed"
    title = "The price has changed"
    code = "invalid-challenge"


class PaymentReleased(PaymentProblem):
    """The view failed under this payment, which is over with that: a late copy of the request must not pay."""

    cause = "payment-released"
    title = "This payment was given back"
    code = "invalid-challenge"


class NotEnough(PaymentProblem):
    cause = "not-enough"
    title = "Too little value"
    code = "payment-insufficient"


class AmountMismatch(PaymentProblem):
    cause = "amount-mismatch"
    title = "Inputs and outputs do not add up"
    code = "invalid-payload"


class TooManyTickets(PaymentProblem):
    cause = "too-many-tickets"
    title = "Too many tickets"
    code = "invalid-payload"


class TooManyOutputs(PaymentProblem):
    cause = "too-many-outputs"
    title = "Too many outputs"
    code = "invalid-payload"


class TicketRepeated(PaymentProblem):
    cause = "ticket-repeated"
    title = "One ticket twice in a request"
    code = "invalid-payload"


class OutputRepeated(PaymentProblem):
    cause = "output-repeated"
    title = "One output twice in a request"
    code = "invalid-payload"


class KeyNotSigning(PaymentProblem):
    cause = "key-not-signing"
    title = "This key does not sign now"
    code = "invalid-payload"


class UnknownKey(PaymentProblem):
    cause = "unknown-key"
    title = "Unknown ticket key"


class RetiredKey(PaymentProblem):
    cause = "retired-key"
    title = "The ticket's key is retired"


class ExpiredKey(PaymentProblem):
    cause = "expired-key"
    title = "The ticket has expired"


class ForeignTicket(PaymentProblem):
    cause = "foreign-ticket"
    title = "Another site's ticket"


class BadSignature(PaymentProblem):
    cause = "bad-signature"
    title = "The ticket's signature does not verify"


class TicketSpent(PaymentProblem):
    cause = "ticket-spent"
    title = "The ticket is already spent"


class PassInvalid(PaymentProblem):
    cause = "pass-invalid"
    title = "The pass does not open this"
    code = "payment-required"


class Unavailable(Problem):
    """The site cannot answer now; the same request later is safe."""

    status = 503
    cause = "unavailable"
    title = "Try again"

    def __init__(self, detail: str, *, retry_after: int = 1, **members: t.Any) -> None:
        super().__init__(detail, retry_after=retry_after, **members)


class Busy(Unavailable):
    """A budget of this process is used up (:mod:`flask_ticketminer.budgets`)."""

    cause = "busy"
    title = "Busy"


class DatabaseBusy(Unavailable):
    cause = "database-busy"


class OutcomeUnknown(Unavailable):
    cause = "outcome-unknown"
    title = "The outcome is not known yet"


class NoWork(Unavailable):
    """No bridge talks to upstream, upstream gives no work, or all of it is handed out."""

    cause = "no-work"
    title = "There is no work now"


class MintUnavailable(Unavailable):
    cause = "mint-unavailable"
    title = "Tickets cannot be signed now"
