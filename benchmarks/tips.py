"""New work on its way: from a pool's message to waiting miners, and what late shares cost in a day.

A pool of ours, `flask ticketminer bridge`, a gunicorn with several processes and waiting miners, all real, on loopback. Each round the
pool voids its work; measured is when the new template is in the database, for how long any web process still answers with the old
tip, and when each miner has a job of the new work. Then days are simulated with the bridge as it was measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import pathlib
import statistics
import sys
import tempfile
import time
import typing as t
from collections.abc import AsyncIterator, Iterator, Sequence

from benchmarks import postgresql
from benchmarks.mine import COIN, create_app
from benchmarks.results import Result, percentile, print_results
from benchmarks.stale import Model, simulate
from benchmarks.waiting import Miner, Seen
from flask_ticketminer.site import Site
from flask_ticketminer.work.coins import Coin
from flask_ticketminer.work.source import SPREAD
from flask_ticketminer.work.templates import Templates

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tests"))

SEED = "tips"
BLOCK_TIMES = (600, 150, 60, 13)
_LIMIT = 0.01
_HARD = "1d00ffff"
_TICK = 0.05
_LONGEST = 60
"""Seconds after which a miner that has not moved never will."""
KINDS = {"600s-poll": (600, False), "150s-poll": (150, False), "13s-events": (13, True)}


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    found: list[Result] = []
    bridge = options.bridge
    if bridge is None:
        latencies: list[float] = []
        for block_time, events in (KINDS[kind] for kind in options.kind or KINDS):
            _tell(f"{options.rounds} new templates for {options.miners} miners, {_kind(block_time, events)}")
            found += asyncio.run(_Trial(options, block_time, events, latencies).run())
        bridge = statistics.median(latencies)
        worst = {"p99_ms": percentile(latencies, 0.99) * 1000}
        found.insert(0, Result("bridge", bridge * 1000, "ms", "1 s", 1 / bridge, worst))
    print_results([*found, *_days(bridge, options.sim_miners)], as_json=options.json)
    return 0


class _Trial:
    """One kind of coin, from an empty database."""

    def __init__(
        self, options: argparse.Namespace, block_time: int, events: bool, latencies: list[float]
    ) -> None:
        self._options = options
        self._block_time = block_time
        self._events = events
        self._latencies = latencies
        self._lags: list[float] = []

    async def run(self) -> list[Result]:
        from scripted_pool import ScriptedPool, Talk

        pool = ScriptedPool()

        async def greet(talk: Talk) -> None:
            await talk.say("mining.set_difficulty", 1)
            await talk.notify(nbits=_HARD)

        pool.greeting = greet
        with tempfile.TemporaryDirectory() as folder:
            async with pool, self._site(pathlib.Path(folder), pool.port) as (site, port, stream):
                coin = site.settings.coins[COIN]
                seen = Seen()
                miners = [
                    Miner(
                        number,
                        port,
                        seen,
                        site.settings.consent_version,
                        SEED,
                        events=stream if self._events else None,
                    )
                    for number in range(self._options.miners)
                ]
                async with asyncio.TaskGroup() as tasks:
                    waiting = [tasks.create_task(miner.run()) for miner in miners]
                    waiting.append(tasks.create_task(self._watch()))
                    told = await self._rounds(pool, site, coin, seen)
                    for task in waiting:
                        task.cancel()
                return self._results(seen, told, coin)

    async def _rounds(self, pool: t.Any, site: Site, coin: Coin, seen: Seen) -> list[tuple[str, str, float]]:
        """Let the pool void its work; return the tips before and after, and when the pool said so."""
        templates = Templates(site.database, site.clock, reread=0)
        told = []
        while len(seen.moved) < self._options.miners:
            await asyncio.sleep(0.1)
        for number in range(self._options.rounds):
            await asyncio.sleep(coin.poll * (1 + number % 7 / 7))
            current = templates.current(COIN)
            assert current is not None
            said = time.monotonic()
            await pool.talk.notify(f"round-{number}", nbits=_HARD)
            while (new := templates.current(COIN)) is None or new.tip == current.tip:
                await asyncio.sleep(0.002)
            self._latencies.append(time.monotonic() - said)
            told.append((current.tip, new.tip, said))
            while behind := [one for one in range(self._options.miners) if (one, new.tip) not in seen.moved]:
                if time.monotonic() - said > _LONGEST:
                    raise RuntimeError(
                        f"{len(behind)} miners have no job of the new work after {_LONGEST} s."
                    )
                await asyncio.sleep(0.05)
        site.database.dispose()
        return told

    def _results(self, seen: Seen, told: Sequence[tuple[str, str, float]], coin: Coin) -> list[Result]:
        moves = [
            seen.moved[miner, new] - said for _, new, said in told for miner in range(self._options.miners)
        ]
        kind = _kind(self._block_time, self._events)
        median, worst = statistics.median(moves), percentile(moves, 0.99)
        lag = {"lag_p99_ms": percentile(self._lags, 0.99) * 1000}
        if self._events:
            more = {"p99_ms": worst * 1000, **lag}
            return [Result(f"move/{kind}", median * 1000, "ms", "1 s", 1 / median, more)]
        bounds = coin.poll / 2 + 1, coin.poll + SPREAD + 0.5
        # The last moment at which a process was asked and still answered with the old tip.
        old = [
            max(
                (asked - said for process, tip, asked in seen.asked if (process, tip) == (one, before)),
                default=0.0,
            )
            for before, _, said in told
            for one in {process for process, _, _ in seen.asked}
        ]
        longest = max(0.001, *old)
        return [
            Result(f"web-processes/{kind}", longest * 1000, "ms", "1 s", 1 / longest, lag),
            Result(f"move/{kind}", median * 1000, "ms", "poll / 2 + 1 s", bounds[0] / median, lag),
            Result(f"move-p99/{kind}", worst * 1000, "ms", "poll + spread + 0.5 s", bounds[1] / worst, lag),
        ]

    async def _watch(self) -> None:
        """Write down by how much this process itself is late, as it is on a machine with too much to do."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(_TICK)
            self._lags.append(time.monotonic() - began - _TICK)

    @contextlib.asynccontextmanager
    async def _site(self, folder: pathlib.Path, pool: int) -> AsyncIterator[tuple[Site, int, int]]:
        """Serve the site; yield it, the web server's port and the event stream's."""
        port, stream = postgresql.free_port(), postgresql.free_port()
        with contextlib.ExitStack() as stack:
            found = postgresql.programs() if self._options.postgresql else None
            url = (
                f"sqlite:///{folder}/tickets.sqlite"
                if found is None
                else stack.enter_context(postgresql.running(found))
            )
            os.environ |= {
                "BENCHMARK_DATABASE": url,
                "BENCHMARK_POOL": str(pool),
                "BENCHMARK_BLOCK_TIME": str(self._block_time),
            }
            site: Site = create_app().extensions["ticketminer"]
            site.clock.now()
            flask = [sys.executable, "-m", "flask", "--app", "benchmarks.mine:create_app", "ticketminer"]
            web = [sys.executable, "-m", "gunicorn", f"--bind=127.0.0.1:{port}", "--log-level=error"]
            web += [f"--workers={self._options.processes}", "--threads=4", "--keep-alive=75"]
            commands = [
                [*flask, "bridge", "--quiet", "--listen", f"127.0.0.1:{stream}"],
                [*web, "benchmarks.mine:create_app()"],
            ]
            running = [await asyncio.create_subprocess_exec(*command) for command in commands]
            try:
                await _until_work(site, port)
                yield site, port, stream
            finally:
                for process in running:
                    process.terminate()
                for process in running:
                    await process.wait()


async def _until_work(site: Site, port: int) -> None:
    templates = Templates(site.database, site.clock)
    for _ in range(600):
        with contextlib.suppress(OSError):
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            if templates.current(COIN) is not None:
                return
        await asyncio.sleep(0.1)
    raise RuntimeError("The bridge or the web server did not start.")


def _days(bridge: float, miners: int) -> Iterator[Result]:
    """Yield the late shares of simulated days, against one in a hundred."""
    for block_time in BLOCK_TIMES:
        poll = min(10, max(1, block_time // 100))
        for events in (False, True):
            _tell(f"a simulated day, {_kind(block_time, events)}")
            day = simulate(Model(block_time, poll, bridge, events=events, miners=miners), 1)
            more = {f"p{share}_ms": percentile(day.moves, share / 100) * 1000 for share in (50, 99)}
            late = day.rate * 10_000
            yield Result(
                f"late/{_kind(block_time, events)}", late, "of 10,000", "100", _LIMIT / day.rate, more
            )


def _kind(block_time: int, events: bool) -> str:
    return f"{block_time}s-{'events' if events else 'poll'}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks tips", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--miners", type=int, default=200, help="that wait (default 200)")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this one; may be repeated")
    parser.add_argument("--processes", type=int, default=4, help="of the web server (default 4)")
    parser.add_argument("--rounds", type=int, default=10, help="new templates of each kind (default 10)")
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL instead of SQLite")
    parser.add_argument("--sim-miners", type=int, default=50, help="of a simulated day (default 50)")
    parser.add_argument(
        "--bridge", type=float, metavar="SECONDS", help="only simulate, with this latency of the bridge"
    )
    return parser


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
