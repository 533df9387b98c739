"""Says at the end of a test run which compiled paths this machine could not run, and fails a run that was to have kernels and has none."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from miner.pow import compiled


def report(absent: Sequence[tuple[str, str]], *, built: bool) -> str:
    """Return the line for a machine that cannot run the paths `absent`, each as (algorithm, path)."""
    if not built:
        return "kernels: none were compiled, and only the reference implementations ran"
    if absent:
        return "kernels: this processor cannot run " + ", ".join(map("/".join, absent))
    return "kernels: every compiled path ran"


def pytest_sessionstart(session: pytest.Session) -> None:
    if os.environ.get("TICKETMINER_REQUIRE_NATIVE") == "1" and compiled._kernels is None:
        raise pytest.UsageError(
            "TICKETMINER_REQUIRE_NATIVE=1, and the kernels are not compiled: install gcc and Python's headers, then install this "
            "again (pip install --editable .)."
        )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(report(compiled.absent_paths(), built=compiled._kernels is not None))
