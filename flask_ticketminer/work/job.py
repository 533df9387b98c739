"""Jobs: what a visitor is asked to compute, carried in a signed token so that the site keeps no state for it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeSerializer

from flask_ticketminer.config import Settings
from flask_ticketminer.errors import ForgedJob
from flask_ticketminer.work.extranonce import Piece
from flask_ticketminer.work.local import local_piece
from miner.tokens import b64url, unb64url

MAX_TOKEN = 1024
"""Characters of the longest job token."""


@dataclass(frozen=True, slots=True)
class UpstreamOrigin:
    """Where a job of upstream work comes from: a template (16 bytes) and the visitor's number in it.

    The piece is carried along, so that a share is known again when its template is forgotten.
    """

    template_id: bytes
    number: int
    piece: Piece


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.

    :ivar effort: expected hashes a ticket, as the site's table or the template had it when the job was made.
    :ivar key_id: the ticket key that a share of this job is paid with; None for a donation.
    :ivar random: of local work, 16 bytes.
    :ivar upstream: of upstream work.
    :ivar expires: Unix seconds by the database's clock.
    """

    algorithm: str
    value: int
    effort: int
    key_id: bytes | None
    fund: str | None
    random: bytes
    expires: int
    upstream: UpstreamOrigin | None = None

    @property
    def donated(self) -> bool:
        return self.key_id is None

    def piece(self, site_name: str) -> Piece:
        """Return what is searched."""
        if self.upstream is not None:
            return self.upstream.piece
        return local_piece(site_name, self.random, self.expires)


def job_token(job: Job, serializer: URLSafeSerializer) -> str:
    """Return the token that :func:`read_job` reads again."""
    key_id = None if job.key_id is None else b64url(job.key_id)
    payload = [job.algorithm, job.value, job.effort, key_id, job.fund, b64url(job.random), job.expires]
    if job.upstream is not None:
        origin, piece = job.upstream, job.upstream.piece
        # The nonce's zeros are left out.
        kept = piece.blob[: piece.nonce_offset], piece.blob[piece.nonce_offset + piece.nonce_size :]
        payload += [b64url(origin.template_id), origin.number, piece.nonce_size, *map(b64url, kept)]
    return serializer.dumps(payload)


def read_job(token: object, serializer: URLSafeSerializer) -> Job:
    """Return the job in `token`, whether or not it is still open.

    :raises ForgedJob: the token is not one of this site's.
    """
    if not isinstance(token, str) or len(token) > MAX_TOKEN or not token.isascii():
        raise ForgedJob("The job must be the token that this site handed out, unchanged.")
    try:
        algorithm, value, effort, key_id, fund, random, expires, *origin = serializer.loads(token)
    except (BadSignature, ValueError) as error:
        raise ForgedJob("This job was not made by this site, or was altered: fetch a new one.") from error
    return Job(
        algorithm,
        value,
        effort,
        None if key_id is None else unb64url(key_id),
        fund,
        unb64url(random),
        expires,
        _origin(*origin) if origin else None,
    )


def _origin(template_id: str, number: int, nonce_size: int, front: str, back: str) -> UpstreamOrigin:
    before, behind = unb64url(front), unb64url(back)
    return UpstreamOrigin(
        unb64url(template_id), number, Piece(before + bytes(nonce_size) + behind, len(before), nonce_size)
    )


def job_document(
    job: Job, token: str, settings: Settings, now: int, upstream: t.Mapping[str, t.Any] | None = None
) -> dict[str, t.Any]:
    """Return the answer to ``POST /job``.

    :param upstream: what a job of upstream work has beside: ``tip`` and ``poll``, and of ethash what its hash needs.
    """
    piece = job.piece(settings.site_name)
    expected = settings.expected(job.effort, job.value)
    return {
        "job": token,
        "algorithm": job.algorithm,
        "blob": piece.blob.hex(),
        "nonce_offset": piece.nonce_offset,
        "nonce_size": piece.nonce_size,
        "target": f"{2**256 // expected - 1:064x}",
        "expected_hashes": expected,
        "value": job.value,
        "key_id": None if job.key_id is None else job.key_id.hex(),
        "expires_in": job.expires - now,
        "tip": None,
        "poll": None,
        **(upstream or {}),
    }
