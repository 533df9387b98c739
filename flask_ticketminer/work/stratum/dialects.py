"""How pools are talked to: which requests open a session, what a share looks like, and which calls bring work.

A dialect keeps the state of one session and does no I/O. What it is told arrives by :meth:`Dialect.answer` and
:meth:`Dialect.call`; what it has to say are :class:`Ask` objects for the client to send.
"""

from __future__ import annotations

import abc
import dataclasses
import typing as t
from dataclasses import dataclass, field
from decimal import Decimal

from flask_ticketminer.work.stratum.errors import Misbehaved
from flask_ticketminer.work.stratum.header import VERSION_MASK
from flask_ticketminer.work.stratum.jobs import (
    MAX_NICEHASH_PREFIX,
    EthashJob,
    HeaderJob,
    difficulty_of,
    extranonce_of,
    getwork_job,
    header_job,
    is_hex,
    nicehash_job,
)
from flask_ticketminer.work.stratum.messages import Call

UpstreamJob = HeaderJob | EthashJob

NICEHASH = "EthereumStratum/1.0.0"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to send. `purpose` tells :meth:`Dialect.answer` what its answer is about; `optional`: a refusal is no failure."""

    purpose: str
    method: str
    params: list[t.Any]
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Worker:
    """Who mines, as the pool knows them."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Solution:
    """What is hashed beside a job, hex as it travels. Header jobs need all but `mix`; ethash jobs `nonce` and `mix`.

    :ivar nonce: of header jobs 4 bytes, of ethash jobs all 8, big-endian both.
    :ivar version_bits: None where the version was not rolled.
    """

    nonce: str
    extranonce2: str = ""
    ntime: str = ""
    version_bits: str | None = None
    mix: str = ""


class Dialect(abc.ABC):
    """One session with a pool in one of its languages."""

    #: What calls bring, until the first: nothing to mine.
    job: UpstreamJob | None = None

    def __init__(self, worker: Worker, agent: str) -> None:
        self.worker = worker
        self.agent = agent
        #: Whether the pool has said yes to the worker.
        self.authorized = False

    @abc.abstractmethod
    def opening(self) -> list[Ask]:
        """Return what is sent, in this order and at once, when the connection is made."""

    @abc.abstractmethod
    def answer(self, purpose: str, result: t.Any) -> bool:
        """Take in the answer to an :class:`Ask` of the opening; return whether there is a new job.

        :raises Misbehaved: it is not what the protocol has.
        """

    def call(self, call: Call) -> bool:  # noqa: ARG002 - one dialect has no calls
        """Take in a notification; return whether there is a new job. What is unknown changes nothing.

        :raises Misbehaved: as :meth:`answer` does.
        """
        return False

    @abc.abstractmethod
    def submission(self, job: UpstreamJob, solution: Solution) -> Ask:
        """Return the request that submits a share of `job`."""

    def suggestion(self, difficulty: Decimal) -> Ask | None:  # noqa: ARG002 - only one dialect can
        """Return what asks the pool for shares of `difficulty`; None where the dialect has no words for it."""
        return None

    def pushed(self, result: t.Any) -> bool:  # noqa: ARG002 - only one dialect has them
        """Take in a result that nobody asked for, which is how getWork pools push jobs; return whether there is a new job."""
        return False

    def _authorize(self, result: t.Any) -> None:
        self.authorized = result is True


class BitcoinDialect(Dialect):
    """Slush's Stratum with ``mining.configure`` (BIP 310), for sha256d, scrypt and neoscrypt."""

    def __init__(self, algorithm: str, worker: Worker, agent: str) -> None:
        super().__init__(worker, agent)
        self._algorithm = algorithm
        self._extranonce: tuple[str, int] | None = None
        self._mask: str | None = None
        self._difficulty: int | Decimal = 1

    def opening(self) -> list[Ask]:
        rolling = {"version-rolling.mask": f"{VERSION_MASK:08x}", "version-rolling.min-bit-count": 2}
        return [
            Ask("configure", "mining.configure", [["version-rolling"], rolling], optional=True),
            Ask("subscribe", "mining.subscribe", [self.agent]),
            Ask("extranonce", "mining.extranonce.subscribe", [], optional=True),
            Ask("authorize", "mining.authorize", [self.worker.name, self.worker.password]),
        ]

    def suggestion(self, difficulty: Decimal) -> Ask | None:
        return Ask("suggest", "mining.suggest_difficulty", [_number(difficulty)], optional=True)

    def answer(self, purpose: str, result: t.Any) -> bool:
        if purpose == "configure":
            self._mask = _mask(result)
        elif purpose == "subscribe":
            if not isinstance(result, list) or len(result) < 3:
                raise Misbehaved(
                    "mining.subscribe was answered with less than an extranonce1 and the size of ours."
                )
            self._extranonce = extranonce_of(result[1], result[2])
        elif purpose == "authorize":
            self._authorize(result)
        return False

    def call(self, call: Call) -> bool:
        if call.method == "mining.set_difficulty":
            self._difficulty = difficulty_of(call.params)  # of the next job on
        elif call.method == "mining.set_extranonce":
            known = self._extranonce[1] if self._extranonce else None
            given = [*call.params, None, None]
            self._extranonce = extranonce_of(given[0], known if given[1] is None else given[1])
        elif call.method == "mining.set_version_mask":
            self._mask = _mask({"version-rolling": True, "version-rolling.mask": (call.params or [None])[0]})
        elif call.method == "mining.notify":
            if self._extranonce is None:
                raise Misbehaved("The pool sent a job before it answered mining.subscribe.")
            extranonce1, size = self._extranonce
            self.job = header_job(
                self._algorithm,
                call.params,
                extranonce1=extranonce1,
                extranonce2_size=size,
                version_mask=self._mask,
                difficulty=self._difficulty,
            )
            return True
        return False

    def submission(self, job: UpstreamJob, solution: Solution) -> Ask:
        params = [self.worker.name, job.job_id, solution.extranonce2, solution.ntime, solution.nonce]
        if solution.version_bits is not None:
            params.append(solution.version_bits)
        return Ask("submit", "mining.submit", params)


class NicehashDialect(Dialect):
    """``EthereumStratum/1.0.0``: ethash where the pool fixes the first bytes of the nonce."""

    def __init__(self, worker: Worker, agent: str) -> None:
        super().__init__(worker, agent)
        self._prefix: str | None = None
        self._difficulty: int | Decimal = 1

    def opening(self) -> list[Ask]:
        return [
            Ask("subscribe", "mining.subscribe", [self.agent, NICEHASH]),
            Ask("extranonce", "mining.extranonce.subscribe", [], optional=True),
            Ask("authorize", "mining.authorize", [self.worker.name, self.worker.password]),
        ]

    def answer(self, purpose: str, result: t.Any) -> bool:
        if purpose == "subscribe":
            if not isinstance(result, list) or len(result) < 2:
                raise Misbehaved("mining.subscribe was answered without an extranonce.")
            self._prefix = _prefix(result[1])
        elif purpose == "authorize":
            self._authorize(result)
        return False

    def call(self, call: Call) -> bool:
        if call.method == "mining.set_difficulty":
            self._difficulty = difficulty_of(call.params)
        elif call.method == "mining.set_extranonce":
            self._prefix = _prefix((call.params or [None])[0])
        elif call.method == "mining.notify":
            if self._prefix is None:
                raise Misbehaved("The pool sent a job before it answered mining.subscribe.")
            self.job = nicehash_job(call.params, prefix=self._prefix, difficulty=self._difficulty)
            return True
        return False

    def submission(self, job: UpstreamJob, solution: Solution) -> Ask:
        assert isinstance(job, EthashJob)
        return Ask(
            "submit",
            "mining.submit",
            [self.worker.name, job.job_id, solution.nonce.removeprefix(job.prefix)],
        )


class GetworkDialect(Dialect):
    """The getWork style that the 2016 server spoke: ``eth_submitLogin``, ``eth_getWork``, ``eth_submitWork``."""

    def opening(self) -> list[Ask]:
        return [
            Ask("authorize", "eth_submitLogin", [self.worker.name, self.worker.password]),
            # A pool that has no work yet says so by an error, and pushes what comes.
            Ask("work", "eth_getWork", [], optional=True),
        ]

    def answer(self, purpose: str, result: t.Any) -> bool:
        if purpose == "authorize":
            self._authorize(result)
        elif purpose == "work":
            return self.pushed(result)
        return False

    def pushed(self, result: t.Any) -> bool:
        if not isinstance(result, list):
            return False
        found, known = getwork_job(result), self.job
        if isinstance(known, EthashJob) and known.header_hash == found.header_hash:
            found = dataclasses.replace(found, clean=False)  # another boundary voids no work
            if dataclasses.replace(known, clean=False) == found:
                return False
        self.job = found
        return True

    def submission(self, job: UpstreamJob, solution: Solution) -> Ask:
        assert isinstance(job, EthashJob)
        words = [solution.nonce, job.header_hash.hex(), solution.mix]
        return Ask("submit", "eth_submitWork", [f"0x{word}" for word in words])


def _mask(result: object) -> str | None:
    """Return the version bits that ``mining.configure`` allows, as hex of 4 bytes; None: none."""
    if not isinstance(result, dict) or result.get("version-rolling") is not True:
        return None
    mask = result.get("version-rolling.mask")
    if not isinstance(mask, str) or not is_hex(mask) or len(mask) != 8:
        raise Misbehaved("The pool's version mask is not hex of 4 bytes.")
    return f"{int(mask, 16) & VERSION_MASK:08x}"


def _prefix(text: object) -> str:
    if not isinstance(text, str) or not is_hex(text) or len(text) > 2 * MAX_NICEHASH_PREFIX:
        raise Misbehaved(f"The pool's extranonce is not hex of at most {MAX_NICEHASH_PREFIX} bytes.")
    return text.lower()


def _number(difficulty: Decimal) -> int | float:
    return int(difficulty) if difficulty == int(difficulty) else float(difficulty)
