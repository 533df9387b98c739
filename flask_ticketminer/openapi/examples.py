"""Examples: well-formed, but of no worth to anyone; their binary values are counting bytes."""

from __future__ import annotations

import typing as t

from flask_ticketminer.config import Settings
from flask_ticketminer.work.local import NONCE_OFFSET, NONCE_SIZE, local_blob
from miner.tokens import MODULUS_SIZE, Token, TokenRequest, b64url

_KEY_ID = bytes(range(32))
_TIME = 1795651200


def examples(settings: Settings) -> dict[str, t.Any]:
    """Return an example for each named schema that travels alone."""
    signature = b64url(_bytes(MODULUS_SIZE))
    ticket = Token(_bytes(32), _bytes(32), _KEY_ID, _bytes(MODULUS_SIZE)).to_bytes()
    job = _job(settings)
    return {
        "JobRequest": {
            "consent": settings.consent_version,
            "algorithms": [settings.algorithm],
            "value": settings.denominations[0],
        },
        "Job": job,
        "SubmitRequest": {
            "job": job["job"],
            "nonce": bytes(NONCE_SIZE).hex(),
            "token_request": b64url(TokenRequest(_KEY_ID[-1], _bytes(MODULUS_SIZE)).to_bytes()),
        },
        "SubmitResponse": {
            "accepted": True,
            "value": job["value"],
            "token_response": signature,
            "upstream": None,
            "next": None,
        },
        "RedeemRequest": {
            "payload": {
                "tickets": [b64url(ticket)],
                "outputs": [{"key_id": _KEY_ID.hex(), "blinded_message": b64url(_bytes(MODULUS_SIZE))}],
            }
        },
        "RedeemResponse": {
            "receipt": {
                "status": "success",
                "method": "ticket",
                "timestamp": "2026-11-26T00:00:00Z",
                "reference": _bytes(32).hex(),
                "amount": "0",
            },
            "change": [signature],
            "pass": None,
            "location": None,
        },
        "RestoreRequest": {"key_id": _KEY_ID.hex(), "hashes": [_bytes(32).hex()]},
        "RestoreResponse": {"signatures": [signature, None]},
    }


def _job(settings: Settings) -> dict[str, t.Any]:
    value = settings.denominations[0]
    return {
        "job": "WyJleGFtcGxlIl0.c2lnbmF0dXJl",
        "algorithm": settings.algorithm,
        "blob": local_blob(settings.site_name, _bytes(16), _TIME).hex(),
        "nonce_offset": NONCE_OFFSET,
        "nonce_size": NONCE_SIZE,
        "target": f"{settings.target(settings.algorithm, value):064x}",
        "expected_hashes": settings.expected_hashes(settings.algorithm, value),
        "value": value,
        "key_id": _KEY_ID.hex(),
        "expires_in": settings.job_life,
        "tip": None,
        "poll": None,
    }


def _bytes(size: int) -> bytes:
    return bytes(number % 256 for number in range(size))
