"""Schemas of the JSON objects. Requests refuse members that are not listed; responses may gain some."""

from __future__ import annotations

import typing as t

from flask_ticketminer.challenge import INTENT, METHOD, OTHER_HEADER
from flask_ticketminer.config import Settings
from flask_ticketminer.mint.restore import MAX_HASHES
from flask_ticketminer.mint.statistics import ISSUED, PAID, SPENT, UPSTREAM
from flask_ticketminer.openapi.problems import PROBLEM
from flask_ticketminer.openapi.strings import (
    ALPHABET,
    AMOUNT_TEXT,
    BLIND_SIGNATURE,
    BLINDED_MESSAGE,
    COUNT,
    HASH,
    KEY_ID,
    PATH,
    TICKET,
    TOKEN_REQUEST,
    UNIX_TIME,
    Schema,
    base64url,
    hexadecimal,
)
from flask_ticketminer.tables import BLOCK_STATES, FATES
from flask_ticketminer.work.job import MAX_TOKEN
from flask_ticketminer.work.local import BLOB_SIZE, NONCE_OFFSET, NONCE_SIZE
from flask_ticketminer.work.outbox import PENDING, SENDING
from flask_ticketminer.work.stratum.header import HEADER_SIZE
from flask_ticketminer.work.stratum.header import NONCE_OFFSET as HEADER_NONCE_OFFSET
from miner.tokens import TOKEN_TYPE

MAX_ALGORITHMS = 16
"""Names in a job request."""
_POSITIVE: Schema = {"type": "integer", "minimum": 1}
_TEXT: Schema = {"type": "string"}
_NULL: Schema = {"type": "null"}
_JOB_TOKEN: Schema = {
    "type": "string",
    "maxLength": MAX_TOKEN,
    "pattern": "^[A-Za-z0-9_.-]+$",
    "description": "The job, opaque and signed.",
}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def components(settings: Settings) -> dict[str, Schema]:
    """Return the named schemas, with the limits of `settings`."""
    return {
        "Problem": PROBLEM,
        "Service": _service(),
        "Directory": _directory(),
        "JobRequest": _job_request(settings),
        "Job": _job(settings),
        "Tip": _open({"tip": _TEXT, "poll": _POSITIVE, "spread": {"type": "number", "minimum": 0}}),
        "SubmitRequest": _submit_request(settings),
        "SubmitResponse": _submit_response(),
        "Challenge": _challenge(),
        "Output": _closed({"key_id": KEY_ID, "blinded_message": BLINDED_MESSAGE}),
        "RedeemRequest": _redeem_request(settings),
        "RedeemForm": _redeem_form(),
        "Receipt": _receipt(),
        "Pass": _open(
            {
                "token": _TEXT,
                "expires": {"type": ["integer", "null"], "minimum": 0, "description": "Unix seconds."},
                "single_use": {"type": "boolean"},
                "scope": {"type": ["string", "null"]},
            }
        ),
        "RedeemResponse": _redeem_response(),
        "RestoreRequest": _closed(
            {"key_id": KEY_ID, "hashes": {"type": "array", "items": HASH, "maxItems": MAX_HASHES}}
        ),
        "RestoreResponse": _open(
            {"signatures": {"type": "array", "items": _nullable(BLIND_SIGNATURE), "maxItems": MAX_HASHES}}
        ),
        "Statistics": _statistics(),
    }


def _open(properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _closed(properties: Schema, *, optional: t.Collection[str] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def _nullable(schema: Schema) -> Schema:
    return {"oneOf": [schema, _NULL]}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _service() -> Schema:
    limits = (
        "inputs",
        "outputs",
        "body",
        "header_credential",
        "header_outputs",
        "restore",
        "job_value",
    )
    links = ("job", "submit", "redeem", "keys", "restore", "donate", "spent", "openapi", "wallet")
    return _open(
        {
            "service": {"const": "ticketminer"},
            "version": {"const": 1},
            "site_name": _TEXT,
            "denominations": _array(_POSITIVE),
            "algorithms": _array(_open({"algorithm": _TEXT, "expected_hashes": _POSITIVE, "work": _TEXT})),
            "limits": _open(dict.fromkeys(limits, _POSITIVE)),
            "consent": _open({"version": _TEXT, "text": _TEXT}),
            "funds": _array(
                _open({"fund": _TEXT, "title": _TEXT, "minimum": _POSITIVE, "default": _POSITIVE})
            ),
            "origins": _array(_TEXT),
            "links": _open(dict.fromkeys(links, PATH)),
        }
    )


def _directory() -> Schema:
    key = {
        "token-type": {"const": TOKEN_TYPE},
        "token-key": base64url(342, "The key's SubjectPublicKeyInfo in RSASSA-PSS form"),
        "not-before": UNIX_TIME,
        "key-id": KEY_ID,
        "value": _POSITIVE,
        "issuer-name": _TEXT,
        "issue-until": UNIX_TIME,
        "redeem-until": UNIX_TIME,
    }
    return _open({"issuer-request-uri": PATH, "token-keys": _array(_open(key))})


def _job_request(settings: Settings) -> Schema:
    fund: Schema = {"type": ["string", "null"], "enum": [*settings.funds, None]}
    schema = _closed(
        {
            "consent": {
                "type": "string",
                "description": "The version of the consent text that the visitor has agreed to.",
            },
            "algorithms": {
                "type": "array",
                "items": _TEXT,
                "minItems": 1,
                "maxItems": MAX_ALGORITHMS,
                "contains": {"enum": list(settings.algorithms)},
                "description": "What the visitor can compute, the preferred first.",
            },
            "value": {"type": "integer", "enum": list(settings.denominations)},
            "donate": {"type": "boolean", "description": "Whether the work is given away."},
            "fund": fund,
        },
        optional=("value", "donate", "fund"),
    )
    if settings.funds:
        schema["if"] = {"required": ["fund"], "properties": {"fund": {"type": "string"}}}
        schema["then"] = {"required": ["donate"], "properties": {"donate": {"const": True}}}
    return schema


def _work_sizes(settings: Settings) -> tuple[list[int], list[int], list[int]]:
    """Return the sizes of blobs, the offsets and the sizes of nonces that jobs of this site have, in bytes."""
    if not settings.offered_coins:
        return [BLOB_SIZE], [NONCE_OFFSET], [NONCE_SIZE]
    ethash = "ethash" in settings.algorithms
    headers = set(settings.algorithms) != {"ethash"}
    blobs = [40] * ethash + [HEADER_SIZE] * headers
    return blobs, [32] * ethash + [HEADER_NONCE_OFFSET] * headers, [2, 3, 4] if ethash else [4]


def _sized(sizes: t.Sequence[int], description: str) -> Schema:
    """Return the schema of hexadecimal text of one of `sizes`, in bytes."""
    found = [hexadecimal(size, description) for size in sizes]
    return found[0] if len(found) == 1 else {"oneOf": found}


def _job(settings: Settings) -> Schema:
    blobs, offsets, nonces = _work_sizes(settings)
    return _open(
        {
            "job": _JOB_TOKEN,
            "algorithm": {"enum": list(settings.algorithms)},
            "blob": _sized(blobs, "What is hashed, with a nonce of zero"),
            "nonce_offset": {"enum": offsets},
            "nonce_size": {"enum": nonces},
            "target": hexadecimal(32, "The largest digest that pays, big-endian"),
            "expected_hashes": _POSITIVE,
            "value": {"type": "integer", "enum": list(settings.denominations)},
            "key_id": _nullable(KEY_ID),
            "expires_in": {"type": "integer", "description": "Seconds."},
            "tip": {"type": ["string", "null"]},
            "poll": {"type": ["integer", "null"], "description": "Seconds between looks at the tip."},
        }
    )


def _submit_request(settings: Settings) -> Schema:
    mix = hexadecimal(32, "Of ethash: the mix") if "ethash" in settings.algorithms else _NULL
    return _closed(
        {
            "job": _JOB_TOKEN,
            "nonce": _sized(_work_sizes(settings)[2], "The nonce as it stands in the blob"),
            "token_request": _nullable(TOKEN_REQUEST),
            "value": {
                "type": "integer",
                "enum": list(settings.denominations),
                "description": "The job's, if present.",
            },
            "mix": mix,
        },
        optional=("token_request", "value", "mix"),
    )


def _submit_response() -> Schema:
    return _open(
        {
            "accepted": {"const": True},
            "value": _POSITIVE,
            "token_response": _nullable(BLIND_SIGNATURE),
            "upstream": {
                "type": ["string", "null"],
                "enum": [PENDING, SENDING, *FATES, None],
                "description": "What becomes of the share at the mining pool; null: it is not good enough for it.",
            },
            "next": _nullable(ref("Job")),
        }
    )


def _challenge() -> Schema:
    return _closed(
        {
            "id": base64url(32, "The challenge's MAC"),
            "realm": _TEXT,
            "method": {"const": METHOD},
            "intent": {"const": INTENT},
            "request": {"type": "string", "pattern": f"^[{ALPHABET}]+$"},
            "expires": {"type": "string", "format": "date-time"},
            "digest": {"type": "string", "pattern": "^sha-256=:[A-Za-z0-9+/]{43}=:$"},
            "opaque": {"type": "string", "pattern": f"^[{ALPHABET}]+$"},
            "header": {"const": OTHER_HEADER},
            "description": _TEXT,
        },
        optional=("digest", "header", "description"),
    ) | {
        "additionalProperties": True,
        "description": "The parameters of WWW-Authenticate, unchanged; unknown ones are ignored.",
    }


def _redeem_request(settings: Settings) -> Schema:
    payload = _closed(
        {
            "tickets": {
                "type": "array",
                "items": TICKET,
                "minItems": 1,
                "maxItems": settings.max_inputs,
                "uniqueItems": True,
            },
            "outputs": {
                "type": "array",
                "items": ref("Output"),
                "maxItems": settings.max_outputs,
                "uniqueItems": True,
            },
        },
        optional=("outputs",),
    )
    return _closed(
        {
            "challenge": ref("Challenge"),
            "source": {
                "type": "string",
                "description": "The draft's name of who pays; tickets have none, and it is ignored.",
            },
            "payload": payload,
        },
        optional=("challenge", "source"),
    ) | {
        "additionalProperties": True,
        "description": "A credential, whose unknown members are ignored; without `challenge`, an exchange of tickets for others of "
        "equal value.",
    }


def _redeem_form() -> Schema:
    return {
        "type": "object",
        "required": ["challenge", "tickets"],
        "properties": {
            "challenge": {
                "type": "string",
                "pattern": f"^[{ALPHABET}]+$",
                "description": "base64url JSON of the echo.",
            },
            "tickets": {
                "type": "string",
                "description": "What `ticketminer pay` or `ticketminer wallet send` printed.",
            },
            "donate_rest": {"const": "yes", "description": "What exceeds the price is a gift."},
        },
    }


def _receipt() -> Schema:
    return _open(
        {
            "status": {"const": "success"},
            "method": {"const": METHOD},
            "timestamp": {"type": "string", "format": "date-time"},
            "reference": hexadecimal(32, "The payment's id"),
            "amount": AMOUNT_TEXT,
        }
    )


def _redeem_response() -> Schema:
    return _open(
        {
            "receipt": ref("Receipt"),
            "change": _array(BLIND_SIGNATURE),
            "pass": _nullable(ref("Pass")),
            "location": _nullable(PATH),
        }
    )


def _statistics() -> Schema:
    key = {
        "key_id": KEY_ID,
        "value": _POSITIVE,
        "not_before": UNIX_TIME,
        "issue_until": UNIX_TIME,
        "redeem_until": UNIX_TIME,
        "issued": COUNT,
        "spent": COUNT,
    }
    coin = {
        "coin": _TEXT,
        "paid": _open(dict.fromkeys(PAID, COUNT)),
        "upstream": _open(dict.fromkeys(UPSTREAM, COUNT)),
        "blocks": _open(dict.fromkeys(BLOCK_STATES, COUNT)),
        "rewards": _open(dict.fromkeys(BLOCK_STATES, COUNT))
        | {"description": "In the coin's smallest unit."},
    }
    return _open(
        {
            "at": UNIX_TIME,
            "shares": _open(dict.fromkeys(("accepted", "value", "donated_value"), COUNT)),
            "tickets": _open(
                {"issued": _open(dict.fromkeys(ISSUED, COUNT)), "spent": _open(dict.fromkeys(SPENT, COUNT))}
            ),
            "payments": COUNT,
            "exchanges": COUNT,
            "value": _open(dict.fromkeys(("issued", "spent", "paid", "donated"), COUNT)),
            "funds": _array(_open({"fund": {"type": ["string", "null"]}, "donated": COUNT})),
            "coins": _array(_open(coin)),
            "keys": _array(_open(key)),
        }
    )
