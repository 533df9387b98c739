"""Torture of the real server by real wallets, from one printed seed: ``make torture``; see ``docs/torture.md``."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
import typing as t
from dataclasses import dataclass, field

import postgres
from torture_batches import BATCH, PARTS, Broken, gaps, play
from torture_tally import Tally, table

STATE = pathlib.Path(".torture")
"""Folder of state files (one for each seed and choice of parts) and of evidence."""
GUESSED = {
    "exactly-once": 0.6,
    "server-kill": 1.5,
    "client-kill": 1.1,
    "database-cut": 1.1,
    "wallet-copies": 1.0,
    "bridge-kill": 4.0,
    "jobs": 1.0,
}
"""Seconds a round, until they were measured."""
EVERY = 10.0
"""Seconds between two lines of progress."""

Part = tuple[str, str]


@dataclass
class Run:
    """A run that can stop after any batch and go on later."""

    seed: str
    wanted: dict[str, int]
    tallies: dict[str, Tally] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    kept: bool = True
    """Whether it can be gone on with; a batch that is only repeated cannot."""

    @property
    def path(self) -> pathlib.Path:
        wanted = hashlib.sha256(json.dumps(self.wanted).encode()).hexdigest()
        return STATE / f"seed-{self.seed}-{wanted[:8]}.json"

    @property
    def finished(self) -> bool:
        return all(self.done(name) >= rounds for name, rounds in self.wanted.items())

    def done(self, name: str) -> int:
        return self.tallies[name].rounds if name in self.tallies else 0

    def save(self) -> None:
        if not self.kept:
            return
        STATE.mkdir(exist_ok=True)
        members = {
            "seed": self.seed,
            "wanted": self.wanted,
            "tallies": {name: tally.members() for name, tally in self.tallies.items()},
        }
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(members, indent=1))
        new.replace(self.path)

    @classmethod
    def read(cls, path: pathlib.Path) -> Run:
        members = json.loads(path.read_text())
        tallies = {name: Tally.read(one) for name, one in members["tallies"].items()}
        return cls(members["seed"], members["wanted"], tallies)

    def left(self) -> float:
        """Return the seconds that are left, by the speed so far."""
        seconds = 0.0
        for name, rounds in self.wanted.items():
            tally = self.tallies.get(name)
            pace = GUESSED[name.split("/")[0]] if not tally else tally.seconds / tally.rounds
            seconds += pace * max(0, rounds - self.done(name))
        return seconds


def main(words: t.Sequence[str] | None = None) -> int:
    """Run what `words` ask for; return 0 only when everything held."""
    options = parse(words)
    run = choose(options)
    parts = [(part, rounds) for part, rounds in PARTS.items() if label(part) in run.wanted]
    print(f"seed {run.seed}; about {run.left() / 60:.0f} min", flush=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="ticketminer-torture-"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.ExitStack() as stack:
            server = None
            if any(kind == "postgresql" for (_, kind), _ in parts):
                programs = postgres.programs()
                if programs is None:
                    print("PostgreSQL is missing; install it: apt-get install postgresql", file=sys.stderr)
                    return 2
                server = stack.enter_context(postgres.running(programs))
            for part, _ in parts:
                play_part(run, part, options.first, scratch, server)
    except KeyboardInterrupt:
        print(
            f"\nStopped. Go on where it stopped with: make torture ARGS='--seed {run.seed}'", file=sys.stderr
        )
        return 130
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"\nseed {run.seed}\n{table(run.tallies, run.failed)}")
    for name, sentence in run.failed.items():
        print(f"\n{name}: {sentence}")
    held = not run.failed and run.finished
    print("\nEverything held." if held else "\nNOT everything held.")
    return 0 if held else 1


def parse(words: t.Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    scenarios, kinds = sorted({part[0] for part in PARTS}), sorted({part[1] for part in PARTS})
    parser.add_argument("--seed", help="decides everything; printed, and made up when it is left out")
    parser.add_argument("--scenario", choices=scenarios, action="append", help="only this one")
    parser.add_argument("--database", choices=kinds, action="append", help="only this one")
    parser.add_argument("--rounds", type=int, help="of each part, instead of the full counts")
    parser.add_argument("--tenth", action="store_true", help="a tenth of the full counts")
    parser.add_argument(
        "--from", type=int, dest="first", default=0, help="number of the first round, to repeat a batch"
    )
    parser.add_argument("--fresh", action="store_true", help="begin anew, even where a run was stopped")
    return parser.parse_args(words)


def choose(options: argparse.Namespace) -> Run:
    """Return the run that `options` mean: one that was stopped, where they do not ask for another."""
    wanted = {}
    for part, full in PARTS.items():
        if options.scenario and part[0] not in options.scenario:
            continue
        if options.database and part[1] not in options.database:
            continue
        wanted[label(part)] = options.rounds or (-(-full // 10) if options.tenth else full)
    if not options.fresh and not options.first:
        files = sorted(STATE.glob("seed-*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for run in map(Run.read, files):
            asked = options.seed in (None, run.seed)
            narrowed = options.scenario or options.database or options.rounds or options.tenth
            if asked and not run.finished and (run.wanted == wanted or (options.seed and not narrowed)):
                print(f"going on with the run of seed {run.seed}")
                return run
    run = Run(options.seed or str(random.SystemRandom().randrange(10**9)), wanted, kept=not options.first)
    run.save()
    return run


def label(part: Part) -> str:
    return "/".join(part)


def play_part(
    run: Run, part: Part, first: int, scratch: pathlib.Path, server: postgres.Postgres | None
) -> None:
    """Play what is left of one part, batch by batch; a part ends with its first failure."""
    name = label(part)
    size = BATCH[part[0]]
    while run.done(name) < run.wanted[name]:
        number = first + run.done(name)
        rounds = min(size, run.wanted[name] - run.done(name))
        evidence = STATE.absolute() / f"evidence-{run.seed}-{part[0]}-{part[1]}-{number}"
        again = (
            f"--seed {run.seed} --scenario {part[0]} --database {part[1]} --from {number} --rounds {rounds}"
        )
        folder = scratch / f"{part[0]}-{part[1]}-{number}"
        try:
            tally = play(
                part, run.seed, number, rounds, folder, server, evidence=evidence, progress=Line(run, part)
            )
        except Broken as broken:
            run.failed[name] = (
                f"{broken}\n  seed {run.seed}, round {broken.round}; evidence in {evidence}\n"
                f"  again: make torture ARGS='{again}'"
            )
            print(f"{name}: {run.failed[name]}", file=sys.stderr, flush=True)
            run.tallies.setdefault(name, Tally()).add(broken.tally)
            return
        run.tallies.setdefault(name, Tally()).add(tally)
        run.save()
    missed = gaps(part, run.tallies[name])
    if missed:
        run.failed[name] = (
            f"these moments were never met, so nothing is proven about them: {', '.join(missed)}"
        )


class Line:
    """Prints progress now and then."""

    def __init__(self, run: Run, part: Part) -> None:
        self._run, self._name = run, label(part)
        self._began = self._printed = time.monotonic()

    def __call__(self, rounds: int) -> None:
        now = time.monotonic()
        if now - self._printed < EVERY:
            return
        self._printed = now
        total, done = self._run.wanted[self._name], self._run.done(self._name) + rounds
        rate = rounds / (now - self._began)
        print(
            f"{self._name}  {done}/{total} rounds  {rate:.1f}/s  this part {(total - done) / rate / 60:.0f} min left, "
            f"all {self._run.left() / 60:.0f} min",
            flush=True,
        )


if __name__ == "__main__":
    raise SystemExit(main())
