"""Batches of rounds: one site each, from a seed of its own, so that a run can stop after any of them and go on later."""

from __future__ import annotations

import contextlib
import pathlib
import time
import traceback
import typing as t
from collections.abc import Callable, Iterator

import postgres
import torture_jobs
import torture_race
import torture_siege
from torture_bridge import BridgeSiege, BridgeWorld
from torture_copies import Copies
from torture_moments import MOMENTS
from torture_proxy import Proxy, names
from torture_race import Race
from torture_siege import Siege
from torture_spenders import Spenders
from torture_tally import Tally
from torture_world import World

from flask_ticketminer.work.outbox import ACCEPTED, BLOCK, UNKNOWN

PARTS: t.Mapping[tuple[str, str], int] = {
    ("exactly-once", "sqlite"): 1000,
    ("exactly-once", "postgresql"): 1000,
    ("server-kill", "sqlite"): 200,
    ("server-kill", "postgresql"): 200,
    ("client-kill", "sqlite"): 100,
    ("client-kill", "postgresql"): 100,
    ("database-cut", "postgresql"): 200,
    ("wallet-copies", "sqlite"): 100,
    ("wallet-copies", "postgresql"): 100,
    ("bridge-kill", "sqlite"): 100,
    ("bridge-kill", "postgresql"): 100,
    ("jobs", "sqlite"): 100,
    ("jobs", "postgresql"): 100,
}
"""Rounds of a full run, by scenario and database."""
BATCH: t.Mapping[str, int] = {
    "exactly-once": 100,
    "server-kill": 20,
    "client-kill": 20,
    "database-cut": 20,
    "wallet-copies": 50,
    "bridge-kill": 50,
    "jobs": 100,
}

Progress = Callable[[int], None]
"""Told the number of rounds that were played in this batch."""


class Broken(Exception):
    """Something did not hold.

    :ivar round: its number, from 0.
    :ivar problems: sentences.
    :ivar tally: the batch until then.
    """

    def __init__(self, number: int, problems: t.Sequence[str], tally: Tally) -> None:
        super().__init__(f"round {number}: {'; '.join(problems[:10])}")
        self.round = number
        self.problems = problems
        self.tally = tally


def play(
    part: tuple[str, str],
    seed: str,
    first: int,
    rounds: int,
    folder: pathlib.Path,
    server: postgres.Postgres | None,
    *,
    evidence: pathlib.Path,
    progress: Progress = lambda _: None,
) -> Tally:
    """Play the rounds from number `first` on in a new site under `folder`.

    :param evidence: where that site's files go when something does not hold.
    :raises Broken: it did not.
    """
    scenario, kind = part
    if scenario == "jobs":
        return _jobs(folder, server if kind == "postgresql" else None, rounds)
    own_seed = f"{seed} {scenario} {kind} {first}"
    began = time.monotonic()
    tally = Tally()
    with _played(scenario, kind, own_seed, rounds, folder, server, tally) as (world, problems_of_rounds):
        try:
            for problems in problems_of_rounds:
                if problems:
                    raise Broken(first + tally.rounds - 1, problems, tally)
                progress(tally.rounds)
            problems = world.audit_command()
            tally.audits += 1
            if problems:
                raise Broken(first + tally.rounds - 1, problems, tally)
        except Broken:
            world.keep_evidence(evidence)
            raise
        except Exception as error:
            world.keep_evidence(evidence)
            raise Broken(first + tally.rounds, [traceback.format_exc()], tally) from error
        finally:
            tally.seconds = time.monotonic() - began
    return tally


def _jobs(folder: pathlib.Path, server: postgres.Postgres | None, rounds: int) -> Tally:
    """Let all processes hand out the jobs of all rounds from one template."""
    began = time.monotonic()
    url = f"sqlite:///{folder}/ticketminer.sqlite" if server is None else server.new_database()
    shop = torture_jobs.Workshop(folder, url)
    shop.publish(torture_jobs.header_job())
    each = -(-rounds * torture_jobs.JOBS // torture_jobs.PROCESSES)
    cuts = shop.hand_out(torture_jobs.Wish(each))
    doubled = torture_jobs.doubled(cuts)
    shop.close()
    tally = Tally(rounds=rounds, requests=len(cuts), winners=len(cuts) - doubled, doubled=doubled)
    tally.seconds = time.monotonic() - began
    if doubled:
        raise Broken(rounds - 1, [f"{doubled} of {len(cuts)} jobs were handed out to two visitors"], tally)
    return tally


def gaps(part: tuple[str, str], tally: Tally) -> list[str]:
    """Return the moments that were never met in a part of a hundred rounds and more: what was not tried is not proven."""
    scenario, kind = part
    if tally.rounds < 100 or scenario not in ("server-kill", "database-cut", "bridge-kill"):
        return []
    if scenario == "bridge-kill":
        return [name for name in ("sending/some", "unanswered/some") if not tally.moments[name]]
    wanted = names(torture_siege.TRANSACTIONS)
    if scenario == "server-kill":
        wanted = [name for name in MOMENTS if kind != "sqlite" or not name.endswith("/committed")]
    return [name for name in wanted if not tally.moments[name]]


@contextlib.contextmanager
def _played(
    scenario: str,
    kind: str,
    seed: str,
    rounds: int,
    folder: pathlib.Path,
    server: postgres.Postgres | None,
    tally: Tally,
) -> Iterator[tuple[World | BridgeWorld, Iterator[list[str]]]]:
    """Make the site of a batch, and lend it with what its rounds find wrong, one after another."""
    if scenario == "bridge-kill":
        with contextlib.closing(BridgeWorld(folder, kind, server, seed=seed)) as bridged:
            yield bridged, _bridge(bridged, rounds, tally)
        return
    run = _race if scenario == "exactly-once" else _siege
    with _world(scenario, kind, seed, folder, server) as (world, proxy):
        yield world, run(scenario, world, proxy, seed, rounds, tally)


@contextlib.contextmanager
def _world(
    scenario: str, kind: str, seed: str, folder: pathlib.Path, server: postgres.Postgres | None
) -> Iterator[tuple[World, Proxy | None]]:
    with contextlib.ExitStack() as stack:
        proxy = None
        if server is not None and kind == "postgresql" and scenario in ("server-kill", "database-cut"):
            proxy = Proxy(server.port)
            stack.callback(proxy.close)
        world = World(
            folder,
            kind,
            server,
            seed=seed,
            # Where nobody is killed, no lease may end while a view runs: its effect would be had for nothing.
            lease=torture_race.LEASE
            if scenario in ("exactly-once", "wallet-copies")
            else torture_siege.LEASE,
            moments=scenario == "server-kill",
            through=None if proxy is None else proxy.port,
        )
        stack.callback(world.close)
        world.server.start()
        yield world, proxy


def _race(
    _: str, world: World, __: Proxy | None, seed: str, rounds: int, tally: Tally
) -> Iterator[list[str]]:
    overdue = rounds - -(-rounds * torture_race.OVERDUE // 100)
    with contextlib.ExitStack() as stack:
        spenders = Spenders(torture_race.SPENDERS)
        stack.callback(spenders.close)
        race = Race(world, spenders, seed)
        stack.callback(race.close)
        for number in range(rounds):
            if number == overdue:
                world.server.kill()
                world.set_lease(1)
                world.server.start()
                race.overdue = True
            verdict, answers = race.round()
            tally.rounds += 1
            tally.requests += answers
            tally.winners += len(verdict.winners)
            tally.causes.update(verdict.causes)
            tally.lost += verdict.lost
            tally.doubled += verdict.doubled
            yield verdict.problems
        yield race.reconcile()


def _siege(
    scenario: str, world: World, proxy: Proxy | None, seed: str, rounds: int, tally: Tally
) -> Iterator[list[str]]:
    siege = Copies(world, seed) if scenario == "wallet-copies" else Siege(world, proxy, scenario, seed)
    with contextlib.closing(siege):
        for _ in range(rounds):
            outcome = siege.round()
            tally.rounds += 1
            tally.requests += outcome.requests
            tally.winners += outcome.settled
            tally.interrupted += outcome.interrupted
            tally.causes.update(outcome.causes)
            tally.moments.update(outcome.moments)
            tally.lost += outcome.lost
            tally.doubled += outcome.doubled
            tally.audits += 1
            yield outcome.problems
        if isinstance(siege, Copies):
            last = siege.reconcile()
            tally.winners += last.settled
            tally.interrupted += last.interrupted
            tally.lost += last.lost
            tally.doubled += last.doubled
            yield last.problems


def _bridge(world: BridgeWorld, rounds: int, tally: Tally) -> Iterator[list[str]]:
    with contextlib.closing(BridgeSiege(world)) as siege:
        for _ in range(rounds):
            problems = siege.round()
            tally.rounds += 1
            tally.audits += 1
            tally.doubled += len(world.pool.twice)
            yield problems
        problems = siege.finish()
        tally.lost += siege.lost
        tally.requests += len(world.pool.shares)
        tally.winners += siege.fates[ACCEPTED] + siege.fates[BLOCK]
        tally.interrupted += siege.fates[UNKNOWN]
        tally.causes.update(siege.fates)
        tally.moments.update(siege.moments)
        yield problems
