"""Hash rates in a page: the worker of a real browser at full duty, against the same WebAssembly module in Node.

Both take turns, round by round; a value is the median of the rounds, a ratio the median of the ratios within a round.

ALGORITHM/page is what a visitor's page reaches with one thread, with all that it does besides: it listens for messages after every
10 ms, counts, tells the core, and divides the nonces. ALGORITHM/page-javascript is what it does where a policy forbids WebAssembly.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import shutil
import sys
import tempfile
import typing as t
from collections.abc import Sequence

from benchmarks.contestants import Contestant
from benchmarks.contestants import Page as Node
from benchmarks.kernels import measure, ratio, rounds_asked, seconds_asked
from benchmarks.results import Result, print_results
from benchmarks.subjects import SUBJECTS, Subject

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tests"))

NAMES = ("yespower", "scrypt", "sha256d", "neoscrypt", "ethash-light")
IN_JAVASCRIPT = ("yespower", "scrypt", "sha256d")
PAGE, JAVASCRIPT, NODE, SCALAR = "page", "page-javascript", "node", "node-scalar"


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    node = shutil.which("node")
    if node is None:
        return _refuse("Node is not installed here: apt-get install nodejs")
    import browsers

    absent = browsers.absent(options.browser)
    if absent is not None:
        return _refuse(absent)
    results: list[Result] = []
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = stack.enter_context(browsers.launch(options.browser, folder))
        from engine_pages import served

        port = stack.enter_context(served())
        for name in options.algorithm or NAMES:
            results += _compare(SUBJECTS[name](), node, browser, port, options)
    print_results(results, as_json=options.json)
    return 0


class Tab:
    """The engine in a tab, one thread at full duty, which is halted between two runs."""

    def __init__(self, profile: t.Any, port: int, subject: Subject, assets: str = "x") -> None:
        from engine_pages import Page

        self._page = Page(profile, f"http://127.0.0.1:{port}", assets)
        self._page.make()
        job = {
            "algorithm": subject.module,
            "blob": subject.blob.hex(),
            "target": "00",  # which no digest meets
            "nonceOffset": subject.nonce_offset,
            "nonceSize": subject.nonce_size,
            "epoch": 0,
        }
        self._page("engine.search({ ...job(args[0]), seed: new Uint8Array(32) })", job)

    def run(self, seconds: float) -> float:
        # The first worker takes a while to load: a turn begins with the first hashes.
        hashes, took = self._page(
            """(async (first) => {
              engine.go();
              for (let waits = 0; hashes() === first && waits < 600; waits++) await sleep(50);
              const before = hashes(), began = performance.now();
              await sleep(1000 * args[0]);
              await engine.halt();
              return [hashes() - before, (performance.now() - began) / 1000];
            })(hashes())""",
            seconds,
        )
        if not hashes:
            raise RuntimeError(f"the page has not hashed: {self._page('events')}")
        return float(hashes / took)

    def close(self) -> None:
        self._page.tab.close()


def _compare(
    subject: Subject, node: str, browser: t.Any, port: int, options: argparse.Namespace
) -> list[Result]:
    with contextlib.ExitStack() as stack:
        profile = stack.enter_context(browser.profile())
        field: dict[str, Contestant] = {}
        for name, level in ((NODE, "simd"), (SCALAR, "scalar")):
            if name == NODE or subject.name in IN_JAVASCRIPT:
                module = subject.module_path(level)
                assert module is not None
                field[name] = Node(node, subject, module)
        field[PAGE] = Tab(profile, port, subject)
        if subject.name in IN_JAVASCRIPT:
            field[JAVASCRIPT] = Tab(profile, port, subject, "forbidden")
        for contestant in field.values():
            stack.callback(contestant.close)
        print(f"{subject.name}: {options.rounds} rounds of {', '.join(field)}", file=sys.stderr, flush=True)
        rates = measure(field, options.rounds, options.seconds)
    rows = [(PAGE, NODE), (JAVASCRIPT, SCALAR), (JAVASCRIPT, PAGE)]
    return [
        ratio(f"{subject.name}/{ours}", rates[ours], theirs, rates[theirs])
        for ours, theirs in rows
        if ours in rates
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks page",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "algorithm", nargs="*", choices=[[], *NAMES], metavar="ALGORITHM", help=", ".join(NAMES)
    )
    parser.add_argument("--browser", choices=("chromium", "firefox"), default="chromium")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--rounds", type=rounds_asked, default=9, metavar="N", help="how often each has its turn (default 9)"
    )
    parser.add_argument(
        "--seconds", type=seconds_asked, default=2.0, metavar="S", help="how long a turn is (default 2)"
    )
    return parser


def _refuse(reason: str) -> int:
    print(f"page: {reason}", file=sys.stderr)
    return 1
