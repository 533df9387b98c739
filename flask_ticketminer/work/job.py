"""Jobs: what a visitor is asked to compute, carried in a signed token so that the site keeps no state for it."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeSerializer

from flask_ticketminer.config import Settings
from flask_ticketminer.errors import ExpiredJob, ForgedJob, StaleJob
from flask_ticketminer.work.local import NONCE_OFFSET, NONCE_SIZE, RANDOM_SIZE, local_blob
from miner.tokens import b64url, unb64url

MAX_TOKEN = 1024
"""Characters of the longest job token."""


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.

    :ivar effort: expected hashes a ticket, as the site's table had it when the job was made.
    :ivar key_id: the ticket key that a share of this job is paid with; None for a donation.
    :ivar expires: Unix seconds by the database's clock.
    """

    algorithm: str
    value: int
    effort: int
    key_id: bytes | None
    fund: str | None
    random: bytes
    expires: int

    @property
    def donated(self) -> bool:
        return self.key_id is None

    def blob(self, site_name: str) -> bytes:
        return local_blob(site_name, self.random, self.expires)

    def current(self, settings: Settings) -> bool:
        """Return whether the site still asks for this work; its algorithm is then one that this installation computes."""
        return self.algorithm == settings.algorithm and self.effort == settings.effort[self.algorithm]

    def check(self, settings: Settings, now: int) -> None:
        """Refuse a job that has ended.

        :raises ExpiredJob: its time is over.
        :raises StaleJob: the site has changed its efforts since.
        """
        if now > self.expires:
            raise ExpiredJob(
                "This job has ended: fetch a new one. Shares already submitted keep their tickets."
            )
        if not self.current(settings):
            raise StaleJob("The site has changed the work it asks for: fetch a new job.")


def new_job(
    settings: Settings,
    *,
    value: int,
    key_id: bytes | None,
    fund: str | None,
    now: int,
    randomness: t.Callable[[int], bytes] = os.urandom,
) -> Job:
    """Return a job of the site's one local algorithm that lasts ``TICKETMINER_JOB_LIFE`` seconds."""
    algorithm = settings.algorithm
    return Job(
        algorithm,
        value,
        settings.effort[algorithm],
        key_id,
        fund,
        randomness(RANDOM_SIZE),
        now + settings.job_life,
    )


def job_token(job: Job, serializer: URLSafeSerializer) -> str:
    """Return the token that :func:`read_job` reads again."""
    key_id = None if job.key_id is None else b64url(job.key_id)
    payload = [job.algorithm, job.value, job.effort, key_id, job.fund, b64url(job.random), job.expires]
    return serializer.dumps(payload)


def read_job(token: object, serializer: URLSafeSerializer) -> Job:
    """Return the job in `token`, whether or not it is still open.

    :raises ForgedJob: the token is not one of this site's.
    """
    if not isinstance(token, str) or len(token) > MAX_TOKEN or not token.isascii():
        raise ForgedJob("The job must be the token that this site handed out, unchanged.")
    try:
        algorithm, value, effort, key_id, fund, random, expires = serializer.loads(token)
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
    )


def job_document(job: Job, token: str, settings: Settings, now: int) -> dict[str, t.Any]:
    """Return the answer to ``POST /job``."""
    return {
        "job": token,
        "algorithm": job.algorithm,
        "blob": job.blob(settings.site_name).hex(),
        "nonce_offset": NONCE_OFFSET,
        "nonce_size": NONCE_SIZE,
        "target": f"{settings.target(job.algorithm, job.value):064x}",
        "expected_hashes": settings.expected_hashes(job.algorithm, job.value),
        "value": job.value,
        "key_id": None if job.key_id is None else job.key_id.hex(),
        "expires_in": job.expires - now,
        "tip": None,
        "poll": None,
    }
