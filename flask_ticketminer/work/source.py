"""Where this site's jobs come from: computing for its own sake (:class:`LocalSource`), or what a bridge publishes."""

from __future__ import annotations

import abc
import os
import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from flask_ticketminer.config import Settings
from flask_ticketminer.errors import (
    DatabaseBusy,
    ExpiredJob,
    NoTip,
    NoWork,
    Problem,
    StaleJob,
    UnknownAlgorithm,
)
from flask_ticketminer.work.coins import Coin
from flask_ticketminer.work.extranonce import cut
from flask_ticketminer.work.job import Job, UpstreamOrigin
from flask_ticketminer.work.local import RANDOM_SIZE
from flask_ticketminer.work.stratum.jobs import EthashJob
from flask_ticketminer.work.template import Template
from flask_ticketminer.work.templates import Templates

SPREAD = 0.5
"""Seconds over which miners spread their requests for new jobs."""
NO_WORK_RETRY = 5
"""Seconds after which a miner asks again while there is no work."""
_SEARCHES = 8
"""A job is worth at most an eighth of its nonces, so that few searches end without a share."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What this site asks for now; `effort` is in expected hashes a ticket."""

    algorithm: str
    effort: int


@dataclass(frozen=True, slots=True)
class Work:
    """Work for one job, before it is known which key pays it."""

    algorithm: str
    effort: int
    life: int
    random: bytes = b""
    upstream: UpstreamOrigin | None = None
    members: t.Mapping[str, t.Any] = field(default_factory=dict)

    def job(self, value: int, key_id: bytes | None, fund: str | None, now: int) -> Job:
        """Return the job that is paid with `value` tickets of the key, or donated where there is none."""
        return Job(
            self.algorithm, value, self.effort, key_id, fund, self.random, now + self.life, self.upstream
        )

    def value(self, wanted: int, denominations: Sequence[int]) -> int:
        """Return the value next to `wanted` whose share is found among the nonces of this work."""
        if self.upstream is None:
            return wanted
        nonces = 1 << 8 * self.upstream.piece.nonce_size
        fitting = [one for one in denominations if one * self.effort * _SEARCHES <= nonces]
        return min(wanted, max(fitting, default=denominations[0]))


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands.

    :ivar over: why it is not paid any more; None while it is.
    :ivar checkable: whether its shares can be hashed here.
    :ivar template: what it was cut from, while that is known.
    :ivar outdated: upstream has moved on; it is paid in the grace time, and not sent upstream.
    """

    over: Problem | None
    checkable: bool
    template: Template | None = None
    outdated: bool = False


class Source(abc.ABC):
    """Cuts work and says how jobs stand."""

    @abc.abstractmethod
    def offers(self) -> Sequence[Offer]:
        """Return what visitors may be asked for, first what they are asked for now; by the settings while the database is away."""

    @abc.abstractmethod
    def cut(self, algorithms: Sequence[str]) -> Work:
        """Return work in one of the `algorithms` that a visitor has.

        :raises UnknownAlgorithm: this site has no work in any of them.
        :raises NoWork: there is none at the moment.
        """

    @abc.abstractmethod
    def standing(self, job: Job, now: int) -> Standing:
        """Say how `job` stands."""

    @abc.abstractmethod
    def tip(self, algorithm: str) -> dict[str, t.Any]:
        """Return the answer to ``GET tip/<algorithm>``.

        :raises UnknownAlgorithm, NoTip, NoWork: there is none.
        """

    def _refuse(self, offered: t.Iterable[str]) -> UnknownAlgorithm:
        names = list(dict.fromkeys(offered))
        return UnknownAlgorithm(
            f"This site's work is {' or '.join(names)}; none of the algorithms offered is.", algorithms=names
        )


def expired(job: Job, now: int) -> ExpiredJob | None:
    """Return why `job` is not paid any more if its time is over."""
    if now <= job.expires:
        return None
    return ExpiredJob("This job has ended: fetch a new one. Shares already submitted keep their tickets.")


class LocalSource(Source):
    """The site's one local algorithm.

    :param randomness: returns so many random bytes.
    """

    def __init__(self, settings: Settings, *, randomness: Callable[[int], bytes] = os.urandom) -> None:
        self._settings = settings
        self._randomness = randomness

    def offers(self) -> Sequence[Offer]:
        algorithm = self._settings.algorithm
        return [Offer(algorithm, self._settings.effort[algorithm])]

    def cut(self, algorithms: Sequence[str]) -> Work:
        (offer,) = self.offers()
        if offer.algorithm not in algorithms:
            raise self._refuse([offer.algorithm])
        random = self._randomness(RANDOM_SIZE)
        return Work(offer.algorithm, offer.effort, self._settings.job_life, random)

    def standing(self, job: Job, now: int) -> Standing:
        (offer,) = self.offers()
        current = job.upstream is None and offer == Offer(job.algorithm, job.effort)
        over: Problem | None = expired(job, now)
        if over is None and not current:
            over = StaleJob("The site has changed the work it asks for: fetch a new job.")
        return Standing(over, checkable=current)

    def tip(self, algorithm: str) -> dict[str, t.Any]:
        if algorithm != self._settings.algorithm:
            raise UnknownAlgorithm(f"This site's work is {self._settings.algorithm}.")
        raise NoTip("This work is local: its jobs last until they expire, and nothing needs to be polled.")


class UpstreamSource(Source):
    """What the bridge has published.

    :param coins: those that may be asked for, the default first.
    """

    def __init__(self, settings: Settings, coins: Sequence[Coin], templates: Templates) -> None:
        self._settings = settings
        self._coins = list(coins)
        self._templates = templates

    def offers(self) -> Sequence[Offer]:
        found: dict[str, Offer] = {}
        try:
            ranked = self._ranked()
        except DatabaseBusy:  # pages of the host that offer to mine must not fail with the tickets' database
            ranked = [(coin, None) for coin in self._coins]
        for coin, template in ranked:
            effort = self._settings.effort[coin.algorithm] if template is None else template.effort
            found.setdefault(coin.algorithm, Offer(coin.algorithm, effort))
        return list(found.values())

    def cut(self, algorithms: Sequence[str]) -> Work:
        ranked = [(coin, template) for coin, template in self._ranked() if coin.algorithm in algorithms]
        if not ranked:
            raise self._refuse(coin.algorithm for coin in self._coins)
        for coin, template in ranked:
            if template is not None and (number := self._templates.lease(template)) is not None:
                origin = UpstreamOrigin(template.template_id, number, cut(template.job, number))
                life = self._settings.upstream_job_life
                members = {**_hashing(template), "tip": template.tip, "poll": coin.poll}
                return Work(coin.algorithm, template.effort, life, upstream=origin, members=members)
        raise _no_work()

    def standing(self, job: Job, now: int) -> Standing:
        if job.upstream is None:
            return Standing(StaleJob("The site has changed the work it asks for: fetch a new job."), False)
        template, voided = self._templates.standing(job.upstream.template_id)
        over: Problem | None = expired(job, now)
        if over is None and template is None:
            over = StaleJob("This job's block has been found or its pool has moved on: fetch a new job.")
        checkable = job.algorithm != "ethash" or template is not None
        return Standing(over, checkable, template, bool(voided))

    def tip(self, algorithm: str) -> dict[str, t.Any]:
        ranked = [(coin, template) for coin, template in self._ranked() if coin.algorithm == algorithm]
        if not ranked:
            raise self._refuse(coin.algorithm for coin in self._coins)
        for coin, template in ranked:
            if template is not None:
                return {"tip": template.tip, "poll": coin.poll, "spread": SPREAD}
        raise _no_work()

    def _ranked(self) -> list[tuple[Coin, Template | None]]:
        """Return the coins, the best first, each with the template of the moment; those without one come last."""
        found = [(coin, self._templates.current(coin.name)) for coin in self._coins]
        chosen = self._templates.chosen() if len(self._coins) > 1 else ""
        return sorted(found, key=lambda pair: (pair[1] is None, pair[0].name != chosen))


def _hashing(template: Template) -> dict[str, t.Any]:
    if not isinstance(template.job, EthashJob):
        return {}
    return {
        "seed": template.job.seed_hash.hex(),
        "epoch": template.epoch,
        "epoch_length": template.epoch_length,
    }


def _no_work() -> NoWork:
    return NoWork(
        "There is no work at the moment: the site has lost its mining pool. Tickets that you have are good; ask again soon.",
        retry_after=NO_WORK_RETRY,
    )
