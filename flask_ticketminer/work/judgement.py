"""Whether a share holds, and whether it is good enough for upstream."""

from __future__ import annotations

from dataclasses import dataclass

from flask_ticketminer.errors import Busy, ShareMissesTarget
from flask_ticketminer.mint.shares import Origin
from flask_ticketminer.site import Site
from flask_ticketminer.work.extranonce import solution
from flask_ticketminer.work.job import Job
from flask_ticketminer.work.outbox import Forward
from flask_ticketminer.work.source import Standing
from flask_ticketminer.work.stratum.jobs import HeaderJob
from flask_ticketminer.work.template import Template
from miner.pow import ALGORITHMS, ethash

MIX_SIZE = 32
_HEADER_HASH = 32
_TABLE_RETRY = 10


@dataclass(frozen=True, slots=True)
class Found:
    """A share as it was sent.

    :ivar share: the hashed bytes, the nonce among them.
    :ivar mix: of ethash, 32 bytes that the visitor claims; else empty.
    """

    job: Job
    share: bytes
    mix: bytes


def check_work(site: Site, found: Found, template: Template | None) -> int:
    """Return the digest of a share as an integer, once it is known to pay its job.

    :param template: that of an ethash job.
    :raises ShareMissesTarget: it does not.
    :raises Busy: too many were wrong, or this process still prepares for a new epoch of ethash.
    """
    job = found.job
    site.budgets.check_share(job.algorithm)
    target = 2**256 // site.settings.expected(job.effort, job.value) - 1
    if job.algorithm == "ethash":
        digest = _ethash(found, template, target)
    else:
        algorithm = ALGORITHMS[job.algorithm]
        digest = algorithm.value(algorithm.hash(found.share))
    if digest is None or digest > target:
        raise ShareMissesTarget(
            "This nonce does not meet the job's target: its digest is too large. Search on."
        )
    return digest


def origin_of(found: Found, digest: int, standing: Standing) -> Origin | None:
    """Return where a share that holds comes from and what of it goes upstream; None for local work."""
    template, origin = standing.template, found.job.upstream
    if template is None or origin is None:
        return None
    if digest > template.job.target:
        return Origin(template.coin, found.job.effort)
    block = isinstance(template.job, HeaderJob) and digest <= template.job.block_target
    forward = Forward(
        coin=template.coin,
        session=template.session,
        template_id=template.template_id,
        solution=solution(template.job, origin.number, found.share, found.mix),
        is_block=block,
        outdated=standing.outdated,
    )
    return Origin(template.coin, found.job.effort, forward)


def _ethash(found: Found, template: Template | None, target: int) -> int | None:
    assert template is not None
    nonce = int.from_bytes(found.share[_HEADER_HASH:], "little")
    try:
        digest = ethash.check_share(
            template.epoch,
            found.share[:_HEADER_HASH],
            nonce,
            found.mix,
            target,
            epoch_length=template.epoch_length,
        )
    except (ethash.TableMissing, ethash.TableBusy) as error:
        raise Busy(
            "This site prepares for ethash's new epoch. Send the same request again shortly.",
            retry_after=_TABLE_RETRY,
        ) from error
    return None if digest is None else int.from_bytes(digest, "big")
