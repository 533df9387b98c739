"""Examples: well-formed, but of no worth to anyone; their binary values are counting bytes."""

from __future__ import annotations

import typing as t

from flask_ticketminer.config import Settings
from flask_ticketminer.work.extranonce import Piece
from flask_ticketminer.work.local import local_piece
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
            "algorithms": list(settings.algorithms),
            "value": settings.denominations[0],
        },
        "Job": job,
        "SubmitRequest": {
            "job": job["job"],
            "nonce": bytes(t.cast(int, job["nonce_size"])).hex(),
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
    value, upstream = settings.denominations[0], bool(settings.offered_coins)
    algorithm, piece = settings.algorithms[0], local_piece(settings.site_name, _bytes(16), _TIME)
    if upstream:
        piece = Piece(_bytes(80), 76, 4) if algorithm != "ethash" else Piece(_bytes(40), 32, 4)
    return {
        "job": "WyJleGFtcGxlIl0.c2lnbmF0dXJl",
        "algorithm": algorithm,
        "blob": piece.blob.hex(),
        "nonce_offset": piece.nonce_offset,
        "nonce_size": piece.nonce_size,
        "target": f"{settings.target(algorithm, value):064x}",
        "expected_hashes": settings.expected_hashes(algorithm, value),
        "value": value,
        "key_id": _KEY_ID.hex(),
        "expires_in": settings.upstream_job_life if upstream else settings.job_life,
        "tip": "b7f40d6ce3a11b52" if upstream else None,
        "poll": settings.offered_coins[0].poll if upstream else None,
    }


def _bytes(size: int) -> bytes:
    return bytes(number % 256 for number in range(size))
