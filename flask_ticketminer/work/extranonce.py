"""One number that names a visitor's part of a template: no two jobs of a template get the same, so no two visitors search the same.

In a header the number becomes extranonce2, then, where that is used up, seconds of ntime, then version bits that the pool allows;
for ethash it becomes the nonce's bytes behind those that the pool has fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask_ticketminer.work.stratum.dialects import Solution, UpstreamJob
from flask_ticketminer.work.stratum.header import HEADER_SIZE, NONCE_OFFSET, build_header
from flask_ticketminer.work.stratum.jobs import EthashJob, HeaderJob

NTIME_AHEAD = 600
"""Seconds by which a job's ntime may run ahead of its template's."""
HEADER_NONCE_SIZE = 4
ETHASH_NONCE_SIZE = 8
SEARCHES = 8
"""A job is worth at most an eighth of its nonces, so that few searches end without a share; miners refuse others."""
_MOST_SEARCHED = 4
_LEAST_LEASED = 2
"""Bytes of an ethash nonce: visitors search at most four, and at least two tell their jobs apart."""
SCARCE = 1_000_000
"""Jobs of a template below which a busy site may have handed out all before the next template comes."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one visitor searches.

    :ivar blob: what is hashed, with a nonce of zeros: an 80-byte header, or for ethash header hash (32) and nonce (8, little-endian).
    :ivar nonce_offset, nonce_size: bytes of `blob` that are searched.
    """

    blob: bytes
    nonce_offset: int
    nonce_size: int

    def with_nonce(self, nonce: bytes) -> bytes:
        """Return what was hashed to find `nonce`, which is `nonce_size` bytes."""
        return put(self.blob, self.nonce_offset, nonce)


def put(blob: bytes, offset: int, nonce: bytes) -> bytes:
    """Return `blob` with the bytes of `nonce` at `offset`."""
    return blob[:offset] + nonce + blob[offset + len(nonce) :]


def capacity(job: UpstreamJob) -> int:
    """Return how many numbers a template has."""
    if isinstance(job, EthashJob):
        return int(1 << 8 * _ethash_sizes(job)[0])
    ntimes = min(NTIME_AHEAD, 0xFFFF_FFFF - int(job.params[7], 16)) + 1
    return int(256**job.extranonce2_size * ntimes << _mask(job).bit_count())


def room_warning(job: UpstreamJob) -> str | None:
    """Return a sentence for the operator when visitors may use a template up; None when they do not.

    Of ethash none is made: its blocks come so fast that a template's jobs last.
    """
    if isinstance(job, EthashJob) or (jobs := capacity(job)) >= SCARCE:
        return None
    size = "1 byte" if job.extranonce2_size == 1 else f"{job.extranonce2_size} bytes"
    return (
        f"The pool leaves this site {size} of the extranonce: room for {jobs:,} jobs, for all visitors together, until its next work. "
        "A busy site runs out of them, and visitors are then told that there is no work. Look for a port or a pool that leaves "
        "2 bytes or more, or that allows version rolling."
    )


def most_effort(job: UpstreamJob) -> int:
    """Return how many expected hashes a share of `job` may take, at most."""
    searched = _ethash_sizes(job)[1] if isinstance(job, EthashJob) else HEADER_NONCE_SIZE
    return int(1 << 8 * searched) // SEARCHES


def effort_trouble(job: UpstreamJob, algorithm: str, effort: int) -> str | None:
    """Return a sentence for the operator when tickets of `effort` expected hashes cannot be found in `job`; None when they can."""
    if effort <= (most := most_effort(job)):
        return None
    return (
        f"The work has nonces for tickets of {most:,} hashes at most, not of {effort:,}: "
        f"lower TICKETMINER_EFFORT of {algorithm}."
    )


def cut(job: UpstreamJob, number: int) -> Piece:
    """Return the piece of `number`, which is below :func:`capacity`."""
    if isinstance(job, EthashJob):
        leased, searched = _ethash_sizes(job)
        front = bytes.fromhex(job.prefix) + number.to_bytes(leased, "big")
        nonce = (front + bytes(searched))[::-1]
        return Piece(job.header_hash + nonce, len(job.header_hash), searched)
    extranonce2, ntime, version_bits = _split(job, number)
    header = build_header(
        job.params,
        extranonce1=job.extranonce1,
        extranonce2=extranonce2,
        ntime=ntime,
        nonce="00000000",
        version_bits=version_bits,
        version_mask=job.version_mask,
    )
    assert len(header) == HEADER_SIZE
    return Piece(header, NONCE_OFFSET, HEADER_NONCE_SIZE)


def solution(job: UpstreamJob, number: int, share: bytes, mix: bytes = b"") -> Solution:
    """Return what tells upstream of `share`, the hashed bytes of the piece of `number`.

    :param mix: of ethash, 32 bytes.
    """
    if isinstance(job, EthashJob):
        return Solution(nonce=share[-ETHASH_NONCE_SIZE:][::-1].hex(), mix=mix.hex())
    extranonce2, ntime, version_bits = _split(job, number)
    nonce = share[NONCE_OFFSET : NONCE_OFFSET + HEADER_NONCE_SIZE][::-1].hex()
    return Solution(nonce=nonce, extranonce2=extranonce2, ntime=ntime, version_bits=version_bits)


def _split(job: HeaderJob, number: int) -> tuple[str, str, str | None]:
    """Return extranonce2, ntime and version bits, hex; the version bits are None where none is changed."""
    rest, first = divmod(number, 256**job.extranonce2_size)
    started = int(job.params[7], 16)
    versions, ahead = divmod(rest, min(NTIME_AHEAD, 0xFFFF_FFFF - started) + 1)
    version_bits = None
    if versions:
        mask = _mask(job)
        changed = _spread(versions, mask)
        version_bits = f"{(int(job.params[5], 16) ^ changed) & mask:08x}"
    return first.to_bytes(job.extranonce2_size, "big").hex(), f"{started + ahead:08x}", version_bits


def _spread(number: int, mask: int) -> int:
    """Put the bits of `number` where `mask` has ones, the lowest first."""
    found = 0
    while mask:
        lowest = mask & -mask
        if number & 1:
            found |= lowest
        number >>= 1
        mask ^= lowest
    return found


def _mask(job: HeaderJob) -> int:
    return int(job.version_mask, 16) if job.version_mask else 0


def _ethash_sizes(job: EthashJob) -> tuple[int, int]:
    """Return how many bytes of the nonce are leased, and how many are searched."""
    free = ETHASH_NONCE_SIZE - len(job.prefix) // 2
    leased = max(_LEAST_LEASED, free - _MOST_SEARCHED)
    return leased, free - leased
