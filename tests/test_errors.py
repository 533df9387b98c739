"""The errors of each package: all in one module, drawn as they are, and named in the protocol."""

from __future__ import annotations

import ast
import inspect
import re
import types
import typing as t
from pathlib import Path

import pytest

import flask_ticketminer.errors
import miner.errors
from flask_ticketminer.errors import Problem

ROOT = Path(__file__).parent.parent
PROTOCOL = (ROOT / "docs/protocol.md").read_text().partition("\n## Errors\n")[2]
PACKAGES = pytest.mark.parametrize(
    "module", [flask_ticketminer.errors, miner.errors], ids=lambda m: m.__name__
)


def classes(module: types.ModuleType) -> list[type[Exception]]:
    return [
        kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__
    ]


def kinds(parent: type[Problem]) -> t.Iterator[type[Problem]]:
    """Yield the classes below `parent` that are raised: those with none below them."""
    for kind in parent.__subclasses__():
        yield from kinds(kind) if kind.__subclasses__() else [kind]


@PACKAGES
def test_the_tree_shows_every_error(module: types.ModuleType) -> None:
    drawn = set(re.findall(r"\w+", module.__doc__ or ""))
    assert {kind.__name__ for kind in classes(module)} - drawn == set()


@PACKAGES
def test_errors_of_a_package_stand_in_one_module(module: types.ModuleType) -> None:
    own = {kind.__name__ for kind in classes(module)}
    package = ROOT / module.__name__.partition(".")[0]
    strays = [
        f"{path.name}: {node.name}"
        for path in package.rglob("*.py")
        if path.name != "errors.py"
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and own & {base.id for base in node.bases if isinstance(base, ast.Name)}
    ]
    assert strays == []


@pytest.mark.parametrize("kind", list(kinds(Problem)), ids=lambda kind: kind.__name__)
def test_the_protocol_names_every_cause_beside_its_status(kind: type[Problem]) -> None:
    rows = [row for row in PROTOCOL.splitlines() if row.startswith(f"| {kind.status} |")]
    assert [row for row in rows if f"`{kind.cause}`" in row] == rows != []
