"""What the command ``ticketminer`` has printed."""

from __future__ import annotations

import json
import typing as t


def objects(text: str) -> list[dict[str, t.Any]]:
    """Return the JSON objects in `text`, one a line."""
    return [json.loads(line) for line in text.splitlines()]


def assert_refused(result: t.Any, status: int, words: str) -> None:
    """Assert that a command ended with one sentence on stderr and an exit code."""
    assert result.exit_code == status, result.output
    [line] = result.stderr.splitlines()
    assert line.startswith("ticketminer: ")
    assert words in line
