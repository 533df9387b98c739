"""Visitors with real wallets: long-lived processes that mine, pay and exchange on command, and can be killed at any time."""

from __future__ import annotations

import contextlib
import pathlib
import random
import signal
import time
import typing as t
from dataclasses import dataclass, field

import httpx
from torture_app import DELIBERATE
from torture_mischief import BadLine, Death
from torture_server import processes

from miner.client import SiteClient
from miner.errors import (
    UNDECIDED,
    AlreadyDelivered,
    FarBehind,
    MinerError,
    NotEnoughTickets,
    PaymentFailed,
    SiteRefused,
    SiteUnreachable,
    TicketsTaken,
)
from miner.payment import TicketAuth
from miner.payment.prepared import resource_name
from miner.pow import ALGORITHMS
from miner.wallet import Wallet

PATIENCE = 60.0
"""Seconds in which a visitor must have found out what became of everything."""


@dataclass(frozen=True)
class Task:
    """Something that a visitor does: ``mine`` or ``donate`` (work worth `amount`), ``buy`` (`path`), ``split`` (off `amount`)
    or ``join``.
    """

    verb: str
    amount: int = 0
    path: str = ""


@dataclass(frozen=True)
class Orders:
    """One round's work.

    :ivar trouble: how bad the line is.
    """

    tasks: tuple[Task, ...]
    seed: str
    trouble: float = 0.0
    death: Death | None = None


@dataclass
class Holdings:
    """What a wallet says it has: key id and nonce of its tickets by state, and the number of unanswered requests."""

    available: list[tuple[bytes, bytes]] = field(default_factory=list)
    spent: list[tuple[bytes, bytes]] = field(default_factory=list)
    other: list[tuple[bytes, bytes]] = field(default_factory=list)
    unanswered: int = 0


class Visitor:
    """One wallet and the process that uses it.

    :ivar outcomes: what became of each task of the present round, as far as was reported.
    """

    def __init__(self, folder: pathlib.Path, number: int, origin: str) -> None:
        self.wallet = folder / f"wallet-{number}.sqlite"
        self.grave = folder / f"grave-{number}"
        self.number = number
        self.origin = origin
        self.outcomes: list[str] = []
        self.requests = 0
        self.start()

    def start(self) -> None:
        """Start the process; the wallet is what an earlier one has left."""
        context = processes()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_live, args=(theirs, str(self.wallet), str(self.grave), self.origin), daemon=True
        )
        self._process.start()
        theirs.close()

    def order(self, orders: Orders) -> None:
        """Begin with `orders`; :meth:`wait` tells how it went."""
        self.outcomes = []
        self._pipe.send(("work", orders))

    def wait(self) -> bool:
        """Wait for the end of the orders; return whether the visitor lived to see it."""
        return self._hear() is not None

    def finish(self, paths: t.Sequence[str], repeat: bool) -> tuple[int, list[str]]:
        """Find out what became of everything unanswered and fetch what was paid for.

        Returns how many requests were unanswered, and sentences about what went wrong.
        """
        self._pipe.send(("finish", list(paths), repeat))
        heard = self._hear()
        if heard is None:
            return 0, [f"visitor {self.number} died while recovering"]
        return t.cast("tuple[int, list[str]]", heard)

    def holdings(self) -> Holdings:
        self._pipe.send(("hold",))
        heard = self._hear()
        if heard is None:
            raise RuntimeError(f"visitor {self.number} died")
        return t.cast(Holdings, heard)

    def restore(self) -> None:
        """Look at the site for everything that the wallet's words have earned, and for what is spent."""
        self._pipe.send(("restore",))
        if self._hear() is None:
            raise RuntimeError(f"visitor {self.number} died while restoring")

    def kill(self) -> None:
        self._process.kill()

    def bury(self) -> str:
        """Wait until the killed process is gone, start another, and return at which moment the first one died."""
        while self._hear() is not None:
            pass
        self._process.join()
        self._pipe.close()
        moment = self.grave.read_text() if self.grave.exists() else "from outside"
        self.grave.unlink(missing_ok=True)
        self.start()
        return moment

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _hear(self) -> t.Any:
        """Return the answer to the last command; None when the process has died."""
        end = time.monotonic() + 2 * PATIENCE
        while self._pipe.poll(max(0.0, end - time.monotonic())):
            try:
                kind, value = self._pipe.recv()
            except (EOFError, ConnectionError):
                return None
            if kind == "outcome":
                self.outcomes.append(value)
            elif kind == "requests":
                self.requests += value
            elif kind == "error":
                raise RuntimeError(f"visitor {self.number}: {value}")
            else:
                return value
        raise RuntimeError(f"visitor {self.number} does not answer")


class _Life:
    """What a visitor's process does."""

    def __init__(self, wallet: str, grave: str, origin: str) -> None:
        self.origin = origin
        self.line = BadLine(pathlib.Path(grave))
        self.wallet = Wallet.open(wallet)
        self.http = httpx.Client(transport=self.line, timeout=30, trust_env=False)
        self.client = SiteClient(origin, self.wallet, self.http)
        self.auth = TicketAuth(self.wallet, None, sleep=lambda seconds: time.sleep(min(seconds, 0.2)))

    def work(self, orders: Orders) -> t.Iterator[tuple[str, t.Any]]:
        before = self.line.counted = 0
        self.line.chance = random.Random(orders.seed)
        self.line.trouble, self.line.death = orders.trouble, orders.death
        for task in orders.tasks:
            outcome = _named(lambda task=task: self._do(task))
            yield "outcome", f"{task.verb}: {outcome}"
            if outcome == "unreachable":
                time.sleep(0.1)  # so that the other tasks meet the server that comes next
        self.line.await_death()
        self.line.trouble, self.line.death = 0.0, None
        yield "requests", self.line.counted - before
        yield "end", True

    def finish(self, paths: list[str], repeat: bool) -> tuple[int, list[str]]:
        """Repeat what was not answered: each request through the page it was for, or all of them through ``recover``."""
        end = time.monotonic() + PATIENCE
        wrong: list[str] = []
        problems: tuple[str, ...] = ()
        interrupted = len(self.wallet.unanswered())
        while time.monotonic() < end:
            for path in paths:
                resource = resource_name("GET", self.origin + path)
                open_ones = [request.resource for request in self.wallet.unanswered(kind="payment")]
                paid = self.wallet.find_pass(self.origin, resource) is not None
                if paid or (repeat and resource in open_ones):
                    wrong += _unexpected(_named(lambda path=path: self._buy(path)))
            with contextlib.suppress(SiteUnreachable):
                problems = self.client.recover().problems
            if not self.wallet.unanswered() and not self._passes(paths):
                return interrupted, wrong
            time.sleep(0.05)
        return interrupted, [*wrong, f"not decided after {PATIENCE:.0f} s: {'; '.join(problems)}"]

    def hold(self) -> Holdings:
        holdings = Holdings(unanswered=len(self.wallet.unanswered()))
        for ticket in self.wallet.tickets():
            kept = {"available": holdings.available, "spent": holdings.spent}
            kept.get(ticket.state, holdings.other).append((ticket.key_id, ticket.nonce))
        return holdings

    def _passes(self, paths: list[str]) -> bool:
        names = (resource_name("GET", self.origin + path) for path in paths)
        found = (self.wallet.find_pass(self.origin, name) for name in names)
        return any(access is not None and access.single_use for access in found)

    def _do(self, task: Task) -> str:
        if task.verb in ("mine", "donate"):
            return self._mine(task.amount, donate=task.verb == "donate")
        if task.verb == "buy":
            return self._buy(task.path)
        if task.verb == "join":
            self.client.join()
        elif task.verb == "split":
            self.client.make_exact(min(task.amount, self.wallet.balance(self.origin)))
        return "done"

    def _mine(self, value: int, *, donate: bool) -> str:
        job = self.client.job(["sha256d"], value=value, donate=donate)
        scan = ALGORITHMS[job.algorithm].scan
        place = {"nonce_offset": job.nonce_offset, "nonce_size": job.nonce_size}
        start, hits = 0, []
        while not hits:
            hits = scan(job.blob, job.target, start=start, count=1024, **place).hits
            start += 1024
        self.client.submit(job, hits[0][0])
        return "done"

    def _buy(self, path: str) -> str:
        reply = self.http.get(self.origin + path, headers={"Accept": "*/*"}, auth=self.auth)
        if DELIBERATE in reply.headers:
            return "view-failed"
        return "done" if reply.status_code == 200 else f"status {reply.status_code}: {_cause(reply)}"


EXPECTED = frozenset(
    {
        "done",
        "view-failed",
        "delivered before",
        "unreachable",
        "not enough tickets",
        *(f"refused: {cause}" for cause in UNDECIDED),
        *(f"status 409: {cause}" for cause in UNDECIDED),
        *(f"status 503: {cause}" for cause in UNDECIDED),
    }
)
"""What may become of a task. A site must never say anything else to a wallet that spends only its own tickets once."""


def _named(step: t.Callable[[], str]) -> str:
    """Return what became of `step`: its own word, or the name of what it raised."""
    try:
        return step()
    except AlreadyDelivered:
        return "delivered before"
    except FarBehind:
        return "more than 20 requests"
    except (SiteUnreachable, httpx.TransportError):
        return "unreachable"
    except NotEnoughTickets:
        return "not enough tickets"
    except TicketsTaken:
        return "tickets taken"
    except SiteRefused as error:
        return f"refused: {error.cause}"
    except PaymentFailed as error:
        return f"payment failed: {error.cause or 'asked again and again'}"
    except MinerError as error:
        return f"{type(error).__name__}: {error}"


def _unexpected(outcome: str) -> list[str]:
    return [] if outcome in EXPECTED else [outcome]


def _cause(reply: httpx.Response) -> str:
    if reply.headers.get("Content-Type", "").startswith("application/problem+json"):
        return str(reply.json().get("cause"))
    return reply.text[:100]


def _live(pipe: t.Any, wallet: str, grave: str, origin: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    life: _Life | None = None
    while True:
        try:
            command, *parts = pipe.recv()
        except EOFError:
            return
        try:
            life = life or _Life(wallet, grave, origin)
            if command == "work":
                for report in life.work(*parts):
                    pipe.send(report)
            elif command == "finish":
                pipe.send(("end", life.finish(*parts)))
            elif command == "restore":
                life.client.restore()
                pipe.send(("end", True))
            else:
                pipe.send(("end", life.hold()))
        except Exception as error:
            pipe.send(("error", f"{command}: {type(error).__name__}: {error}"))
