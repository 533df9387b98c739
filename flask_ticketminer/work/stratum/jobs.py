"""What a pool asks for: its jobs, checked as they arrive, so that later code can trust them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from decimal import Decimal

from flask_ticketminer.work.difficulty import nbits_target, nicehash_target, share_target
from flask_ticketminer.work.stratum.errors import BadJob, Misbehaved
from flask_ticketminer.work.stratum.header import build_header

MAX_JOB_ID = 128
EXTRANONCE2_SIZES = range(1, 17)
MAX_EXTRANONCE1 = 32
"""Bytes."""
MAX_BRANCH = 32
"""Steps of a merkle branch: 20 are those of a million transactions."""
MAX_COINBASE = 32_768
"""Bytes of each part of a coinbase; hundreds of templates are kept, by every process."""
MAX_NICEHASH_PREFIX = 4
"""Bytes of the nonce that a pool may fix; the site's own prefix and the visitor's part need the other four."""


@dataclass(frozen=True, slots=True)
class HeaderJob:
    """A job whose share is a block header of 80 bytes.

    :ivar params: of ``mining.notify``, as :func:`build_header` takes them.
    :ivar extranonce1: the pool's part of the coinbase, hex.
    :ivar extranonce2_size: bytes of our part.
    :ivar version_mask: bits of the version that the pool lets us use, as hex of 4 bytes; None: none.
    :ivar clean: earlier jobs are void.
    :ivar target: what a digest must not exceed for the pool to want it.
    """

    job_id: str
    params: tuple[t.Any, ...]
    extranonce1: str
    extranonce2_size: int
    version_mask: str | None
    clean: bool
    target: int

    @property
    def block_target(self) -> int:
        """What the digest of a block must not exceed, by the job's own nbits."""
        return nbits_target(int(self.params[6], 16))


@dataclass(frozen=True, slots=True)
class EthashJob:
    """A job whose share is an 8-byte nonce for a header hash.

    :ivar prefix: the nonce's first bytes, which the pool has fixed; big-endian hex, empty where it fixes none.
    :ivar number: the block's number, where the pool tells it; else the epoch is found by `seed_hash`.
    """

    job_id: str
    header_hash: bytes
    seed_hash: bytes
    prefix: str
    number: int | None
    clean: bool
    target: int


def difficulty_of(params: list[t.Any]) -> int | Decimal:
    """Return the difficulty in ``mining.set_difficulty``.

    :raises Misbehaved: it is no number above 0.
    """
    (wanted,) = params[:1] or (None,)
    if isinstance(wanted, bool) or not isinstance(wanted, int | Decimal):
        raise Misbehaved("The pool set a difficulty that is no number.")
    try:
        share_target("sha256d", wanted)
    except ValueError as error:
        raise Misbehaved(str(error)) from error
    return wanted


def extranonce_of(extranonce1: object, size: object) -> tuple[str, int]:
    """Return the two parts of ``mining.subscribe``'s and ``mining.set_extranonce``'s extranonce.

    :raises Misbehaved: they are no hex and no size that can be used.
    """
    if not isinstance(extranonce1, str) or not is_hex(extranonce1) or len(extranonce1) > 2 * MAX_EXTRANONCE1:
        raise Misbehaved(f"The pool's extranonce1 is not hex of at most {MAX_EXTRANONCE1} bytes.")
    if isinstance(size, bool) or not isinstance(size, int) or size not in EXTRANONCE2_SIZES:
        raise Misbehaved("The pool leaves no room for an extranonce of ours: extranonce2_size is 1 to 16.")
    return extranonce1.lower(), size


def header_job(
    algorithm: str,
    params: list[t.Any],
    *,
    extranonce1: str,
    extranonce2_size: int,
    version_mask: str | None,
    difficulty: int | Decimal,
) -> HeaderJob:
    """Return the job of a ``mining.notify``.

    :raises BadJob: no header can be built from it.
    """
    job_id = _job_id(params)
    _check_sizes(params)
    build_header(
        params,
        extranonce1=extranonce1,
        extranonce2="00" * extranonce2_size,
        ntime=params[7] if len(params) > 7 else "",
        nonce="00000000",
    )
    try:
        nbits_target(int(params[6], 16))
    except ValueError as error:
        raise BadJob(str(error)) from error
    clean = params[8] if len(params) > 8 else False
    if not isinstance(clean, bool):
        raise BadJob("clean_jobs is neither true nor false.")
    kept = (job_id, *params[1:4], tuple(params[4]), *params[5:8])
    return HeaderJob(
        job_id, kept, extranonce1, extranonce2_size, version_mask, clean, share_target(algorithm, difficulty)
    )


def nicehash_job(params: list[t.Any], *, prefix: str, difficulty: int | Decimal) -> EthashJob:
    """Return the job of a ``mining.notify`` by ``EthereumStratum/1.0.0``: job id, seed hash, header hash, clean.

    :raises BadJob: it is not that.
    """
    job_id = _job_id(params)
    if len(params) < 4 or not isinstance(params[3], bool):
        raise BadJob(
            "An EthereumStratum job has an id, a seed hash, a header hash, and says whether it is clean."
        )
    seed, header = _hex(params[1], 32, "seed hash"), _hex(params[2], 32, "header hash")
    return EthashJob(job_id, header, seed, prefix, None, params[3], nicehash_target(difficulty))


def getwork_job(work: object) -> EthashJob:
    """Return the job in an ``eth_getWork`` result: header hash, seed hash, boundary and, from some pools, the block's number.

    :raises BadJob: it is not that.
    """
    if not isinstance(work, list) or len(work) < 3:
        raise BadJob("eth_getWork's result is a header hash, a seed hash and a boundary.")
    header, seed = _hex(work[0], 32, "header hash"), _hex(work[1], 32, "seed hash")
    target = int.from_bytes(_hex(work[2], 32, "boundary"), "big")
    if target == 0:
        raise BadJob("No digest can meet a boundary of 0.")
    number = _block_number(work[3]) if len(work) > 3 else None
    return EthashJob(header.hex(), header, seed, "", number, True, target)


def is_hex(text: str) -> bool:
    """Return whether `text` is hex of whole bytes, possibly none."""
    return len(text) % 2 == 0 and all(mark in "0123456789abcdefABCDEF" for mark in text)


def _check_sizes(params: list[t.Any]) -> None:
    """Do nothing for a job that is no larger than jobs are; of what type its parts are is asked later."""
    coinbase, branch = params[2:4], params[4:5]
    if any(isinstance(part, str) and len(part) > 2 * MAX_COINBASE for part in coinbase):
        raise BadJob(f"A part of the job's coinbase has more than {MAX_COINBASE} bytes.")
    if any(isinstance(steps, list) and len(steps) > MAX_BRANCH for steps in branch):
        raise BadJob(f"The job's merkle branch has more than {MAX_BRANCH} steps.")


def _job_id(params: list[t.Any]) -> str:
    text = params[0] if params else None
    if not isinstance(text, str) or not 0 < len(text) <= MAX_JOB_ID:
        raise BadJob(f"A job's id is text of 1 to {MAX_JOB_ID} characters.")
    if not text.isascii() or not text.isprintable():  # databases do not keep a NUL or half a surrogate pair
        raise BadJob("A job's id has characters that cannot be printed.")
    return text


def _hex(text: object, size: int, name: str) -> bytes:
    digits = text.removeprefix("0x") if isinstance(text, str) else ""
    if not is_hex(digits) or len(digits) != 2 * size:
        raise BadJob(f"The {name} is not hex of {size} bytes.")
    return bytes.fromhex(digits)


def _block_number(text: object) -> int | None:
    digits = text.removeprefix("0x") if isinstance(text, str) else ""
    if not digits or len(digits) > 16 or any(mark not in "0123456789abcdefABCDEF" for mark in digits):
        return None
    number = int(digits, 16)
    return number if number < 1 << 40 else None
