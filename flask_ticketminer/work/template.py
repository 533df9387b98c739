"""A work template: what a pool or node asks for, as it stands in the database for every process of the site to cut jobs from."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass

from flask_ticketminer.work.stratum.dialects import UpstreamJob
from flask_ticketminer.work.stratum.jobs import EthashJob, HeaderJob
from miner.pow import ethash
from miner.pow.ethash.algorithm import which_epoch


@dataclass(frozen=True, slots=True)
class Template:
    """Work of one upstream.

    :ivar template_id: 16 bytes.
    :ivar session: of the bridge's talk with upstream; shares of a session that has ended are stale.
    :ivar tip: changes when upstream voids what it asked for before.
    :ivar effort: expected hashes a ticket.
    :ivar first: the first number that is leased: counting goes on from template to template, for a pool may send the same work
        under another name.
    """

    template_id: bytes
    coin: str
    session: str
    algorithm: str
    tip: str
    effort: int
    job: UpstreamJob
    epoch_length: int = 0
    first: int = 0

    @property
    def epoch(self) -> int:
        """Of an ethash job; by the block's number where the pool tells it, else by the seed."""
        assert isinstance(self.job, EthashJob)
        return epoch_of(self.job, self.epoch_length)


def epoch_of(job: EthashJob, epoch_length: int) -> int:
    """Return the epoch of an ethash job.

    :raises PowError: its seed is that of none, or of another than its block's, as where the coin's epochs are longer.
    """
    if job.number is not None:
        return which_epoch(job.seed_hash, job.number // epoch_length, epoch_length)
    return ethash.epoch_of_seed(job.seed_hash, epoch_length=epoch_length)


def job_to_bytes(job: UpstreamJob, *, epoch_length: int, first: int) -> bytes:
    """Return `job` as it is stored."""
    members = asdict(job) | {"target": f"{job.target:x}", "epoch_length": epoch_length, "first": first}
    for name, value in members.items():
        if isinstance(value, bytes):
            members[name] = value.hex()
    return json.dumps(members, separators=(",", ":")).encode()


def template_of_row(row: t.Any) -> Template:
    """Return the template in a row of the table."""
    job, epoch_length, first = job_from_bytes(row.document)
    names = (row.template_id, row.coin, row.talk, row.algorithm, row.tip_id, row.effort)
    return Template(*names, job, epoch_length, first)


def job_from_bytes(data: bytes) -> tuple[UpstreamJob, int, int]:
    """Return the job in `data`, its epoch's length and the first number; what :func:`job_to_bytes` wrote."""
    members: dict[str, t.Any] = json.loads(data)
    epoch_length, first = members.pop("epoch_length"), members.pop("first")
    members["target"] = int(members["target"], 16)
    if "header_hash" in members:
        for name in ("header_hash", "seed_hash"):
            members[name] = bytes.fromhex(members[name])
        return EthashJob(**members), epoch_length, first
    params = members["params"]
    members["params"] = (*params[:4], tuple(params[4]), *params[5:])
    return HeaderJob(**members), epoch_length, first
