"""Foreign programs that compute the same: commands whose own word for their rate is taken."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import typing as t
from collections.abc import Collection
from dataclasses import dataclass

Level = t.Literal["native", "wasm"]

PATIENCE = 5.0
"""Seconds beyond the slice for starting and warming up; after them a command is ended."""

_RATE = re.compile(
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*(?P<unit>[kmgt]?)(?:h|hash|hashes)/s\b",
    re.IGNORECASE,
)
_FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


class PeerError(Exception):
    """A peer cannot be measured; the message says what was expected of it."""


def last_rate(output: str) -> float | None:
    """Return the last rate above 0 that `output` names, in hashes a second: ``21.5 MH/s``, ``22.48 khash/s``, ``370 H/s``."""
    found = [
        float(match["number"].replace(",", "")) * _FACTORS[match["unit"].lower()]
        for match in _RATE.finditer(output)
    ]
    return next((rate for rate in reversed(found) if rate > 0), None)


@dataclass(frozen=True)
class Peer:
    """A command that prints the rate at which it computes `algorithm`, natively or as a page would.

    :ivar name: what results call it.
    """

    algorithm: str
    level: Level
    name: str
    command: str

    def run(self, seconds: float) -> float:
        """Let the command run and return the hashes a second that it claims.

        :raises PeerError: it claims nothing.
        """
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                ["/bin/sh", "-c", self.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "BENCHMARK_SECONDS": f"{seconds:g}"},
                start_new_session=True,
            )
            try:
                process.wait(seconds + PATIENCE)
            except subprocess.TimeoutExpired:
                pass  # a miner's benchmark that goes on for ever has said enough
            finally:
                _end(process)
            output.seek(0)
            said = output.read().decode(errors="replace")
        rate = last_rate(said)
        if rate is None:
            raise PeerError(
                f"{self.name} printed no rate within {seconds + PATIENCE:g} s. Expected is a line with a number above 0 and "
                f"H/s, kH/s or MH/s (or hash/s, khash/s, …). The command was: {self.command}\nIt ended with status "
                f"{process.returncode}, and the last it printed was:\n{said[-600:].strip() or '(nothing)'}"
            )
        return rate

    def close(self) -> None:
        """Nothing runs between two rounds."""


def parse_peer(text: str, algorithms: Collection[str]) -> Peer:
    """Return the peer that `text` names: ``[ALGORITHM/][wasm/]NAME=COMMAND``.

    :param algorithms: the ones that are measured; NAME alone will do where there is only one.
    :raises PeerError: it names none.
    """
    names, equals, command = text.partition("=")
    *before, name = names.strip().split("/")
    level: Level = "native"
    if before and before[-1] in ("native", "wasm"):
        level = "wasm" if before.pop() == "wasm" else "native"
    if not before and len(algorithms) == 1:
        before = [*algorithms]
    if not (equals and command.strip() and name) or len(before) > 1:
        raise PeerError(
            f"{text!r} is no peer; give ALGORITHM/NAME=COMMAND, or ALGORITHM/wasm/NAME=COMMAND for one that computes as a page does."
        )
    if not before or before[0] not in algorithms:
        raise PeerError(
            f"What does {name} compute? Give {{{','.join(algorithms)}}}/{name}=COMMAND, one of the algorithms that are measured."
        )
    return Peer(before[0], level, name, command.strip())


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and everything it has started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2)
