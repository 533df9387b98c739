"""Jobs and submissions: the work a site offers and what it says about a share."""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass

from miner import answers
from miner.answers import Members, nonsense
from miner.service import Service, TicketKey
from miner.tokens import DENOMINATIONS, CodecError, hex_bytes

LOCAL_PREFIX = b"ticketminer local v1"
LOCAL_SIZE = 84
SPARE_BITS = 3
"""A job's nonces outnumber its expected hashes by 2^3, so that they hardly ever run out: 2^29 hashes with 4 bytes."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work: find nonces whose hash of `blob` is at most `target`.

    :ivar token: what identifies the job to the site.
    :ivar blob: exactly what is hashed; the nonce is little-endian, `nonce_size` bytes at `nonce_offset`.
    :ivar target: 2^256 / expected_hashes - 1.
    :ivar value: tickets a share pays.
    :ivar key_id: key of the ticket, 32 bytes; None for a donation.
    :ivar expires_in: seconds from `received_at` (Unix seconds by the wallet's clock).
    :ivar tip, poll: state of upstream work and seconds between looks at it; None for local work.
    :ivar seed, epoch, epoch_length: for ethash.
    """

    token: str
    algorithm: str
    blob: bytes
    nonce_offset: int
    nonce_size: int
    target: int
    expected_hashes: int
    value: int
    key_id: bytes | None
    expires_in: int
    received_at: float
    tip: str | None = None
    poll: int | None = None
    seed: bytes | None = None
    epoch: int | None = None
    epoch_length: int | None = None

    @property
    def donation(self) -> bool:
        return self.key_id is None

    def nonce_hex(self, nonce: int) -> str:
        """Return `nonce` as it stands in the blob."""
        return nonce.to_bytes(self.nonce_size, "little").hex()


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of a share.

    :ivar value: tickets it paid.
    :ivar ticket: whether a ticket was filed in the wallet.
    :ivar upstream: what the pool or node said, if it was asked.
    :ivar next_job: a job to go on with, when this one is about to end.
    """

    accepted: bool
    value: int
    ticket: bool
    next_job: Job | None = None
    upstream: str | None = None


def read_job(members: Members, *, algorithms: t.Sequence[str], donate: bool, now: float) -> Job:
    """Return the job in `members`, consistent in itself.

    :param algorithms: what was asked for.
    :raises SiteProtocolError: it cannot be worked on as it stands.
    """
    name = "job"
    algorithm = answers.text(members, "algorithm", name=name, limit=64)
    if algorithm not in algorithms:
        raise nonsense("the job is for an algorithm that was not asked for.")
    try:
        blob = hex_bytes(members.get("blob"), name="job.blob")
        target = int.from_bytes(hex_bytes(members.get("target"), size=32, name="job.target"), "big")
        key_id = None if donate else hex_bytes(members.get("key_id"), size=32, name="job.key_id")
        seed = None if members.get("seed") is None else hex_bytes(members["seed"], size=32, name="job.seed")
    except CodecError as error:
        raise nonsense(str(error)) from error
    if donate and members.get("key_id") is not None:
        raise nonsense("a donation's job names a ticket key.")
    expected = answers.integer(members, "expected_hashes", name=name, low=1, high=2**62)
    size = answers.integer(members, "nonce_size", name=name, low=1, high=8)
    offset = answers.integer(members, "nonce_offset", name=name, high=len(blob))
    value = answers.integer(members, "value", name=name, low=1, high=DENOMINATIONS[-1])
    if target != 2**256 // expected - 1:
        raise nonsense("the job's target is not the one of its expected hashes.")
    if not 1 <= len(blob) <= 1024 or offset + size > len(blob):
        raise nonsense("the job's nonce lies outside its blob.")
    if expected > 2 ** (8 * size - SPARE_BITS):
        raise nonsense("the job needs more hashes than it has nonces.")
    if value not in DENOMINATIONS:
        raise nonsense("the job's value is not that of a ticket.")
    return Job(
        token=answers.text(members, "job", name=name, limit=16_384),
        algorithm=algorithm,
        blob=blob,
        nonce_offset=offset,
        nonce_size=size,
        target=target,
        expected_hashes=expected,
        value=value,
        key_id=key_id,
        expires_in=answers.integer(members, "expires_in", name=name, low=1, high=86_400),
        received_at=now,
        tip=None if members.get("tip") is None else answers.text(members, "tip", name=name, limit=255),
        poll=None
        if members.get("poll") is None
        else answers.integer(members, "poll", name=name, low=1, high=3600),
        seed=seed,
        epoch=_optional(members, "epoch"),
        epoch_length=_optional(members, "epoch_length"),
    )


def check_offer(job: Job, service: Service) -> bool:
    """Return whether `job` asks for no more work than `service` has announced for its value."""
    announced = service.algorithm(job.algorithm)
    return (
        announced is not None
        and job.value in service.denominations
        and job.value <= service.limits.job_value
        and job.expected_hashes <= announced.expected_hashes * job.value
    )


def check_local(job: Job, names: t.Collection[str]) -> None:
    """Refuse a job of local work that hashes something else than the protocol's own blob for this site.

    :param names: the site's issuer names.
    :raises SiteProtocolError: the work would serve another purpose.
    """
    site = job.blob[36:68]
    if (
        len(job.blob) != LOCAL_SIZE
        or not job.blob.startswith(LOCAL_PREFIX)
        or (job.nonce_offset, job.nonce_size) != (76, 8)
        or all(hashlib.sha256(name.encode()).digest() != site for name in names)
    ):
        raise nonsense("the job is called local, but its blob is not this site's own.")


def check_key(job: Job, key: TicketKey | None) -> TicketKey:
    """Return `key`, the pinned key that `job` names, if it is one for tickets of the job's value.

    :raises SiteProtocolError: the ticket would be worthless or worth something else.
    """
    if key is None or key.value != job.value:
        raise nonsense("the job's key is not in the site's directory with the job's value.")
    return key


def _optional(members: Members, key: str) -> int | None:
    return None if members.get(key) is None else answers.integer(members, key, name="job")
