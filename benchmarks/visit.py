"""What a visitor waits for: a page that costs three tickets, at default settings, from "Agree and start" to paid.

Each run is a new visitor in a new browser profile, beside what is to be expected: the hashes of three tickets at the rate of the
page's own kernel (measured before and after, one thread at full duty) times threads and duty. Luck decides how many hashes a ticket
takes: visit/expected has it in it, visit/tried compares with the hashes that were really tried.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import statistics
import sys
import tempfile
import time
import typing as t
from collections.abc import Sequence

from benchmarks.inpage import Tab
from benchmarks.results import Result, print_results
from benchmarks.subjects import SUBJECTS

PICTURE, TICKETS = "birches", 3
MOST_SECONDS = 600.0

LAST_RUN = """(async () => {
  const opening = indexedDB.open("ticketminer:/ticketminer/");
  await new Promise((resolve) => (opening.onsuccess = resolve));
  const all = opening.result.transaction("runs").objectStore("runs").getAll();
  await new Promise((resolve) => (all.onsuccess = resolve));
  opening.result.close();
  const { hashes, threads, duty, accepted } = all.result.at(-1);
  return { hashes, threads, duty, accepted };
})()"""


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    import browsers

    absent = browsers.absent(options.browser)
    if absent is not None:
        print(f"visit: {absent}", file=sys.stderr)
        return 1
    from demo_sites import DemoSites
    from engine_pages import served

    from flask_ticketminer.config import DEFAULT_EFFORT

    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        effort = {"yespower": options.effort} if options.effort else dict(DEFAULT_EFFORT)
        site = stack.enter_context(DemoSites(folder)).shop(TICKETMINER_EFFORT=effort)
        browser = stack.enter_context(browsers.launch(options.browser, folder / "browser"))
        port = stack.enter_context(served())
        visits = [_visit(browser, site, port) for _ in range(options.runs)]
    print_results(results(visits), as_json=options.json)
    return 0


class Visit(t.NamedTuple):
    """Seconds that one visitor waited, the hashes tried and expected, and hashes a second of all threads at their duty."""

    seconds: float
    tried: float
    expected: float
    rate: float


def _visit(browser: t.Any, site: t.Any, port: int) -> Visit:
    from visits import Widget

    before = _rate(browser, port)
    with browser.profile() as profile:
        widget = Widget(profile.tab(f"{site.url}/pictures/{PICTURE}"))
        widget.see("ask.pay", n=TICKETS)
        began = time.monotonic()
        widget.agree()
        widget.see("paid", MOST_SECONDS)
        seconds = time.monotonic() - began
        run = widget.tab.evaluate(LAST_RUN)
    rate = statistics.mean((before, _rate(browser, port))) * run["threads"] * run["duty"]
    settings = site.app.extensions["ticketminer"].settings
    expected = settings.expected_hashes(settings.algorithm, TICKETS)
    visit = Visit(seconds, run["hashes"], expected, rate)
    print(
        f"{seconds:.1f} s, {visit.tried:.0f} hashes tried, {expected} expected, {rate:.0f} a second at {run['threads']} thread(s) "
        f"and a duty of {run['duty']}",
        file=sys.stderr,
        flush=True,
    )
    return visit


def _rate(browser: t.Any, port: int) -> float:
    with browser.profile() as profile:
        tab = Tab(profile, port, SUBJECTS["yespower"]())
        tab.run(1)
        return tab.run(3)


def results(visits: Sequence[Visit]) -> list[Result]:
    """Return the median wait, as ratios of what was to be expected, and of what luck left, to what it took."""
    seconds = statistics.median(visit.seconds for visit in visits)

    def result(name: str, reference: str, ideal: t.Callable[[Visit], float]) -> Result:
        ratio = statistics.median(ideal(visit) / visit.seconds for visit in visits)
        return Result(f"visit/{name}", seconds, "s", reference, ratio, {"runs": len(visits)})

    return [
        result("expected", "expected-hashes", lambda visit: visit.expected / visit.rate),
        result("tried", "tried-hashes", lambda visit: visit.tried / visit.rate),
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks visit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--browser", choices=("chromium", "firefox"), default="chromium")
    parser.add_argument(
        "--effort", type=int, metavar="N", help="hashes of a ticket (default: the site's default)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="how many visitors (default 5)")
    return parser
