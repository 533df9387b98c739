"""``ticketminer benchmark``: what this machine computes, measured without any site."""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

import click

from miner.cli.options import Command, Options, shared
from miner.cli.text import hashes as show_hashes
from miner.cli.text import plural
from miner.cli.text import rate as show_rate
from miner.engine import default_threads
from miner.pow import ALGORITHMS, Algorithm, ethash

_HEADER = b"ticketminer benchmark".ljust(84, b"\0"), 76
_WORK = {"ethash": (bytes(40), 32)}
"""What is searched, and where its nonce of 8 bytes begins."""
_HOW = {"ethash": ", light"}


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


def measurable(name: str) -> Algorithm:
    """Return the algorithm; if it is ethash, with the light cache of epoch 0 in memory, which takes half a second.

    :raises PowError: it is not here.
    :raises MemoryError: there is none for the cache.
    """
    return ethash.with_table(ethash.computed(0)) if name == "ethash" else ALGORITHMS[name]


def measure(algorithm: Algorithm, *, threads: int, seconds: float) -> Measurement:
    """Hash for `seconds` without a rest. Threads that would not run in parallel are left out.

    :raises PowError: the algorithm has no such path here, or, for ethash, no table to search in.
    """
    kernel = algorithm.kernel()
    if not kernel.releases_gil:
        threads = 1
    blob, offset = _WORK.get(algorithm.name, _HEADER)
    begin, stop = threading.Event(), threading.Event()

    def work(index: int) -> int:
        begin.wait()  # threads that hash already would keep the others from starting
        return algorithm.scan(
            blob, 0, start=index << 48, count=1 << 48, nonce_offset=offset, nonce_size=8, stop=stop
        ).hashes

    with ThreadPoolExecutor(threads) as pool:
        try:
            workers = [pool.submit(work, index) for index in range(threads)]
            began = time.perf_counter()
            begin.set()
            wait(workers, seconds, FIRST_EXCEPTION)
        except RuntimeError as error:
            raise MemoryError(
                f"The system gives no {threads} threads; choose fewer with --threads."
            ) from error
        finally:
            stop.set()
            begin.set()
        hashes = sum(worker.result() for worker in workers)
        elapsed = time.perf_counter() - began
    return Measurement(algorithm.name, kernel.name, threads, hashes, elapsed)


def report(options: Options, names: list[str], *, threads: int | None, seconds: float) -> None:
    """Measure the named algorithms and print a line each.

    :raises PowError: one has no path as asked for here.
    :raises MemoryError: there is none for the cache of ethash.
    """
    for name in names:
        if name == "ethash":
            options.output.note("Computing the light cache of epoch 0 in memory, for ethash …")
        algorithm = measurable(name)
        options.output.note(f"Measuring {name} for {seconds:g} s …")
        measured = measure(algorithm, threads=threads or default_threads(), seconds=seconds)
        how = f"{measured.implementation}{_HOW.get(name, '')}"
        options.output.result(
            f"{name:<9} {show_rate(measured.rate):>11}  with {plural(measured.threads, 'thread')} "
            f"({how}; {show_hashes(measured.hashes)} in {measured.seconds:.1f} s)",
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
    """Measure hash rates, of every algorithm or of those named. Contacts nobody.

    Hashing runs at full speed here; `mine` rests half the time unless told otherwise (--duty). Ethash is searched with the
    light cache of epoch 0, as a page does it. TICKETMINER_KERNEL=avx2 measures that path instead of the fastest.
    """
    report(options, list(algo) or list(ALGORITHMS), threads=threads, seconds=seconds)
