"""Responses that refuse: the problem documents, by status, with the causes that an endpoint answers."""

from __future__ import annotations

import typing as t

from flask_ticketminer import errors
from flask_ticketminer.wire import PROBLEM_JSON

Schema = dict[str, t.Any]
Kind = type[errors.Problem]

PROBLEM: Schema = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail", "cause"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "A sentence that says what to do."},
        "cause": {"type": "string", "pattern": "^[a-z0-9-]+$", "description": "Stable, for programs."},
        "retry_after": {"type": "integer", "minimum": 0, "description": "Seconds, as in Retry-After."},
    },
    "examples": [errors.DatabaseBusy("Send the same request again later.").document()],
}

BODY = (errors.MalformedRequest, errors.BodyTooLarge, errors.UnsupportedMediaType)
"""What any endpoint with a body may answer."""
POSTED = (*BODY, errors.InsecureTransport)
STORED = (errors.DatabaseBusy, errors.Busy)
"""What any endpoint that asks the database may answer."""
SIGNED = (*STORED, errors.MintUnavailable)
PAID = (
    errors.MalformedCredential,
    errors.ChallengeAltered,
    errors.ChallengeExpired,
    errors.PriceChanged,
    errors.PaymentReleased,
    errors.NotEnough,
    errors.AmountMismatch,
    errors.TooManyTickets,
    errors.TooManyOutputs,
    errors.TicketRepeated,
    errors.OutputRepeated,
    errors.KeyNotSigning,
    errors.UnknownKey,
    errors.RetiredKey,
    errors.ExpiredKey,
    errors.ForeignTicket,
    errors.BadSignature,
    errors.TicketSpent,
)
"""What any payment may be refused with."""
HELD = (errors.TicketInUse, errors.InProgress, errors.OutputAlreadySigned)
"""What any payment may collide with."""
LOST = (*SIGNED, errors.OutcomeUnknown)
"""What any transaction may run into."""

CHALLENGE_HEADER: Schema = {
    "description": 'A challenge of the "Payment" scheme (draft-httpauth-payment), method "ticket", intent "charge".',
    "required": True,
    "schema": {"type": "string", "pattern": "^Payment "},
}
_RETRY_AFTER: Schema = {
    "description": "Seconds after which the same request makes sense.",
    "schema": {"type": "integer", "minimum": 0},
}


def refusals(*kinds: Kind) -> dict[str, Schema]:
    """Return the responses for `kinds`, one for each of their statuses."""
    by_status: dict[int, list[Kind]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {str(status): _refusal(status, by_status[status]) for status in sorted(by_status)}


def _refusal(status: int, kinds: list[Kind]) -> Schema:
    causes = "".join(f"\n- `{_cause(kind)}`: {kind.title}" for kind in kinds)
    example = _example(kinds[0])
    response: Schema = {
        "description": f"Refused; `cause` says why:\n{causes}",
        "content": {
            PROBLEM_JSON: {
                "schema": {
                    "allOf": [
                        {"$ref": "#/components/schemas/Problem"},
                        {"properties": {"status": {"const": status}}},
                    ]
                },
                "example": example,
            }
        },
    }
    if status in (409, 503):
        response["headers"] = {"Retry-After": _RETRY_AFTER}
    if status == 402:
        response["headers"] = {"WWW-Authenticate": CHALLENGE_HEADER}
    return response


def _cause(kind: Kind) -> str:
    # A malformed request or credential names its fault itself; these are the codecs' (miner.tokens.codec).
    if kind in (errors.MalformedRequest, errors.MalformedCredential):
        faults = ("malformed-json", "malformed-base64", "malformed-hex", "wrong-type", "wrong-size")
        return "`, `".join((kind.cause, *faults, "wrong-token-type", "missing-member", "unknown-member"))
    return kind.cause


def _example(kind: Kind) -> Schema:
    return kind(f"{kind.title}: this sentence says what to do.").document()
