"""``ticketminer benchmark``: what this machine computes, measured without any site."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import click

from miner.cli.options import Command, Options, shared
from miner.cli.text import hashes as show_hashes
from miner.cli.text import plural
from miner.cli.text import rate as show_rate
from miner.engine import default_threads
from miner.pow import ALGORITHMS, Algorithm

_BLOB = b"ticketminer benchmark".ljust(84, b"\0")


@dataclass(frozen=True, slots=True)
class Measurement:
    """Hashes of one algorithm in so many seconds; `threads` is how many took part."""

    algorithm: str
    implementation: str
    threads: int
    hashes: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.hashes / self.seconds

    def members(self) -> dict[str, object]:
        return {
            "algorithm": self.algorithm,
            "implementation": self.implementation,
            "threads": self.threads,
            "hashes": self.hashes,
            "seconds": round(self.seconds, 3),
            "rate": round(self.rate, 1),
            "unit": "H/s",
        }


def measure(algorithm: Algorithm, *, threads: int, seconds: float) -> Measurement:
    """Hash for `seconds` without a rest. Threads that would not run in parallel are left out."""
    if not algorithm.releases_gil:
        threads = 1
    stop = threading.Event()
    counts = [0] * threads

    def work(index: int) -> None:
        counts[index] = algorithm.scan(
            _BLOB, 0, start=index << 48, count=1 << 48, nonce_offset=76, nonce_size=8, stop=stop
        ).hashes

    workers = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    try:
        time.sleep(seconds)
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    return Measurement(
        algorithm.name, algorithm.implementations[0], threads, sum(counts), time.perf_counter() - began
    )


def report(options: Options, names: list[str], *, threads: int | None, seconds: float) -> None:
    """Measure the named algorithms and print a line each."""
    for name in names:
        algorithm = ALGORITHMS[name]
        options.output.note(f"Measuring {name} for {seconds:g} s …")
        measured = measure(algorithm, threads=threads or default_threads(), seconds=seconds)
        options.output.result(
            f"{name:<9} {show_rate(measured.rate):>11}  with {plural(measured.threads, 'thread')} "
            f"({measured.implementation}; {show_hashes(measured.hashes)} in {measured.seconds:.1f} s)",
            measured.members(),
        )


@click.command("benchmark", cls=Command)
@click.argument("algo", nargs=-1, type=click.Choice(sorted(ALGORITHMS)))
@click.option("-t", "--threads", type=click.IntRange(1, 256), help="Threads; half the cores by default.")
@click.option(
    "--seconds",
    type=click.FloatRange(0.05, 3600),
    default=3.0,
    show_default=True,
    help="Seconds for each algorithm.",
)
@shared(network=False)
def benchmark(options: Options, algo: tuple[str, ...], threads: int | None, seconds: float) -> None:
    """Measure hash rates: of ALGO, or of every algorithm. Contacts nobody.

    Hashing runs at full speed here; `mine` rests half the time unless told otherwise (--duty).
    """
    report(options, list(algo) or list(ALGORITHMS), threads=threads, seconds=seconds)
