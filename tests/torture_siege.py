"""Nothing lost: visitors with real wallets at work while the server, they themselves or the database's connections are killed."""

from __future__ import annotations

import random
import time
import typing as t
from collections import Counter
from dataclasses import dataclass, field

import psycopg
from torture_app import PRICES
from torture_mischief import Death
from torture_moments import ARMED, MOMENTS, REACHED
from torture_proxy import Proxy, names
from torture_verdict import compare
from torture_visitors import EXPECTED, Orders, Task, Visitor
from torture_world import World

VISITORS = 6
LEASE = 1
"""Seconds; recovering waits for it."""
TRANSACTIONS = ("submit", "reserve", "settle", "redeem")


@dataclass
class Outcome:
    """What one round showed.

    :ivar moments: where the blows fell.
    :ivar interrupted: requests that spend or earn whose outcome their wallets did not know after it.
    """

    moments: list[str]
    interrupted: int = 0
    problems: list[str] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    requests: int = 0
    settled: int = 0
    causes: Counter[str] = field(default_factory=Counter)


class Siege:
    """The rounds of one batch, at one site.

    :param blow: ``server-kill``, ``client-kill`` or ``database-cut``.
    """

    expected = EXPECTED
    """What may become of a task."""

    def __init__(
        self, world: World, proxy: Proxy | None, blow: str, seed: str, *, visitors: int = VISITORS
    ) -> None:
        self.world = world
        self.proxy = proxy
        self.blow = blow
        self.chance = random.Random(seed)
        self.seed = seed
        self._serial = 0
        self._payments = 0
        self._agenda: list[str] = []
        self.visitors = [Visitor(world.folder, number, world.server.url) for number in range(visitors)]
        for visitor in self.visitors:
            fill = tuple(Task("mine", value) for value in (1, 1, 2, 2, 4, 16, 64))
            visitor.order(Orders(fill, seed))
        for visitor in self.visitors:
            visitor.wait()

    def close(self) -> None:
        for visitor in self.visitors:
            visitor.close()

    def round(self) -> Outcome:
        """Play one round: work, a blow, recovery, and the comparison of wallets and ledger."""
        self._serial += 1
        blow = {"server-kill": self._kill_server, "client-kill": self._kill_clients}.get(self.blow, self._cut)
        before = sum(visitor.requests for visitor in self.visitors)
        paths, outcome = blow()
        self._review(outcome)
        for visitor in self.visitors:
            interrupted, problems = visitor.finish(paths[visitor.number], self.chance.random() < 0.5)
            outcome.interrupted += interrupted
            outcome.problems += problems
        outcome.requests = sum(visitor.requests for visitor in self.visitors) - before
        self._compare(outcome)
        return outcome

    def _review(self, outcome: Outcome) -> None:
        """Count what became of everybody's tasks, and note what should not have."""
        for visitor in self.visitors:
            for text in visitor.outcomes:
                _, _, what = text.partition(": ")
                outcome.causes[what.removeprefix("refused: ")] += 1
                if what not in self.expected:
                    outcome.problems.append(f"visitor {visitor.number}: {text}")

    # Blows

    def _kill_server(self) -> tuple[list[list[str]], Outcome]:
        moment = self._next(lambda: ["random"] * len(self._server_moments()) + self._server_moments())
        self._arm(moment)
        paths = self._begin(moment.partition("/")[0])
        fell = self._wait_for(moment, self.chance.uniform(0.0, 0.3))
        self.world.server.kill()
        if fell == "random":
            # What can be seen of it afterwards: a payment was between its reservation and its end, or none was.
            fell = "random, payment under way" if self.world.reserved() else "random, none under way"
        self._disarm()
        time.sleep(self.chance.uniform(0, 0.1))
        self.world.server.start()
        self._end()
        return paths, Outcome([fell])

    def _kill_clients(self) -> tuple[list[list[str]], Outcome]:
        where = self._next(
            lambda: ["unsent", "sent", "sent", "answered", "booking", "booking", "outside", "outside"]
        )
        victims = self.chance.sample(self.visitors, self.chance.randint(1, 2))
        deaths = {}
        for victim in victims:
            after = self.chance.uniform(0.0005, 0.02 if where == "sent" else 0.006)
            if where != "outside":
                deaths[victim.number] = Death(self.chance.choice((0, 0, 1)), where, after)
        paths = self._begin(self.chance.choice(TRANSACTIONS), deaths)
        time.sleep(self.chance.uniform(0.0, 0.25))
        moments = []
        for victim in victims:
            if where == "outside":
                victim.kill()
        for visitor in self.visitors:
            if (visitor in victims and where == "outside") or not visitor.wait():
                moments.append(visitor.bury())
            elif visitor in victims:
                # It has made too few requests to die of one.
                visitor.kill()
                visitor.bury()
                moments.append("at rest")
        return paths, Outcome(moments)

    def _cut(self) -> tuple[list[list[str]], Outcome]:
        assert self.proxy is not None
        moment = self._next(lambda: [*names(TRANSACTIONS), *["bytes"] * 6, *["terminate"] * 6])
        outage = self.chance.uniform(0.05, 0.6) if self.chance.random() < 0.4 else 0.0
        if moment == "bytes":
            self.proxy.arm_bytes(self.chance.randint(1, 40_000), outage=outage)
        elif moment != "terminate":
            self.proxy.arm(moment, "cut", outage=outage)
        paths = self._begin(moment.partition("/")[0])
        fell = moment
        if moment == "terminate":
            self._terminate()
        self._end()
        if moment != "terminate" and not self.proxy.reached.is_set():
            fell = "missed"
        self.proxy.disarm()
        return paths, Outcome([fell])

    def _terminate(self) -> None:
        """Let PostgreSQL end the site's sessions, whatever they are at, a few times."""
        uri = self.world.uri.replace("postgresql+psycopg", "postgresql")
        assert self.proxy is not None
        with psycopg.connect(uri, autocommit=True) as connection:
            for _ in range(self.chance.randint(1, 4)):
                time.sleep(self.chance.uniform(0.0, 0.08))
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port = ANY(%s)",
                    [self.proxy.ports()],
                )

    # Work

    def _begin(self, focus: str, deaths: t.Mapping[int, Death] | None = None) -> list[list[str]]:
        """Set everybody to work, with what `focus` needs among the first tasks; return the paths that each will buy."""
        deaths = deaths or {}
        paths = []
        for visitor in self.visitors:
            tasks = self._tasks(focus, visitor.number)
            paths.append([task.path for task in tasks if task.verb == "buy"])
            seed = f"{self.seed} {self._serial} {visitor.number}"
            trouble = self.chance.choice((0.0, 0.0, 0.05, 0.15))
            visitor.order(Orders(tuple(tasks), seed, trouble, deaths.get(visitor.number)))
        return paths

    def _end(self) -> None:
        for visitor in self.visitors:
            if not visitor.wait():
                raise RuntimeError(f"visitor {visitor.number} died of itself")

    def _tasks(self, focus: str, number: int) -> list[Task]:
        chance = self.chance
        fitting = {
            "submit": [Task("mine", chance.choice((1, 2, 4)))],
            "redeem": [Task("split", chance.randint(1, 63)), Task("join")],
        }
        first = fitting.get(focus, [self._purchase("effect", number, 0)])
        others = [
            self._purchase(chance.choice(list(PRICES)), number, 1),
            Task("mine", chance.choice((1, 1, 2, 8, 32))),
            Task("split", chance.randint(1, 63)),
            Task("donate", 1),
            Task("join"),
            self._purchase("effect", number, 2),
        ]
        return [*first, *chance.sample(others, chance.randint(1, 3))]

    def _purchase(self, view: str, number: int, place: int) -> Task:
        name = f"{self._serial}-{number}-{place}"
        return Task(
            "buy",
            path=f"/{view}/{self.chance.choice((5, 40, 120))}-{name}"
            if view == "slow"
            else f"/{view}/{name}",
        )

    def _next(self, agenda: t.Callable[[], list[str]]) -> str:
        """Return the next of a shuffled list, so that everything on it comes equally often."""
        if not self._agenda:
            self._agenda = agenda()
            self.chance.shuffle(self._agenda)
        return self._agenda.pop()

    # Moments of the server

    def _server_moments(self) -> list[str]:
        # What SQLite has committed cannot be told from what it has not before it says so.
        return [name for name in MOMENTS if self.world.kind != "sqlite" or not name.endswith("/committed")]

    def _on_the_wire(self, moment: str) -> bool:
        return self.proxy is not None and moment.endswith(("/write", "/commit", "/committed"))

    def _arm(self, moment: str) -> None:
        if moment == "random":
            return
        if self._on_the_wire(moment):
            t.cast(Proxy, self.proxy).arm(moment, "stop")
            return
        waiting = self.world.folder / f"{ARMED}.new"
        waiting.write_text(moment)
        waiting.rename(self.world.folder / ARMED)

    def _disarm(self) -> None:
        if self.proxy is not None:
            self.proxy.disarm()
        for name in (ARMED, REACHED):
            (self.world.folder / name).unlink(missing_ok=True)

    def _wait_for(self, moment: str, seconds: float) -> str:
        """Wait until `moment` is reached, or for `seconds` at a random one; return what has come."""
        if moment == "random":
            time.sleep(seconds)
            return moment
        end = time.monotonic() + 5
        while time.monotonic() < end:
            if self._on_the_wire(moment):
                if t.cast(Proxy, self.proxy).reached.wait(0.005):
                    return moment
            elif (self.world.folder / REACHED).exists():
                return moment
            time.sleep(0.002)
        return "missed"

    # Comparison

    def _compare(self, outcome: Outcome) -> None:
        holdings = [visitor.holdings() for visitor in self.visitors]
        books = self.world.books()
        effects = self.world.effects()
        found = compare(books, holdings, effects, PRICES["effect"])
        outcome.problems += found.problems + self.world.unequal()
        outcome.lost += found.lost
        outcome.doubled += found.doubled
        outcome.settled = len(books.payments) - self._payments
        self._payments = len(books.payments)
