"""Breaking one line of the program and running tests on what is left: does anybody notice?

A mutant lives in a copy of the tree, so nothing has to be put back. It counts as caught only when pytest ran tests and one of them
failed in its own steps; a program that no longer imports proves nothing.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import typing as t
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).parent.parent
NEEDED = (
    *("flask_ticketminer", "miner", "demo_donation", "demo_shop", "tests", "docs"),
    *("pyproject.toml", "setup.cfg", "README.md"),
)
"""What the copy holds."""
TIME_LIMIT = 120
"""Seconds for the tests of one mutant."""
_BROKEN = ("ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError", "NameError")


class NotCaught(Exception):
    """The mutant was not caught, or the check itself does not hold; the message says which."""


@dataclass(frozen=True)
class Mutant:
    """One safety line and its broken replacement.

    :ivar name: what the line protects.
    :ivar file: below the root of the tree.
    :ivar line: text that stands in the file exactly once, within one line.
    :ivar broken: what takes its place.
    :ivar tests: ``file::test`` below ``tests/``; each of them may catch it.
    """

    name: str
    file: str
    line: str
    broken: str
    tests: tuple[str, ...]

    def apply(self, tree: pathlib.Path) -> None:
        """Break the line in the copy at `tree`.

        :raises NotCaught: the text is not there exactly once.
        """
        path = tree / self.file
        source = path.read_text()
        found = source.count(self.line)
        if found != 1 or "\n" in self.line:
            raise NotCaught(
                f"{self.name}: {self.file} has this line {found} times, not once; name another: {self.line}"
            )
        path.write_text(source.replace(self.line, self.broken))


class Result(t.NamedTuple):
    """What pytest said: the number of tests that ran, and those that failed, each with the name of its error."""

    ran: int
    failed: dict[str, str]
    output: str


def catch(mutant: Mutant) -> str:
    """Return the test that catches `mutant`.

    :raises NotCaught: none does, or it could not be tried.
    """
    with tempfile.TemporaryDirectory(prefix="ticketminer-mutant-") as folder:
        tree = copy_tree(pathlib.Path(folder))
        mutant.apply(tree)
        result = run(tree, mutant.tests)
    if not result.failed:
        raise NotCaught(f"{mutant.name}: not caught by {', '.join(mutant.tests)}\n{result.output}")
    test, error = next(iter(result.failed.items()))
    if error in _BROKEN:
        raise NotCaught(f"{mutant.name}: the mutant does not run ({error})\n{result.output}")
    return test


def check_unbroken(tests: Sequence[str]) -> int:
    """Run `tests` on an unchanged copy; return their number.

    :raises NotCaught: one fails, so that it could not tell a mutant from the program.
    """
    with tempfile.TemporaryDirectory(prefix="ticketminer-mutant-") as folder:
        result = run(copy_tree(pathlib.Path(folder)), tests, stop=False)
    if result.failed or not result.ran:
        raise NotCaught(
            f"The tests fail on the unbroken program: {', '.join(result.failed)}\n{result.output}"
        )
    return result.ran


def copy_tree(folder: pathlib.Path) -> pathlib.Path:
    """Copy what the tests need into `folder`; compiled files come along, so only the broken one is compiled anew."""
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, folder / name, ignore=shutil.ignore_patterns("_build", "node_modules", "*.sqlite*")
            )
        else:
            shutil.copy2(source, folder / name)
    return folder


def run(tree: pathlib.Path, tests: Sequence[str], *, stop: bool = True) -> Result:
    """Run `tests` of the copy at `tree` on SQLite, in a process of their own that imports nothing from elsewhere.

    :raises NotCaught: pytest did not get as far as running them.
    """
    report = tree / "report.xml"
    chosen = [f"tests/{test}" for test in tests]
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "--tb=short",
        f"--junitxml={report}",
        *(["-x"] if stop else []),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-k", "not postgresql and not mariadb", *chosen],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    output = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
    if done.returncode not in (0, 1) or not report.exists():
        raise NotCaught(f"pytest ran no tests (exit {done.returncode}) of {', '.join(tests)}\n{output}")
    cases = list(ElementTree.parse(report).iter("testcase"))
    ran = [case for case in cases if case.find("error") is None and case.find("skipped") is None]
    failed = {
        f"{case.get('classname', '').rpartition('.')[2]}.py::{case.get('name')}": _error(failure)
        for case in cases
        if (failure := case.find("failure")) is not None
    }
    if not ran or (done.returncode and not failed):
        raise NotCaught(f"No test of {', '.join(tests)} got as far as its own steps\n{output}")
    return Result(len(ran), failed, output)


def _error(failure: ElementTree.Element) -> str:
    """Return the name of the exception that failed the test."""
    return failure.get("message", "").partition(":")[0].rpartition(".")[2].strip()
