"""Server speed: how many redemptions and shares one worker serves, as ratios to a bare JSON view of the same worker.

The bare view takes JSON as large as a redemption's and answers with JSON. ``bare-get`` takes none; ``bare-durable`` waits until
the disk has what it took, as whoever spends or issues a ticket must. Everything runs in blocks that take turns, so that what else
the machine does falls on all alike; a ratio is the median of the ratios of neighbouring blocks. The load comes from another
process, a few connections at a time, one request a connection as gunicorn's ``sync`` worker serves them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from benchmarks import postgresql
from benchmarks.customers import Customers
from benchmarks.load import Load
from benchmarks.results import Result, median_ratio, percentile, print_results
from benchmarks.site import create_app
from benchmarks.spent import fill_spent

KINDS: dict[str, Callable[[Customers], bytes]] = {
    "bare-view": Customers.bare,
    "bare-get": Customers.bare_get,
    "bare-durable": Customers.bare_durable,
    "redeem": Customers.redeem,
    "pay-by-header": Customers.pay,
    "submit": Customers.submit,
}


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        os.environ["BENCHMARK_SCRATCH"] = os.path.join(folder, "scratch")
        load = Load()
        stack.callback(load.stop)
        if not options.only_spent:
            for name, url in _databases(options, pathlib.Path(folder), stack):
                _tell(
                    f"measuring on {name}: {options.rounds} rounds of {options.block} requests of each kind"
                )
                results += _compare(name, url, load, options)
        if options.spent:
            results.append(_growth(pathlib.Path(folder), load, options))
    print_results(results, as_json=options.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks server", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=9, help="blocks of each kind (default 9)")
    parser.add_argument("--block", type=int, default=200, help="requests a block (default 200)")
    parser.add_argument("--postgresql", metavar="URL", help="also measure on this empty PostgreSQL database")
    parser.add_argument(
        "--spent", type=int, default=0, metavar="N", help="also compare N spent tickets with 10,000"
    )
    parser.add_argument("--only-spent", action="store_true", help="measure nothing but --spent")
    return parser


def _databases(
    options: argparse.Namespace, folder: pathlib.Path, stack: contextlib.ExitStack
) -> Iterator[tuple[str, str]]:
    yield "sqlite", f"sqlite:///{folder}/ticketminer.sqlite"
    if options.postgresql:
        yield "postgresql", options.postgresql
    elif (found := postgresql.programs()) is not None:
        yield "postgresql", stack.enter_context(postgresql.running(found))
    else:
        _tell("PostgreSQL is not installed here: measuring SQLite only (apt-get install postgresql)")


def _compare(name: str, url: str, load: Load, options: argparse.Namespace) -> list[Result]:
    customers = _customers(url)
    with _served(url) as port:
        rates: dict[str, list[float]] = defaultdict(list)
        times: dict[str, list[float]] = defaultdict(list)
        # Nothing is measured of a worker that has not yet done everything once.
        for request in KINDS.values():
            load.send(port, [request(customers) for _ in range(20)])
        for _ in range(options.rounds):
            blocks = {
                kind: [request(customers) for _ in range(options.block)] for kind, request in KINDS.items()
            }
            for kind, requests in blocks.items():
                seconds, each = load.send(port, requests)
                rates[kind].append(len(requests) / seconds)
                times[kind] += each
    return [
        Result(
            f"{kind}/{name}",
            statistics.median(rates[kind]),
            "1/s",
            "bare-view",
            median_ratio(rates[kind], rates["bare-view"]),
            {f"p{share}_ms": percentile(times[kind], share / 100) * 1000 for share in (50, 99)},
        )
        for kind in KINDS
    ]


def _growth(folder: pathlib.Path, load: Load, options: argparse.Namespace) -> Result:
    """Compare a redemption among many spent tickets with one among 10,000."""
    sizes = (10_000, options.spent)
    rates: dict[int, list[float]] = defaultdict(list)
    times: dict[int, list[float]] = defaultdict(list)
    with contextlib.ExitStack() as stack:
        sites = {}
        for size in sizes:
            url = f"sqlite:///{folder}/spent-{size}.sqlite"
            customers = _customers(url)
            _tell(f"storing {size:,} spent tickets")
            fill_spent(url, customers.key_id(), size)
            sites[size] = stack.enter_context(_served(url)), customers
            load.send(sites[size][0], [customers.redeem() for _ in range(20)])
        for _ in range(options.rounds):
            for size, (port, customers) in sites.items():
                requests = [customers.redeem() for _ in range(options.block)]
                seconds, each = load.send(port, requests)
                rates[size].append(len(requests) / seconds)
                times[size] += each
    return Result(
        f"redeem-cost/{options.spent:,}-spent",
        statistics.median(rates[options.spent]),
        "1/s",
        "redeem with 10,000 spent; ratio of costs",
        median_ratio(rates[10_000], rates[options.spent]),
        {f"p{share}_ms": percentile(times[options.spent], share / 100) * 1000 for share in (50, 99)},
    )


def _customers(url: str) -> Customers:
    os.environ["BENCHMARK_DATABASE"] = url
    return Customers(create_app())


@contextlib.contextmanager
def _served(url: str) -> Iterator[int]:
    """Serve the site with one worker; yield the port."""
    port = postgresql.free_port()
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--workers=1",
        f"--bind=127.0.0.1:{port}",
        "--log-level=error",
    ]
    process = subprocess.Popen(
        [*command, "benchmarks.site:create_app()"], env={**os.environ, "BENCHMARK_DATABASE": url}
    )
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
