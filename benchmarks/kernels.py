"""Hash rates of every kernel: all paths on one thread and one core, the page's modules in Node, and other programs.

All that compute the same take turns, round by round, each for an equal slice of time, and every round begins with another
one, so that what else the machine does falls on all alike. A value is the median of the rounds, a ratio the median of the
ratios within a round; ratio_of_maxima compares the best rounds.

ALGORITHM/native is what a miner uses by default, the fastest path; each path has a row of its own as well.
ALGORITHM/wasm is the module for browsers with SIMD, ALGORITHM/wasm-scalar the one for others; ALGORITHM/two-threads is
the default path on two cores. hashlib is what Python computes without compiled kernels. ethash-light searches with the
cache of epoch 0, ethash-full in 1 GiB of noise, which is as fast as a dataset of that size; both are made in memory.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.contestants import Contestant, Native, Page, TwoThreads, cores, pinned
from benchmarks.peers import PATIENCE, Peer, PeerError, parse_peer
from benchmarks.results import Result, median_ratio, print_results
from benchmarks.subjects import SUBJECTS, Subject
from miner.pow import ALGORITHMS, PowError

Rates = Mapping[str, Sequence[float]]

REFERENCE, HASHLIB, PORTABLE, NATIVE = "reference", "hashlib", "portable", "native"
WASM, SCALAR, ONE, TWO = "wasm", "wasm-scalar", "one-thread", "two-threads"
OWN = (HASHLIB, PORTABLE, NATIVE, WASM, ONE)
"""References of our own, whose names no peer can have."""

PEERS = f"""\
peers:
  ALGORITHM/NAME=COMMAND compares ALGORITHM/native with another program, ALGORITHM/wasm/NAME=COMMAND compares
  ALGORITHM/wasm with a program that computes as a page does. Where one ALGORITHM is measured, NAME=COMMAND will do.

  The shell runs COMMAND once in every round, on the same core. Its rate is the last one that it prints, on stdout or
  stderr: a number and H/s, kH/s, MH/s or GH/s (hash/s, khash/s, … too, as some miners have it). COMMAND finds the
  seconds of a slice in $BENCHMARK_SECONDS, can take more for starting and warming up, and is ended {PATIENCE:g} s later if it
  goes on. A command that has printed no rate by then ends the benchmark.

  python -m benchmarks kernels scrypt --peer minerd='minerd -a scrypt -t 1 --benchmark -s 1'
"""


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    names = _names(options.algorithm)
    results: list[Result] = []
    if not names:
        _tell("kernels: nothing was compiled here: install a C compiler and this distribution once more")
        return 1
    try:
        peers = [parse_peer(text, names) for text in options.peer]
        _check_names(peers)
        for name in names:
            results += _compare(SUBJECTS[name](), [peer for peer in peers if peer.algorithm == name], options)
    except (PeerError, PowError, MemoryError, RuntimeError) as error:
        _tell(f"kernels: {error}")
        return 1
    except KeyboardInterrupt:
        _tell("\nkernels: stopped")
        return 130
    print_results(results, as_json=options.json)
    return 0


def rows(name: str, default: str, rates: Rates, peers: Sequence[Peer]) -> list[Result]:
    """Return what the rounds of one algorithm come to.

    :param default: the path that `native` stands for.
    :param rates: the rates of all rounds, under the names of paths, ``hashlib``, ``wasm``, ``wasm-scalar``, ``two-threads`` and
        :func:`key` of each peer; only what took part.
    """

    def against(row: str, own: str, references: Mapping[str, str]) -> Iterator[Result]:
        for reference, other in references.items():
            if own in rates and other in rates:
                yield ratio(f"{name}/{row}", rates[own], reference, rates[other])

    def theirs(level: str) -> dict[str, str]:
        return {peer.name: key(peer) for peer in peers if peer.level == level}

    native = {HASHLIB: HASHLIB, PORTABLE: PORTABLE, WASM: WASM, **theirs(NATIVE)}
    page = {NATIVE: default, PORTABLE: PORTABLE, **theirs(WASM)}
    found = [*against(NATIVE, default, native), *against(WASM, WASM, page)]
    found += against(SCALAR, SCALAR, {WASM: WASM})
    found += against(TWO, TWO, {ONE: default})
    for path in rates:
        if path not in (HASHLIB, WASM, SCALAR, TWO) and "/" not in path:
            found += against(path, path, {NATIVE: default} if path == PORTABLE else {PORTABLE: PORTABLE})
    return found


def key(peer: Peer) -> str:
    """Return what the rates of `peer` are called; no path has such a name."""
    return f"{peer.level}/{peer.name}"


def _compare(subject: Subject, peers: Sequence[Peer], options: argparse.Namespace) -> list[Result]:
    default = subject.algorithm.kernel().name
    with contextlib.ExitStack() as stack:
        here = cores()
        stack.enter_context(pinned(here[0] if here else None))
        field = _field(subject, default, peers, here)
        for contestant in field.values():
            stack.callback(contestant.close)
        _tell(f"{subject.name}: {options.rounds} rounds of {', '.join(field)} (native is {default})")
        rates = measure(field, options.rounds, options.seconds)
    return rows(subject.name, _name(default), rates, peers)


def _field(
    subject: Subject, default: str, peers: Sequence[Peer], here: Sequence[int]
) -> dict[str, Contestant]:
    """Return who takes part, by the names that :func:`rows` knows."""
    field: dict[str, Contestant] = {
        _name(path): Native(subject, path) for path in subject.algorithm.implementations
    }
    if len(here) > 1 and subject.algorithm.releases_gil:
        field[TWO] = TwoThreads(subject, default, here)
    node = shutil.which("node")
    for name, level in ((WASM, "simd"), (SCALAR, "scalar")):
        module = subject.module_path(level)
        if module is not None and node is not None:
            field[name] = Page(node, subject, module)
    if node is None:
        _tell("Node is not installed here: no page is measured (apt-get install nodejs)")
    return field | {key(peer): peer for peer in peers}


def measure(field: Mapping[str, Contestant], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return the rates of who takes part, round by round."""
    order = list(field)
    rates: dict[str, list[float]] = {name: [] for name in order}
    # Nothing is measured of code that has not run: Node compiles it better while it runs.
    for contestant in field.values():
        contestant.run(seconds)
    for at in range(rounds):
        for name in order[at % len(order) :] + order[: at % len(order)]:
            rates[name].append(field[name].run(seconds))
    return rates


def ratio(name: str, ours: Sequence[float], reference: str, theirs: Sequence[float]) -> Result:
    """Return what the rounds of one and of a reference come to."""
    more = {
        "max": max(ours),
        "ratio_of_maxima": max(ours) / max(theirs),
        "reference_value": statistics.median(theirs),
        "reference_max": max(theirs),
    }
    return Result(name, statistics.median(ours), "H/s", reference, median_ratio(ours, theirs), more)


def _name(path: str) -> str:
    return HASHLIB if path == REFERENCE else path


def _names(asked: Sequence[str]) -> list[str]:
    """Return the subjects that are meant: ethash is both of its own, and nothing is everything that was compiled here."""
    algorithms = {name: name.partition("-")[0] for name in SUBJECTS}
    if asked:
        return [name for name in SUBJECTS if name in asked or algorithms[name] in asked]
    compiled = [name for name, algorithm in ALGORITHMS.items() if algorithm.implementations != (REFERENCE,)]
    return [name for name in SUBJECTS if algorithms[name] in compiled]


def _check_names(peers: Sequence[Peer]) -> None:
    seen = set()
    for peer in peers:
        which = (peer.algorithm, key(peer))
        if peer.name in OWN or which in seen:
            raise PeerError(
                f"There is a {peer.name} for {peer.algorithm} already; give the peer another name."
            )
        seen.add(which)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks kernels",
        description=__doc__,
        epilog=PEERS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "algorithm",
        nargs="*",
        choices=[[], *SUBJECTS, "ethash"],
        metavar="ALGORITHM",
        help=f"{', '.join(SUBJECTS)}, or ethash for both; all by default",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--rounds", type=rounds_asked, default=9, metavar="N", help="how often each has its turn (default 9)"
    )
    parser.add_argument(
        "--seconds", type=seconds_asked, default=1.0, metavar="S", help="how long a turn is (default 1)"
    )
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND", help="see below")
    return parser


def rounds_asked(text: str) -> int:
    rounds = int(text)
    if rounds < 1:
        raise argparse.ArgumentTypeError("give at least 1 round")
    return rounds


def seconds_asked(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 60:
        raise argparse.ArgumentTypeError("give more than 0 seconds and at most 60")
    return seconds


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
